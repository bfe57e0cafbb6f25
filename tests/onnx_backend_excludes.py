"""ONNX's node tests that are deliberately out. Each must be refused, and for the reason that the list gives."""

from __future__ import annotations

import re
from typing import NamedTuple


class Exclude(NamedTuple):
    tests: str  # regular expression for the whole name, without "_cpu"
    message: str  # what the refusal must say
    reason: str  # why it is out


EXCLUDES = [
    Exclude(
        r"test_bernoulli.*",
        "random numbers",
        "drawn numbers can't equal those that NumPy drew; tamis.Session runs the operator, its statistics are tested",
    ),
    Exclude(
        r"test_not_[234]d",
        "operator set 1 of ai.onnx",
        "written for opset 1 of 2017; Tamis takes opset 7 and later",
    ),
    Exclude(
        r"test_gradient_of_.*",
        "Gradient",
        "training: gradients of a graph are not computed",
    ),
]


def find(name: str) -> Exclude | None:
    """The entry of a test, if it is out."""
    return next((entry for entry in EXCLUDES if re.fullmatch(entry.tests, name)), None)
