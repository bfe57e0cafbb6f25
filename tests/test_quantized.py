"""Networks that onnxruntime quantised: numerics against onnxruntime, and which nodes are left between the int8 products.

Two runs of a quantised network that round at different places differ by the noise of quantisation. Its size is what
onnxruntime's own result shows against the float network: independent noise of that size on both sides differs by its
square root of two, so the root mean square of the difference must stay below 1.5 times it.
"""

import networks
import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic,
                                      quantize_static)

BATCH = 8


class Samples(CalibrationDataReader):
    def __init__(self, inputs):
        count = len(next(iter(inputs.values())))
        self.batches = iter([{k: v[i:i + BATCH] for k, v in inputs.items()} for i in range(0, count, BATCH)])

    def get_next(self):
        return next(self.batches, None)


def answers(path, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def check(path, floating, inputs, engine, tamis):
    """Builds and compares with onnxruntime; returns the engine's kernels by node."""
    import tamis as package

    feeds = {k: v[:BATCH] for k, v in inputs.items()}
    report = tamis.json("build", path, "-o", engine, "--threads", "2")
    assert report["output"]
    ours = package.Session(str(engine), threads=2).run(None, feeds)
    theirs, exact = answers(path, feeds), answers(floating, feeds)
    for a, b, f in zip(ours, theirs, exact):
        noise = rms(b - f)
        assert rms(a - b) <= 1.5 * noise, f"{rms(a - b):.3g} apart, quantisation noise {noise:.3g}"
        assert rms(a - f) <= 1.3 * noise, f"{rms(a - f):.3g} from the float network, onnxruntime {noise:.3g}"
    plans = tamis.json("inspect", engine)["plans"]
    measured = next(plan for plan in plans if plan["measured"])
    return [node["tactic"] for node in measured["points"][0]["nodes"]]


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized_cnn")
    networks.cnn(str(folder / "float.onnx"))
    folded = folder / "folded.onnx"  # batch norms into convolutions, as every quantiser wants it
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(str(folder / "float.onnx"), options, providers=["CPUExecutionProvider"])
    coarse = np.random.default_rng(11).normal(size=(64, 3, 5, 5)).astype(np.float32)
    return folder, folded, {"picture": coarse.repeat(4, axis=2).repeat(4, axis=3)}


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized_transformer")
    networks.transformer(str(folder / "float.onnx"))
    random = np.random.default_rng(12)
    lengths = random.integers(5, 25, 64)
    return folder, folder / "float.onnx", {
        "tokens": random.zipf(1.5, size=(64, 24)).clip(max=96).astype(np.int64),
        "open": (np.arange(24)[None, :] < lengths[:, None]).astype(np.int64)}


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator], ids=["qdq", "qoperator"])
@pytest.mark.parametrize("per_channel", [True, False], ids=["per_channel", "per_tensor"])
@pytest.mark.parametrize("activation", [QuantType.QUInt8, QuantType.QInt8], ids=["u8", "s8"])
def test_static_cnn(cnn, form, per_channel, activation, tamis, tmp_path):
    folder, floating, inputs = cnn
    path = tmp_path / "quantized.onnx"
    quantize_static(str(floating), str(path), Samples(inputs), quant_format=form, per_channel=per_channel,
                    activation_type=activation, weight_type=QuantType.QInt8)
    kernels = check(path, floating, inputs, tmp_path / "quantized.tamis", tamis)
    products = [i for i, kernel in enumerate(kernels) if kernel.startswith("quantized_")]
    weights = sum(node.op_type in ("Conv", "Gemm") for node in onnx.load(floating).graph.node)
    assert len(products) == weights
    # Sums are in the products' epilogues: nothing else is left between them but the pool and views.
    between = [k for k in kernels[products[0]:products[-1]] if not k.startswith(("quantized_", "codes_", "view"))]
    assert between == []


@pytest.mark.parametrize("per_channel", [True, False], ids=["per_channel", "per_tensor"])
def test_static_transformer(transformer, per_channel, tamis, tmp_path):
    folder, floating, inputs = transformer
    path = tmp_path / "quantized.onnx"
    quantize_static(str(floating), str(path), Samples(inputs), quant_format=QuantFormat.QDQ, per_channel=per_channel,
                    op_types_to_quantize=["MatMul", "Add"], weight_type=QuantType.QInt8)
    kernels = check(path, floating, inputs, tmp_path / "quantized.tamis", tamis)
    assert sum(kernel.startswith("quantized_") for kernel in kernels) >= 3 * 6  # projections and both of the MLP


