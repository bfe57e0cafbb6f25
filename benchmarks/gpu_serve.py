"""ResNet-50 behind KServe v2 over HTTP on a GPU: `tamis serve`, and PyTorch f32 behind the same requests.

Clients are processes that send prepared requests of one image over a connection each. First as fast as they can, which
gives the rate at saturation and the activity of the multiprocessors then; then at four fifths of that rate, on a
schedule, latencies counted from the moment a request was due. Where there are eight cores or more, the server has one
half of them and the clients the other, so that neither waits for the other's; what the server counts of the second part
(mean time a request waited for a worker and took in the session, and how many took long) stands beside what clients saw.
"""
import json
import multiprocessing
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np

SHAPE = [1, 3, 224, 224]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def halves():
    """The cores of the server and of the clients; the same ones where they are few."""
    cores = sorted(os.sched_getaffinity(0))
    middle = len(cores) // 2
    return (cores[:middle], cores[middle:]) if len(cores) >= 8 else (cores, cores)


def on_cores_of_the_server():
    os.sched_setaffinity(0, halves()[0])


def counted(port, model):
    """What the server has counted: sums by name, and requests by the upper bound of their time in ms; None without."""
    def get(path):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read().decode()

    try:
        stats = json.loads(get(f"/v2/models/{model}/stats"))["model_stats"][0]["inference_stats"]
        buckets = re.findall(r'^tamis_inference_(\w*duration)_seconds_bucket\{[^}]*le="([^"]+)"\} (\d+)$', get("/metrics"),
                             re.M)
    except (OSError, LookupError, ValueError):
        return None
    return {name: (part["count"], part["ns"]) for name, part in stats.items()}, \
        {(name, float(bound) * 1e3): int(count) for name, bound, count in buckets}


def between(before, after):
    """Means in ms, and the share of requests that took longer than each bound."""
    if before is None or after is None:
        return None
    means = {}
    for name, (count, nanoseconds) in after[0].items():
        more = count - before[0][name][0]
        if more:
            means[f"{name}_ms"] = (nanoseconds - before[0][name][1]) / more / 1e6
    slower = {}
    for (name, bound), count in after[1].items():
        everything = after[1][name, float("inf")] - before[1].get((name, float("inf")), 0)
        if everything and bound != float("inf"):
            slower[f"{name} > {bound:g} ms"] = 1 - (count - before[1].get((name, bound), 0)) / everything
    return {"means": means, "slower": {k: round(v, 5) for k, v in slower.items() if v > 0}}


def prepared_request(port, model):
    image = np.random.default_rng(4).standard_normal(SHAPE, dtype=np.float32).tobytes()
    header = json.dumps({"inputs": [{"name": "image", "shape": SHAPE, "datatype": "FP32",
                                     "parameters": {"binary_data_size": len(image)}}],
                         "outputs": [{"name": "scores", "parameters": {"binary_data": True}}]}).encode()
    lines = [f"POST /v2/models/{model}/infer HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/octet-stream",
             f"Inference-Header-Content-Length: {len(header)}", f"Content-Length: {len(header) + len(image)}", "", ""]
    return "\r\n".join(lines).encode() + header + image


def exchange(connection, message):
    """Sends one request and reads its answer; whether it was 200."""
    def receive():
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the server closed the connection")
        return more

    connection.sendall(message)
    received = b""
    while b"\r\n\r\n" not in received:
        received += receive()
    head, body = received.split(b"\r\n\r\n", 1)
    size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < size:
        body += receive()
    return head.split()[1] == b"200"


def client(port, model, seconds, interval, offset, results):
    """Requests for so long; each `interval` seconds, or one after the other if it is 0."""
    os.sched_setaffinity(0, halves()[1])
    message = prepared_request(port, model)
    latencies, failures = [], 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.perf_counter() + offset
        due = start
        while due < start + seconds:
            wait = due - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            begun = due if interval else time.perf_counter()
            try:
                failures += not exchange(connection, message)
            except OSError:
                failures += 1
                break
            latencies.append(time.perf_counter() - begun)
            due = due + interval if interval else time.perf_counter()
    results.put((latencies, failures))


def load(port, model, clients, seconds, rate=0.0):
    """Requests a second and the latencies of all; `rate` 0 is as fast as they can."""
    results = multiprocessing.Queue()
    interval = clients / rate if rate else 0.0
    processes = [multiprocessing.Process(target=client, args=(port, model, seconds, interval, interval * i / clients, results))
                 for i in range(clients)]
    start = time.perf_counter()
    for process in processes:
        process.start()
    parts = [results.get() for _ in processes]
    took = time.perf_counter() - start
    for process in processes:
        process.join()
    latencies = np.sort(np.concatenate([part[0] for part in parts]))
    assert not sum(part[1] for part in parts), "a request was refused"
    return len(latencies) / min(took, seconds + 1), latencies


def first_card():
    """NVML and the card's handle."""
    import pynvml
    pynvml.nvmlInit()
    return pynvml, pynvml.nvmlDeviceGetHandleByIndex(0)


