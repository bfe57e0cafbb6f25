"""Memory that goes into and out of a Python session: layouts, copies, lifetimes, DLPack."""

import ctypes
import os
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper
from python_models import assert_close, layer, make, samples

import tamis


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
