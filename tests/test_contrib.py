"""Operators of com.microsoft: each against onnxruntime, which defines them, or against NumPy where its CPU build lacks them;
and networks as onnxruntime's own tools write them."""

import math

import networks
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, matmul_nbits_quantizer, quantize_dynamic
from onnxruntime.transformers import float16, optimizer

import tamis as package

DTYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float16): TensorProto.FLOAT16, np.dtype(np.int32): TensorProto.INT32,
          np.dtype(np.int64): TensorProto.INT64, np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8,
          np.dtype(bool): TensorProto.BOOL, np.dtype(np.uint16): TensorProto.UINT16}  # fmt: skip
RANDOM = np.random.default_rng(5)


def normal(*shape, scale=1.0):
    return (RANDOM.standard_normal(shape) * scale).astype(np.float32)


def codes(*shape, dtype=np.uint8, low=0, high=256):
    return RANDOM.integers(low, high, shape).astype(dtype)


def weight_codes(*shape):
    """Of seven bits: without VNNI onnxruntime adds two products of bytes in 16 bits, where those of eight bits saturate."""
    return codes(*shape, dtype=np.int8, low=-64, high=64)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


def model(op, inputs, constants, outputs, opset=17, domain="com.microsoft", **attributes):
    """One node of operands that are fed (`inputs`: by place), constants (by place), or left out."""
    count = 1 + max([*inputs, *constants])
    names = [f"x{i}" if i in inputs else f"c{i}" if i in constants else "" for i in range(count)]
    results = [f"y{i}" if wanted else "" for i, wanted in enumerate(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, domain=domain, **attributes)], "one",
        [helper.make_tensor_value_info(f"x{i}", DTYPES[x.dtype], x.shape) for i, x in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in results if name],
        [c if isinstance(c, TensorProto) else numpy_helper.from_array(c, f"c{i}") for i, c in constants.items()])  # fmt: skip
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def ours(network, inputs):
    return package.Session(network, threads=2).run(None, {f"x{i}": x for i, x in inputs.items()})


def theirs(network, inputs):
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {f"x{i}": x for i, x in inputs.items()})


def check(op, inputs, constants=None, outputs=(True,), tolerance=1e-5, **attributes):
    network = model(op, inputs, constants or {}, outputs, **attributes)
    for got, expected in zip(ours(network, inputs), theirs(network, inputs), strict=True):
        assert got.shape == expected.shape and got.dtype == expected.dtype
        got, expected = got.astype(np.float64), expected.astype(np.float64)
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


X = normal(2, 6, 32)


@pytest.mark.parametrize("op", ["BiasGelu", "FastGelu"])
@pytest.mark.parametrize("opset", [11, 17, 21])
def test_activations_with_a_bias(op, opset):
    check(op, {0: X}, {1: normal(32)}, opset=opset, tolerance=2e-5)


def test_activations():
    check("Gelu", {0: X})
    check("FastGelu", {0: X}, tolerance=2e-5)
    check("QuickGelu", {0: X}, tolerance=2e-5)
    check("QuickGelu", {0: X}, alpha=0.9)


