"""What a model says of itself (metadata_props, producer, descriptions) stays with what is made of it."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tamis

# Not sorted; one value that does not fit a line of a terminal, and one with control characters.
PROPERTIES = {"stride": "32", "names": str({i: f"class {i}" for i in range(80)}), "author": "Ünal\n\x1b[31m", "empty": ""}


@pytest.fixture
def model(tmp_path):
    random = np.random.default_rng(11)
    weight = numpy_helper.from_array(random.normal(size=(64, 32)).astype(np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "detector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])],
        [weight],
        doc_string="one product",
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="pytorch",
        producer_version="2.4.0", domain="com.example", model_version=5, doc_string="finds things",
    )  # fmt: skip
    helper.set_model_props(model, PROPERTIES)
    product = model.graph.node[0]
    product.name, product.doc_string = "/head/product", "from net.py, line 7"
    product.metadata_props.add(key="namespace", value=": Net/head: Linear")
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def of_onnxruntime(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).get_modelmeta()


def assert_equal(actual, expected, more=False):
    """`more`: properties that Tamis added."""
    for name in ("producer_name", "graph_name", "domain", "description", "graph_description", "version"):
        assert getattr(actual, name) == getattr(expected, name), name
    properties = dict(actual.custom_metadata_map)
    added = [key for key in properties if key.startswith("tamis.")]
    assert bool(added) == more
    assert {key: value for key, value in properties.items() if key not in added} == expected.custom_metadata_map


def test_sessions_and_engines(model, tmp_path):
    expected = of_onnxruntime(model)
    assert expected.version == 5 and expected.custom_metadata_map == PROPERTIES
    compiled = tamis.build(model, tmp_path / "a.tamis", precision=["f32", "bf16"], tune=False)
    tamis.build(model, tmp_path / "again.tamis", precision=["f32", "bf16"], tune=False)
    assert (tmp_path / "again.tamis").read_bytes() == (tmp_path / "a.tamis").read_bytes()
    tamis.build(tmp_path / "a.tamis", tmp_path / "b.tamis", tune=False)  # the engine with plans added
    tamis.build(tmp_path / "a.tamis", tmp_path / "c.tamis", without=["fuse_blocks"], tune=False)  # built afresh of it
    for source in (model, model.read_bytes(), compiled, *(tmp_path / f"{name}.tamis" for name in "abc")):
        meta = tamis.Session(source).get_modelmeta()
        assert_equal(meta, expected)
        assert list(meta.custom_metadata_map) == list(PROPERTIES)
    assert tamis.InferenceSession(str(model)).get_modelmeta() == meta


def test_pruned_and_quantized(model, tmp_path):
    expected = of_onnxruntime(model)
    data = {"x": np.random.default_rng(12).normal(size=(192, 64)).astype(np.float32)}
    tamis.prune(model, tmp_path / "pruned.onnx", data=data)
    tamis.quantize(tmp_path / "pruned.onnx", tmp_path / "int8.onnx", data=data)
    for name in ("pruned", "int8"):
        path = tmp_path / f"{name}.onnx"
        onnx.checker.check_model(path)
        assert_equal(of_onnxruntime(path), expected, more=True)
        assert onnx.load(path).producer_version == "2.4.0"
        assert [entry.key for entry in onnx.load(path).metadata_props][: len(PROPERTIES)] == list(PROPERTIES)
        noted = [node for node in onnx.load(path).graph.node if node.doc_string]
        assert [(node.name, node.doc_string) for node in noted] == [("/head/product", "from net.py, line 7")]
        assert [(entry.key, entry.value) for entry in noted[0].metadata_props] == [("namespace", ": Net/head: Linear")]
    tamis.build(tmp_path / "int8.onnx", tmp_path / "int8.tamis", tune=False)
    assert_equal(tamis.Session(tmp_path / "int8.tamis").get_modelmeta(), expected, more=True)


def test_optimized(model, tmp_path):
    data = {"x": np.random.default_rng(13).normal(size=(192, 64)).astype(np.float32)}
    tamis.optimize(model, tmp_path / "best.tamis", data=data, min_agreement=0.5)
    assert_equal(tamis.Session(tmp_path / "best.tamis").get_modelmeta(), of_onnxruntime(model))


def test_a_model_that_says_nothing(model):
    silent = onnx.load(model)
    graph = silent.graph
    graph.ClearField("doc_string")
    graph.name = ""
    bare = onnx.ModelProto(ir_version=9, graph=graph, opset_import=silent.opset_import)
    assert tamis.Session(bare).get_modelmeta() == ("", "", "", "", "", 0, {})


def test_bytes_that_are_no_text(model):
    content = model.read_bytes()
    assert content.count(b"com.example") == 1
    meta = tamis.Session(content.replace(b"com.example", b"com.\xff\x80ample")).get_modelmeta()
    assert meta.domain == "com.\ufffd\ufffdample"


def test_inspect(model, tmp_path, request):
    tamis_program = request.getfixturevalue("tamis")
    tamis.build(model, tmp_path / "model.tamis", tune=False)
    for path in (model, tmp_path / "model.tamis"):
        told = tamis.inspect(path)["model"]
        assert told["properties"] == PROPERTIES and list(told["properties"]) == list(PROPERTIES)
        assert told["producer_name"] == "pytorch" and told["producer_version"] == "2.4.0"
        assert told["graph_name"] == "detector" and told["version"] == 5
        text = tamis_program("inspect", path, "--no-timing")
        assert "made by pytorch 2.4.0" in text and 'property "stride": "32"' in text
        assert f"({len(PROPERTIES['names'])} bytes)" in text and "class 79" not in text
        assert "\x1b" not in text and 'description: "finds things"' in text
