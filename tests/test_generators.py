"""Operators of com.microsoft that generators of text have, against onnxruntime: attention with caches, experts, weights of few bits."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from test_contrib import check, model, normal, ours, theirs

HEADS, SHARED, SIZE, BUFFER = 4, 2, 32, 12
ANGLES = np.arange(32)[:, None] / 10000.0 ** (np.arange(SIZE // 2) / (SIZE // 2))
COSINES, SINES = np.cos(ANGLES).astype(np.float32), np.sin(ANGLES).astype(np.float32)


def agree(inputs, constants, last, valid, tolerance=2e-5, **attributes):
    """Rows of the answer are compared where `valid`, those of the caches up to each item's last place: the others are unspecified."""
    network = model("GroupQueryAttention", inputs, constants, [True] * 3, opset=21, num_heads=HEADS, kv_num_heads=SHARED, **attributes)
    (got, *caches), (expected, *expected_caches) = ours(network, inputs), theirs(network, inputs)
    assert got.shape == expected.shape and np.isfinite(got[valid]).all()
    np.testing.assert_allclose(got[valid], expected[valid], rtol=0, atol=tolerance * np.abs(expected[valid]).max())
    for cache, wanted in zip(caches, expected_caches, strict=True):
        assert cache.shape == wanted.shape
        for item, place in enumerate(last):
            np.testing.assert_allclose(cache[item, :, : place + 1], wanted[item, :, : place + 1], rtol=0, atol=1e-5)


def operands(batch, length, last, past, packed=False):
    last, total = np.array(last, np.int32), np.array(max(max(last) + 1, length), np.int32)
    rows = [normal(batch, length, heads * SIZE) for heads in (HEADS, SHARED, SHARED)]
    inputs = {0: np.concatenate(rows, 2)} if packed else dict(enumerate(rows))
    inputs |= {3: normal(batch, SHARED, past, SIZE), 4: normal(batch, SHARED, past, SIZE), 5: last, 6: total}
    places = np.arange(length) + np.maximum(last + 1 - length, 0)[:, None]
    return inputs, places <= last[:, None]


# A first prompt padded behind, one more token in buffers that are filled unequally or are as long as what they hold, and
# several tokens on top of a cache.
STEPS = [(2, 6, [5, 3], BUFFER), (2, 6, [5, 5], 0), (2, 1, [7, 4], BUFFER), (1, 1, [7], 7), (1, 3, [9], BUFFER)]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("packed", [False, True])
def test_steps_of_a_generator(step, packed):
    batch, length, last, past = step
    inputs, valid = operands(batch, length, last, past, packed)
    agree(inputs, {}, last, valid)
    for interleaved in (0, 1):
        agree(inputs, {7: COSINES, 8: SINES}, last, valid, do_rotary=1, rotary_interleaved=interleaved)


@pytest.mark.parametrize("step", STEPS)
def test_what_changes_the_scores(step):
    batch, length, last, past = step
    inputs, valid = operands(batch, length, last, past)
    total = int(inputs[6])
    agree(inputs, {}, last, valid, scale=0.1, softcap=2.0)
    agree(inputs, {}, last, valid, local_window_size=2)
    agree(inputs, {}, last, valid, smooth_softmax=1)
    agree(inputs, {11: normal(HEADS)}, last, valid, local_window_size=3)
    if past == BUFFER:
        return  # onnxruntime asks for a bias as long as the buffer or as the places, by its version
    agree(inputs | {10: normal(1, HEADS, length, total)}, {}, last, valid)
    agree(inputs | {10: normal(batch, 1, length, total)}, {11: normal(HEADS)}, last, valid)


def test_tables_of_angles_that_are_computed():
    inputs, valid = operands(2, 6, [5, 5], 0)
    agree(inputs | {7: COSINES, 8: SINES}, {}, [5, 5], valid, do_rotary=1)
    agree(inputs | {7: COSINES[:, :8], 8: SINES[:, :8]}, {}, [5, 5], valid, do_rotary=1)
    agree(inputs, {7: COSINES[:, :8], 8: SINES[:, :8]}, [5, 5], valid, do_rotary=1)
    positions = np.tile(np.arange(3, 9), (2, 1))
    agree(inputs, {7: COSINES, 8: SINES, 9: positions}, [5, 5], valid, do_rotary=1)


