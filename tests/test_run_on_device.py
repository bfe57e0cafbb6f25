"""Session.run_on_device: tensors in a GPU's memory go in and come out where they lie. A fake stands in for the backend
(tests/fakes/cuda_backend.cc), whose device memory is the host's; benchmarks/gpu_device_arrays.py tries torch's on a GPU."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import networks

PRELUDE = """
import ctypes, sys
import numpy as np
import tamis

class Managed(ctypes.Structure):
    pass

Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(Managed))
Managed._fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                    ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                    ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                    ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64),
                    ("context", ctypes.c_void_p), ("deleter", Deleter)]
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

class OnDevice:
    '''An f32 array that says it lies in CUDA's memory.'''
    def __init__(self, array, device=(2, 0)):
        self.array, self.device, self.streams, self.kept, self.freed = array, device, [], [], 0
    def __dlpack_device__(self):
        return self.device
    def __dlpack__(self, stream=None):
        self.streams.append(stream)
        dims = (ctypes.c_int64 * self.array.ndim)(*self.array.shape)
        strides = (ctypes.c_int64 * self.array.ndim)(*(s // self.array.itemsize for s in self.array.strides))
        def free(_):
            self.freed += 1
        managed = Managed(self.array.ctypes.data, *self.device, self.array.ndim, 2, 32, 1, dims, strides, 0, None,
                          Deleter(free))
        self.kept += [managed, dims, strides]
        return new_capsule(ctypes.addressof(managed), b"dltensor", None)

def read(array, **how):
    '''What a framework would see: address, dimensions, elements.'''
    capsule = array.__dlpack__(**how)
    managed = ctypes.cast(pointer_of(capsule, b"dltensor"), ctypes.POINTER(Managed)).contents
    shape = [managed.shape[i] for i in range(managed.ndim)]
    elements = np.ctypeslib.as_array(ctypes.cast(managed.data, ctypes.POINTER(ctypes.c_float)), shape).copy()
    assert (managed.device_type, managed.device_id) == array.__dlpack_device__() == (2, 0)
    return managed.data, elements, capsule

engine, weight, log = sys.argv[1], np.load(sys.argv[2]), sys.argv[3]
def waits():
    try:
        lines = open(log).read().splitlines()
        open(log, "w").close()
        return lines
    except FileNotFoundError:
        return []
"""


@pytest.fixture(scope="module")
def fake(tamis, tmp_path_factory):
    """Runs a script with the fake backend; the network multiplies x [4, 32] by a weight [32, 16]."""
    root = pathlib.Path(tamis.program).parent
    fakes = root / "fakes"
    if not (fakes / "libtamis_cuda.so").exists():
        pytest.skip("the fakes are not built")
    folder = tmp_path_factory.mktemp("on_device")
    b = networks.Builder(5)
    b.op("MatMul", ["x", b.normal(32, 16)], "y")
    onnx.save(b.model([helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 32])],
                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 16])]), folder / "product.onnx")
    np.save(folder / "weight.npy", numpy_helper.to_array(b.initializers[0]))
    tamis("build", folder / "product.onnx", "-o", folder / "product.tamis")

    def run(script):
        environment = {**os.environ, "TAMIS_CUDA_BACKEND": str(fakes / "libtamis_cuda.so"),
                       "LD_LIBRARY_PATH": f"{fakes}:{os.environ.get('LD_LIBRARY_PATH', '')}",
                       "XDG_CACHE_HOME": str(folder / "cache"), "TAMIS_FAKE_GPU_LOG": str(folder / "log"),
                       "PYTHONPATH": str(root / "python")}
        done = subprocess.run([sys.executable, "-c", PRELUDE + script, str(folder / "product.tamis"),
                               str(folder / "weight.npy"), str(folder / "log")],
                              capture_output=True, text=True, timeout=120, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_inputs_and_outputs_stay_where_they_are(fake):
    fake("""
session = tamis.Session(engine, device="cuda")
random = np.random.default_rng(1)
addresses = set()
for turn in range(12):  # more addresses than are kept
    x = OnDevice(random.standard_normal((4, 32), dtype=np.float32))
    waits()
    y = session.run_on_device({"x": x}, stream=77)["y"]
    assert waits() == ["waits for 77", "lets wait 77"], "the caller's stream before and after, and no other"
    assert x.streams == [77] and x.freed == 1
    address, elements, capsule = read(y, stream=77)
    assert waits() == []
    assert np.allclose(elements, x.array @ weight, atol=1e-5)
    assert y.shape == (4, 16) and y.dtype == np.float32 and y.device == 0
    addresses.add(address)
    del y, capsule
assert len(addresses) < 12, "memory is used again"
first = session.run_on_device({"x": x})["y"]
second = session.run_on_device({"x": x})["y"]
assert read(first)[0] != read(second)[0], "but not while somebody holds it"
again = session.run({"x": x.array})["y"]
assert np.allclose(again, read(first)[1], atol=1e-6)
""")


def test_streams_are_those_of_the_standard(fake):
    fake("""
session = tamis.Session(engine, device="cuda")
x = OnDevice(np.ones((4, 32), np.float32))
waits()
y = session.run_on_device({"x": x})["y"]
assert x.streams == [1], "the legacy default stream"
session.run_on_device({"x": x}, stream=0)
assert x.streams == [1, 1], "as torch numbers it"
waits()
read(y)  # None is the same stream
read(y, stream=-1)
assert waits() == []
capsule = read(y, stream=9)[2]
assert waits() == ["waits for 1", "lets wait 9"]
del y, capsule
assert waits() == ["waits for 9", "lets wait 1"], "the memory's next user waits for the reader"
y = session.run_on_device({"x": x}, stream=5)["y"]
z = session._session  # a DeviceArray is an input as well
waits()
try:
    session.run_on_device({"x": y}, stream=6)
except ValueError as error:
    assert "[4, 16]" in str(error) or "16" in str(error), error
assert waits() == ["waits for 5", "lets wait 6", "waits for 6", "lets wait 5"], "its memory's next user waits too"
for call in (lambda: y.__dlpack__(stream=0), lambda: session.run_on_device({"x": x}, stream=-3)):
    try:
        call()
        raise SystemExit("taken")
    except ValueError:
        pass
for how in ({"copy": True}, {"dl_device": (1, 0)}):
    try:
        y.__dlpack__(**how)
        raise SystemExit("taken")
    except BufferError:
        pass
""")


def test_what_is_wrong_is_said(fake):
    out = fake("""
session = tamis.Session(engine, device="cuda")
def tell(run):
    try:
        run()
        print("taken")
    except ValueError as error:
        print(error)
x = np.ones((4, 32), np.float32)
tell(lambda: session.run_on_device({"x": x}))
tell(lambda: session.run_on_device({"x": OnDevice(x, (2, 1))}))
tell(lambda: session.run_on_device({"x": OnDevice(np.ones((32, 4), np.float32).T)}))
tell(lambda: session.run_on_device({"x": OnDevice(np.ones((4, 31), np.float32))}))
tell(lambda: session.run_on_device({"z": OnDevice(x)}))
tell(lambda: tamis.Session(engine).run_on_device({"x": OnDevice(x)}))
""").splitlines()
    assert "not in a GPU's memory; run() takes" in out[0]
    assert "'x' lies in GPU 1; the session runs on GPU 0" in out[1]
    assert "not contiguous" in out[2]
    assert "31" in out[3]
    assert "'z'" in out[4] and "'x' is missing" in out[4]
    assert "only a session on a GPU" in out[5]


def test_unaligned_inputs_are_copied_on_the_device(fake):
    fake("""
session = tamis.Session(engine, device="cuda")
memory = np.arange(4 * 32 + 4, dtype=np.float32) / 64
at = (-memory.ctypes.data // 4 + 1) % 4  # 4 bytes behind a multiple of 16
x = OnDevice(memory[at:at + 128].reshape(4, 32))
assert x.array.ctypes.data % 16 == 4
y = session.run_on_device({"x": x})["y"]
assert np.allclose(read(y)[1], x.array @ weight, atol=1e-4)
""")
