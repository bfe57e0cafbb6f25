"""The check that stands between a compressed network and its release."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tamis import _models
from tamis._engine import Engine
from tamis._verbs import Data


@dataclasses.dataclass(frozen=True)
class GateReport:
    """What `gate` found."""

    passed: bool
    verdict: str
    """"passed", "unproven" (within every limit, but the samples are too few to prove it) or "failed"."""
    checks: list[dict[str, Any]]
    """name, output, measured, interval, limit (None: told, not judged), verdict, text and perhaps samples_needed."""
    samples: int
    top1_measured: bool
    details: dict[str, Any]
    """All that `tamis gate --json` prints."""

    def __getitem__(self, name: str) -> dict[str, Any]:
        """The first check of that name: "top1_drop", "same_answers", "cosine", "finite", "latency_ratio"."""
        for check in self.checks:
            if check["name"] == name:
                return check
        raise KeyError(name)


def gate(
    dense: _models.ModelLike | Engine,
    candidate: _models.ModelLike | Engine,
    *,
    data: Data,
    labels: Any = None,
    output: str = "",
    max_drop: float = 1.5,
    min_agreement: float | None = None,
    min_same: float | None = None,
    max_latency_ratio: float | None = None,
    strict: bool = False,
    junit: str | os.PathLike[str] | None = None,
    seed: int = 1,
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    precision: str = "f32",
    threads: int = 0,
) -> GateReport:
    """Judges a compressed network against the dense one; a failed check is no exception but `passed` being False.

    Args:
        dense, candidate: Models or engines, each as `Session` takes them, or what `build` returned.
        data, samples, image_size, mean, std, threads: As of `prune`; other samples than the ones weights were fitted to.
        labels: One class a sample, an array of integers; by default `data["labels"]`, labels.npy or the class folders.
        output: The output that labels are about, where several could be.
        max_drop: Points of top-1 that may be lost. Without labels top-1 is not measured, and agreement is judged.
        min_agreement: Least mean cosine between both sides' outputs; without labels 0.99.
        min_same: Least share of samples with the same class from both sides; without labels 0.95.
        max_latency_ratio: Measures both sides in turns; the candidate may take at most this part of the dense time.
        strict: An interval that reaches beyond a limit fails too.
        junit: XML file to write.
        seed: Of the bootstrap.
        precision: Of ONNX models, which are built in memory.

    Raises:
        ValueError: The models, the data or an argument can't be judged by; the message lists all that is wrong.
        RuntimeError: The machine's fault.
    """
    program = Path(__file__).parent / "bin" / "tamis"
    with tempfile.TemporaryDirectory(prefix="tamis-gate-") as scratch:
        command = [str(program), "gate", "--json"]
        command += ["--dense", _file(dense, scratch, "dense"), "--candidate", _file(candidate, scratch, "candidate")]
        command += ["--data", _folder(data, scratch), "--max-drop", repr(float(max_drop)), "--seed", str(seed)]
        command += ["--threads", str(threads), "--samples", str(samples), "--precision", precision]
        if labels is not None:
            np.save(os.path.join(scratch, "classes.npy"), np.asarray(labels))
            command += ["--labels", os.path.join(scratch, "classes.npy")]
        given = {"--min-agreement": min_agreement, "--min-same": min_same, "--max-latency-ratio": max_latency_ratio}
        for flag, value in given.items():
            if value is not None:
                command += [flag, repr(float(value))]
        if output:
            command += ["--output", output]
        if image_size:
            command += ["--image-size", str(image_size)]
        for flag, values in (("--mean", mean), ("--std", std)):
            if len(values) > 0:
                command += [flag, ",".join(repr(float(value)) for value in values)]
        if strict:
            command.append("--strict")
        if junit is not None:
            command += ["--junit", os.fspath(junit)]
        answer = subprocess.run(command, capture_output=True, text=True)
    if not answer.stdout:
        # Both kinds end with 2: a gate that fails must be told from one that could not judge.
        message = answer.stderr.strip().split("tamis gate: error: ", 1)[-1]
        raise (ValueError if answer.returncode == 2 else RuntimeError)(message)
    found = json.loads(answer.stdout)
    return GateReport(
        passed=found["passed"],
        verdict=found["verdict"],
        checks=found["checks"],
        samples=found["samples"],
        top1_measured=found["top1_measured"],
        details=found,
    )


def _file(model: _models.ModelLike | Engine, scratch: str, name: str) -> str:
    if isinstance(model, Engine):
        path = os.path.join(scratch, name + ".tamis")
        model.save(path)
        return path
    source = _models.source(model)
    if isinstance(source.model, str):
        return source.model
    path = os.path.join(scratch, name + ".onnx")
    Path(path).write_bytes(source.model)
    return path


def _folder(data: Data, scratch: str) -> str:
    if not isinstance(data, Mapping):
        return os.fspath(data)
    folder = os.path.join(scratch, "data")
    os.mkdir(folder)
    for name, array in data.items():
        plain = name.translate(str.maketrans("/:\\", "___"))
        np.save(os.path.join(folder, plain + ".npy"), np.asarray(array))
    return folder