@pytest.mark.parametrize("weight", [QuantType.QInt8, QuantType.QUInt8], ids=["s8", "u8"])
def test_dynamic_transformer(transformer, weight, tamis, tmp_path):
    folder, floating, inputs = transformer
    path = tmp_path / "quantized.onnx"
    quantize_dynamic(str(floating), str(path), weight_type=weight)
    kernels = check(path, floating, inputs, tmp_path / "quantized.tamis", tamis)
    # u8 weights whose zero point leaves the range of s8 stay on MatMulInteger.
    if weight == QuantType.QInt8:
        assert sum(kernel.startswith("quantized_") for kernel in kernels) >= 3 * 6


def save_inputs(folder, inputs):
    folder.mkdir()
    for key, array in inputs.items():
        np.save(folder / f"{key}.npy", array)
    return folder


@pytest.mark.parametrize("observer", ["minmax", "percentile", "mse", "entropy"])
def test_quantize_cnn(cnn, observer, tamis, tmp_path):
    """Our own quantiser: as near to the float network as onnxruntime's, in Tamis and in onnxruntime itself."""
    folder, floating, inputs = cnn
    theirs = tmp_path / "theirs.onnx"
    quantize_static(str(floating), str(theirs), Samples(inputs), quant_format=QuantFormat.QDQ, per_channel=True,
                    weight_type=QuantType.QInt8)
    data = save_inputs(tmp_path / "data", inputs)
    path = tmp_path / "ours.onnx"
    report = tamis.json("quantize", floating, "-o", path, "--data", data, "--observer", observer, "--percentile", 99.999)
    assert all(layer["int8"] for layer in report["layers"])
    assert report["samples"] == 64 and report["verdict"]
    onnx.checker.check_model(str(path), full_check=True)
    feeds = {k: v[:BATCH] for k, v in inputs.items()}
    exact, reference = answers(floating, feeds)[0], answers(theirs, feeds)[0]
    # The pictures hold each number sixteen times: entropy takes their gaps for the distribution's and clips the ends.
    allowed = 4 if observer == "entropy" else 1.3
    assert rms(answers(path, feeds)[0] - exact) <= allowed * rms(reference - exact)
    kernels = check(path, floating, inputs, tmp_path / "ours.tamis", tamis)
    products = [i for i, kernel in enumerate(kernels) if kernel.startswith("quantized_")]
    assert len(products) == len(report["layers"])
    assert [k for k in kernels[products[0]:products[-1]] if not k.startswith(("quantized_", "codes_", "view"))] == []


def test_quantize_transformer(transformer, tamis, tmp_path):
    folder, floating, inputs = transformer
    data = save_inputs(tmp_path / "data", inputs)
    path = tmp_path / "ours.onnx"
    report = tamis.json("quantize", floating, "-o", path, "--data", data)
    assert sum(layer["int8"] for layer in report["layers"]) == 3 * 6
    feeds = {k: v[:BATCH] for k, v in inputs.items()}
    exact, ours = answers(floating, feeds)[0], answers(path, feeds)[0]
    cosine = np.sum(exact * ours, -1) / np.linalg.norm(exact, axis=-1) / np.linalg.norm(ours, axis=-1)
    assert cosine.mean() > 0.99
    kernels = check(path, floating, inputs, tmp_path / "ours.tamis", tamis)
    assert sum(kernel.startswith("quantized_") for kernel in kernels) >= 3 * 4


@pytest.mark.parametrize("walks", [1, 2])
def test_a_mask_of_2_4_survives(cnn, tamis, tmp_path, walks):
    folder, floating, inputs = cnn
    data = save_inputs(tmp_path / "data", inputs)
    pruned, path, engine = tmp_path / "pruned.onnx", tmp_path / "both.onnx", tmp_path / "both.tamis"
    if walks == 1:
        layers = tamis.json("prune", floating, "-o", path, "--data", data, "--quantize", "int8")["layers"]
        assert sum(layer["int8"] for layer in layers) > 5 and all(0 < l["weight_error"] < 1e-2 for l in layers if l["int8"])
    else:
        layers = tamis.json("prune", floating, "-o", pruned, "--data", data)["layers"]
        tamis.json("quantize", pruned, "-o", path, "--data", data)
    codes = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    sparse = [layer["weight"] for layer in layers if layer["pattern"] == "2:4"]
    assert len(sparse) > 5
    for name in sparse:
        weight = np.moveaxis(codes[name + "_codes"], 1, -1)  # input channels last
        groups = weight.reshape(weight.shape[0], -1, 4) if weight.shape[-1] % 4 == 0 else None
        assert groups is None or np.count_nonzero(groups, axis=-1).max() <= 2, name
    tamis.json("build", path, "-o", engine, "--threads", "2")
    assert tamis.json("inspect", engine)["sparse_weights"] > 5


