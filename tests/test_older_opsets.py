"""ONNX's node tests at every older opset that their node is valid in: since an opset, until superseded.

Node tests are written for the newest version of an operator. Where ONNX's checker and its strict shape inference take
the same node under an older version, the same numbers are expected of it, except where the meaning has changed.
"""

import collections
import dataclasses

import onnx
import onnx.defs
import onnx_cases
import pytest

OLDEST = 7
WITH_REGIONS = {"If", "Loop", "Scan", "SequenceMap"}  # the checker does not look at the opset of their bodies
# Before opset 13 these work on everything from their axis on, flattened.
MEANING_CHANGED = {("Softmax", 13), ("LogSoftmax", 13), ("Hardmax", 13)}
REFUSALS = ["before opset", "random numbers"]  # what an older version lacks, though its schema can't say so


def versions():
    """Operator -> the opsets that changed it."""
    found = collections.defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            found[schema.name].append(schema.since_version)
    return {name: sorted(opsets) for name, opsets in found.items()}


def at_opset(case, opset):
    """The case with the model's opset replaced, or None if the node is not valid there."""
    model = onnx.load_from_string(case.model)
    for entry in model.opset_import:
        if entry.domain == "":
            entry.version = opset
    try:
        onnx.checker.check_model(model)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception:  # the checker's, of several types
        return None
    return dataclasses.replace(case, opset=opset, model=model.SerializeToString())


def older_cases():
    changes = versions()
    for case in onnx_cases.load():
        nodes = onnx.load_from_string(case.model).graph.node
        if len(nodes) != 1 or nodes[0].domain or nodes[0].op_type in WITH_REGIONS:
            continue
        operator = nodes[0].op_type
        opsets = changes[operator]
        current = max(opset for opset in opsets if opset <= case.opset)
        for since, until in zip(opsets, opsets[1:]):
            if until <= OLDEST or since >= current:
                continue
            if any(operator == name and since < change for name, change in MEANING_CHANGED):
                continue
            if older := at_opset(case, max(since, OLDEST)):
                yield older


def test_nodes_mean_the_same_in_older_opsets():
    runs, failures = 0, []
    for case in older_cases():
        verdict = onnx_cases.run(case)
        runs += 1
        refused = verdict.kind == "refused" and any(text in verdict.reason for text in REFUSALS)
        if verdict.kind != "passed" and not refused:
            failures.append(f"{case.name} at opset {case.opset}: {verdict.kind}: {verdict.reason}")
    assert runs > 1500
    if failures:
        pytest.fail("\n".join(failures[:20]), pytrace=False)
