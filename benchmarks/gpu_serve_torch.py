"""ResNet-50 of PyTorch in f32 behind KServe v2 over HTTP, for `gpu_serve.py` to measure beside `tamis serve`.

    gpu_serve_torch.py PORT [MAX_BATCH]

A server for comparison only: it answers well-formed infer requests with one binary FP32 image and nothing else. It does
what a careful one in Python does. One event loop (uvloop where it is installed) receives a body where its tensor stays,
in large reads; one thread has the GPU, takes the requests that wait, MAX_BATCH at most (1 without it) and none kept
waiting for more to come, copies them through pinned memory, and computes what it took as one batch. f32 means f32:
tf32 is off.
"""
import asyncio
import json
import queue
import sys
import threading

import numpy as np
import torch
import torchvision

import gpu_models

SHAPE = (3, 224, 224)
IMAGE_BYTES = int(np.prod(SHAPE)) * 4
MOST_HEAD_BYTES = 16384


class Network:
    """Answers batches; one thread uses it, for which cuDNN keeps its handle and its choices."""

    def __init__(self, max_batch):
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        module = torchvision.models.resnet50()
        weights = gpu_models.resnet50_weights()
        module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=False)
        self.module = module.eval().cuda()
        # Batches of these sizes only, so that cuDNN has chosen its algorithms for each before the first request.
        self.sizes = [size for size in (1, 2, 4, 8, 16, 32, 64) if size <= max_batch]
        self.pinned = torch.zeros((self.sizes[-1], *SHAPE), pin_memory=True)
        for size in self.sizes:
            self.scores(size)

    def scores(self, size):
        with torch.inference_mode():
            return self.module(self.pinned[:size].cuda(non_blocking=True)).cpu().numpy()

    def answer(self, images):
        for at, image in enumerate(images):
            self.pinned[at] = torch.frombuffer(image, dtype=torch.float32).reshape(SHAPE)
        size = next(size for size in self.sizes if size >= len(images))
        return self.scores(size)[:len(images)]


def compute(max_batch, waiting, started):
    """The thread that has the GPU: waiting holds (image, function that takes the scores as bytes)."""
    network = Network(max_batch)
    started.set()
    most = network.sizes[-1]
    while True:
        taken = [waiting.get()]
        while len(taken) < most:
            try:
                taken.append(waiting.get_nowait())
            except queue.Empty:
                break
        for row, (_, reply) in zip(network.answer([image for image, _ in taken]), taken):
            reply(row.tobytes())


class Connection(asyncio.BufferedProtocol):
    """One client's requests, one after the other."""

    def __init__(self, loop, waiting):
        self.loop, self.waiting = loop, waiting
        self.transport = None
        self.head, self.head_size = bytearray(MOST_HEAD_BYTES), 0
        self.body, self.body_size, self.header_size = None, 0, 0

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        if self.body is None:
            return memoryview(self.head)[self.head_size:]
        return memoryview(self.body)[self.body_size:]

    def buffer_updated(self, count):
        if self.body is None:
            self.head_size += count
            end = self.head.find(b"\r\n\r\n", 0, self.head_size)
            if end >= 0:
                self.begin_body(end + 4)
        else:
            self.body_size += count
        if self.body is not None and self.body_size == len(self.body):
            image = memoryview(self.body)[self.header_size:self.header_size + IMAGE_BYTES]
            self.body, self.head_size = None, 0
            self.waiting.put((image, lambda scores: self.loop.call_soon_threadsafe(self.reply, scores)))

    def begin_body(self, end):
        headers = {}
        for line in bytes(self.head[:end]).decode().split("\r\n")[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if "inference-header-content-length" not in headers:  # the load generator asks for statistics and metrics too
            self.head_size = 0
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        self.header_size = int(headers["inference-header-content-length"])
        self.body = bytearray(int(headers["content-length"]))
        self.body_size = self.head_size - end
        self.body[:self.body_size] = self.head[end:self.head_size]

    def reply(self, scores):
        answer = json.dumps({"outputs": [{"name": "scores", "shape": [1, len(scores) // 4], "datatype": "FP32",
                                          "parameters": {"binary_data_size": len(scores)}}]}).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                             b"Inference-Header-Content-Length: %d\r\nContent-Length: %d\r\n\r\n%b%b" %
                             (len(answer), len(answer) + len(scores), answer, scores))


async def serve(port, max_batch):
    loop = asyncio.get_running_loop()
    waiting, started = queue.SimpleQueue(), threading.Event()
    threading.Thread(target=compute, args=(max_batch, waiting, started), daemon=True).start()
    await loop.run_in_executor(None, started.wait)
    server = await loop.create_server(lambda: Connection(loop, waiting), "127.0.0.1", port, backlog=256)
    await server.serve_forever()


def main():
    try:
        import uvloop
        uvloop.install()
    except ImportError:
        pass
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1))


if __name__ == "__main__":
    main()
