"""`tamis serve --shared-memory` with the real tritonclient, over both protocols."""

import os
import threading
import time

import numpy as np
import pytest
import tritonclient.http
import tritonclient.utils.shared_memory as shm
from test_serve_grpc import engine, serving, triton  # noqa: F401 (engine is a fixture)

KEY = f"/tamis_pytest_{os.getpid()}_"
ROWS, COLUMNS = 3, 9
BYTES = ROWS * COLUMNS * 8


@pytest.fixture(scope="module")
def server(tamis, engine):  # noqa: F811
    with serving(tamis, engine, "--shared-memory", KEY) as (_, grpc_port, http_port):
        yield {"grpc": grpc_port, "http": http_port}


@pytest.fixture(params=["http", "grpc"])
def protocol(request, server):
    """(the protocol's module, a client of it), no region registered before or after."""
    module = {"http": tritonclient.http, "grpc": triton}[request.param]
    with module.InferenceServerClient(f"127.0.0.1:{server[request.param]}") as client:
        client.unregister_system_shared_memory()
        client.unregister_cuda_shared_memory()  # as Triton's examples begin
        yield module, client
        client.unregister_system_shared_memory()


@pytest.fixture
def region():
    made = []

    def make(name, size):
        made.append(shm.create_shared_memory_region(name, KEY + name, size))
        return made[-1]

    yield make
    for handle in made:
        shm.destroy_shared_memory_region(handle)


def arrays(seed=1):
    return np.random.default_rng(seed).integers(0, 97, (ROWS, COLUMNS)), np.ones((ROWS, COLUMNS), np.int64)


def inputs_of(module, tokens, mask):
    inputs = [module.InferInput(name, array.shape, "INT64") for name, array in (("tokens", tokens), ("open", mask))]
    inputs[0].set_data_from_numpy(tokens)
    inputs[1].set_data_from_numpy(mask)
    return inputs


def test_tensors_travel_through_regions(protocol, region):
    module, client = protocol
    tokens, mask = arrays()
    expected = client.infer("encoder", inputs_of(module, tokens, mask)).as_numpy("pooled")
    given, taken = region("in", 2 * BYTES), region("out", expected.nbytes + 16)
    shm.set_shared_memory_region(given, [tokens, mask])
    client.register_system_shared_memory("in", KEY + "in", 2 * BYTES)
    client.register_system_shared_memory("out", KEY + "out", expected.nbytes + 16)
    status = client.get_system_shared_memory_status("in")
    assert str(2 * BYTES) in str(status) and KEY + "in" in str(status)

    inputs = inputs_of(module, tokens, mask)
    inputs[0].set_shared_memory("in", BYTES)
    output = module.InferRequestedOutput("pooled")
    output.set_shared_memory("out", expected.nbytes, offset=16)
    answer = client.infer("encoder", inputs, outputs=[output])  # the mask as bytes of the request
    np.testing.assert_array_equal(shm.get_contents_as_numpy(taken, np.float32, expected.shape, offset=16), expected)
    described = answer.get_output("pooled")
    assert list(described.shape if module is triton else described["shape"]) == list(expected.shape)

    inputs[1].set_shared_memory("in", BYTES, offset=BYTES)
    np.testing.assert_array_equal(client.infer("encoder", inputs).as_numpy("pooled"), expected)


def test_requests_go_on_while_a_region_comes_and_goes(protocol, server, region):
    """A request has its whole region or an error that says that it is not registered; nothing in between."""
    module, client = protocol
    tokens, mask = arrays()
    expected = client.infer("encoder", inputs_of(module, tokens, mask)).as_numpy("pooled")
    shm.set_shared_memory_region(region("in", BYTES), [tokens])
    inputs = inputs_of(module, tokens, mask)
    inputs[0].set_shared_memory("in", BYTES)
    port = server["grpc" if module is triton else "http"]
    ended, wrong, answered, refused = threading.Event(), [], [], []

    def ask():
        with module.InferenceServerClient(f"127.0.0.1:{port}") as own:
            while not ended.is_set():
                try:
                    got = own.infer("encoder", inputs).as_numpy("pooled")
                    (answered if np.array_equal(got, expected) else wrong).append(got)
                except module.InferenceServerException as error:
                    (refused if "no shared memory region 'in'" in str(error) else wrong).append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        client.register_system_shared_memory("in", KEY + "in", BYTES)
        before = len(answered)
        while len(answered) == before and not wrong and all(thread.is_alive() for thread in threads):
            time.sleep(0.001)
        client.unregister_system_shared_memory("in")
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong and len(answered) >= 20


def test_what_clients_may_not_do(protocol, region):
    module, client = protocol
    region("in", 100)
    truncated = region("short", 4096)
    for key, size, message in (
        (KEY + "in", 1 << 40, "bytes, not"),
        (KEY + "nobody", 8, "can't be opened"),
        ("/psm_of_somebody_else", 8, "does not begin with"),
        (KEY + "/../../etc/passwd", 8, "is not the key of shared memory"),
    ):
        with pytest.raises(module.InferenceServerException, match=message):
            client.register_system_shared_memory("in", key, size)
    client.register_system_shared_memory("short", KEY + "short", 4096)
    os.truncate("/dev/shm" + KEY + "short", 8)
    inputs = inputs_of(module, *arrays())
    inputs[0].set_shared_memory("short", BYTES)
    with pytest.raises(module.InferenceServerException, match="was made smaller"):
        client.infer("encoder", inputs)
    os.truncate("/dev/shm" + KEY + "short", 4096)
    assert truncated is not None and client.is_server_live()
    inputs[0].set_shared_memory("short", BYTES, offset=4096 - BYTES + 1)
    with pytest.raises(module.InferenceServerException, match="has 4096 bytes, not"):
        client.infer("encoder", inputs)
    with pytest.raises(module.InferenceServerException, match="memory of GPUs can't be registered"):
        client.register_cuda_shared_memory("gpu", b"x" * 64, 0, 8)
