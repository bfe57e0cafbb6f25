"""ONNX's node tests as cases that can be run one by one, each with a verdict."""

from __future__ import annotations

import dataclasses
import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import onnx

CACHE = Path(__file__).resolve().parent.parent / ".cache"
# Not inference: no part of what Tamis takes, nor are tests with "training" in their names.
OTHER_DOMAINS = {"ai.onnx.training", "ai.onnx.preview.training"}
ML = "ai.onnx.ml"


@dataclasses.dataclass
class Case:
    name: str
    operator: str  # that the case is about; cases of an expanded function belong to the function
    opset: int
    model: bytes
    data_sets: list[tuple[list[Any], list[Any]]]
    rtol: float
    atol: float
    domain: str = ""  # ML, or ai.onnx


@dataclasses.dataclass
class Verdict:
    kind: str  # "passed", "refused", "wrong", "crashed"
    reason: str = ""
    notices: list[str] = dataclasses.field(default_factory=list)  # of the session: what runs elsewhere, and why


def _collect() -> list[Case]:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the collection divides by zero on purpose
        found = load_model_tests(kind="node")
    operators = {}
    cases = []
    for test in found:
        nodes = test.model.graph.node
        if "training" in test.name or any(node.domain in OTHER_DOMAINS for node in nodes):
            continue
        operators[test.name] = nodes[-1].op_type
        domain = ML if any(node.domain == ML for node in nodes) else ""
        domains = {ML} if domain else {"", "ai.onnx"}
        opset = next((o.version for o in test.model.opset_import if o.domain in domains), 0)
        model = test.model.SerializeToString()
        data = [tuple([_plain(item) for item in side] for side in data_set) for data_set in test.data_sets]
        cases.append(Case(test.name, "", opset, model, data, test.rtol, test.atol, domain))
    for case in cases:
        whole = re.sub(r"_expanded(_ver\d+)?$", "", case.name)
        case.operator = operators.get(whole, operators[case.name])
    return cases


def _plain(item: Any) -> Any:
    return onnx.numpy_helper.to_array(item) if isinstance(item, onnx.TensorProto) else item


def load() -> list[Case]:
    """Every node test of inference over ai.onnx and ai.onnx.ml, in order of name. Kept in .cache: collecting takes seconds."""
    path = CACHE / f"onnx-node-tests-{onnx.__version__}-with-ml.pickle"
    try:
        return pickle.loads(path.read_bytes())
    except (OSError, pickle.UnpicklingError, AttributeError, EOFError):
        pass
    cases = sorted(_collect(), key=lambda case: case.name)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(f".{id(cases)}")
    partial.write_bytes(pickle.dumps(cases))
    partial.replace(path)
    return cases


def flattened(expected: Any, outputs: Any) -> tuple[list[Any], list[Any]]:
    """Both with a sequence's elements in its place: ONNX's comparison can't look at scalars within a sequence."""
    if len(expected) != len(outputs):
        raise AssertionError(f"{len(outputs)} outputs or elements, {len(expected)} expected")
    flat: tuple[list[Any], list[Any]] = ([], [])
    for one, other in zip(expected, outputs):
        if isinstance(one, (list, tuple)) != isinstance(other, (list, tuple)):
            raise AssertionError(f"{type(other).__name__} given, {type(one).__name__} expected")
        pairs = flattened(one, other) if isinstance(one, (list, tuple)) else ([one], [other])
        flat[0].extend(pairs[0])
        flat[1].extend(pairs[1])
    return flat


HALF_RTOL, HALF_ATOL = 1e-2, 5e-3  # of tests that are written for f32 where products are of f16 operands


def run(case: Case, device: str = "CPU", precision: str | None = None) -> Verdict:
    """Runs a case over tamis.backend in this process. A refusal is a ValueError, from building or running."""
    from onnx.backend.test.runner import Runner

    import tamis.backend

    rtol, atol = case.rtol, case.atol
    if precision == "f16":
        rtol, atol = max(rtol, HALF_RTOL), max(atol, HALF_ATOL)
    try:
        rep = tamis.backend.prepare(onnx.load_from_string(case.model), device, precision=precision)
        for inputs, expected in case.data_sets:
            outputs = rep.run(inputs)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    Runner.assert_similar_outputs(*flattened(expected, outputs), rtol, atol)
            except Exception as error:  # a type that can't be compared is wrong too
                return Verdict("wrong", f"{type(error).__name__}: {error}".strip())
    except ValueError as error:
        return Verdict("refused", str(error))
    except Exception as error:
        return Verdict("crashed", f"{type(error).__name__}: {error}")
    return Verdict("passed", notices=list(rep.session.notices))
