"""The Python package: pruning, optimizing, comparing, inspecting."""

import os
import pathlib
import signal
import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tamis

RANDOM = np.random.default_rng(7)


@pytest.fixture(scope="module")
def model():
    """Two layers of 64, the second one after a Relu."""
    weights = {name: RANDOM.normal(size=(64, 64)).astype(np.float32) / 8 for name in ("w1", "w2")}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], ["y"], name="second"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture(scope="module")
def data():
    # Correlated, as what a layer sees is.
    return {"x": (RANDOM.normal(size=(192, 12)) @ RANDOM.normal(size=(12, 64))).astype(np.float32)}


def is_two_of_four(weight):
    """At most two of every four consecutive inputs of an output are not zero; inputs are the first axis."""
    groups = (weight.T != 0).reshape(weight.shape[1], -1, 4)
    return (groups.sum(axis=2) <= 2).all()


def test_prune_by_gradient_takes_labels(model, data, tmp_path):
    def prune(**more):
        return tamis.prune(model, tmp_path / "pruned.onnx", data=data, **more)

    labels = RANDOM.integers(0, 64, 192)
    report = prune(method="gradient", labels=labels)
    assert [layer["pattern"] for layer in report.layers] == ["2:4", "2:4"]
    with pytest.raises(ValueError, match="a label for every sample.*labels.npy.*reconstruct"):
        prune(method="gradient")
    with pytest.raises(ValueError, match="1 of 192 labels are no class of output 'y', which has 64 classes: sample 7 has 64"):
        prune(method="gradient", labels=np.where(np.arange(192) == 7, 64, 0))
    with pytest.raises(ValueError, match="goes with method gradient"):
        prune(labels=labels)


def test_one_sample_is_refused(model, data, tmp_path):
    one = {name: array[:1] for name, array in data.items()}
    with pytest.raises(ValueError, match="one sample is too few.*magnitude"):
        tamis.prune(model, tmp_path / "pruned.onnx", data=one)
    assert not (tmp_path / "pruned.onnx").exists()
    assert tamis.prune(model, tmp_path / "pruned.onnx", data=one, method="magnitude").samples == 1


@pytest.mark.parametrize("method", ["reconstruct", "magnitude"])
def test_prune(model, data, tmp_path, method):
    steps = []
    report = tamis.prune(model, tmp_path / "pruned.onnx", data=data, method=method, keep=["second"],
                         progress=lambda *step: steps.append(step))  # fmt: skip
    assert report.samples == 192 and steps
    layers = {layer["weight"]: layer for layer in report.layers}
    assert layers["w1"]["pattern"] == "2:4" and layers["w2"]["pattern"] == "dense"
    assert layers["w2"]["reason"]
    written = {w.name: numpy_helper.to_array(w) for w in onnx.load(tmp_path / "pruned.onnx").graph.initializer}
    assert is_two_of_four(written["w1"]) and not is_two_of_four(written["w2"])
    difference = tamis.compare(tmp_path / "pruned.onnx", model, data=data)["y"]
    assert difference.samples == 192
    assert 0.8 < difference.mean_cosine < 1


def test_prune_permuted(model, data, tmp_path):
    report = tamis.prune(model, tmp_path / "permuted.onnx", data=data, method="magnitude", permute=True).permuted
    assert report["moved"] == report["of"] == 1 and report["error"] <= report["bound"] < 1e-3
    (line,) = report["classes"]
    assert line["layers"] == ["w2"] and line["kept_after"] > line["kept_before"]
    assert [layer["weight"] for layer in report["fixed"]] == ["w1"]
    assert tamis.prune(model, tmp_path / "plain.onnx", data=data, method="magnitude").permuted is None
    # Weights that are fitted and become 2:4 are put in order unless that is not wanted.
    assert tamis.prune(model, tmp_path / "fitted.onnx", data=data).permuted["moved"] == 1
    assert tamis.prune(model, tmp_path / "fitted.onnx", data=data, permute=False).permuted is None
    assert tamis.prune(model, tmp_path / "fitted.onnx", data=data, pattern="4:8").permuted is None
    cosines = [tamis.compare(tmp_path / name, model, data=data)["y"].mean_cosine
               for name in ("permuted.onnx", "plain.onnx")]  # fmt: skip
    assert cosines[0] > cosines[1]


def test_prune_and_quantize(model, data, tmp_path):
    report = tamis.prune(model, tmp_path / "both.onnx", data=data, quantize="int8", keep_float=["second"])
    layers = {layer["weight"]: layer for layer in report.layers}
    assert layers["w1"]["int8"] and layers["w1"]["pattern"] == "2:4" and layers["w1"]["weight_error"] > 0
    assert not layers["w2"]["int8"] and layers["w2"]["float_reason"]
    written = {w.name: numpy_helper.to_array(w) for w in onnx.load(tmp_path / "both.onnx").graph.initializer}
    assert written["w1_codes"].dtype == np.int8 and is_two_of_four(written["w1_codes"])
    with pytest.raises(ValueError, match="int4"):
        tamis.prune(model, tmp_path / "x.onnx", data=data, quantize="int4")


