"""`tamis serve --grpc-port` with the real tritonclient."""

import contextlib
import queue
import signal
import subprocess

import numpy as np
import pytest

triton = pytest.importorskip("tritonclient.grpc", reason="tritonclient came without its gRPC half")

import networks  # noqa: E402


@pytest.fixture(scope="module")
def engine(tamis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc")
    networks.transformer(str(folder / "net.onnx"))
    tamis("build", folder / "net.onnx", "-o", folder / "encoder.tamis")
    return folder / "encoder.tamis"


@contextlib.contextmanager
def serving(tamis, path, *options):
    """(process, gRPC port, HTTP port) of a server on ports that the system chooses."""
    process = subprocess.Popen([tamis.program, "serve", str(path), "--http-port", "0", "--grpc-port", "0", *options],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        first = process.stdout.readline()
        if not first:
            message = process.stderr.read()
            assert "built without gRPC" in message, message
            pytest.skip("this build has no gRPC")
        assert "for gRPC" in first
        grpc_port = int(first.split(" for ")[0].rsplit(":", 1)[1])
        http_port = int(process.stdout.readline().rsplit(":", 1)[1])
        yield process, grpc_port, http_port
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "stopped" in process.stdout.read()
    finally:
        process.kill()


@pytest.fixture(scope="module")
def server(tamis, engine):
    with serving(tamis, engine) as running:
        yield running


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server[1]}") as client:
        yield client


def inputs_of(batch, seed=1, protocol=triton, **replaced):
    tokens = np.random.default_rng(seed).integers(0, 97, (batch, 9))
    inputs = []
    for name, array in {"tokens": tokens, "open": np.ones((batch, 9), np.int64), **replaced}.items():
        inputs.append(protocol.InferInput(name, array.shape, "INT64"))
        inputs[-1].set_data_from_numpy(array.astype(np.int64))
    return inputs


def test_tritonclient_finds_what_it_asks_for(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("encoder")
    assert not client.is_model_ready("nobody")
    assert "statistics" in client.get_server_metadata().extensions
    metadata = client.get_model_metadata("encoder")
    assert metadata.inputs[0].datatype == "INT64" and list(metadata.inputs[0].shape) == [-1, -1]
    config = client.get_model_config("encoder").config
    assert config.max_batch_size == 0 and config.input[0].data_type == 9  # TYPE_INT64
    assert client.get_model_repository_index().models[0].state == "READY"
    before = client.get_inference_statistics("encoder").model_stats[0].inference_count
    client.infer("encoder", inputs_of(3))
    assert client.get_inference_statistics("encoder").model_stats[0].inference_count == before + 3


def test_answers_are_those_over_http(server, client):
    import tritonclient.http

    over_http = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server[2]}")
    expected = over_http.infer("encoder", inputs_of(3, protocol=tritonclient.http)).as_numpy("pooled")
    ours = inputs_of(3)
    for compression in (None, "gzip", "deflate"):
        answer = client.infer("encoder", ours, request_id="7", compression_algorithm=compression)
        np.testing.assert_array_equal(answer.as_numpy("pooled"), expected)
        assert answer.get_response().id == "7"
    classes = client.infer("encoder", ours, outputs=[triton.InferRequestedOutput("pooled", class_count=2)])
    assert [[int(entry.split(b":")[1]) for entry in row] for row in classes.as_numpy("pooled")] == [
        list(np.argsort(-row, kind="stable")[:2]) for row in expected
    ]


def test_requests_at_once_and_a_stream(client):
    alone = [client.infer("encoder", inputs_of(1 + i % 3, seed=i)).as_numpy("pooled") for i in range(12)]
    answers = queue.Queue()

    def put(result, error):
        answers.put((result, error))

    for i in range(12):
        client.async_infer("encoder", inputs_of(1 + i % 3, seed=i), put, request_id=str(i))
    for _ in range(12):
        result, error = answers.get(timeout=60)
        assert error is None
        np.testing.assert_array_equal(result.as_numpy("pooled"), alone[int(result.get_response().id)])
    client.start_stream(put)
    for i in range(12):
        client.async_stream_infer("encoder", inputs_of(1 + i % 3, seed=i), request_id=str(i))
        if i == 5:
            client.async_stream_infer("nobody", inputs_of(1))
    for i in range(12):
        result, error = answers.get(timeout=60)
        assert error is None and result.get_response().id == str(i)
        np.testing.assert_array_equal(result.as_numpy("pooled"), alone[i])
        if i == 5:
            result, error = answers.get(timeout=60)
            assert "there is no model 'nobody'" in str(error)
    client.stop_stream()


def test_errors_have_the_codes_that_clients_act_on(client):
    def code(call):
        with pytest.raises(triton.InferenceServerException) as caught:
            call()
        return caught.value.status().rsplit(".", 1)[1], str(caught.value)

    status, message = code(lambda: client.infer("encoder", inputs_of(1, tokens=np.ones((1, 2, 3), np.int64))))
    assert status == "INVALID_ARGUMENT" and "the model wants [-1, -1]" in message
    assert code(lambda: client.infer("nobody", inputs_of(1)))[0] == "NOT_FOUND"
    status, message = code(lambda: client.infer("encoder", inputs_of(1), sequence_id=3, sequence_start=True))
    assert status == "INVALID_ARGUMENT" and "requests are independent" in message
    status, message = code(lambda: client.unload_model("encoder"))
    assert status == "PERMISSION_DENIED" and "--model-control-mode explicit" in message
    status, message = code(client.get_system_shared_memory_status)
    assert status == "PERMISSION_DENIED" and "--shared-memory" in message
    for refused, why in ((client.get_log_settings, "log settings"), (client.get_trace_settings, "traces are not offered")):
        status, message = code(refused)
        assert status == "UNIMPLEMENTED" and why in message
    assert client.infer("encoder", inputs_of(1), timeout=60_000_000, priority=1).as_numpy("pooled").shape[0] == 1


def test_models_are_loaded_and_unloaded(tamis, engine):
    with serving(tamis, engine, "--model-control-mode", "explicit") as (_, port, _):
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")
        client.unload_model("encoder")
        assert not client.is_model_ready("encoder") and not client.is_server_ready()
        with pytest.raises(triton.InferenceServerException, match="'config' is not supported") as caught:
            client.load_model("encoder", config="{}", files={"file:1/model.onnx": b"x"})
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT" and "'file:1/" in caught.value.message()
        assert not client.is_model_ready("encoder")
        client.load_model("encoder")
        assert client.infer("encoder", inputs_of(2)).as_numpy("pooled").shape[0] == 2
