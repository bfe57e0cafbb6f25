"""Files and flags that are wrong: a message that says what, a non-zero exit, and nothing left behind."""

import os
import resource
import signal
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import networks


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "net.onnx"
    networks.transformer(str(path))
    return path


@pytest.fixture(scope="module")
def engine(tamis, good):
    path = good.with_suffix(".tamis")
    tamis("build", good, "-o", path)
    return path


def save(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


def floats(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def test_truncated_onnx(tamis, good, tmp_path):
    path = tmp_path / "cut.onnx"
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    assert "cut.onnx" in tamis("inspect", path, fails=True)


def test_text_file(tamis, tmp_path):
    path = tmp_path / "notes.onnx"
    path.write_text("this is not a network\n" * 20)
    assert "notes.onnx" in tamis("build", path, "-o", tmp_path / "x.tamis", fails=True)


def test_missing_file(tamis, tmp_path):
    assert "nothing.onnx" in tamis("inspect", tmp_path / "nothing.onnx", fails=True)


def test_unknown_verb_names_the_verbs(tamis):
    message = tamis("bild", "x", fails=True)
    assert "bild" in message and "build" in message and "optimize" in message


def test_missing_data_folder(tamis, good, tmp_path):
    message = tamis("prune", good, "-o", tmp_path / "p.onnx", "--data", tmp_path / "nowhere", fails=True)
    assert "nowhere" in message and "does not exist" in message


def test_interrupt_leaves_no_half_file(tamis, good, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    np.save(data / "tokens.npy", np.random.default_rng(2).integers(0, 97, (2000, 64)))
    np.save(data / "open.npy", np.ones((2000, 64), np.int64))
    process = subprocess.Popen([tamis.program, "optimize", str(good), "-o", str(out / "x.tamis"), "--data", str(data),
                                "--min-agreement", "0.9", "--verbose"], stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline()  # work has begun
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert list(out.iterdir()) == []


def test_every_unknown_operator_is_listed(tamis, tmp_path):
    nodes = [helper.make_node("Frobnicate", ["x"], ["a"]), helper.make_node("Quux", ["a"], ["b"], domain="my.domain"),
             helper.make_node("Frobnicate", ["b"], ["y"])]
    path = save(tmp_path / "unknown.onnx", nodes, [floats("x", [1])], [floats("y", [1])])
    message = tamis("inspect", path, fails=True)
    assert "Frobnicate" in message and "Quux" in message and "my.domain" in message and "2" in message


def test_missing_external_data(tamis, tmp_path):
    weight = numpy_helper.from_array(np.zeros((64, 64), np.float32), "big")
    path = save(tmp_path / "ext.onnx", [helper.make_node("MatMul", ["x", "big"], ["y"])], [floats("x", [1, 64])],
                [floats("y", [1, 64])], [weight])
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    message = tamis("inspect", path, fails=True)
    assert "weights.bin" in message and "big" in message


def test_cycle(tamis, tmp_path):
    nodes = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    path = save(tmp_path / "cycle.onnx", nodes, [floats("x", [1])], [floats("b", [1])])
    assert "cycle" in tamis("inspect", path, fails=True)


def test_enormous_dimension(tamis, tmp_path):
    path = save(tmp_path / "huge.onnx", [helper.make_node("Relu", ["x"], ["y"])], [floats("x", [2**40, 2**40])],
                [floats("y", [2**40, 2**40])])
    tamis("run", path, fails=True)


def test_data_with_one_wrong_shape(tamis, good, tmp_path):
    np.save(tmp_path / "tokens.npy", np.zeros((8, 12), np.int64))
    np.save(tmp_path / "open.npy", np.zeros((8, 12, 2), np.int64))
    message = tamis("prune", good, "-o", tmp_path / "p.onnx", "--data", tmp_path, fails=True)
    assert "open" in message
    assert not (tmp_path / "p.onnx").exists()


def test_flipped_byte(tamis, engine, tmp_path):
    data = bytearray(engine.read_bytes())
    for position in (len(data) // 3, len(data) - 100, 40):
        broken = bytearray(data)
        broken[position] ^= 0x10
        path = tmp_path / "flipped.tamis"
        path.write_bytes(broken)
        tamis("run", path, fails=True)


def test_engine_of_another_version(tamis, engine, tmp_path):
    data = bytearray(engine.read_bytes())
    data[8] = 0x7F  # the format version follows the eight bytes of magic
    path = tmp_path / "future.tamis"
    path.write_bytes(data)
    assert "version" in tamis("run", path, fails=True)


def test_disk_full_leaves_nothing(tamis, good, tmp_path):
    """A file-size limit stands in for a full disk: the write fails in the middle in the same way."""
    caches = tmp_path / "caches"
    caches.mkdir()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    def build(**limited):
        return subprocess.run([tamis.program, "build", str(good), "-o", str(tmp_path / "x.tamis")], capture_output=True,
                              text=True, env={**os.environ, "XDG_CACHE_HOME": str(caches)}, **limited)

    assert build().returncode == 0  # times are in the cache from here on, which may be larger than the limit
    (tmp_path / "x.tamis").unlink()
    result = build(preexec_fn=limit)
    assert result.returncode == 2 and "x.tamis" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["caches"]


@pytest.mark.parametrize("flag, value", [("--precision", "int8"), ("--precision", "f64"), ("--device", "cuda"),
                                         ("--profile", "nobody=1x2"), ("--threads", "-3")])
def test_flags_are_refused_by_name(tamis, good, tmp_path, flag, value):
    message = tamis("build", good, "-o", tmp_path / "x.tamis", flag, value, fails=True)
    assert value.split("=")[0].lstrip("-") in message
    assert not (tmp_path / "x.tamis").exists()
