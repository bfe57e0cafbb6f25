"""What users are told when something is wrong with a GPU or with the process that times its kernels. No GPU is needed:
fakes stand in for the driver and for the backend (tests/fakes)."""
import os
import pathlib
import signal
import subprocess
import time

import onnx
import pytest
from onnx import TensorProto, helper

import networks


@pytest.fixture(scope="module")
def folder(tamis):
    return pathlib.Path(tamis.program).parent


@pytest.fixture(scope="module")
def fakes(folder):
    fakes = folder / "fakes"
    if not (fakes / "libtamis_cuda.so").exists():
        pytest.skip("the fakes are not built")
    return fakes


def run(tamis, *arguments, libraries=None, **environment):
    """With the fake driver in front of any other, and a cache apart: what a fake times is no measurement."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tamis.home / "fakes"), **environment}
    if libraries:
        environment["LD_LIBRARY_PATH"] = f"{libraries}:{environment.get('LD_LIBRARY_PATH', '')}"
    return subprocess.run([tamis.program, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env=environment)


def save(path, nodes, initializers=(), width=256):
    shape = [1, width]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], list(initializers))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def product(tamis, tmp_path_factory):
    """An engine with a weight of 256 kB."""
    folder = tmp_path_factory.mktemp("cuda_errors")
    b = networks.Builder(3)
    b.op("MatMul", ["x", b.normal(256, 256)], "y")
    save(folder / "product.onnx", b.nodes, b.initializers)
    tamis("build", folder / "product.onnx", "-o", folder / "product.tamis")
    return folder / "product.tamis"


def test_a_driver_older_than_the_backend(tamis, folder, fakes, product):
    backend = folder / "libtamis_cuda.so"
    if not backend.exists():
        pytest.skip("the CUDA backend is not built")
    done = run(tamis, "run", product, "--device", "cuda", libraries=fakes, TAMIS_CUDA_BACKEND=str(backend))
    assert done.returncode == 2
    assert "the NVIDIA driver is too old: it supports CUDA 11.4, this backend was built with CUDA" in done.stderr
    assert "a newer driver" in done.stderr


def fake_gpu(tamis, fakes, *arguments, **environment):
    return run(tamis, *arguments, libraries=fakes, TAMIS_CUDA_BACKEND=str(fakes / "libtamis_cuda.so"), **environment)


def test_too_little_memory_for_weights_names_the_numbers(tamis, fakes, product):
    done = fake_gpu(tamis, fakes, "run", product, "--device", "cuda", TAMIS_FAKE_GPU_BYTES="100000")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "not enough GPU memory: 262144 were asked for, 100000 of 100000 are free" in done.stderr
    assert "The network's constants are 0.3 MB" in done.stderr
    assert "what a run needs" not in done.stderr  # nobody knows yet


def test_too_little_memory_for_a_run_names_the_numbers(tamis, fakes, product):
    done = fake_gpu(tamis, fakes, "run", product, "--device", "cuda", TAMIS_FAKE_GPU_BYTES="262500")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "356 of 262500 are free. The network's constants are 0.3 MB, what a run needs beside them 0.0 MB" in done.stderr


def test_an_engine_tuned_for_another_gpu_says_so(tamis, fakes, tmp_path):
    b = networks.Builder(4)
    b.op("Relu", ["x"], "y")
    model = save(tmp_path / "relu.onnx", b.nodes)
    built = fake_gpu(tamis, fakes, "build", model, "-o", tmp_path / "relu.tamis", "--device", "cuda",
                     TAMIS_FAKE_GPU="First")
    assert built.returncode == 0, built.stderr
    here = fake_gpu(tamis, fakes, "run", tmp_path / "relu.tamis", "--device", "cuda", TAMIS_FAKE_GPU="First")
    assert here.returncode == 0 and "no plan for this machine" not in here.stderr, here.stderr
    elsewhere = fake_gpu(tamis, fakes, "run", tmp_path / "relu.tamis", "--device", "cuda", TAMIS_FAKE_GPU="Second")
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert "no plan for this machine (cuda: Second" in elsewhere.stderr
    assert "cuda: First" in elsewhere.stderr


def test_tf32_is_for_gpus_and_its_engines_run_on_cpus_too(tamis, fakes, product, tmp_path):
    model = product.with_suffix(".onnx")
    message = tamis("build", model, "-o", tmp_path / "a.tamis", "--precision", "tf32", fails=True)
    assert "--precision tf32 is for NVIDIA GPUs (--device cuda)" in message
    built = fake_gpu(tamis, fakes, "build", model, "-o", tmp_path / "a.tamis", "--precision", "tf32",
                     "--device", "cuda")
    assert built.returncode == 0, built.stderr
    assert tamis.json("inspect", tmp_path / "a.tamis")["provenance"]["precision"] == "tf32"
    tamis("run", tmp_path / "a.tamis")


def test_a_workspace_limit_is_kept_and_recorded(tamis, fakes, product, tmp_path):
    model = product.with_suffix(".onnx")
    build = ("build", model, "--device", "cuda", "--precision", "f32", "-o")
    none_fits = fake_gpu(tamis, fakes, *build, tmp_path / "a.tamis", "--workspace-limit", "1K",
                         TAMIS_FAKE_GPU_WORKSPACE="4096")
    assert none_fits.returncode == 1, none_fits.stdout + none_fits.stderr
    assert ("no kernel keeps to the workspace limit of 1024 bytes; the least is taken by fake_keep/0: 4096 bytes. Build "
            "with a --workspace-limit of that or more") in none_fits.stderr
    assert not (tmp_path / "a.tamis").exists()

    fits = fake_gpu(tamis, fakes, *build, tmp_path / "b.tamis", "--workspace-limit", "4K", TAMIS_FAKE_GPU_WORKSPACE="4096")
    assert fits.returncode == 0, fits.stderr
    plans = tamis.json("inspect", tmp_path / "b.tamis")["plans"]
    assert {plan["workspace_limit"] for plan in plans} == {4096}
    assert "workspaces of a GPU's kernels: 4096 bytes at most" in tamis("inspect", tmp_path / "b.tamis")
    for gpu in "Fake", "Another":  # by its plan, and on a GPU that there is no plan for
        run_it = ("run", tmp_path / "b.tamis", "--device", "cuda")
        kept = fake_gpu(tamis, fakes, *run_it, TAMIS_FAKE_GPU=gpu, TAMIS_FAKE_GPU_WORKSPACE="4096")
        assert kept.returncode == 0, kept.stderr
        broken = fake_gpu(tamis, fakes, *run_it, TAMIS_FAKE_GPU=gpu, TAMIS_FAKE_GPU_WORKSPACE="8192")
        assert broken.returncode == 1 and "8192 bytes" in broken.stderr, broken.stderr
        assert "workspace limit of 4096 bytes" in broken.stderr

    on_cpu = tamis("build", model, "-o", tmp_path / "c.tamis", "--workspace-limit", "1G", fails=True)
    assert "--workspace-limit is for kernels of NVIDIA GPUs (--device cuda)" in on_cpu
    assert "--workspace-limit" in tamis("build", model, "-o", tmp_path / "c.tamis", "--workspace-limit", "much", fails=True)


def test_a_killed_timing_process_ends_no_build(tamis, tmp_path):
    networks.cnn(str(tmp_path / "cnn.onnx"))
    build = subprocess.Popen([tamis.program, "build", tmp_path / "cnn.onnx", "-o", tmp_path / "cnn.tamis"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                             env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)})
    killed = 0
    children = pathlib.Path(f"/proc/{build.pid}/task/{build.pid}/children")
    while build.poll() is None and killed < 2:
        for child in children.read_text().split():
            try:
                if "tune" in pathlib.Path(f"/proc/{child}/comm").read_text():
                    os.kill(int(child), signal.SIGKILL)
                    killed += 1
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended by itself
        time.sleep(0.05)
    _, messages = build.communicate(timeout=300)
    assert killed == 2
    assert build.returncode == 0, messages
    assert tamis("run", tmp_path / "cnn.tamis")
