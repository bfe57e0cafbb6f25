"""`tamis serve` with the real tritonclient."""

import contextlib
import json
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import numpy as np
import onnx
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


def test_tritonclient_finds_what_it_asks_for(server):
    client = triton.InferenceServerClient(f"127.0.0.1:{server[1]}")
    _, answer = request(client, True)
    rows = answer.as_numpy("pooled").shape[0]
    config = client.get_model_config("encoder")
    assert config["max_batch_size"] == 0 and config["input"][0]["data_type"] == "TYPE_INT64"
    [stats] = client.get_inference_statistics("encoder")["model_stats"]
    assert stats["inference_count"] >= rows and stats["inference_stats"]["success"]["count"] >= 1
    assert client.get_inference_statistics()["model_stats"][0]["name"] == "encoder"
    classes = triton.InferRequestedOutput("pooled", class_count=2)
    tokens = triton.InferInput("tokens", [2, 4], "INT64")
    tokens.set_data_from_numpy(np.ones((2, 4), np.int64))
    mask = triton.InferInput("open", [2, 4], "INT64")
    mask.set_data_from_numpy(np.ones((2, 4), np.int64))
    scores = client.infer("encoder", [tokens, mask], timeout=60_000_000, priority=1).as_numpy("pooled")
    named = client.infer("encoder", [tokens, mask], outputs=[classes]).as_numpy("pooled")
    assert named.shape == (2, 2)
    for row, entries in zip(scores, named):
        assert [int(entry.split(b":")[1]) for entry in entries] == list(np.argsort(-row, kind="stable")[:2])
    for refused in (client.get_system_shared_memory_status, client.get_log_settings, client.get_trace_settings,
                    lambda: client.unload_model("encoder")):
        with pytest.raises(triton.InferenceServerException) as caught:
            refused()
        assert caught.value.status() in ("403", "501"), caught.value


def test_versions_roll_without_a_failed_request(tamis, repository, tmp_path):
    shutil.copytree(repository, tmp_path / "models")
    model = tmp_path / "models" / "encoder"
    with serving(tamis, tmp_path / "models", "--model-control-mode", "explicit") as (process, port):
        stop, failed, seen = threading.Event(), [], set()

        def ask():
            client = triton.InferenceServerClient(f"127.0.0.1:{port}")
            while not stop.is_set():
                try:
                    seen.add(request(client, True)[1].get_response()["model_version"])
                except Exception as error:
                    failed.append(error)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        admin = triton.InferenceServerClient(f"127.0.0.1:{port}")
        shutil.copytree(model / "1", model / "2")
        with pytest.raises(triton.InferenceServerException, match="'config' is not supported"):
            admin.load_model("encoder", config='{"max_batch_size": 8}')
        admin.load_model("encoder")
        (model / "3").mkdir()
        (model / "3" / "model.tamis").write_bytes((model / "2" / "model.tamis").read_bytes()[:1000])
        with pytest.raises(triton.InferenceServerException, match="truncated"):
            admin.load_model("encoder")
        shutil.copy(model / "2" / "model.tamis", model / "3" / "model.tamis")
        shutil.rmtree(model / "1")
        process.send_signal(signal.SIGHUP)
        while "3" not in seen and not failed:
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        assert not failed
        assert {"2", "3"} <= seen
        assert [entry["version"] for entry in admin.get_model_repository_index()] == ["2", "3"]


def test_a_server_that_is_told_to_stop_serves_on_while_balancers_notice(tamis, repository):
    with serving(tamis, repository, "--grace", "60") as (process, port):
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")
        assert client.is_server_ready()
        process.send_signal(signal.SIGTERM)
        while client.is_server_ready():
            time.sleep(0.01)
        request(client, True)  # by a connection that was there, and by a new one
        request(triton.InferenceServerClient(f"127.0.0.1:{port}"), True)
        # `serving` sends the second signal, which ends the sixty seconds


@pytest.mark.parametrize("again", [False, True], ids=["by itself", "by another signal"])
def test_a_server_ends_although_a_network_computes_for_ever(tamis, tmp_path, again):
    body = onnx.parser.parse_graph("body (int64 i, bool c, float[4] s) => (bool c2, float[4] s2) {c2 = Identity(c) s2 = Sin(s)}")
    loop = onnx.helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)
    values = [onnx.helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in
              (("n", onnx.TensorProto.INT64, []), ("x", onnx.TensorProto.FLOAT, [4]), ("y", onnx.TensorProto.FLOAT, [4]))]
    graph = onnx.helper.make_graph([loop], "endless", values[:2], values[2:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    (tmp_path / "models" / "m" / "1").mkdir(parents=True)
    tamis("build", tmp_path / "m.onnx", "-o", tmp_path / "models" / "m" / "1" / "model.tamis")
    process = subprocess.Popen([tamis.program, "serve", str(tmp_path / "models"), "--http-port", "0"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        inputs = [{"name": "n", "datatype": "INT64", "shape": [], "data": [10**15]},
                  {"name": "x", "datatype": "FP32", "shape": [4], "data": [1, 2, 3, 4]}]  # fmt: skip
        text = json.dumps({"inputs": inputs})
        client.sendall(f"POST /v2/models/m/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            client.recv(1)  # at work
        process.send_signal(signal.SIGTERM)
        if again:
            assert "stopping" in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5 if again else 20) == 2
        message = process.stderr.read()
        assert ("another signal" if again else "longer than a stop waits") in message and "cut off" in message
    finally:
        process.kill()


def test_an_infinity_is_no_number_of_json(tamis, tmp_path):
    graph = onnx.parser.parse_graph("g (float[N] x) => (float[N] y) {y = Log(x)}")
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    (tmp_path / "models" / "m" / "1").mkdir(parents=True)
    tamis("build", tmp_path / "m.onnx", "-o", tmp_path / "models" / "m" / "1" / "model.tamis")
    with serving(tamis, tmp_path / "models") as (_, port):
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")
        tensor = triton.InferInput("x", [3], "FP32")
        tensor.set_data_from_numpy(np.array([1, 0, -1], np.float32))
        answer = client.infer("m", [tensor]).as_numpy("y")
        np.testing.assert_array_equal(answer, np.array([0, -np.inf, np.nan], np.float32))
        text = [triton.InferRequestedOutput("y", binary_data=False)]
        with pytest.raises(triton.InferenceServerException, match="output 'y' has infinities.*binary_data"):
            client.infer("m", [tensor], outputs=text)
        tensor.set_data_from_numpy(np.array([1, 1, -1], np.float32))
        np.testing.assert_array_equal(client.infer("m", [tensor], outputs=text).as_numpy("y"), np.array([0, 0, np.nan]))


def test_a_thousand_connections(tamis, repository):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] < 2048:
        pytest.skip(f"this process may open {limit[1]} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit[0], 2048), limit[1]))
    with serving(tamis, repository, "--host", "localhost") as (_, port):
        connections = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(1000)]
        for connection in connections:
            connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert all(connection.recv(64).startswith(b"HTTP/1.1 200") for connection in connections)
        for connection in connections:
            connection.close()