def test_activations_that_the_cpu_build_lacks():
    gelu = lambda x: ours(model("Gelu", {0: x}, {}, [True]), {0: x})[0]  # noqa: E731
    bias, skip = normal(32), normal(2, 6, 32)
    network = model("BiasAdd", {0: X, 2: skip}, {1: bias}, [True])
    np.testing.assert_allclose(ours(network, {0: X, 2: skip})[0], X + bias + skip, rtol=1e-6, atol=1e-6)
    network = model("BiasSplitGelu", {0: X}, {1: bias}, [True])
    expected = (X + bias)[..., :16] * gelu(np.ascontiguousarray((X + bias)[..., 16:]))
    np.testing.assert_allclose(ours(network, {0: X})[0], expected, rtol=1e-5, atol=1e-5)
    weight = normal(32, 24, scale=0.2)
    network = model("GemmFastGelu", {0: X}, {1: weight, 2: bias[:24]}, [True])
    np.testing.assert_allclose(ours(network, {0: X})[0], gelu(X @ weight + bias[:24]), rtol=0, atol=2e-3)


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Clip", "HardSigmoid"])
def test_convolutions_and_products_with_an_activation(activation):
    parameters = {"LeakyRelu": [0.2], "Clip": [-0.5, 0.7], "HardSigmoid": [0.3, 0.4]}.get(activation, [])
    picture, weight, bias = normal(2, 4, 9, 9), normal(8, 4, 3, 3, scale=0.2), normal(8)
    extra = {"activation_params": parameters} if parameters else {}
    check("FusedConv", {0: picture}, {1: weight, 2: bias}, activation=activation, pads=[1, 1, 1, 1], **extra)
    residual = normal(2, 8, 9, 9)
    if activation == "Relu":
        check("FusedConv", {0: picture, 3: residual}, {1: weight, 2: bias}, activation=activation, pads=[1, 1, 1, 1])
    extra = dict(zip(["activation_alpha", "activation_beta"], parameters)) if activation != "Clip" else {}
    if activation != "Clip":
        check("FusedGemm", {0: X[0]}, {1: normal(32, 5), 2: normal(5)}, activation=activation, alpha=0.5, **extra)


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_products_of_transposed_matrices(trans_a, trans_b):
    a = normal(2, 3, 7, 5) if trans_a else normal(2, 3, 5, 7)
    b = normal(2, 3, 4, 7) if trans_b else normal(2, 3, 7, 4)
    check("FusedMatMul", {0: a, 1: b}, transA=trans_a, transB=trans_b, alpha=0.3)
    check("FusedMatMul", {0: a}, {1: b}, transA=trans_a, transB=trans_b)


