"""A small KServe v2 client over HTTP with binary tensors, and the `tamis serve` process it talks to."""

import http.client
import json
import signal
import socket
import subprocess
import time

import numpy as np

DATATYPES = {"FP32": np.float32, "INT64": np.int64}


class Client:
    def __init__(self, port, host="127.0.0.1"):
        self.connection = http.client.HTTPConnection(host, port, timeout=60)

    def _send(self, method, path, body=None, headers=None):
        """A response; an idle connection that the server has closed meanwhile is opened again once."""
        for attempt in range(2):
            try:
                self.connection.request(method, path, body, headers or {})
                return self.connection.getresponse()
            except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
                self.connection.close()
                if attempt == 1:
                    raise

    def get(self, path):
        response = self._send("GET", path)
        return response.status, response.read()

    def infer(self, model, inputs):
        """inputs: name -> int64 or float32 array. Returns name -> array."""
        names = {np.dtype(dtype): name for name, dtype in DATATYPES.items()}
        header = {"inputs": [], "parameters": {"binary_data_output": True}}
        blobs = []
        for name, array in inputs.items():
            blobs.append(np.ascontiguousarray(array).tobytes())
            header["inputs"].append({"name": name, "shape": list(array.shape), "datatype": names[array.dtype],
                                     "parameters": {"binary_data_size": len(blobs[-1])}})
        text = json.dumps(header).encode()
        response = self._send("POST", f"/v2/models/{model}/infer", text + b"".join(blobs),
                              {"Inference-Header-Content-Length": str(len(text)),
                               "Content-Type": "application/octet-stream"})
        body = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {body[:500].decode('utf-8', 'replace')}")
        size = int(response.headers["Inference-Header-Content-Length"])
        answer, offset, outputs = json.loads(body[:size]), size, {}
        for output in answer["outputs"]:
            count = output["parameters"]["binary_data_size"]
            outputs[output["name"]] = np.frombuffer(body[offset : offset + count],
                                                    DATATYPES[output["datatype"]]).reshape(output["shape"])
            offset += count
        return outputs


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`tamis serve TARGET` as a child process; a context manager that stops it cleanly."""

    def __init__(self, tamis, target, log, threads=2):
        self.port, self.log_path = free_port(), log
        self.log = open(log, "w")
        command = [str(tamis), "serve", str(target), "--http-port", str(self.port), "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if Client(self.port).get("/v2/health/ready")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.01)
        self.process.kill()
        raise RuntimeError(f"the server did not become ready: {open(self.log_path).read()}")

    def peak_memory(self):
        """Bytes, from the kernel's high-water mark of the process."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.log.close()