class SmActivity:
    """Mean activity of multiprocessors between start and stop, by NVML; None without it."""

    def __init__(self):
        try:
            self.nvml, self.card = first_card()
            self.samples = [self.nvml.nvmlGpmSampleAlloc() for _ in range(2)]
        except Exception:  # noqa: BLE001  no NVML, no figure
            self.nvml = None

    def take(self, index):
        if self.nvml:
            self.nvml.nvmlGpmSampleGet(self.card, self.samples[index])

    def value(self):
        if not self.nvml:
            return None
        query = self.nvml.c_nvmlGpmMetricsGet_t()
        query.version, query.numMetrics = self.nvml.NVML_GPM_METRICS_GET_VERSION, 1
        query.sample1, query.sample2 = self.samples
        query.metrics[0].metricId = self.nvml.NVML_GPM_METRIC_SM_UTIL
        try:
            self.nvml.nvmlGpmMetricsGet(query)
        except Exception:  # noqa: BLE001
            return None
        return query.metrics[0].value


def gpu_bytes():
    """Bytes of the card that are in use; this process holds none."""
    try:
        nvml, card = first_card()
        return nvml.nvmlDeviceGetMemoryInfo(card).used
    except Exception:  # noqa: BLE001
        return None


def joules():
    """That the card has taken since its driver was loaded."""
    try:
        nvml, card = first_card()
        return nvml.nvmlDeviceGetTotalEnergyConsumption(card) / 1e3
    except Exception:  # noqa: BLE001
        return None


def measure(port, model, clients, seconds, before):
    _, alone = load(port, model, 1, 1.0)
    activity = SmActivity()
    timer = threading.Timer(seconds * 0.3, activity.take, [0]), threading.Timer(seconds * 0.8, activity.take, [1])
    for t in timer:
        t.start()
    energy = joules()
    rate, _ = load(port, model, clients, seconds)
    energy = None if energy is None else joules() - energy
    row = {"latency_b1_ms": float(np.median(alone)) * 1e3, "clients": clients, "requests_per_second": rate,
           "joules_per_request": None if energy is None else energy / (rate * seconds), "sm_active_percent": activity.value()}
    start = counted(port, model)
    _, latencies = load(port, model, clients, seconds, rate * 0.8)
    row["server_at_80"] = between(start, counted(port, model))
    row["p50_ms_at_80"], row["p99_ms_at_80"] = (float(np.percentile(latencies, p)) * 1e3 for p in (50, 99))
    used = gpu_bytes()
    row["gpu_mb"] = (used - before) / 1e6 if used and before is not None else None
    return row


def await_port(port, process, seconds=60):
    for _ in range(seconds * 20):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        except OSError:
            if process.poll() is not None:
                return False
            time.sleep(0.05)
    return False


def not_there(name, process, log=""):
    """What stands in the table for a server that did not come up."""
    code = process.poll()
    ended = "did not listen in time" if code is None else f"ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
    print(f"gpu_serve: {name}: the server {ended}{f'; its last words: {log[-500:]}' if log else ''}", file=sys.stderr)
    return {"what": name, "failed": ended}


def run(tamis, name, engine, clients, seconds, *flags):
    """Rows for one engine of the program, served with more flags."""
    port, before = free_port(), gpu_bytes()
    command = [tamis.programs / "tamis", "serve", engine, "--http-port", str(port), "--device", "cuda", *flags]
    with open(tamis.work / f"serve_{name}.log", "w") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, env=tamis.environment,
                                   preexec_fn=on_cores_of_the_server)
        try:
            if not await_port(port, process):
                return not_there(name, process, pathlib.Path(log.name).read_text())
            row = measure(port, engine.stem, clients, seconds, before)
            return {"what": name, **row}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def run_torch(clients, seconds, max_batch=1):
    """A row for PyTorch f32 behind the same requests (gpu_serve_torch.py); `max_batch` of them may be computed together."""
    port, before = free_port(), gpu_bytes()
    server = pathlib.Path(__file__).with_name("gpu_serve_torch.py")
    process = subprocess.Popen([sys.executable, str(server), str(port), str(max_batch)], preexec_fn=on_cores_of_the_server)
    name = "PyTorch f32" if max_batch == 1 else f"PyTorch f32, up to {max_batch} together"
    try:
        if not await_port(port, process, 120):
            return not_there(name, process)
        return {"what": name, **measure(port, "resnet50", clients, seconds, before)}
    finally:
        process.kill()
        process.wait()


def markdown(rows):
    lines = ["| ResNet-50 behind HTTP | latency b1, ms | requests/s, all clients | GPU memory, MB | operations per joule, T | "
             "SM active at saturation | p50, p99 at 80 % load, ms |", "|---|---|---|---|---|---|---|"]
    operations = 8.2e9  # of one image, multiplications and additions
    for row in rows:
        if "failed" in row:
            lines.append(f"| {row['what']} | the server {row['failed']} | | | | | |")
            continue
        sm, mb, energy = row["sm_active_percent"], row["gpu_mb"], row["joules_per_request"]
        lines.append(f"| {row['what']} | {row['latency_b1_ms']:.2f} | {row['requests_per_second']:.0f} ({row['clients']}) | "
                     f"{f'{mb:.0f}' if mb else ''} | {f'{operations / energy / 1e12:.3f}' if energy else ''} | "
                     f"{f'{sm:.0f} %' if sm is not None else ''} | {row['p50_ms_at_80']:.2f}, {row['p99_ms_at_80']:.2f} |")
    return "\n".join(lines)