def test_channels_last_convolution():
    picture, weight, bias = normal(1, 9, 9, 4), normal(8, 3, 3, 4, scale=0.2), normal(8)
    network = model("NhwcConv", {0: picture}, {1: weight, 2: bias}, [True], pads=[1, 1, 1, 1], strides=[2, 2])
    first = [0, 3, 1, 2]
    same = model("FusedConv", {0: picture.transpose(first)}, {1: weight.transpose(first).copy(), 2: bias}, [True],
                 pads=[1, 1, 1, 1], strides=[2, 2], activation="Relu")  # fmt: skip
    got = np.maximum(ours(network, {0: picture})[0], 0).transpose(first)
    np.testing.assert_allclose(got, theirs(same, {0: picture.transpose(first)})[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("opset, dtype", [(11, np.float32), (17, np.float32), (17, np.float64)])
def test_what_tf2onnx_leaves_of_an_exact_gelu(opset, dtype):
    x = np.linspace(-6, 6, 101).astype(dtype).reshape(1, 101)
    half, root = numpy_helper.from_array(dtype(0.5), "half"), numpy_helper.from_array(dtype(np.sqrt(0.5)), "root")
    nodes = [("Neg", ["x"], "n"), ("Mul", ["n", "root"], "a"), ("Erfc", ["a"], "e"), ("Mul", ["half", "x"], "h"), ("Mul", ["h", "e"], "y")]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph([helper.make_node(op, inputs, [y]) for op, inputs, y in nodes], "gelu",
                              [helper.make_tensor_value_info("x", kind, ["n", 101])],
                              [helper.make_tensor_value_info("y", kind, ["n", 101])], [half, root])  # fmt: skip
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    [y] = package.Session(network).run(None, {"x": x})
    expected = [[v / 2 * math.erfc(-v * math.sqrt(0.5)) for v in row] for row in x.astype(np.float64)]
    np.testing.assert_allclose(y, expected, rtol=0, atol=8 * np.finfo(dtype).eps)
    if dtype == np.float32:
        assert [node.operator for node in package.Session(network).profile({"x": x}, repeats=1)] == ["Gelu"]


@pytest.mark.parametrize("opset", [11, 17])
def test_norms(opset):
    gamma, beta, bias, skip = normal(32), normal(32), normal(32), normal(2, 6, 32)
    wanted = (True, False, False, True)
    check("SkipLayerNormalization", {0: X, 1: skip}, {2: gamma, 3: beta, 4: bias}, wanted, opset=opset)
    check("SkipLayerNormalization", {0: X, 1: skip}, {2: gamma}, opset=opset, epsilon=1e-5)
    check("SkipSimplifiedLayerNormalization", {0: X, 1: skip}, {2: gamma, 3: bias}, wanted, opset=opset, epsilon=1e-5)
    check("SimplifiedLayerNormalization", {0: X}, {1: gamma}, domain="", opset=opset, epsilon=1e-6)
    check("LayerNormalization", {0: X}, {1: gamma, 2: beta}, domain="", opset=opset)  # its optimizer writes it so


@pytest.mark.parametrize("segments", [True, False])
@pytest.mark.parametrize("positions", [True, False])
def test_embeddings(segments, positions):
    inputs = {0: codes(2, 6, dtype=np.int32, high=50), 7: (codes(2, 6, dtype=np.int32, high=3) > 0).astype(np.int32)}
    constants = {2: normal(50, 32), 3: normal(12, 32), 5: normal(32), 6: normal(32)}
    if segments:
        inputs[1] = codes(2, 6, dtype=np.int32, high=2)
        constants[4] = normal(2, 32)
    if positions:
        inputs[8] = codes(2, 6, dtype=np.int32, high=12)
    check("EmbedLayerNormalization", dict(sorted(inputs.items())), constants, (True, True, True))
    del inputs[7]  # the optimizer names the lengths even where there is no mask
    check("EmbedLayerNormalization", dict(sorted(inputs.items())), constants, (True, True))


def test_group_norm_of_images_channels_last():
    picture, gamma, beta, skip, bias = normal(2, 5, 4, 16), normal(16), normal(16), normal(2, 5, 4, 16), normal(16)

    def reference(x):
        parts = x.reshape(2, 20, 4, 4).transpose(0, 2, 1, 3).astype(np.float64)
        parts = (parts - parts.mean((2, 3), keepdims=True)) / np.sqrt(parts.var((2, 3), keepdims=True) + 1e-5)
        y = parts.transpose(0, 2, 1, 3).reshape(2, 5, 4, 16) * gamma + beta
        return y / (1 + np.exp(-y))

    network = model("GroupNorm", {0: picture}, {1: gamma, 2: beta}, [True], groups=4, activation=1)
    np.testing.assert_allclose(ours(network, {0: picture})[0], reference(picture), rtol=0, atol=1e-5)
    network = model("SkipGroupNorm", {0: picture, 3: skip}, {1: gamma, 2: beta, 4: bias}, [True, True], groups=4, activation=1)
    y, total = ours(network, {0: picture, 3: skip})
    np.testing.assert_allclose(total, picture + skip + bias, rtol=0, atol=1e-6)
    np.testing.assert_allclose(y, reference(picture + skip + bias), rtol=0, atol=1e-5)


MASKS = {"none": None, "lengths": np.array([4, 6], np.int32),
         "keys": np.array([[1, 1, 1, 1, 0, 0], [1, 1, 0, 1, 1, 1]], np.int32),
         "pairs": np.tril(np.ones((2, 6, 6), np.int32))}  # fmt: skip


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(mask, causal):
    inputs = {0: X} if MASKS[mask] is None else {0: X, 3: MASKS[mask]}
    constants = {1: normal(32, 96, scale=0.2), 2: normal(96)}
    check("Attention", inputs, constants, num_heads=4, unidirectional=causal)
    check("Attention", inputs, constants, (True, True), num_heads=4, unidirectional=causal, scale=0.3, opset=11)


def test_attention_with_a_past_and_a_bias():
    constants = {1: normal(32, 96, scale=0.2), 2: normal(96)}
    past = normal(2, 2, 4, 3, 8)
    check("Attention", {0: X, 4: past}, constants, (True, True), num_heads=4, unidirectional=1)
    check("Attention", {0: X, 4: past, 3: np.ones((2, 9), np.int32)}, constants, (True, True), num_heads=4)
    check("Attention", {0: X, 5: normal(2, 4, 6, 6)}, constants, num_heads=4)
    constants = {1: normal(32, 80, scale=0.2), 2: normal(80)}
    check("Attention", {0: X}, constants, num_heads=4, qkv_hidden_sizes=[32, 32, 16])


@pytest.mark.parametrize("mask", ["none", "lengths", "keys"])
def test_multi_head_attention(mask):
    q, k, v = normal(2, 6, 32), normal(2, 6, 32), normal(2, 6, 32)
    inputs = {0: q, 1: k, 2: v} | ({} if MASKS[mask] is None else {4: MASKS[mask]})
    check("MultiHeadAttention", inputs, {3: normal(96)}, num_heads=4)
    check("MultiHeadAttention", inputs, {}, num_heads=4, scale=0.3)
    if mask == "none":
        check("MultiHeadAttention", inputs | {5: normal(1, 4, 6, 6)}, {}, num_heads=4)
        cache = {6: normal(2, 4, 3, 8), 7: normal(2, 4, 3, 8)}
        check("MultiHeadAttention", inputs | cache, {}, (True, True, True), num_heads=4)
        crossed = {0: q, 1: normal(2, 4, 5, 8), 2: normal(2, 4, 5, 8)}
        check("MultiHeadAttention", crossed, {3: normal(96)}, num_heads=4)


def test_rotary_embedding():
    positions = codes(2, 6, dtype=np.int64, high=16)
    angles = normal(16, 4)
    tables = {2: np.cos(angles), 3: np.sin(angles)}
    for interleaved in (0, 1):
        check("RotaryEmbedding", {0: normal(2, 4, 6, 8), 1: positions}, tables, interleaved=interleaved)
        check("RotaryEmbedding", {0: X, 1: positions}, tables, interleaved=interleaved, num_heads=4, rotary_embedding_dim=8)


def test_integer_products():
    a, b = codes(6, 32), weight_codes(32, 12)
    scales = {2: scalar(0.02), 3: np.abs(normal(12, scale=0.01)) + 0.001}
    points = {4: scalar(130, np.uint8), 5: np.zeros(12, np.int8)}
    check("MatMulIntegerToFloat", {0: a}, {1: b} | scales | points | {6: normal(12)})
    check("DynamicQuantizeMatMul", {0: normal(6, 32)}, {1: b, 2: scales[3], 4: normal(12)})


def test_attention_on_codes():
    constants = {1: weight_codes(32, 96), 2: normal(96), 3: scalar(0.01), 4: scalar(0.004),
                 6: scalar(120, np.uint8), 7: scalar(0, np.int8)}  # fmt: skip
    inputs = {0: codes(2, 6, 32), 5: MASKS["keys"]}
    check("QAttention", inputs, constants, num_heads=4)


def test_choice_and_mean_of_codes():
    scales = {2: scalar(0.02), 3: scalar(3, np.uint8), 5: scalar(0.03), 6: scalar(7, np.uint8), 7: scalar(0.04), 8: scalar(5, np.uint8)}
    inputs = {0: codes(6, 4, high=2).astype(bool), 1: codes(6, 4), 4: codes(6, 4)}
    check("QLinearWhere", inputs, scales, tolerance=1.01 / 255)


@pytest.mark.parametrize("per_column", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
def test_lstm_of_codes(per_column, directions):
    """onnxruntime rounds the state to codes in every step: what that costs is measured against the float network."""
    hidden = 16
    scale_shape = (directions, 4 * hidden) if per_column else (directions,)
    x = normal(7, 3, 24)
    constants, floats = {}, {}
    for i, (columns, at) in {1: (24, 8), 2: (16, 10)}.items():
        values = weight_codes(directions, columns, 4 * hidden)
        scale = (np.abs(normal(*scale_shape, scale=0.002)) + 0.002).astype(np.float32)
        constants |= {i: values, at: scale, at + 1: np.zeros(scale_shape, np.int8)}
        floats[i] = np.ascontiguousarray((values * scale.reshape(directions, 1, -1)).transpose(0, 2, 1)).astype(np.float32)
    bias = normal(directions, 8 * hidden, scale=0.3)
    attributes = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
    network = model("DynamicQuantizeLSTM", {0: x}, constants | {3: bias}, [True] * 3, **attributes)
    exact = theirs(model("LSTM", {0: x}, floats | {3: bias}, [True] * 3, domain="", **attributes), {0: x})
    rounded = theirs(network, {0: x})
    for got, float_result, result in zip(ours(network, {0: x}), exact, rounded, strict=True):
        np.testing.assert_allclose(got, float_result, rtol=0, atol=1e-5)
        assert np.abs(got - result).max() <= 0.05


def packed(values, bits):
    """Codes along the last axis, the first of a byte in its low bits."""
    if bits == 8:
        return values.astype(np.uint8)
    values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, values.shape[-1] % 2)])
    return (values[..., ::2] | values[..., 1::2] << 4).astype(np.uint8)


