"""GroupQueryAttention, rotary embeddings and packed operands of com.microsoft against onnxruntime, as generators of text use them."""

import numpy as np
import pytest
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
