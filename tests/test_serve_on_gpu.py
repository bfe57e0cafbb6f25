"""A server's requests on a GPU, for which a fake stands in (tests/fakes): its memory is the host's, so that what was
copied from where shows in the answers."""
import contextlib
import os
import pathlib
import signal
import subprocess
import threading

import numpy as np
import onnx
import pytest
import tritonclient.http as triton
from onnx import TensorProto, helper

import networks

WIDTH = 256  # 64 rows of f32 are 64 kB, from which on the GPU fetches an input from a request's body


@pytest.fixture(scope="module")
def engine(tamis, tmp_path_factory):
    """x [n, 256] times weights; and the weights."""
    folder = tmp_path_factory.mktemp("serve_on_gpu")
    b = networks.Builder(5)
    name = b.normal(WIDTH, 32)
    b.op("MatMul", ["x", name], "y")
    graph = helper.make_graph(b.nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 32])], b.initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "net.onnx")
    tamis("build", folder / "net.onnx", "-o", folder / "net.tamis", "--profile", f"x=1x{WIDTH}:64x{WIDTH}:512x{WIDTH}")
    weights = next(onnx.numpy_helper.to_array(i) for i in b.initializers if i.name == name)
    return folder / "net.tamis", weights.astype(np.float64)


@contextlib.contextmanager
def serving(tamis, path, *options):
    fakes = pathlib.Path(tamis.program).parent / "fakes"
    if not (fakes / "libtamis_cuda.so").exists():
        pytest.skip("the fakes are not built")
    environment = {**os.environ, "LD_LIBRARY_PATH": f"{fakes}:{os.environ.get('LD_LIBRARY_PATH', '')}",
                   "TAMIS_CUDA_BACKEND": str(fakes / "libtamis_cuda.so")}
    process = subprocess.Popen([tamis.program, "serve", str(path), "--http-port", "0", "--device", "cuda", *options],
                               stdout=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline()
        assert "listening" in line
        yield int(line.rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()


def ask(port, weights, seed, rows, turns, wrong):
    """Requests one after the other; what was answered wrongly goes to `wrong`."""
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    random = np.random.default_rng(seed)
    for turn in range(turns):
        x = random.standard_normal((rows[turn % len(rows)], WIDTH), dtype=np.float32)
        sent = triton.InferInput("x", x.shape, "FP32")
        sent.set_data_from_numpy(x, binary_data=turn % 4 != 3)  # JSON too, whose tensors lie in ordinary memory
        y = client.infer("net", [sent], outputs=[triton.InferRequestedOutput("y")]).as_numpy("y")
        if not np.allclose(y, x @ weights, rtol=1e-3, atol=1e-3):
            wrong.append((seed, turn))


@pytest.mark.parametrize("options", [[], ["--max-batch", "1"], ["--max-batch", "256"]], ids=["default", "alone", "256"])
def test_every_request_has_its_own_answer(tamis, engine, options):
    path, weights = engine
    with serving(tamis, path, *options) as port:
        wrong, threads = [], []
        for seed in range(6):
            rows = [(1, 3), (64, 64), (65, 100)][seed % 3]
            threads.append(threading.Thread(target=ask, args=(port, weights, seed, rows, 12, wrong)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    assert wrong == []