@pytest.mark.parametrize("bits, points", [(4, "none"), (4, "codes"), (4, "floats"), (8, "none"), (8, "codes")])
@pytest.mark.parametrize("columns", [64, 96, 80], ids=["whole", "odd blocks", "part of a block"])
def test_products_of_few_bits(bits, points, columns):
    rows, block = 24, 32
    blocks = -(-columns // block)
    weight = packed(codes(rows, blocks * block, high=1 << bits), bits).reshape(rows, blocks, -1)
    constants = {1: weight, 2: (np.abs(normal(rows, blocks)) + 0.1).reshape(-1)}
    if points == "codes":
        constants[3] = packed(codes(rows, blocks, high=1 << bits), bits).reshape(-1)
    if points == "floats":
        constants[3] = normal(rows, blocks, scale=4) + 8
    for bias in ({}, {5: normal(rows)}):
        check("MatMulNBits", {0: normal(3, columns)}, constants | bias, N=rows, K=columns, bits=bits, block_size=block)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("points", [True, False])
def test_rows_of_a_table_of_few_bits(bits, points):
    constants = {0: packed(codes(20, 64, high=1 << bits), bits), 2: np.abs(normal(20, 4)) + 0.1}
    if points:
        constants[3] = packed(codes(20, 4, high=1 << bits), bits)
    check("GatherBlockQuantized", {1: codes(2, 3, dtype=np.int64, high=20)}, constants, bits=bits, block_size=16)


def test_codes_of_sixteen_bits():
    constants = {1: scalar(0.001), 2: scalar(32000, np.uint16)}
    check("QuantizeLinear", {0: X}, constants)
    check("DequantizeLinear", {0: codes(5, 6, dtype=np.uint16, high=65536)}, constants)


def run(op, inputs, constants=None, outputs=(True,), **attributes):
    return ours(model(op, inputs, constants or {}, list(outputs), **attributes), inputs)


def close(got, expected, tolerance=1e-5):
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


LENGTHS = np.array([3, 6, 1], np.int32)


def without_padding(x):
    """The tokens, their places, and how many there are before each sequence."""
    length = x.shape[1]
    kept = np.arange(length) < LENGTHS[:, None]
    flat = kept.reshape(-1)
    places = np.concatenate([np.flatnonzero(flat), np.flatnonzero(~flat)]).astype(np.int32).reshape(len(LENGTHS), length)
    return x[kept], places, np.concatenate([[0], np.cumsum(LENGTHS)]).astype(np.int32)


def test_padding_is_removed_and_restored():
    x = normal(3, 6, 8)
    tokens, places, sums = without_padding(x)
    got = run("RemovePadding", {0: x, 1: LENGTHS}, outputs=[True] * 4)
    np.testing.assert_array_equal(got[0], tokens)
    np.testing.assert_array_equal(got[1], places)
    np.testing.assert_array_equal(got[2], sums)
    np.testing.assert_array_equal(got[3], [6])
    padded = np.where((np.arange(6) < LENGTHS[:, None])[..., None], x, 0)
    np.testing.assert_array_equal(run("RestorePadding", {0: tokens, 1: places})[0], padded)


@pytest.mark.parametrize("bias", [False, True])
def test_packed_attention(bias):
    heads, size, wide = 4, 8, 32
    x, weight, shift = normal(3, 6, 16), normal(16, 3 * wide, scale=0.3), normal(3 * wide)
    tokens, places, sums = without_padding(x)
    scores_bias = {6: normal(1, heads, 6, 6)} if bias else {}
    q, k, v = np.split((x @ weight + shift).reshape(3, 6, 3 * heads, size).transpose(0, 2, 1, 3), 3, 1)
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(size) + (scores_bias[6] if bias else 0)
    scores = np.where((np.arange(6) < LENGTHS[:, None])[:, None, None], scores, -np.inf)
    expected = without_padding((softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(3, 6, wide))[0]
    extra = {5: scores_bias[6]} if bias else {}
    close(run("PackedAttention", {0: tokens, 3: places, 4: sums, **extra}, {1: weight, 2: shift}, num_heads=heads)[0], expected)
    product = tokens @ weight
    parts = np.split(product, 3, -1)
    inputs = {0: parts[0], 1: parts[1], 2: parts[2], 4: places, 5: sums, **scores_bias}
    close(run("PackedMultiHeadAttention", inputs, {3: shift}, num_heads=heads)[0], expected)
    together = np.stack([p.reshape(-1, heads, size) for p in parts], 2)
    inputs = {0: together, 4: places, 5: sums, **scores_bias}
    close(run("PackedMultiHeadAttention", inputs, {3: shift}, num_heads=heads)[0], expected)


@pytest.mark.parametrize("both_ways", [0, 1])
def test_relative_positions(both_ways):
    table = normal(5, 32)  # lies as [heads, buckets]
    queries, keys = 40, 150
    ahead = np.arange(keys)[None] - np.arange(queries)[:, None]
    buckets = 16 if both_ways else 32
    first = buckets // 2
    apart = np.abs(ahead) if both_ways else np.maximum(-ahead, 0)
    ratio = np.log(np.maximum(apart, 1).astype(np.float32) / np.float32(first))
    far = first + (ratio / np.float32(np.log(128 / first)) * (buckets - first)).astype(np.int64)
    place = np.where(apart < first, apart, np.minimum(far, buckets - 1)) + (both_ways * buckets) * (ahead > 0)
    lengths = {1: scalar(queries, np.int64), 2: scalar(keys, np.int64)}
    got = run("RelativePositionBias", lengths, {0: table.reshape(32, 5)}, max_distance=128, is_bidirectional=both_ways)[0]
    np.testing.assert_array_equal(got, table[:, place][None])


def test_gated_relative_positions():
    heads, size, half = 4, 8, 4
    query, shift, distances = normal(2, 6, heads * size), normal(heads * size), normal(1, heads, 6, 6)
    weight, bias, factor = normal(size, 2 * half), normal(2 * half), normal(1, heads, 1, 1)
    apart = ((query + shift).reshape(2, 6, heads, size).transpose(0, 2, 1, 3) @ weight + bias).reshape(2, heads, 6, 2, half)
    u, r = np.split(sigmoid(apart.sum(-1)), 2, -1)
    expected = (u * (r * factor - 1) + 2) * distances
    got = run("GatedRelativePositionBias", {0: query, 2: distances}, {1: shift, 3: weight, 4: bias, 5: factor}, num_heads=heads)
    close(got[0], expected)


def test_rotation_of_gemma():
    angles = normal(2, 6, 8)
    states = {i: normal(2, 4, 6, 8) for i in range(1, 5)}
    q, k = run("GemmaRotaryEmbedding", {0: angles, **states}, outputs=[True, True])
    sine, cosine = np.sin(angles)[:, None], np.cos(angles)[:, None]
    close(q, states[1] * cosine + states[2] * sine)
    close(k, states[3] * cosine + states[4] * sine)


def test_small_operators_against_onnxruntime():
    check("CDist", {0: normal(5, 7), 1: normal(9, 7)}, metric="euclidean")
    check("CDist", {0: normal(5, 7), 1: normal(9, 7)}, metric="sqeuclidean")
    check("ExpandDims", {0: X}, {1: scalar(-1, np.int32)})
    check("ExpandDims", {0: X}, {1: scalar(1, np.int32)})
    for dim in (0, 1, -1):
        check("UnfoldTensor", {0: normal(4, 6, 9)}, dim=dim, size=3, step=2)
    images = codes(2, 9, 8, 5)
    check("NhwcMaxPool", {0: images}, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])


def test_small_operators_that_the_cpu_build_lacks():
    scores, mask = normal(2, 4, 6, 6), normal(2, 1, 1, 6)
    close(run("BiasSoftmax", {0: scores, 1: mask}, axis=3, is_inner_broadcast=1)[0], softmax(scores + mask))
    rows = softmax((scores + mask).reshape(2, 4, 36)).reshape(scores.shape)
    close(run("BiasSoftmax", {0: scores, 1: mask}, axis=2, is_inner_broadcast=1)[0], rows)
    bias, skip = normal(32), normal(2, 6, 32)
    close(run("BiasDropout", {0: X, 2: skip}, {1: bias})[0], X + bias + skip)
    a, b = normal(3, 5, 2), normal(3, 5, 2)
    pair = lambda z: np.stack([z.real, z.imag], -1)  # noqa: E731
    number = lambda x: x[..., 0] + 1j * x[..., 1]  # noqa: E731
    close(run("ComplexMul", {0: a, 1: b})[0], pair(number(a) * number(b)))
    close(run("ComplexMulConj", {0: a, 1: b})[0], pair(number(a) * number(b).conj()))
    close(run("ScaledSiLU", {0: X}, alpha=1.5)[0], 1.5 * X * sigmoid(1.5 * X))
    gate, scale = normal(2, 6, 32), normal(8)
    heads = X.reshape(2, 6, 4, 8)
    normed = (heads / np.sqrt((heads**2).mean(-1, keepdims=True) + 1e-5) * scale).reshape(X.shape)
    close(run("GatedRMSNorm", {0: X, 2: gate}, {1: scale}, activation="silu", epsilon=1e-5)[0], normed * gate * sigmoid(gate))
    close(run("GatedRMSNorm", {0: X, 2: gate}, {1: scale}, activation="sigmoid", epsilon=1e-5)[0], normed * sigmoid(gate))
    share = normal(2, 6, 1)
    close(run("GatedAdd", {0: X, 1: skip, 2: share})[0], X + skip * share)
    table, places = normal(10, 4), np.array([[1, 9], [3, 0]])
    np.testing.assert_array_equal(run("TorchEmbedding", {1: places}, {0: table})[0], table[places])
    bad = X.copy()
    bad[0, 1, 2] = np.inf
    assert run("IsAllFinite", {0: X, 1: skip})[0] and not run("IsAllFinite", {0: X, 1: bad})[0]
    assert run("IsAllFinite", {0: bad}, isnan_only=1)[0] and not run("IsAllFinite", {0: bad}, isinf_only=1)[0]
    a, b = codes(3, 4), codes(3, 4)
    product = run("MulInteger", {0: a, 2: b}, {1: scalar(7, np.uint8), 3: scalar(130, np.uint8)})[0]
    np.testing.assert_array_equal(product, (a.astype(np.int32) - 7) * (b.astype(np.int32) - 130))


def test_forms_that_are_not_known_are_refused_by_name():
    with pytest.raises(ValueError, match="'MultiHeadAttention' of com.microsoft"):
        package.Session(model("MultiHeadAttention", {i: X for i in range(3)}, {}, [True, False, False, True], num_heads=4))
    with pytest.raises(ValueError, match="'SkipLayerNormalization' of com.microsoft"):
        package.Session(model("SkipLayerNormalization", {0: X, 1: X}, {2: normal(32)}, [True, True]))


def whole(path, feeds, tolerance):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for got, expected in zip(package.Session(str(path), threads=2).run(None, feeds), session.run(None, feeds), strict=True):
        np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64), rtol=0,
                                   atol=tolerance * np.abs(expected).max())  # fmt: skip


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    path = tmp_path_factory.mktemp("contrib") / "float.onnx"
    networks.transformer(str(path))
    tokens = RANDOM.integers(0, 96, (2, 24)).astype(np.int64)
    return path, {"tokens": tokens, "open": (np.arange(24) < [[24], [17]]).astype(np.int64)}


