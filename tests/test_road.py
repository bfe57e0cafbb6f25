"""The whole road on generated networks: inspect, run, prune, build, compare, optimize."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper


def reference(case, count=8):
    session = onnxruntime.InferenceSession(str(case.onnx))
    return session.run(None, {k: v[:count] for k, v in case.inputs.items()})[0]


def run(tamis, file, case, folder, count=8):
    folder.mkdir(exist_ok=True)
    arguments = []
    for key, array in case.inputs.items():
        np.save(folder / f"in_{key}.npy", array[:count])
        arguments += ["--input", f"{key}={folder}/in_{key}.npy"]
    tamis("run", file, *arguments, "--output-dir", folder / "out", "--threads", 2)
    (output,) = (folder / "out").glob("*.npy")
    return np.load(output)


def relative_error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def two_four_layers(path):
    """Weights of an ONNX file that follow 2:4 along the input channels."""
    model = onnx.load(path)
    weights = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    found = set()
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in weights:
            continue
        w = weights[node.input[1]]
        if node.op_type == "Conv":
            rows = w.transpose(0, 2, 3, 1).reshape(-1, w.shape[1])
        elif node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
            rows = w
        else:
            rows = w.T
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
        if (np.count_nonzero(rows.reshape(len(rows), -1, 4), axis=2) <= 2).all():
            found.add(node.input[1])
    return found


@pytest.mark.parametrize("precision, tolerance", [("f32", 1e-4), ("bf16", 6e-2)])
def test_engine_agrees_with_onnxruntime(tamis, case, tmp_path, precision, tolerance):
    engine = tmp_path / "dense.tamis"
    tamis("build", case.onnx, "-o", engine, "--precision", precision, "--threads", 2)
    assert relative_error(run(tamis, engine, case, tmp_path / "run"), reference(case)) < tolerance


def test_onnx_runs_without_an_engine(tamis, case, tmp_path):
    assert relative_error(run(tamis, case.onnx, case, tmp_path / "run"), reference(case)) < 1e-4


@pytest.mark.parametrize("isa", ["avx2", "x86-64"])
def test_capped_instruction_sets(tamis, case, tmp_path, isa, monkeypatch):
    monkeypatch.setenv("TAMIS_ISA", isa)
    assert relative_error(run(tamis, case.onnx, case, tmp_path / "run"), reference(case)) < 1e-4


def test_kernels_can_be_done_without(tamis, case, monkeypatch):
    def tactics():
        report = tamis("bench", case.onnx, "--layers", "--seconds", "0.01", "--warmup", "0", "--json", "-")
        (result,) = json.loads(report)["results"]
        products = [layer for layer in result["layers"] if layer["operator"] in ("Linear", "ChannelsLastConv")]
        return {layer["tactic"].split("@")[0] for layer in products}

    first = tactics()
    monkeypatch.setenv("TAMIS_WITHOUT_KERNELS", ",".join(first))
    assert tactics() and not tactics() & first
    monkeypatch.setenv("TAMIS_WITHOUT_KERNELS", "winograd,wingrad")
    assert "no kernel's name contains 'wingrad';" in tamis("inspect", case.onnx, fails=True)


def test_inspect_tells_nodes_layers_and_gain(tamis, case):
    report = tamis.json("inspect", case.onnx)
    assert report["nodes_after"] < report["nodes_before"]
    weights = {node.input[1] for node in case.model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")}
    layers = {layer["weight"]: layer for layer in report["layers"]}
    constants = {i.name for i in case.model.graph.initializer}
    assert weights & constants <= set(layers)  # embedding tables are listed too, with the reason why not
    assert all(layer["eligible"] or layer["reason"] for layer in layers.values())
    predicted = report["predicted"]
    assert predicted["dense_ms"] > 0 and predicted["pruned_ms"] > 0
    assert predicted["int8_ms"] > 0 and predicted["int8_layers"] > 0 and not predicted["int8_reason"]
    assert 0 < predicted["paired_ms"] <= predicted["pruned_ms"]
    for layer in report["layers"]:  # one or the other, with a reason
        assert layer["gains"] or layer["gains_paired"] or layer["stays_dense"]
        assert layer["int8_ms"] > 0 or layer["stays_float"] or layer["operator"] == "Gather"


def test_an_engine_remembers_its_samples(tamis, case, tmp_path):
    tamis("build", case.onnx, "-o", tmp_path / "int8.tamis", "--precision", "int8", "--calibration", case.data)
    values = tamis.json("inspect", tmp_path / "int8.tamis", "--no-timing")["values"]
    inputs = {value["name"]: value for value in values if value["input"]}
    floats = {name: array for name, array in case.inputs.items() if array.dtype == np.float32}
    assert set(inputs) == set(floats) and any(not value["input"] for value in values)
    for name, array in floats.items():
        assert inputs[name]["low"] == array.min() and inputs[name]["high"] == array.max()
        assert inputs[name]["samples"] == len(array) and sum(inputs[name]["bins"]) == array.size
    assert "codes of" in tamis("inspect", tmp_path / "int8.tamis", "--no-timing")


@pytest.mark.parametrize("method", ["magnitude", "reconstruct"])
def test_prune_writes_a_valid_two_four_network(tamis, case, tmp_path, method):
    pruned = tmp_path / "pruned.onnx"
    report = tamis.json("prune", case.onnx, "-o", pruned, "--data", case.data, "--method", method)
    onnx.checker.check_model(str(pruned), full_check=True)
    sparse = {layer["weight"] for layer in report["layers"] if layer["pattern"] == "2:4"}
    assert sparse and sparse <= two_four_layers(pruned)
    assert all(layer["reason"] for layer in report["layers"] if layer["pattern"] != "2:4")
    recognised = tamis.json("inspect", pruned)
    assert sparse <= {layer["weight"] for layer in recognised["layers"] if layer["pattern"] == "2:4"}


def test_reconstruction_beats_magnitude(tamis, case, tmp_path):
    errors = {}
    for method in ("magnitude", "reconstruct"):
        pruned = tmp_path / f"{method}.onnx"
        tamis("prune", case.onnx, "-o", pruned, "--data", case.data, "--method", method)
        outputs = run(tamis, pruned, case, tmp_path / method, count=64)
        errors[method] = np.linalg.norm(outputs - reference(case, 64))
    assert errors["reconstruct"] < errors["magnitude"]


def test_keep_leaves_a_layer_alone(tamis, case, tmp_path):
    layers = tamis.json("inspect", case.onnx)["layers"]
    kept = next(layer["weight"] for layer in layers if layer["eligible"])
    flags = ["--data", case.data, "--keep", kept, "--no-permute"]  # else its channels would change places with others'
    report = tamis.json("prune", case.onnx, "-o", tmp_path / "p.onnx", *flags)
    (entry,) = [layer for layer in report["layers"] if layer["weight"] == kept]
    assert entry["pattern"] == "dense" and entry["reason"] == "kept dense as asked"
    before = {i.name: numpy_helper.to_array(i) for i in onnx.load(case.onnx).graph.initializer}
    after = {i.name: numpy_helper.to_array(i) for i in onnx.load(tmp_path / "p.onnx").graph.initializer}
    if case.name == "transformer":  # in the CNN a batch norm is folded into the weight
        assert (before[kept] == after[kept]).all()


def test_pruned_engine_computes_the_pruned_network(tamis, case, tmp_path):
    pruned, engine = tmp_path / "pruned.onnx", tmp_path / "pruned.tamis"
    tamis("prune", case.onnx, "-o", pruned, "--data", case.data)
    tamis("build", pruned, "-o", engine, "--threads", 2)
    session = onnxruntime.InferenceSession(str(pruned))
    expected = session.run(None, {k: v[:8] for k, v in case.inputs.items()})[0]
    assert relative_error(run(tamis, engine, case, tmp_path / "run"), expected) < 1e-4


def test_compare_sees_equal_and_different(tamis, case, tmp_path):
    engine, pruned = tmp_path / "dense.tamis", tmp_path / "pruned.onnx"
    tamis("build", case.onnx, "-o", engine)
    tamis("prune", case.onnx, "-o", pruned, "--data", case.data, "--method", "magnitude")
    same = tamis.json("compare", engine, case.onnx, "--data", case.data)
    other = tamis.json("compare", pruned, case.onnx, "--data", case.data)
    assert same["outputs"][0]["max_relative_error"] < 1e-4 < other["outputs"][0]["max_relative_error"]
    assert same["outputs"][0]["mean_cosine"] > other["outputs"][0]["mean_cosine"]


def test_optimize_holds_the_agreement(tamis, case, tmp_path):
    engine, report = tmp_path / "best.tamis", tmp_path / "report.html"
    result = tamis.json("optimize", case.onnx, "-o", engine, "--data", case.data, "--min-agreement", "0.95",
                        "--report", report)
    assert result["holds"] and result["confirm"]["agreement"] >= 0.95
    assert "<html" in report.read_text()
    compared = tamis.json("compare", engine, case.onnx, "--data", case.data)
    assert compared["outputs"][0]["mean_cosine"] >= 0.95


def test_optimize_writes_nothing_that_misses_the_budget(tamis, case, tmp_path):
    engine = tmp_path / "best.tamis"
    arguments = ["optimize", case.onnx, "-o", engine, "--data", case.data, "--precision", "bf16", "--min-agreement",
                 "0.999999999999"]  # fmt: skip
    message = tamis(*arguments, fails=True)
    assert "can't be held" in message and "closest" in message and "--write-closest" in message
    assert not engine.exists()
    assert "written as asked" in tamis(*arguments, "--write-closest", fails=True)
    assert engine.exists()


def test_what_can_not_be_written_is_said_before_the_work(tamis, case, tmp_path):
    missing, nowhere = tmp_path / "missing" / "x", tmp_path / "no_data"
    for verb in ("prune", "quantize", "optimize"):
        assert f"'{missing}' cannot be created" in tamis(verb, case.onnx, "-o", missing, "--data", nowhere, fails=True)
    out = tmp_path / "x.tamis"
    assert f"'{missing}' cannot be created" in tamis("optimize", case.onnx, "-o", out, "--data", nowhere, "--report",
                                                     missing, fails=True)  # fmt: skip
    assert "--max-drop is 200" in tamis("optimize", case.onnx, "-o", out, "--data", nowhere, "--max-drop", "200",
                                        fails=True)  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_optimize_refuses_budgets_that_are_none(tamis, case, tmp_path):
    for flag, value in (("--min-agreement", "0"), ("--min-agreement", "1.01"), ("--max-drop", "-1"),
                        ("--max-drop", "101")):  # fmt: skip
        message = tamis("optimize", case.onnx, "-o", tmp_path / "x.tamis", "--data", case.data, flag, value, fails=True)
        assert flag in message and value in message
    assert "auto" in tamis("optimize", case.onnx, "-o", tmp_path / "x.tamis", "--data", case.data, "--precision", "int8",
                           fails=True)  # fmt: skip
