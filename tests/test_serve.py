"""`tamis serve` with the real tritonclient."""

import contextlib
import signal
import subprocess
import time
import urllib.request

import numpy as np
import pytest
import tritonclient.http as triton

import networks


@pytest.fixture(scope="module")
def repository(tamis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    networks.transformer(str(folder / "net.onnx"))
    (folder / "models" / "encoder" / "1").mkdir(parents=True)
    tamis("build", folder / "net.onnx", "-o", folder / "models" / "encoder" / "1" / "model.tamis")
    return folder / "models"


@contextlib.contextmanager
def serving(tamis, path, *options):
    """A server of `path` on a port that the system chooses; it has to stop by itself when it is asked to."""
    process = subprocess.Popen([tamis.program, "serve", str(path), "--http-port", "0", *options],
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        line = process.stdout.readline()
        assert "listening" in line
        yield process, int(line.rsplit(":", 1)[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "stopped" in process.stdout.read()
    finally:
        process.kill()


@pytest.fixture(scope="module", params=[[], ["--max-batch", "8"]], ids=["alone", "batched"])
def server(tamis, repository, request):
    with serving(tamis, repository, *request.param) as running:
        yield running


def request(client, binary, batch=3):
    random = np.random.default_rng(1)
    arrays = {"tokens": random.integers(0, 97, (batch, 9)), "open": np.ones((batch, 9), np.int64)}
    inputs = []
    for name, array in arrays.items():
        inputs.append(triton.InferInput(name, array.shape, "INT64"))
        inputs[-1].set_data_from_numpy(array.astype(np.int64), binary_data=binary)
    output = triton.InferRequestedOutput("pooled", binary_data=binary)
    return arrays, client.infer("encoder", inputs, outputs=[output])


def test_health_and_metadata(server):
    client = triton.InferenceServerClient(f"127.0.0.1:{server[1]}")
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("encoder")
    metadata = client.get_model_metadata("encoder")
    assert metadata["inputs"][0]["datatype"] == "INT64" and metadata["inputs"][0]["shape"] == [-1, -1]
    assert not client.is_model_ready("nobody")


def test_binary_and_json_agree_with_run(server, tamis, repository, tmp_path):
    client = triton.InferenceServerClient(f"127.0.0.1:{server[1]}")
    arrays, binary = request(client, True)
    _, text = request(client, False)
    np.testing.assert_array_equal(binary.as_numpy("pooled"), text.as_numpy("pooled"))
    arguments = []
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array.astype(np.int64))
        arguments += ["--input", f"{name}={tmp_path}/{name}.npy"]
    tamis("run", repository / "encoder" / "1" / "model.tamis", *arguments, "--output-dir", tmp_path / "out")
    np.testing.assert_allclose(binary.as_numpy("pooled"), np.load(tmp_path / "out" / "pooled.npy"), rtol=1e-5, atol=1e-6)


def test_requests_at_once_get_their_own_answers(server):
    client = triton.InferenceServerClient(f"127.0.0.1:{server[1]}", concurrency=8)
    random = np.random.default_rng(2)
    asked = []
    for rows in (1, 2, 1, 3, 1, 1, 4, 1, 2, 1, 1, 1):
        tokens = random.integers(0, 97, (rows, 9))
        inputs = [triton.InferInput(name, tokens.shape, "INT64") for name in ("tokens", "open")]
        inputs[0].set_data_from_numpy(tokens)
        inputs[1].set_data_from_numpy(np.ones_like(tokens))
        asked.append((inputs, client.async_infer("encoder", inputs)))
    for inputs, answer in asked:
        together = answer.get_result().as_numpy("pooled")
        alone = client.infer("encoder", inputs).as_numpy("pooled")
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_errors_are_said_in_json(server):
    client = triton.InferenceServerClient(f"127.0.0.1:{server[1]}")
    wrong = triton.InferInput("tokens", [1, 3], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 3), np.float32))
    with pytest.raises(triton.InferenceServerException) as caught:
        client.infer("encoder", [wrong])
    assert "tokens" in str(caught.value) and "open" in str(caught.value)
    with pytest.raises(triton.InferenceServerException):
        client.infer("nobody", [wrong])


def test_metrics_count_requests(server):
    client = triton.InferenceServerClient(f"127.0.0.1:{server[1]}")
    request(client, True)
    text = urllib.request.urlopen(f"http://127.0.0.1:{server[1]}/metrics").read().decode()
    assert "tamis_" in text and 'model="encoder"' in text


def test_metrics_tell_when_inputs_are_not_as_in_calibration(tamis, tmp_path):
    random = np.random.default_rng(5)
    networks.cnn(str(tmp_path / "net.onnx"))
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "picture.npy", random.normal(size=(64, 3, 20, 20)).astype(np.float32))
    tamis("build", tmp_path / "net.onnx", "-o", tmp_path / "net.tamis", "--calibration", tmp_path / "data")
    with serving(tamis, tmp_path / "net.tamis") as (_, port):
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")

        def send(requests, array):
            for _ in range(requests):
                tensor = triton.InferInput("picture", array.shape, "FP32")
                tensor.set_data_from_numpy(array, binary_data=True)
                client.infer("net", [tensor])

        def figures():
            text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
            rows = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("tamis_input_")]
            return {name.split("{")[0]: float(value) for name, value in rows if 'input="picture"' in name}

        assert figures() == {}
        send(2, random.normal(size=(32, 3, 20, 20)).astype(np.float32))
        usual = figures()
        assert usual["tamis_input_drift_samples"] == 64
        assert usual["tamis_input_drift_bits"] < 0.1 and usual["tamis_input_outside_ratio"] < 0.01
        send(40, random.uniform(0, 255, size=(32, 3, 20, 20)).astype(np.float32))  # pixels nobody normalised
        shifted = figures()
        assert shifted["tamis_input_drift_bits"] > 0.5 and shifted["tamis_input_outside_ratio"] > 0.9