@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED"])
def test_as_onnxruntime_saves_it(transformer, level, tmp_path):
    path, feeds = transformer
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(tmp_path / "saved.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    whole(tmp_path / "saved.onnx", feeds, 1e-4)


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
@pytest.mark.parametrize("half", [False, True])
def test_as_the_optimizer_of_transformers_writes_it(transformer, kind, half, tmp_path):
    path, feeds = transformer
    optimized = optimizer.optimize_model(str(path), model_type=kind, num_heads=0, hidden_size=0, opt_level=0)
    if half:
        optimized.convert_float_to_float16(keep_io_types=True)
    optimized.save_model_to_file(str(tmp_path / "optimized.onnx"))
    whole(tmp_path / "optimized.onnx", feeds, 3e-2 if half else 1e-4)


def test_half_precision_as_its_converter_writes_it(transformer, tmp_path):
    path, feeds = transformer
    onnx.save(float16.convert_float_to_float16(onnx.load(path), keep_io_types=True), tmp_path / "half.onnx")
    whole(tmp_path / "half.onnx", feeds, 3e-2)


@pytest.mark.parametrize("symmetric", [True, False])
def test_weights_of_four_bits_as_their_quantiser_writes_them(transformer, symmetric, tmp_path):
    path, feeds = transformer
    quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(path), block_size=32, is_symmetric=symmetric)
    quantizer.process()
    quantizer.model.save_model_to_file(str(tmp_path / "bits.onnx"))
    assert any(node.op_type == "MatMulNBits" for node in onnx.load(tmp_path / "bits.onnx").graph.node)
    whole(tmp_path / "bits.onnx", feeds, 1e-4)