@pytest.mark.parametrize("capacity", [4, 7])
@pytest.mark.parametrize("step", [(2, 6, [5, 5]), (2, 1, [3, 9]), (1, 1, [12]), (1, 3, [6]), (1, 9, [11])])
def test_caches_of_a_window(capacity, step):
    batch, length, last = step
    window = 4
    inputs, valid = operands(batch, length, last, capacity)
    steps = capacity - window + 1
    resident = [t + 1 - steps * max(0, -((capacity - t - 1) // steps)) for t in last]
    agree(inputs, {7: COSINES, 8: SINES}, [r - 1 for r in resident], valid, do_rotary=1, local_window_size=window, sliding_window_cache=1)


def test_caches_of_codes_are_refused_by_name():
    inputs, _ = operands(1, 1, [7], 7)
    network = model("GroupQueryAttention", inputs, {}, [True] * 3, num_heads=HEADS, kv_num_heads=SHARED, k_quant_type="PER_TENSOR")
    with pytest.raises(ValueError, match="'GroupQueryAttention' of com.microsoft"):
        ours(network, inputs)


def test_rotary_embeddings_without_a_number_of_heads():
    places = np.tile(np.arange(5), (2, 1))
    check("RotaryEmbedding", {0: normal(2, 5, HEADS * SIZE), 1: places}, {2: COSINES, 3: SINES})
    check("RotaryEmbedding", {0: normal(2, 5, HEADS * SIZE), 1: np.array([7])}, {2: COSINES, 3: SINES})
    check("RotaryEmbedding", {0: normal(2, HEADS, 5, SIZE), 1: np.array([7])}, {2: COSINES, 3: SINES}, interleaved=1)


def test_packed_operands():
    # onnxruntime's CPU build takes none of these: against the same operands one by one.
    query, key, value = (normal(2, 6, HEADS * SIZE) for _ in range(3))
    expected = ours(model("MultiHeadAttention", {0: query, 1: key, 2: value}, {}, [True], num_heads=HEADS), {0: query, 1: key, 2: value})[0]
    apart = lambda x: x.reshape(2, 6, HEADS, 1, SIZE)  # noqa: E731
    for inputs in ({0: np.concatenate([apart(query), apart(key), apart(value)], 3)}, {0: query, 1: np.concatenate([apart(key), apart(value)], 3)}):
        got = ours(model("MultiHeadAttention", inputs, {}, [True], num_heads=HEADS), inputs)[0]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [0, 1])
def test_codebooks_of_four_bits(kind):
    rows, columns, block = 24, 40, 32  # blocks that cross rows
    packed = np.random.default_rng(3).integers(0, 256, rows * columns // 2).astype(np.uint8)
    largest = np.abs(normal(rows * columns // block)) + 0.1
    check("MatMulBnb4", {0: normal(3, 5, columns)}, {1: packed, 2: largest}, N=rows, K=columns, block_size=block, quant_type=kind)


EXPERTS, WIDTH, INNER = 4, 32, 64


GATES = {"activation_type": "swiglu", "activation_alpha": 1.7, "activation_beta": 1.0, "swiglu_limit": 1.5}


def experts(rows):
    return {2: normal(EXPERTS, rows, WIDTH, scale=0.3), 3: normal(EXPERTS, rows), 4: normal(EXPERTS, WIDTH, INNER, scale=0.3), 5: normal(EXPERTS, WIDTH)}


@pytest.mark.parametrize("normalize", [0, 1])
@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "identity", "swiglu"])
def test_mixtures_of_experts(activation, normalize):
    gated = activation == "swiglu"
    extra = GATES | {"swiglu_fusion": 1} if gated else {"activation_type": activation}
    inputs = {0: normal(2, 3, WIDTH), 1: normal(6, EXPERTS)}
    check("MoE", inputs, experts(2 * INNER if gated else INNER), opset=21, k=2, normalize_routing_weights=normalize, tolerance=1e-4, **extra)


def test_layouts_of_gated_experts():
    """onnxruntime's CPU build knows the interleaved one only."""
    weights, inputs = experts(2 * INNER), {0: normal(5, WIDTH), 1: normal(5, EXPERTS)}
    layouts = {1: weights}
    halves = {i: (weights[i][:, ::2], weights[i][:, 1::2]) for i in (2, 3)}
    layouts[2] = weights | {i: np.concatenate(halves[i], 1) for i in halves}
    layouts[0] = weights | {2: halves[2][0], 3: halves[3][0], 6: halves[2][1], 7: halves[3][1]}
    answers = [ours(model("MoE", inputs, layout, [True], opset=21, k=2, swiglu_fusion=fusion, **GATES), inputs)[0] for fusion, layout in layouts.items()]
    for answer in answers[1:]:
        np.testing.assert_allclose(answer, answers[0], rtol=0, atol=1e-5 * np.abs(answers[0]).max())


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("block", [0, 32])
def test_mixtures_of_experts_of_few_bits(bits, block):
    def codes(*shape):
        return np.random.default_rng(9).integers(0, 256, (*shape[:-1], shape[-1] * bits // 8)).astype(np.uint8)

    def scales(rows, columns):
        shape = (EXPERTS, rows, columns // block) if block else (EXPERTS, rows)
        return np.random.default_rng(8).uniform(0.01, 0.03, shape).astype(np.float32) * (16 / 2**bits)

    weights = {2: codes(EXPERTS, 2 * INNER, WIDTH), 3: scales(2 * INNER, WIDTH), 4: normal(EXPERTS, 2 * INNER),
               5: codes(EXPERTS, WIDTH, INNER), 6: scales(WIDTH, INNER), 7: normal(EXPERTS, WIDTH)}  # fmt: skip
    extra = {"block_size": block} if block else {}
    # onnxruntime rounds activations to 8 bits where blocks of 8 are.
    check("QMoE", {0: normal(5, WIDTH), 1: normal(5, EXPERTS)}, weights, opset=21, k=2, normalize_routing_weights=1, activation_type="swiglu",
          swiglu_fusion=1, expert_weight_bits=bits, tolerance=3e-2 if block and bits == 8 else 1e-4, **extra)  # fmt: skip


def test_a_table_that_is_another_nodes_weight():
    """Tied embeddings: the rows that tokens look up are the weights of the last product."""
    rows, columns, block = 24, 64, 32
    packed = np.random.default_rng(4).integers(0, 256, (rows, columns // block, block // 2)).astype(np.uint8)
    constants = {"codes": packed, "scales": np.abs(normal(rows, columns // block)) + 0.1, "shape": np.array([rows, columns // 2])}
    nodes = [helper.make_node("Reshape", ["codes", "shape"], ["table"]),
             helper.make_node("GatherBlockQuantized", ["table", "x0", "scales"], ["rows"], domain="com.microsoft", bits=4, block_size=block, quantize_axis=1),
             helper.make_node("MatMulNBits", ["rows", "codes", "scales"], ["y"], domain="com.microsoft", bits=4, block_size=block, N=rows, K=columns)]  # fmt: skip
    graph = helper.make_graph(nodes, "tied", [helper.make_tensor_value_info("x0", TensorProto.INT64, [2, 3])], [helper.make_empty_tensor_value_info("y")],
                              [numpy_helper.from_array(c, name) for name, c in constants.items()])  # fmt: skip
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    inputs = {"x0": np.array([[1, 5, 23], [0, 7, 7]])}
    expected = theirs(network, {0: inputs["x0"]})[0]
    np.testing.assert_allclose(ours(network, {0: inputs["x0"]})[0], expected, rtol=0, atol=1e-4 * np.abs(expected).max())
