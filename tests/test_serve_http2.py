"""What a client of HTTP/2 that means harm can do to the gRPC port, frame by frame (RFC 9113): others are answered."""

import contextlib
import socket
import struct
import time

import numpy as np
import pytest
from test_serve_grpc import engine, inputs_of, serving, triton  # noqa: F401 (engine is a fixture)

DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW = 4  # of the settings


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def field(name, value):
    """A header field as a literal that the table does not remember (RFC 7541, 6.2.2)."""

    def text(string):
        length = len(string)
        if length < 127:
            return bytes([length]) + string
        rest, digits = length - 127, b"\x7f"
        while rest >= 128:
            digits, rest = digits + bytes([rest % 128 + 128]), rest // 128
        return digits + bytes([rest]) + string

    return b"\x00" + text(name) + text(value)


CALL = b"".join(field(name, value) for name, value in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
    (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers")))  # fmt: skip


@pytest.fixture(scope="module")
def server(tamis, engine):  # noqa: F811
    with serving(tamis, engine) as running:
        yield running


@pytest.fixture(scope="module")
def message():
    """A request of the encoder as gRPC frames it: not compressed, its length, itself."""
    import tritonclient.grpc.service_pb2 as protocol

    request = protocol.ModelInferRequest(model_name="encoder")
    for name in ("tokens", "open"):
        request.inputs.add(name=name, datatype="INT64", shape=[1, 9])
        request.raw_input_contents.append(np.ones((1, 9), np.int64).tobytes())
    bytes_ = request.SerializeToString()
    return b"\0" + struct.pack(">I", len(bytes_)) + bytes_


@contextlib.contextmanager
def attacker(server, settings=b""):
    with socket.create_connection(("127.0.0.1", server[1]), timeout=5) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings))
        yield connection


def send_until_cut(connection, parts):
    """The server may close the connection, or read no more of it, at any of them."""
    with contextlib.suppress(OSError):
        connection.settimeout(1)
        for part in parts:
            connection.sendall(part)


def assert_others_are_answered(server, seconds=5):
    start = time.monotonic()
    with triton.InferenceServerClient(f"127.0.0.1:{server[1]}") as client:
        assert client.is_server_live(client_timeout=seconds)
        assert client.infer("encoder", inputs_of(1), client_timeout=seconds).as_numpy("pooled").shape[0] == 1
    assert time.monotonic() - start < seconds


def memory_mb(server):
    with open(f"/proc/{server[0].pid}/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def test_answers_that_nobody_takes_hold_no_threads(server, message):
    """A window of 0 lets no answer out. There are more calls than a server would have threads."""
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(attacker(server, struct.pack(">HI", INITIAL_WINDOW, 0)))
            connection.sendall(b"".join(
                frame(HEADERS, END_HEADERS, stream, CALL) + frame(DATA, END_STREAM, stream, message)
                for stream in range(1, 400, 2)))  # fmt: skip
        time.sleep(0.5)
        assert_others_are_answered(server)


def test_streams_that_are_reset_at_once(server, message):
    with attacker(server) as connection:
        send_until_cut(connection, (
            frame(HEADERS, END_HEADERS, stream, CALL) + frame(DATA, END_STREAM, stream, message)
            + frame(RESET, 0, stream, struct.pack(">I", 8)) for stream in range(1, 4000, 2)))  # fmt: skip
        assert_others_are_answered(server)


def test_requests_that_never_end(server, message):
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(attacker(server))
            connection.sendall(b"".join(
                frame(HEADERS, END_HEADERS, stream, CALL) + frame(DATA, 0, stream, message[:7])
                for stream in range(1, 400, 2)))  # fmt: skip
        assert_others_are_answered(server)


@pytest.mark.parametrize("kind", ["settings", "ping", "continuation", "table"])
def test_floods(server, kind):
    before = memory_mb(server)
    with attacker(server) as connection:
        if kind == "settings":
            send_until_cut(connection, [frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 1000] * 50)
        elif kind == "ping":
            send_until_cut(connection, [frame(PING, 0, 0, b"12345678") * 1000] * 50)
        elif kind == "continuation":
            send_until_cut(connection, [frame(HEADERS, 0, 1, CALL)])
            send_until_cut(connection, [frame(CONTINUATION, 0, 1, field(b"x", b"y" * 8000)) * 10] * 100)
        else:  # one large entry of the table, named 12,000 times
            large = b"\x40" + field(b"large", b"v" * 3800)[1:]
            send_until_cut(connection, [frame(HEADERS, END_HEADERS, 1, CALL + large + b"\xbe" * 12000)] * 50)
        assert_others_are_answered(server)
    assert memory_mb(server) - before < 300