def test_dynamic_quantisation_of_what_the_optimizer_wrote(transformer, tmp_path):
    path, feeds = transformer
    optimized = optimizer.optimize_model(str(path), model_type="bert", num_heads=0, hidden_size=0, opt_level=0)
    optimized.save_model_to_file(str(tmp_path / "optimized.onnx"))
    quantize_dynamic(str(tmp_path / "optimized.onnx"), str(tmp_path / "codes.onnx"), weight_type=QuantType.QInt8,
                     extra_options={"DefaultTensorType": TensorProto.FLOAT})  # fmt: skip
    whole(tmp_path / "codes.onnx", feeds, 5e-2)


def test_dynamic_quantisation_of_an_lstm(tmp_path):
    hidden = 16
    nodes = [helper.make_node("LSTM", ["x", "w", "r", "b"], ["h", "", ""], hidden_size=hidden, name="lstm"),
             helper.make_node("Squeeze", ["h", "axes"], ["y"])]  # fmt: skip
    constants = {"w": normal(1, 64, 24, scale=0.3), "r": normal(1, 64, 16, scale=0.3), "b": normal(1, 128), "axes": np.array([1])}
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["t", "n", 24])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["t", "n", hidden])],
                              [numpy_helper.from_array(c, name) for name, c in constants.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "lstm.onnx")
    # Seven bits: with eight, ONNX Runtime's sums saturate on processors with AVX2 and no VNNI.
    quantize_dynamic(str(tmp_path / "lstm.onnx"), str(tmp_path / "codes.onnx"), weight_type=QuantType.QInt8, reduce_range=True)
    assert any(node.op_type == "DynamicQuantizeLSTM" for node in onnx.load(tmp_path / "codes.onnx").graph.node)
    whole(tmp_path / "codes.onnx", {"x": normal(9, 2, 24)}, 5e-2)
