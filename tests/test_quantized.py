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
