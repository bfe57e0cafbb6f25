"""The Python package: sessions and engines on NumPy arrays."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from python_models import assert_close, layer, make, samples

import tamis


@pytest.mark.parametrize("kind", [tamis.Session, tamis.InferenceSession])
def test_a_session_of_a_file_goes_to_another_process(kind, tmp_path, monkeypatch):
    model, reference = layer()
    onnx.save(model, tmp_path / "layer.onnx")
    tamis.build(tmp_path / "layer.onnx", tmp_path / "layer.tamis", tune=False)
    monkeypatch.chdir(tmp_path)
    x = samples(3)
    for name in ("layer.onnx", "layer.tamis"):
        session = kind(name, threads=1)
        expected = session.run(None, {"x": x})
        again = pickle.loads(pickle.dumps(session))
        assert type(again) is kind
        np.testing.assert_array_equal(again.run(None, {"x": x}), expected)
        # A new interpreter, in another folder.
        (tmp_path / "session").write_bytes(pickle.dumps((session, x)))
        code = "import pickle, sys; s, x = pickle.load(open(sys.argv[1], 'rb')); print(float(s.run(None, {'x': x})[0].sum()))"
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "session"], cwd="/", capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}, check=True)
        assert float(done.stdout) == pytest.approx(float(expected[0].sum()), rel=1e-6)


def test_options_of_an_inference_session_are_pickled_with_it(tmp_path):
    onnx.save(layer()[0], tmp_path / "layer.onnx")
    options = tamis.SessionOptions()
    options.intra_op_num_threads = 1
    session = pickle.loads(pickle.dumps(tamis.InferenceSession(tmp_path / "layer.onnx", options)))
    assert session.get_session_options().intra_op_num_threads == 1


def test_a_session_of_a_model_in_memory_says_how_it_can_be_pickled():
    with pytest.raises(TypeError, match=r"write it to a file \(session.engine.save\(path\)\)"):
        pickle.dumps(tamis.Session(layer()[0]))


def test_three_ways_to_ask_for_outputs():
    model, reference = layer()
    session = tamis.Session(model)
    x = samples(3)
    assert_close(session.run({"x": x})["y"], reference(x))
    [by_order] = session.run(None, {"x": x})
    [by_name] = session.run(["y"], {"x": x})
    np.testing.assert_array_equal(by_order, by_name)
    with pytest.raises(ValueError, match="unknown output 'z'; the network has 'y'"):
        session.run(["z"], {"x": x})
    with pytest.raises(TypeError, match="come as a list"):
        session.run("y", {"x": x})
    with pytest.raises(TypeError, match="takes a dict"):
        session.run(None)


def test_declared_inputs_and_outputs():
    session = tamis.Session(layer()[0])
    [x] = session.get_inputs()
    [y] = session.get_outputs()
    assert (x.name, x.shape, x.type, x.dtype) == ("x", ["n", 64], "tensor(float)", np.float32)
    assert (y.name, y.shape) == ("y", ["n", 32])
    assert session.get_providers() == ["CPU"]
    assert "x: float32['n', 64] -> y: float32['n', 32]" in repr(session)


def test_models_from_file_bytes_proto_and_engine(tmp_path):
    model, reference = layer()
    x = samples(2)
    onnx.save(model, tmp_path / "m.onnx")
    engine = tamis.build(tmp_path / "m.onnx", tmp_path / "m.tamis", tune=False)
    assert engine.provenance["source_file"] == "m.onnx" and engine.provenance["precision"] == "f32"
    for source in (str(tmp_path / "m.onnx"), tmp_path / "m.onnx", model.SerializeToString(), model, engine,
                   tmp_path / "m.tamis"):  # fmt: skip
        assert_close(tamis.Session(source, threads=1).run({"x": x})["y"], reference(x))
    loaded = tamis.Engine.load(tmp_path / "m.tamis", map_file=False)
    assert loaded.provenance == engine.provenance


def test_external_data_are_looked_for_in_the_folder_given(tmp_path):
    model, reference = layer()
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    x = samples(2)
    assert_close(tamis.Session(tmp_path / "m.onnx").run({"x": x})["y"], reference(x))
    data = (tmp_path / "m.onnx").read_bytes()
    assert_close(tamis.Session(data, folder=tmp_path).run({"x": x})["y"], reference(x))
    with pytest.raises(ValueError, match="elsewhere"):
        tamis.Session(data, folder=tmp_path / "elsewhere")


def test_tuned_build_uses_the_worker_and_reports_progress(tmp_path):
    model, reference = layer()
    steps = []
    engine = tamis.build(model, tmp_path / "m.tamis", profiles={"x": [(1, 64), (4, 64), (8, 64)]},
                         cache=tmp_path / "times", progress=lambda *step: steps.append(step))  # fmt: skip
    assert not [notice for notice in engine.notices if "can't start" in notice]
    assert steps and all(done <= total for done, total, _ in steps)
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert [plan["measured"] for plan in engine.plans] == [False, True]
    assert engine.plans[1]["profile"] == {"n": (1, 4, 8)}
    assert (tmp_path / "times").exists()
    x = samples(4)
    assert_close(tamis.Session(tmp_path / "m.tamis").run({"x": x})["y"], reference(x))


def test_profiles_bound_what_a_session_takes(tmp_path):
    model, reference = layer()
    engine = tamis.build(model, tmp_path / "m.tamis", tune=False,
                         profiles=[{"x": [(1, 64), (2, 64), (4, 64)]}, {"x": (16, 64)}])  # fmt: skip
    assert [plan["profile"] for plan in engine.plans] == [{"n": (1, 2, 4)}, {"n": (16, 16, 16)}]
    session = tamis.Session(tmp_path / "m.tamis")
    for rows in (1, 4, 16):
        assert_close(session.run({"x": samples(rows)})["y"], reference(samples(rows)))
    with pytest.raises(ValueError, match="(?s)'x'.*16"):
        session.run({"x": samples(17)})


def test_an_engine_of_two_precisions(tmp_path):
    model, reference = layer()
    engine = tamis.build(model, tmp_path / "m.tamis", tune=False, precision=["f32", "bf16"])
    assert {plan["precision"] for plan in engine.plans} == {"f32", "bf16"}
    x = samples(3)
    assert_close(tamis.Session(tmp_path / "m.tamis").run({"x": x})["y"], reference(x))
    y = tamis.Session(tmp_path / "m.tamis", precision="bf16").run({"x": x})["y"]
    # Products of bf16 numbers, summed in f32: each factor is off by 2^-9 at most.
    np.testing.assert_allclose(y, reference(x), rtol=0, atol=64 * 2**-8 * np.abs(x).max())
    with pytest.raises(ValueError, match="no precision 'f64'"):
        tamis.Session(tmp_path / "m.tamis", precision="f64")


def test_retune_makes_a_plan_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    model, reference = layer()
    tamis.build(model, tmp_path / "m.tamis", tune=False, profiles={"x": (3, 64)})
    assert tamis.Session(tmp_path / "m.tamis").retune_state == ("not needed", "")
    session = tamis.Session(tmp_path / "m.tamis", retune="now")
    assert session.retune_state == ("done", "")
    assert_close(session.run({"x": samples(3)})["y"], reference(samples(3)))


def test_a_shape_that_was_declared_for_one_size_only_is_no_obstacle():
    """Squeeze without axes leaves no shape to infer; the exporter wrote down what it traced, a batch of one."""
    nodes = [helper.make_node("Squeeze", ["x"], ["y"]), helper.make_node("Add", ["y", "y"], ["z"])]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
                              [helper.make_tensor_value_info("z", TensorProto.FLOAT, [])])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = tamis.Session(model)
    for rows in (1, 3):
        x = np.arange(rows, dtype=np.float32).reshape(rows, 1)
        np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.squeeze(2 * x))


def test_a_branch_that_shapes_rule_out_is_no_obstacle():
    def branch(name, sizes):
        nodes = [
            helper.make_node("Constant", [], [f"{name}_sizes"], value_ints=sizes),
            helper.make_node("Split", ["x", f"{name}_sizes"], [f"{name}_a", f"{name}_b"], axis=0),
        ]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}_b", TensorProto.FLOAT, None)])

    nodes = [
        helper.make_node("Size", ["x"], ["size"]),
        helper.make_node("Constant", [], ["four"], value_int=4),
        helper.make_node("Equal", ["size", "four"], ["is_four"]),
        helper.make_node("If", ["is_four"], ["y"], then_branch=branch("t", [2, 2]), else_branch=branch("e", [2, 3])),
    ]
    model = make(nodes, {"x": (TensorProto.FLOAT, [5])}, {"y": (TensorProto.FLOAT, None)})
    x = np.arange(5, dtype=np.float32)
    np.testing.assert_array_equal(tamis.Session(model).run({"x": x})["y"], x[2:])


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda x: {"x": x.astype(np.float64)}, r"input 'x' is a tensor of float64, the network wants tensor\(float\)"),
        (lambda x: {"q": x}, "unknown input 'q'; the network has 'x'; input 'x' is missing"),
        (lambda x: {"x": x[:, :3]}, r"\[3, 3\].*\[n, 64\].*dimension 1 must be 64"),
        (lambda x: {"x": x[0]}, r"\[64\]"),
        (lambda x: {}, "input 'x' is missing"),
        (lambda x: {"x": x.astype(np.complex64)}, "complex64"),
        (lambda x: {"x": object()}, "input 'x'"),
        (lambda x: {"x": x.astype("datetime64[s]")}, "datetime64"),
        (lambda x: {"x": [[1.0, 2.0], [3.0]]}, "input 'x'"),
        (lambda x: {3: x}, "named by a str, not by 3"),
    ],
)
def test_inputs_that_do_not_fit(spoil, message):
    session = tamis.Session(layer()[0])
    with pytest.raises(ValueError, match=message):
        session.run(spoil(samples(3)))


@pytest.mark.parametrize(
    "model, error, message",
    [
        (b"", ValueError, "empty"),
        (b"not a model", ValueError, "not an ONNX model"),
        (b"TAMIS\0\0\0", ValueError, "loaded from a file"),
        (3, ValueError, "not int"),
        ("missing.onnx", FileNotFoundError, "missing.onnx"),
        (os.path.dirname(__file__), IsADirectoryError, "tests"),
        (__file__, ValueError, "text file"),
        (make([helper.make_node("NoSuch", ["x"], ["y"]), helper.make_node("Neither", ["y"], ["z"])],
              {"x": (TensorProto.FLOAT, [2])}, {"z": (TensorProto.FLOAT, [2])}),
         ValueError, "(?s)2 operators.*'Neither'.*'NoSuch'"),
    ],
)  # fmt: skip
def test_models_that_are_none(model, error, message):
    with pytest.raises(error, match=message):
        tamis.Session(model)


def test_arguments_that_are_wrong(tmp_path):
    model, _ = layer()
    with pytest.raises(ValueError, match="threads is -1"):
        tamis.Session(model, threads=-1)
    with pytest.raises(ValueError, match="threads is -2"):
        tamis.build(model, threads=-2)
    with pytest.raises(ValueError, match="'f12' is unknown"):
        tamis.build(model, precision="f12")
    with pytest.raises(ValueError, match="no input 'y'"):
        tamis.build(model, profiles={"y": (1, 2)}, tune=False)
    with pytest.raises(ValueError, match="min, opt and max"):
        tamis.build(model, profiles={"x": [(1, 64), (2, 64)]}, tune=False)
    with pytest.raises(RuntimeError, match="nowhere"):
        tamis.build(model, tmp_path / "nowhere" / "m.tamis", tune=False)
    damaged = tmp_path / "damaged.tamis"
    tamis.build(model, damaged, tune=False)
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        tamis.Session(damaged).run({"x": samples(1)})
    with pytest.raises(ValueError, match="damaged"):
        tamis.Engine.load(damaged)
    with pytest.raises(ValueError, match="retune 'soon' is unknown"):
        tamis.Session(model, retune="soon")
    with pytest.raises(ValueError, match="time_budget is -1"):
        tamis.build(model, time_budget=-1)


def test_many_threads_run_one_session():
    model, reference = layer()
    session = tamis.Session(model)
    failures = []

    def work(seed):
        try:
            for step in range(40):
                x = samples(1 + (seed + step) % 5, seed=seed * 100 + step)
                assert_close(session.run({"x": x})["y"], reference(x))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_session_works_in_a_forked_process():
    model, reference = layer(outputs=512, inputs=512)
    session = tamis.Session(model, threads=2)
    x = samples(256, 512)
    session.run({"x": x})
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a lost thread would be waited for
        good = np.allclose(session.run({"x": x})["y"], reference(x), rtol=0, atol=1e-2)
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_lock_is_released_while_running():
    model = make([helper.make_node("MatMul", ["x", "x"], ["y"])], {"x": (TensorProto.FLOAT, ["n", "n"])},
                 {"y": (TensorProto.FLOAT, ["n", "n"])})  # fmt: skip
    session = tamis.Session(model, threads=1)
    x = np.zeros((2048, 2048), np.float32)
    done = threading.Event()
    ticks = 0

    def run():
        session.run(None, {"x": x})
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks >= 3  # the product takes tens of milliseconds at least


def test_ctrl_c_ends_a_build(tmp_path):
    model, _ = layer()
    seen = threading.Event()

    def interrupt(done, total, what):
        if not seen.is_set():
            seen.set()
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # longer than the wait between two looks for signals

    with pytest.raises(KeyboardInterrupt):
        tamis.build(model, tmp_path / "m.tamis", profiles={"x": [(1, 64), (2, 64), (3, 64)]}, cache=tmp_path / "times",
                    progress=interrupt)  # fmt: skip
    assert not (tmp_path / "m.tamis").exists()
    tamis.build(model, tmp_path / "m.tamis", tune=False)


def test_an_exception_of_the_progress_function_ends_the_build(tmp_path):
    def fail(done, total, what):
        raise KeyError(what)

    with pytest.raises(KeyError):
        tamis.build(layer()[0], tmp_path / "m.tamis", cache=tmp_path / "times", progress=fail)
    assert not (tmp_path / "m.tamis").exists()


def test_profile_lists_every_node():
    session = tamis.Session(layer()[0])
    times = session.profile({"x": samples(4)}, repeats=3)
    assert times and all(node.seconds >= 0 for node in times)
    assert times[-1].shape == [4, 32]
    with pytest.raises(ValueError, match="repeats is 0"):
        session.profile({"x": samples(4)}, repeats=0)
