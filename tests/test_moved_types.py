"""Operators that only move elements, on every kind of element, through the whole road: packed, 8-bit, strings."""

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

OPSET = 25
TYPES = {
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "int2": ml_dtypes.int2,
    "float4": ml_dtypes.float4_e2m1fn,
    "float8": ml_dtypes.float8_e4m3fn,
    "bfloat16": ml_dtypes.bfloat16,
    "bool": np.bool_,
    "string": object,
}
ROWS, COLUMNS = 3, 5  # neither is a multiple of what a byte holds


def ints(*values):
    return np.array(values, np.int64)


def sample(dtype):
    count = np.arange(ROWS * COLUMNS)
    if dtype is object:
        return np.array([f"text {i}" for i in count], object).reshape(ROWS, COLUMNS)
    levels = 2 if dtype in (ml_dtypes.int2, np.bool_) else 5
    return (count % levels).astype(np.float32).astype(dtype).reshape(ROWS, COLUMNS)


def run(op, inputs, outputs=1, **attributes):
    import tamis.backend

    def element(array):
        return TensorProto.STRING if array.dtype == object else helper.np_dtype_to_tensor_dtype(array.dtype)

    names = [f"x{i}" for i in range(len(inputs))]
    results = [f"y{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(op, names, results, **attributes)],
        "graph",
        [helper.make_tensor_value_info(name, element(array), array.shape) for name, array in zip(names, inputs)],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=13)
    return tamis.backend.prepare(onnx.shape_inference.infer_shapes(model), "CPU").run(inputs)


def comparable(array):
    array = np.asarray(array)
    return array if array.dtype == object else array.astype(np.float32)


CONDITION = np.array([True, False, True, False, True])
# Operator, its operands of `a`, what NumPy makes of it, attributes.
CASES = [
    ("Identity", lambda a: [a], lambda a: a, {}),
    ("Transpose", lambda a: [a], lambda a: a.T, {}),
    ("Reshape", lambda a: [a, ints(5, 3)], lambda a: a.reshape(5, 3), {}),
    ("Flatten", lambda a: [a[None]], lambda a: a.reshape(1, -1), {}),
    ("Squeeze", lambda a: [a[None], ints(0)], lambda a: a, {}),
    ("Unsqueeze", lambda a: [a, ints(0)], lambda a: a[None], {}),
    ("Concat", lambda a: [a, a[:, :2]], lambda a: np.concatenate([a, a[:, :2]], 1), {"axis": 1}),
    ("Slice", lambda a: [a, ints(1, 1), ints(3, 4)], lambda a: a[1:3, 1:4], {}),
    ("Gather", lambda a: [a, ints(2, 0)], lambda a: a[[2, 0]], {}),
    ("GatherND", lambda a: [a, np.array([[0, 1], [2, 4]])], lambda a: a[[0, 2], [1, 4]], {}),
    ("ScatterND", lambda a: [a, np.array([[1]]), a[:1]], lambda a: a[[0, 0, 2]], {}),
    ("Expand", lambda a: [a[:1], ints(3, 5)], lambda a: np.repeat(a[:1], 3, 0), {}),
    ("Tile", lambda a: [a, ints(1, 2)], lambda a: np.tile(a, (1, 2)), {}),
    ("Where", lambda a: [CONDITION, a, a[::-1].copy()], lambda a: np.where(CONDITION, a, a[::-1]), {}),
]


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("op, operands, wanted, attributes", CASES, ids=[case[0] for case in CASES])
def test_moves(op, operands, wanted, attributes, name):
    a = sample(TYPES[name])
    (result,) = run(op, operands(a), **attributes)
    assert result.dtype == a.dtype
    np.testing.assert_array_equal(comparable(result), comparable(wanted(a)))


@pytest.mark.parametrize("name", TYPES)
def test_split(name):
    a = sample(TYPES[name])
    first, rest = run("Split", [a, ints(1, 2)], outputs=2, axis=0)
    np.testing.assert_array_equal(comparable(first), comparable(a[:1]))
    np.testing.assert_array_equal(comparable(rest), comparable(a[1:]))
