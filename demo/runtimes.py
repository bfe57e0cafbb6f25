"""The rows of the table: each runtime encodes texts, is timed, and tells its peak memory, through one interface."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import kserve

HERE = Path(__file__).parent


class Peer:
    """ONNX Runtime or OpenVINO in a process of its own (peer.py)."""

    def __init__(self, label, runtime, model):
        self.label, self.file = label, Path(model)
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "peer.py"), "--runtime", runtime, "--model", str(model)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.scratch = tempfile.TemporaryDirectory()
        self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.label}: the process ended with code {self.process.wait()}")
        return json.loads(line)

    def _ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._read()

    def run(self, ids, mask):
        files = [str(Path(self.scratch.name) / name) for name in ("ids.npy", "mask.npy", "out.npy")]
        np.save(files[0], ids)
        np.save(files[1], mask)
        self._ask(do="encode", ids=files[0], mask=files[1], out=files[2])
        return np.load(files[2])

    def latencies(self, shape, seconds):
        return self._ask(do="time", shape=shape, seconds=seconds)["latencies"]

    def peak_memory(self):
        return self._ask(do="memory")["bytes"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.scratch.cleanup()


class Engine:
    """A Tamis engine: texts go through `tamis serve`, latencies through `tamis bench` (no network in them)."""

    def __init__(self, label, tamis, path, log):
        self.label, self.file, self.tamis = label, Path(path), tamis
        self.server = kserve.Server(tamis, path, log)
        self.server.__enter__()
        self.client = kserve.Client(self.server.port)

    def run(self, ids, mask):
        outputs = self.client.infer(self.file.stem, {"input_ids": ids, "attention_mask": mask})
        return next(iter(outputs.values()))

    def latencies(self, shape, seconds):
        text = "x".join(map(str, shape))
        result = subprocess.run(
            [str(self.tamis), "bench", str(self.file), "--threads", "2", "--seconds", str(seconds), "--warmup", "0.2",
             "--shape", f"input_ids={text}", "--shape", f"attention_mask={text}", "--latencies", "--json", "-"],
            capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(result.stderr)
        return [ms / 1e3 for ms in json.loads(result.stdout)["results"][0]["latencies_ms"]]

    def peak_memory(self):
        return self.server.peak_memory()

    def close(self):
        code = self.server.stop()
        if code != 0:
            raise RuntimeError(f"{self.label}: `tamis serve` ended with code {code}")