def test_quantize(model, data, tmp_path):
    steps = []
    report = tamis.quantize(model, tmp_path / "int8.onnx", data=data, keep=["second"],
                            progress=lambda *step: steps.append(step))  # fmt: skip
    assert report.samples == 192 and steps and report.verdict
    layers = {layer["weight"]: layer for layer in report.layers}
    assert layers["w1"]["int8"] and not layers["w2"]["int8"] and layers["w2"]["reason"]
    assert all(tensor["scale"] > 0 for tensor in report.tensors)
    difference = tamis.compare(tmp_path / "int8.onnx", model, data=data)["y"]
    assert difference.mean_cosine > 0.999
    tamis.quantize(model, tmp_path / "descent.onnx", data=data, rounding="descent", clip_weights=False, balance=False)
    assert tamis.compare(tmp_path / "descent.onnx", model, data=data)["y"].mean_cosine > 0.999
    with pytest.raises(ValueError, match="rounding"):
        tamis.quantize(model, tmp_path / "x.onnx", data=data, rounding="up")
    with pytest.raises(ValueError, match="observer"):
        tamis.quantize(model, tmp_path / "x.onnx", data=data, observer="best")


def test_data_of_a_folder_are_the_same_as_arrays(model, data, tmp_path):
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "x.npy", data["x"])
    reports = [tamis.prune(model, tmp_path / "pruned.onnx", data=source) for source in (data, tmp_path / "data")]
    assert all(report.permuted.pop("seconds") >= 0 for report in reports)
    assert reports[0] == reports[1]


def test_data_that_do_not_fit(model, data, tmp_path):
    output = tmp_path / "pruned.onnx"
    with pytest.raises(ValueError, match="(?s)input 'x' .* has no array.*'z' is no input"):
        tamis.prune(model, output, data={"z": data["x"]})
    with pytest.raises(ValueError, match="nowhere"):
        tamis.prune(model, output, data=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="dict of arrays by input, not int"):
        tamis.prune(model, output, data=3)
    with pytest.raises(ValueError, match=r"shape \[192, 60\].*\[samples, 64\]"):
        tamis.prune(model, output, data={"x": data["x"][:, :60]})
    with pytest.raises(ValueError, match="64 values are not finite"):
        tamis.prune(model, output, data={"x": np.where(np.arange(192)[:, None] == 5, np.nan, data["x"])
                                         .astype(np.float32)})  # fmt: skip
    with pytest.raises(ValueError, match="'keep_me'|keep_me"):
        tamis.prune(model, output, data=data, keep=["keep_me"])
    with pytest.raises(ValueError, match="magnitude"):
        tamis.prune(model, output, data=data, method="dice")
    with pytest.raises(ValueError, match="samples is -1"):
        tamis.prune(model, output, data=data, samples=-1)
    assert not output.exists()


def test_ctrl_c_ends_pruning(model, data, tmp_path):
    seen = threading.Event()

    def interrupt(done, total, layer):
        if not seen.is_set():
            seen.set()
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0.2)  # longer than the wait between two looks for signals

    with pytest.raises(KeyboardInterrupt):
        tamis.prune(model, tmp_path / "pruned.onnx", data=data, progress=interrupt)
    assert not (tmp_path / "pruned.onnx").exists()


def test_compare(model, data, tmp_path):
    engine = tamis.build(model, tune=False)
    same = tamis.compare(engine, tamis.Session(model), data=data, samples=40)["y"]
    assert same.samples == 40 and same.max_relative_error == 0 and same.min_cosine == pytest.approx(1, abs=1e-12)
    assert same.top1_agreement == 1 and same.clear_top1_disagreements == 0
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.node[2].output[0] = other.graph.output[0].name = "z"
    with pytest.raises(ValueError, match="lacks outputs of the second: y"):
        tamis.compare(other, model, data=data)
    (tmp_path / "data").mkdir()
    for name in ("x", "z"):
        np.save(tmp_path / "data" / f"{name}.npy", np.ones((3, 64), np.float32))
    with pytest.warns(UserWarning, match="z.npy is no input of this network"):
        assert tamis.compare(engine, engine, data=tmp_path / "data")["y"].samples == 3


def test_inspect(model, tmp_path):
    onnx.save(model, tmp_path / "m.onnx")
    facts = tamis.inspect(tmp_path / "m.onnx", profiles={"x": (4, 64)})
    assert facts["parameters"] == 2 * 64 * 64 and facts["nodes_before"] == 3
    assert {layer["weight"] for layer in facts["layers"]} == {"w1", "w2"}
    tamis.build(model, tmp_path / "m.tamis", tune=False)
    facts = tamis.inspect(tmp_path / "m.tamis")
    assert facts["provenance"]["precision"] == "f32"
    with pytest.raises(ValueError, match="not an ONNX model"):
        tamis.inspect(__file__)


