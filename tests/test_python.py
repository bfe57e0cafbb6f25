"""The Python package: sessions and engines on NumPy arrays."""

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tamis


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


@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("layout", ["reversed", "fortran", "every_other", "big_endian", "read_only"])
def test_layouts_other_than_contiguous(layout, rows):
    model, reference = layer()
    x = samples(rows)
    given = {
        "reversed": lambda: x[:, ::-1],
        "fortran": lambda: np.asfortranarray(x),
        "every_other": lambda: np.repeat(x, 2, axis=1)[:, ::2],
        "big_endian": lambda: x.astype(">f4"),
        "read_only": lambda: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
    }[layout]()
    assert_close(tamis.Session(model).run({"x": given})["y"], reference(np.asarray(given, np.float32)))


def test_inputs_are_released_and_outputs_own_their_memory():
    model, reference = layer()
    session = tamis.Session(model)
    x = samples(3)
    before = sys.getrefcount(x)
    y = session.run({"x": x})["y"]
    assert sys.getrefcount(x) == before
    first = y.copy()
    session.run({"x": samples(3, seed=6)})
    del session
    np.testing.assert_array_equal(y, first)
    assert y.flags.writeable and y.flags.c_contiguous


def test_scalars_and_lists_are_taken_as_numpy_takes_them():
    model = make([helper.make_node("Clip", ["x", "low", "high"], ["y"])],
                 {"x": (TensorProto.DOUBLE, [3]), "low": (TensorProto.DOUBLE, []), "high": (TensorProto.DOUBLE, [])},
                 {"y": (TensorProto.DOUBLE, [3])})  # fmt: skip
    y = tamis.Session(model).run({"x": [-2.0, 0.0, 2.0], "low": np.float64(-1), "high": 1.0})["y"]
    np.testing.assert_array_equal(y, [-1, 0, 1])


# Half a gigabyte through a network that keeps a row of it: if the input were copied, the peak would show it.
_COPY_CHECK = """
import numpy as np, onnx, tamis
from onnx import TensorProto, helper
def peak():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) * 1024
nodes = [helper.make_node("Gather", ["x", "i"], ["y"], axis=0)]
infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1024])]
outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1024])]
index = onnx.numpy_helper.from_array(np.array(5, np.int64), "i")
model = helper.make_model(helper.make_graph(nodes, "g", infos, outs, [index]), ir_version=10,
                          opset_imports=[helper.make_opsetid("", 21)])
session = tamis.Session(model)
session.run(None, {"x": np.zeros((8, 1024), np.float32)})
x = np.ones((1 << 17, 1024), np.float32)
before = peak()
[y] = session.run(None, {"x": x})
assert (y == 1).all()
print(peak() - before)
"""


def test_a_contiguous_input_is_not_copied():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", _COPY_CHECK], env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) < 64 << 20


def guarded(array):
    """The same array so that its last byte is the last one of mapped memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    page = os.sysconf("SC_PAGESIZE")
    pages = -(-array.nbytes // page)
    base = libc.mmap(None, (pages + 1) * page, 3, 0x22, -1, 0)  # read and write; private and anonymous
    assert libc.mprotect(base + pages * page, page, 0) == 0
    memory = (ctypes.c_uint8 * array.nbytes).from_address(base + pages * page - array.nbytes)
    copy = np.frombuffer(memory, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.parametrize("rows", [1, 5, 33])
@pytest.mark.parametrize("inputs", [1, 3, 63, 64, 65])
def test_nothing_is_read_behind_an_input(rows, inputs):
    model, reference = layer(inputs=inputs)
    x = guarded(samples(rows, inputs))
    assert_close(tamis.Session(model).run({"x": x})["y"], reference(x))


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


class Dlpack:
    """What another framework's array offers, over NumPy's own capsule."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__()

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint16, np.bool_])
def test_dlpack_in(dtype):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = make([helper.make_node("Identity", ["x"], ["y"])], {"x": (element, ["n", 3])}, {"y": (element, ["n", 3])})
    x = np.arange(6).reshape(2, 3).astype(dtype)
    session = tamis.Session(model)
    np.testing.assert_array_equal(session.run({"x": Dlpack(x)})["y"], x)
    np.testing.assert_array_equal(session.run({"x": Dlpack(x[:, ::-1])})["y"], x[:, ::-1])


def test_dlpack_out():
    model, _ = layer()
    y = tamis.Session(model).run({"x": samples(2)})["y"]
    shared = np.from_dlpack(Dlpack(y))
    assert shared.ctypes.data == y.ctypes.data
    np.testing.assert_array_equal(shared, y)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    model, reference = layer()
    session = tamis.Session(model)
    x = torch.randn(3, 64)
    y = session.run({"x": x})["y"]
    assert_close(y, reference(x.numpy()))
    assert torch.from_dlpack(y).data_ptr() == y.ctypes.data
    assert_close(session.run({"x": x.t().contiguous().t()})["y"], reference(x.numpy()))
    np.testing.assert_array_equal(session.run({"x": x.clone().requires_grad_()})["y"], y)


