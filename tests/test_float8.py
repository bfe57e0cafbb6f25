"""tamis quantize --format fp8: what the file says, who reads it, and what is said where no device multiplies such codes."""
import os
import subprocess
from pathlib import Path

import networks
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator


def perceptron(path, opset=21):
    b = networks.Builder(8)
    y = b.op("Relu", [b.op("Add", [b.op("MatMul", ["x", b.normal(64, 96)]), b.normal(96)])])
    b.op("Gemm", [y, b.normal(32, 96), b.normal(32)], "y", transB=1)
    onnx.save(b.model([helper.make_tensor_value_info("x", TensorProto.FLOAT, [16, 64])],
                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, [16, 32])], opset=opset), path)
    return path


@pytest.fixture(scope="module")
def folder(tamis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("float8")
    perceptron(folder / "float.onnx")
    (folder / "samples").mkdir()
    x = np.random.default_rng(3).standard_normal((16, 64)).astype(np.float32)
    np.save(folder / "samples" / "x.npy", x)
    tamis("quantize", folder / "float.onnx", "-o", folder / "fp8.onnx", "--data", folder / "samples", "--format", "fp8")
    return folder


def ours(path, x):
    import tamis as package
    return package.Session(str(path), threads=1).run(None, {"x": x})[0]


def test_the_file_is_read_alike_elsewhere(folder):
    model = onnx.load(folder / "fp8.onnx")
    onnx.checker.check_model(model, full_check=True)
    codes = [i for i in model.graph.initializer if i.data_type == TensorProto.FLOAT8E4M3FN and len(i.dims) == 2]
    assert sorted(tuple(i.dims) for i in codes) == [(32, 96), (64, 96)], "a matrix of codes for each product"
    x = np.load(folder / "samples" / "x.npy")
    theirs = ReferenceEvaluator(str(folder / "fp8.onnx")).run(None, {"x": x})[0]
    exact = ours(folder / "float.onnx", x)
    noise = np.sqrt(np.mean((theirs - exact) ** 2))
    assert 0 < noise < 0.05 * np.sqrt(np.mean(exact**2)), "float8 keeps four bits"
    # The same codes, but for sums in another order that fall to the other side of a tie.
    assert np.sqrt(np.mean((ours(folder / "fp8.onnx", x) - theirs) ** 2)) < 0.1 * noise


def test_an_engine_computes_what_the_file_says(folder, tamis):
    tamis("build", folder / "fp8.onnx", "-o", folder / "fp8.tamis")
    x = np.load(folder / "samples" / "x.npy")
    assert np.allclose(ours(folder / "fp8.tamis", x), ours(folder / "fp8.onnx", x), rtol=1e-5, atol=1e-5)


def test_what_float8_needs_is_said(folder, tamis):
    old = tamis("quantize", perceptron(folder / "old.onnx", 17), "-o", folder / "no.onnx", "--data", folder / "samples",
                "--format", "fp8", fails=True)
    assert "operator set 17" in old and "19 or newer" in old
    unknown = tamis("quantize", folder / "float.onnx", "-o", folder / "no.onnx", "--data", folder / "samples",
                    "--format", "fp4", fails=True)
    assert "'fp4' is not known; use int8 or fp8" in unknown
    both = tamis("quantize", folder / "float.onnx", "-o", folder / "no.onnx", "--data", folder / "samples",
                 "--format", "fp8", "--observer", "entropy", fails=True)
    assert "--format fp8 has one way to choose scales" in both
    cpu = tamis("build", folder / "fp8.onnx", "-o", folder / "no.tamis", "--precision", "fp8", fails=True)
    assert "--precision fp8 is for NVIDIA GPUs (--device cuda); on a CPU the quantised network runs as f32" in cpu
    assert not (folder / "no.onnx").exists() and not (folder / "no.tamis").exists()


@pytest.mark.parametrize("network, compute, message", [
    ("fp8.onnx", "80", "--precision fp8 needs a GPU of compute capability 8.9 or later; Fake has 8.0: use f16 or int8"),
    ("float.onnx", "89", "--precision fp8: no product of the network reads float8 codes; quantize it first"),
])
def test_what_a_gpu_lacks_is_said(folder, tamis, network, compute, message):
    fakes = Path(tamis.program).parent / "fakes"
    if not (fakes / "libtamis_cuda.so").exists():
        pytest.skip("the fakes are not built")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tamis.home / "fakes"), "TAMIS_FAKE_GPU_COMPUTE": compute,
                   "TAMIS_CUDA_BACKEND": str(fakes / "libtamis_cuda.so"),
                   "LD_LIBRARY_PATH": f"{fakes}:{os.environ.get('LD_LIBRARY_PATH', '')}"}
    done = subprocess.run([tamis.program, "build", folder / network, "-o", folder / "gpu.tamis", "--device", "cuda",
                           "--precision", "fp8"], capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert message in done.stderr