def test_optimize(model, data, tmp_path):
    report = tmp_path / "report.html"
    found = tamis.optimize(model, tmp_path / "m.tamis", data=data, min_agreement=0.5, precision="f32", report=report)
    assert found.holds and found.confirm["agreement"] >= 0.5 and found.precision == "f32"
    assert {layer["weight"] for layer in found.layers} == {"w1", "w2"}
    assert not any(layer["int8"] for layer in found.layers)
    assert report.read_text().startswith("<!")
    assert tamis.compare(tmp_path / "m.tamis", model, data=data)["y"].mean_cosine > 0.5
    # Without a budget: 1.5 points of top-1, for which bf16 is exact enough or not used.
    assert tamis.optimize(model, data=data).holds
    with pytest.raises(ValueError, match="^min_agreement is 1.5"):
        tamis.optimize(model, data=data, min_agreement=1.5)


def test_optimize_looks_at_samples_and_the_engine_remembers_them(model, data, tmp_path):
    few = {"x": np.concatenate([data["x"][:30]] * 2)}
    found = tamis.optimize(model, tmp_path / "m.tamis", data=few, min_agreement=0.5, precision="f32")
    assert any("30 of 60 samples repeat others" in note for note in found.notes)
    (record,) = tamis.inspect(tmp_path / "m.tamis")["values"]
    assert record["name"] == "x" and record["samples"] == 60 and record["low"] == few["x"].min()
    with pytest.raises(ValueError, match="'x' is all zero: nothing flows"):
        tamis.optimize(model, data={"x": np.zeros_like(few["x"])}, min_agreement=0.5)


def test_wrong_arguments_are_listed_together_and_named_as_python_has_them(model, data, tmp_path):
    with pytest.raises(ValueError) as error:
        tamis.optimize(model, data=data, min_agreement=2, max_drop=-1, precision="f64", method="dice", threads=-2)
    assert all(text in str(error.value) for text in ("min_agreement is 2", "max_drop is -1", "f64", "dice", "threads is -2"))
    with pytest.raises(ValueError) as error:
        tamis.quantize(model, tmp_path / "q.onnx", data=data, observer="best", activations="u4", percentile=30)
    assert all(text in str(error.value) for text in ("best", "activations 'u4'", "percentile is 30"))
    engine = tmp_path / "m.tamis"
    tamis.build(model, engine, tune=False)
    for verb in (tamis.prune, tamis.quantize, tamis.optimize):
        with pytest.raises(ValueError, match=f"{verb.__name__} takes an ONNX model, and '.*' is an engine"):
            verb(engine, tmp_path / "x", data=data)
        with pytest.raises(RuntimeError, match="'.*nowhere/x' cannot be created"):
            verb(model, tmp_path / "nowhere" / "x", data=data)


def wide_network(layers=4, width=512):
    """Products so large that int8 is faster than floats wherever bytes are multiplied faster."""
    weights = {f"w{i}": (RANDOM.normal(size=(width, width)) * np.sqrt(2 / width)).astype(np.float32)
               for i in range(layers)}  # fmt: skip
    nodes, value = [], "x"
    for i in range(layers):
        last = i + 1 == layers
        nodes.append(helper.make_node("MatMul", [value, f"w{i}"], ["y" if last else f"p{i}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"p{i}"], [f"r{i}"]))
            value = f"r{i}"
    graph = helper.make_graph(
        nodes,
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    samples = (RANDOM.normal(size=(256, 32)) @ RANDOM.normal(size=(32, width))).astype(np.float32)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), {"x": samples}


@pytest.mark.skipif("vnni" not in pathlib.Path("/proc/cpuinfo").read_text(),
                    reason="without VNNI bytes are multiplied no faster than floats: either may win")  # fmt: skip
def test_optimize_chooses_int8(tmp_path):
    network, samples = wide_network()
    found = tamis.optimize(network, tmp_path / "m.tamis", data=samples, min_agreement=0.99, method="magnitude",
                           profiles={"x": [(1, 512), (64, 512), (64, 512)]}, threads=1)  # fmt: skip
    assert found.holds and all(layer["int8"] for layer in found.layers)
    assert found.confirm["agreement"] >= 0.99
    assert {trial["label"] for trial in found.trials} >= {"dense", "all int8"}
    # Fit, choose and confirm are parts of one another's rest.
    assert found.fit_samples + found.choose_samples + found.confirm_samples <= 256
    assert tamis.compare(tmp_path / "m.tamis", network, data={"x": samples["x"][:64]})["y"].mean_cosine > 0.99


def test_optimize_says_what_is_closest_to_a_budget_it_cannot_hold(model, data, tmp_path):
    with pytest.raises(ValueError, match="can't be held. The closest .* Nothing was written"):
        tamis.optimize(model, tmp_path / "m.tamis", data=data, min_agreement=1 - 1e-12, precision="bf16")
    assert not (tmp_path / "m.tamis").exists()
    closest = tamis.optimize(model, tmp_path / "m.tamis", data=data, min_agreement=1 - 1e-12, precision="bf16",
                             write_closest=True)  # fmt: skip
    assert not closest.holds and closest.confirm["agreement"] < 1 - 1e-12 and (tmp_path / "m.tamis").exists()