def test_torch_bfloat16():
    torch = pytest.importorskip("torch")
    model = make([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
                 {"x": (TensorProto.BFLOAT16, ["n", 3])}, {"y": (TensorProto.FLOAT, ["n", 3])})  # fmt: skip
    session = tamis.Session(model)
    x = torch.arange(6).reshape(2, 3).to(torch.bfloat16)
    np.testing.assert_array_equal(session.run({"x": x})["y"], x.float().numpy())
    np.testing.assert_array_equal(session.run({"x": x.t().contiguous().t()})["y"], x.float().numpy())


def test_profile_lists_every_node():
    session = tamis.Session(layer()[0])
    times = session.profile({"x": samples(4)}, repeats=3)
    assert times and all(node.seconds >= 0 for node in times)
    assert times[-1].shape == [4, 32]
    with pytest.raises(ValueError, match="repeats is 0"):
        session.profile({"x": samples(4)}, repeats=0)


def test_onnxruntime_code_runs_with_another_import(tmp_path):
    ort = tamis
    model, reference = layer()
    onnx.save(model, tmp_path / "m.onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL  # of no meaning here
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(tmp_path / "m.onnx"), options, providers=[("CUDAExecutionProvider", {}),
                                                                                 "CPUExecutionProvider"])  # fmt: skip
    x = samples(3)
    feeds = {session.get_inputs()[0].name: x}
    [y] = session.run([session.get_outputs()[0].name], feeds)
    assert_close(y, reference(x))
    np.testing.assert_array_equal(session.run(None, feeds, None)[0], y)
    np.testing.assert_array_equal(session.run(None, feeds, run_options=ort.RunOptions())[0], y)
    assert session.get_session_options() is options and ort.get_device() == "CPU"
    assert session.get_providers() == ort.get_available_providers() == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="CPUExecutionProvider is"):
        ort.InferenceSession(str(tmp_path / "m.onnx"), providers=["CUDAExecutionProvider"])


@pytest.mark.parametrize("ort", [onnxruntime, tamis], ids=["onnxruntime", "tamis"])
def test_bindings_are_as_onnxruntime_has_them(tmp_path, ort):
    model, reference = layer()
    onnx.save(model, tmp_path / "m.onnx")
    session = ort.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    x = samples(3)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    [y] = binding.copy_outputs_to_cpu()
    assert_close(y, reference(x))

    place = np.full_like(y, np.nan)
    binding.clear_binding_outputs()
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, place.shape, place.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(place, y)
    assert binding.get_outputs()[0].data_ptr() == place.ctypes.data

    value = ort.OrtValue.ortvalue_from_numpy(x)
    assert value.shape() == [3, 64] and value.is_tensor() and value.device_name() == "cpu"
    target = ort.OrtValue.ortvalue_from_shape_and_type(list(y.shape), np.float32)
    binding.bind_ortvalue_input("x", value)
    binding.clear_binding_outputs()
    binding.bind_ortvalue_output("y", target)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(target.numpy(), y)
    [other] = session.run_with_ort_values(["y"], {"x": value})
    np.testing.assert_array_equal(other.numpy(), y)


def test_places_that_do_not_fit_are_refused():
    model, _ = layer()
    session = tamis.InferenceSession(model)
    binding = session.io_binding()
    binding.bind_cpu_input("x", samples(3))
    with pytest.raises(ValueError, match="no output is bound"):
        session.run_with_iobinding(binding)
    binding.bind_ortvalue_output("y", tamis.OrtValue.ortvalue_from_shape_and_type([1, 1], np.float32))
    with pytest.raises(ValueError, match=r"output 'y' is float32\[3, .*but its place is float32\[1, 1\]"):
        session.run_with_iobinding(binding)
    with pytest.raises(ValueError, match="device 'cuda'"):
        binding.bind_output("y", "cuda")


def test_session_options_that_would_be_missed_are_refused():
    options = tamis.SessionOptions()
    for name in ("intra_op_threads", "graph_optimisation_level"):  # typing errors
        with pytest.raises(AttributeError, match=name):
            setattr(options, name, 1)
    with pytest.raises(NotImplementedError, match="tamis.build"):
        options.optimized_model_filepath = "out.onnx"
    with pytest.raises(NotImplementedError, match="TAMIS_CUSTOM_OPS"):
        options.register_custom_ops_library("ops.so")
    options.enable_profiling = False  # nothing is missed
    theirs = onnxruntime.SessionOptions()
    for name in (name for name in dir(theirs) if not name.startswith("_") and not callable(getattr(theirs, name))):
        setattr(options, name, getattr(theirs, name))  # what onnxruntime does without being asked


def test_messages_call_arguments_as_python_does(tmp_path):
    model, _ = layer()
    with pytest.raises(ValueError, match="^device 'tpu' is unknown"):
        tamis.Session(model, device="tpu")
    with pytest.raises(ValueError, match="^precision 'f3' is unknown"):
        tamis.build(model, precision="f3")
    for threads in (-1, 10**6):
        with pytest.raises(ValueError, match=f"^threads is {threads}; it takes 1 to 1024, or 0"):
            tamis.Session(model, threads=threads)
