"""Small models for the tests of the Python package."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def make(nodes, inputs, outputs, weights=(), **options):
    """A model; inputs and outputs as {name: (element type, shape)}, weights as {name: array}."""
    infos = [[helper.make_tensor_value_info(name, *spec) for name, spec in side.items()] for side in (inputs, outputs)]
    initializers = [numpy_helper.from_array(array, name) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "graph", *infos, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], **{"ir_version": 10, **options})


def layer(outputs=32, inputs=64):
    random = np.random.default_rng(3)
    weight = random.normal(size=(inputs, outputs)).astype(np.float32)
    model = make(
        [helper.make_node("MatMul", ["x", "w"], ["t"]), helper.make_node("Relu", ["t"], ["y"])],
        {"x": (TensorProto.FLOAT, ["n", inputs])},
        {"y": (TensorProto.FLOAT, ["n", outputs])},
        {"w": weight},
    )
    return model, lambda x: np.maximum(x.astype(np.float64) @ weight.astype(np.float64), 0)


def samples(rows, columns=64, seed=5):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def assert_close(actual, expected, length=64):
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=0, atol=length * np.finfo(np.float32).eps * 8)