def test_build_int8_and_what_it_refuses(cnn, tamis, tmp_path):
    folder, floating, inputs = cnn
    data = save_inputs(tmp_path / "data", inputs)
    engine = tmp_path / "int8.tamis"
    tamis("build", floating, "-o", engine, "--precision", "int8", "--calibration", data, "--threads", "2")
    plans = tamis.json("inspect", engine)["plans"]
    nodes = next(plan for plan in plans if plan["measured"])["points"][0]["nodes"]
    assert sum(node["tactic"].startswith("quantized_") for node in nodes) > 5
    assert "--calibration" in tamis("build", floating, "-o", engine, "--precision", "int8", fails=True)
    out = tmp_path / "out.onnx"
    assert "no layer is called" in tamis("quantize", floating, "-o", out, "--data", data, "--keep", "x", fails=True)
    message = tamis("prune", floating, "-o", out, "--data", data, "--quantize", "int4", "--observer", "best", fails=True)
    assert "int4" in message and "best" in message
    assert "--keep-float" in tamis("prune", floating, "-o", out, "--data", data, "--keep-float", "x", fails=True)
    assert "observer" in tamis("quantize", floating, "-o", out, "--data", data, "--observer", "best", fails=True)
    zeros = save_inputs(tmp_path / "zeros", {k: np.zeros_like(v) for k, v in inputs.items()})
    assert "all zero" in tamis("quantize", floating, "-o", out, "--data", zeros, fails=True)
    broken = {k: v.copy() for k, v in inputs.items()}
    broken["picture"][3, 0, 0, 0] = np.nan
    nans = save_inputs(tmp_path / "nans", broken)
    assert "not finite" in tamis("quantize", floating, "-o", out, "--data", nans, fails=True)
    assert not out.exists()


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("depthwise", [False, True], ids=["dense", "depthwise"])
def test_a_clip_between_two_quantisations(depthwise, dtype, tmp_path):
    """What onnxruntime leaves of a ReLU6 whose bounds are inputs: the second quantisation of codes that are rounded already."""
    import tamis as package
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(21)
    channels, outputs = (40, 40) if depthwise else (32, 104)
    kernel, group = (3, channels) if depthwise else (1, 1)
    low = np.iinfo(dtype).min
    x = random.integers(low, low + 256, (2, channels, 9, 10)).astype(dtype)
    weight = random.integers(-127, 128, (outputs, channels // group, kernel, kernel)).astype(np.int8)
    scales = (random.uniform(0.5, 1.5, outputs) * (0.02 if depthwise else 0.011)).astype(np.float32)
    bias = random.normal(size=outputs).astype(np.float32)
    step, zero, first, first_zero, second = 0.01, low + 120, 0.0717, low + 121, 6 / 255
    constants = {"x_scale": np.float32(step), "x_zero": dtype(zero), "w": weight, "w_scale": scales,
                 "w_zero": np.zeros(outputs, np.int8), "bias": bias, "first_scale": np.float32(first),
                 "first_zero": dtype(first_zero), "least": np.float32(0), "most": np.float32(6),
                 "second_scale": np.float32(second), "second_zero": dtype(low)}
    node = helper.make_node
    nodes = [node("DequantizeLinear", ["x", "x_scale", "x_zero"], ["xf"]),
             node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wf"], axis=0),
             node("Conv", ["xf", "wf", "bias"], ["sum"], group=group, pads=[kernel // 2] * 4),
             node("QuantizeLinear", ["sum", "first_scale", "first_zero"], ["a"]),
             node("DequantizeLinear", ["a", "first_scale", "first_zero"], ["b"]),
             node("Clip", ["b", "least", "most"], ["c"]),
             node("QuantizeLinear", ["c", "second_scale", "second_zero"], ["y"])]
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(nodes, "clip", [helper.make_tensor_value_info("x", code, x.shape)],
                              [helper.make_tensor_value_info("y", code, (2, outputs, 9, 10))],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "clip.onnx")
    got = package.Session(str(tmp_path / "clip.onnx"), threads=1).run(None, {"x": x})[0].astype(int)

    exact = onnx.helper.make_graph(nodes[2:3], "sum", [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in ("xf", "wf", "bias")],
                                   [helper.make_tensor_value_info("sum", TensorProto.DOUBLE, None)])
    wide = {"xf": (x.astype(float) - zero) * step, "wf": weight * scales.astype(float).reshape(-1, 1, 1, 1), "bias": bias.astype(float)}
    sums = onnx.reference.ReferenceEvaluator(helper.make_model(exact, opset_imports=[helper.make_opsetid("", 17)])).run(None, wide)[0]
    number = np.clip(np.rint(sums / first), low - first_zero, low + 255 - first_zero) * first
    expected = np.rint(np.clip(number, 0, 6) / second).astype(int) + low
    assert 0.1 < np.mean(expected == low) < 0.9 and np.mean(expected == low + 255) < 0.5  # neither bound is all there is
    # A sum that lies between two codes to f32's precision may be rounded to either.
    assert np.abs(got - expected).max() <= np.ceil(first / second)
    assert np.mean(got != expected) < 0.002
