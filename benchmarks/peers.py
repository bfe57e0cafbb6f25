"""Tamis against ONNX Runtime, OpenVINO and, where it is installed, PyTorch: the same files, threads and inputs.

    make bench                                  every network and row (about an hour on two cores)
    benchmarks/peers.py --quick                 three networks, the main rows, under three minutes once files are made
    benchmarks/peers.py --networks resnet50,minilm@1x16 --rows f32,int8
    benchmarks/peers.py --add --networks bert_base --rows "int8,int8 2:4"     one part after the other, one report

Every row is a process of its own; the rows of a network take turns, so that a slow phase of the machine meets all of
them, and the median of each row's runs is reported with its quartiles. Numerics of every row are checked: f32 and bf16
rows against ONNX Runtime's f32 on the same file (a pruned network's against the same pruned file), int8 rows against
the f32 network that was quantised, no further from it than ONNX Runtime's int8 is by more than a third.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import numpy as np

import bench_report
import networks

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "bench"
# name: batch x tokens (images: batch)
CASES = {"resnet50": ["1", "8"], "mobilenet_v2": ["1"], "efficientnet_b0": ["1"], "vit_b16": ["1"],
         "bert_base": ["1x128", "8x128"], "minilm": ["1x16", "1x128"]}
# row: (file, precision of the build, precision that peers are compared at)
ROWS = {
    "f32": ("f32", "f32", "f32"),
    "bf16": ("f32", "bf16", "bf16"),
    "int8": ("int8", "f32", "int8"),
    "auto": ("f32", "auto", "f32"),
    "f32 2:4": ("f32_24", "f32", "f32"),
    "bf16 2:4": ("f32_24", "bf16", "bf16"),
    "int8 2:4": ("int8_24", "f32", "int8"),
    "auto 2:4": ("f32_24", "auto", "f32"),
    "f32 paired": ("f32_paired", "f32", "f32"),
    "bf16 paired": ("f32_paired", "bf16", "bf16"),
    "int8 paired": ("int8_paired", "f32", "int8"),
    # What is not quantised in bf16: attention, norms and the like of TRANSFORMERS, alone if no rows are named.
    "int8+bf16": ("int8", "bf16", "int8+bf16"),
    "int8+bf16 2:4": ("int8_24", "bf16", "int8+bf16"),
    "int8+bf16 paired": ("int8_paired", "bf16", "int8+bf16"),
}
TRANSFORMERS = ("vit_b16", "bert_base", "minilm")
ONE_THREAD = "tamis 1 thread"  # beside the rows that show how Tamis scales
OURS = ("tamis", ONE_THREAD)
SCALED = ("f32", "int8")
PEERS = {"f32": ("onnxruntime", "openvino", "torch"), "bf16": ("openvino", "torch"), "int8": ("onnxruntime", "openvino"),
         "int8+bf16": ("openvino",)}
# Peers of other rows that a row is compared with too.
ALSO = {"int8+bf16": "int8"}


class Worker:
    """A runtime in a process of its own."""

    def __init__(self, runtime, python, environment):
        self.runtime = runtime
        self.process = subprocess.Popen([python, HERE / "peer_worker.py"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)

    def ask(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": "the process ended"}

    def turn(self, seconds):
        """Times in ms of a turn's runs, behind some that don't count: the threads of the one before still spin (ONNX
        Runtime's for tens of ms), and its data is in the cache."""
        self.ask(do="run", seconds=seconds / 4)
        return self.ask(do="run", seconds=seconds).get("ms", [])

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def say(text):
    print(f"== {text}", flush=True)


def torch_python(given):
    """An interpreter that has PyTorch, or None."""
    for python in filter(None, [given, sys.executable]):
        done = subprocess.run([python, "-c", "import torch, torchvision, transformers"], capture_output=True)
        if done.returncode == 0:
            return python
    return None


def build(args, model, engine, precision, inputs, threads=None):
    """Builds an engine; (path, seconds of the build, what the program said)."""
    import time
    engine.parent.mkdir(parents=True, exist_ok=True)
    command = [args.tamis, "build", model, "-o", engine, "--threads", threads or args.threads, "--precision", precision]
    for name, array in inputs.items():
        command += ["--profile", f"{name}={'x'.join(map(str, array.shape))}"]
    start = time.time()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        return None, 0, done.stderr.strip()[-500:]
    notes = [line for line in done.stderr.splitlines() if "precision" in line or "bf16" in line or "2:4" in line]
    return engine, time.time() - start, "; ".join(notes)


def difference(outputs, reference):
    """(largest difference relative to the largest magnitude, 1 - cosine), the worst output's."""
    worst, angle = 0.0, 0.0
    for name, expected in reference.items():
        if name not in outputs or outputs[name].shape != expected.shape or not np.isfinite(outputs[name]).all():
            return float("inf"), 2.0
        a, b = outputs[name].astype(np.float64).ravel(), expected.astype(np.float64).ravel()
        worst = max(worst, float(np.abs(a - b).max() / np.abs(b).max()))
        angle = max(angle, 1 - float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))))
    return worst, angle


def check(rows, references):
    """Fills in every row's `difference`, and `wrong` where it is too far from the reference."""
    limits = {"f32": 1e-3, "bf16": 0.15}
    peers = {row["file"]: row["cosine_loss"] for row in rows
             if row["runtime"] == "onnxruntime" and "cosine_loss" in row}
    for row in rows:
        if "outputs" not in row:
            continue
        row["difference"], row["cosine_loss"] = difference(row.pop("outputs"), references[row["file"]])
        if row["runtime"] == "onnxruntime":
            peers[row["file"]] = row["cosine_loss"]
    for row in rows:
        if "difference" not in row:
            continue
        if row["compared"].startswith("int8"):
            allowed = 0.02 + 4 / 3 * peers.get(row["file"], 0)
            row["wrong"] = row["cosine_loss"] > allowed
        else:
            row["wrong"] = row["difference"] > limits["bf16" if row["precision"] == "auto" else row["compared"]]


def start_rows(args, network, label, inputs, inputs_path, torch):
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    environment["PYTHONPATH"] = f"{args.tamis.parent / 'python'}{os.pathsep}{HERE}"
    started = []
    for row in args.rows or [row for row in ROWS if "int8+" not in row or network in TRANSFORMERS]:
        file, precision, compared = ROWS[row]
        model = networks.make(network, file, CACHE / "models")
        runtimes = ["tamis"] + [peer for peer in PEERS[compared] if row == compared]
        if row in SCALED and args.threads > 1:
            runtimes.append(ONE_THREAD)
        for runtime in runtimes:
            if runtime == "torch" and torch is None or runtime.split()[0] not in args.runtimes:
                continue
            threads = 1 if runtime == ONE_THREAD else args.threads
            entry = {"row": row, "runtime": runtime, "file": file, "precision": precision, "compared": compared}
            path = model
            if runtime in OURS:
                name = f"{label}.{row}.{threads}".replace(" ", "_").replace(":", "")
                path, entry["build_seconds"], entry["notes"] = build(args, model, CACHE / "engines" / f"{name}.tamis", precision,
                                                                      inputs, threads)
                if path is None:
                    started.append((dict(entry, error=entry["notes"]), None))
                    continue
                entry["engine"], entry["engine_bytes"] = path, path.stat().st_size
            worker = Worker(runtime, torch if runtime == "torch" else sys.executable, environment)
            answer = worker.ask(do="load", runtime=runtime.split()[0], network=network, path=str(path), threads=threads,
                                precision=compared if compared.startswith("int8") else precision, inputs=str(inputs_path))
            if "error" not in answer:
                outputs = CACHE / f"outputs.{os.getpid()}.npz"
                answer |= worker.ask(do="outputs", path=str(outputs))
            if "error" in answer:
                entry["error"] = answer["error"]
            else:
                entry["load_seconds"], entry["peak_bytes"] = answer["load_seconds"], answer["peak_bytes"]
                if runtime != "torch":  # its weights are its own
                    with np.load(outputs) as arrays:
                        entry["outputs"] = dict(arrays)
                outputs.unlink()
            started.append((entry, worker))
    return started


def references(args, network, inputs, rows):
    """ONNX Runtime's f32 answers on the dense and the pruned network, by the file that a row runs."""
    import onnxruntime
    answers = {}
    for file in sorted({row["file"] for row in rows}):
        source = file.replace("int8", "f32")
        if source not in answers:
            session = onnxruntime.InferenceSession(str(networks.make(network, source, CACHE / "models")),
                                                   providers=["CPUExecutionProvider"])
            names = [output.name for output in session.get_outputs()]
            answers[source] = dict(zip(names, session.run(names, inputs)))
        answers[file] = answers[source]
    return answers


def measure(args, network, shape, torch):
    parts = [int(part) for part in shape.split("x")]
    inputs = networks.inputs_for(network, parts[0], parts[1] if len(parts) > 1 else 0)
    label = f"{network}.{shape}"
    inputs_path = CACHE / f"{label}.inputs.npz"
    np.savez(inputs_path, **inputs)
    say(f"{network} {shape}: building and loading")
    started = start_rows(args, network, label, inputs, inputs_path, torch)
    rows = [entry for entry, _ in started]
    check(rows, references(args, network, inputs, rows))
    running = [(entry, worker) for entry, worker in started if "error" not in entry]
    for entry, worker in running:
        worker.ask(do="run", seconds=args.seconds / 4)
        entry["times"] = []
    for turn in range(args.turns):
        for entry, worker in running if turn % 2 == 0 else reversed(running):
            entry["times"] += worker.turn(args.seconds / args.turns)
    for entry, worker in started:
        if worker is not None:
            worker.close()
        times = entry.pop("times", [])
        if times:
            entry |= timed(times) | {"runs": len(times)}
    for row in rows:
        alone = next((one for one in rows if one["runtime"] == ONE_THREAD and one["row"] == row["row"] and "ms" in one), None)
        if row["runtime"] == "tamis" and "ms" in row and alone:
            row["scaling"] = alone["ms"] / row["ms"]
        compared = (row["compared"], ALSO.get(row["compared"]))
        peers = [peer for peer in rows if peer["runtime"] not in (*OURS, "torch") and peer["compared"] in compared
                 and "ms" in peer and not peer.get("wrong")]
        if row["runtime"] == "tamis" and "ms" in row and peers:
            best = min(peers, key=lambda peer: peer["ms"])
            row["ratio"], row["best_peer"] = best["ms"] / row["ms"], best["runtime"]
    for row in rows:
        engine = row.pop("engine", None)
        if row["runtime"] == "tamis" and "ms" in row and ("_24" in row["file"] or "_paired" in row["file"]):
            row["check"] = check_plan(args, engine, inputs)
    return {"network": network, "shape": shape, "rows": rows}


def timed(times):
    """Median and spread (distance of the quartiles over it) of times in ms."""
    quartiles = statistics.quantiles(times, n=4) if len(times) > 1 else [times[0]] * 3
    median = statistics.median(times)
    return {"ms": median, "spread": (quartiles[2] - quartiles[0]) / median}


def check_plan(args, engine, inputs):
    """`tamis bench --check`: the plan against the all-dense plan afresh, in turns, end to end and layer by layer."""
    shapes = [f"{name}={'x'.join(map(str, array.shape))}" for name, array in inputs.items()]
    done = subprocess.run([str(args.tamis), "bench", str(engine), "--shape", *shapes, "--threads", str(args.threads),
                           "--seconds", "0.5", "--check", "--json", "-"], capture_output=True, text=True)
    if done.returncode != 0:
        return {"error": done.stderr.strip()[-300:]}
    said = json.loads(done.stdout[done.stdout.index("{"):])["results"][0]["check"]
    slower = [layer for layer in said["layers"] if layer["chosen_ms"] > 1.03 * layer["dense_ms"]]
    return {"whole": said["chosen_ms"] / said["dense_ms"], "nodes": said["nodes"], "others": len(said["layers"]), "same": said["same"],
            "slower": [{"node": layer["node"], "ratio": layer["chosen_ms"] / layer["dense_ms"]} for layer in slower]}


def add(cases, case):
    """Puts a case beside the others, its rows in the place of those that were measured before."""
    for known in cases:
        if (known["network"], known["shape"]) == (case["network"], case["shape"]):
            new = {(row["row"], row["runtime"]) for row in case["rows"]}
            known["rows"] = [row for row in known["rows"] if (row["row"], row["runtime"]) not in new] + case["rows"]
            return
    cases.append(case)


def machine(threads):
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    import importlib.metadata
    versions = {name: importlib.metadata.version(name) for name in ("onnxruntime", "openvino")}
    return {"cpu": model, "cores": os.cpu_count(), "threads": threads, "versions": versions}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tamis", type=pathlib.Path, default=ROOT / "build" / "tamis")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--networks", help="names, with @SHAPE for one shape only: resnet50@8,bert_base@1x128")
    parser.add_argument("--rows", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--runtimes", default="tamis,onnxruntime,openvino,torch")
    parser.add_argument("--seconds", type=float, default=4, help="of measurement a row")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--torch-python", help="an interpreter that has torch, torchvision and transformers")
    parser.add_argument("--quick", action="store_true", help="few networks and rows, short turns")
    parser.add_argument("--add", action="store_true", help="keep what the report holds; rows measured anew replace theirs")
    parser.add_argument("--out", type=pathlib.Path, default=CACHE / "report", help="folder of the report")
    args = parser.parse_args(arguments)
    if args.quick:
        args.networks = args.networks or "resnet50@1,mobilenet_v2@1,minilm@1x128"
        args.rows = args.rows or "f32,int8,auto,int8 2:4"
        args.seconds, args.turns = min(args.seconds, 1.5), 5
    args.rows = args.rows.split(",") if args.rows else []
    args.runtimes = args.runtimes.split(",")
    if unknown := [row for row in args.rows if row not in ROWS]:
        parser.error(f"there are no rows {', '.join(unknown)}; there are {', '.join(ROWS)}")
    args.cases = []
    for item in args.networks.split(",") if args.networks else CASES:
        name, _, shape = item.partition("@")
        if name not in CASES:
            parser.error(f"there is no network {name}; there are {', '.join(CASES)}")
        if shape and not re.fullmatch(r"[1-9]\d*" + r"x[1-9]\d*" * CASES[name][0].count("x"), shape):
            parser.error(f"{item}: {name}'s shapes are written like {CASES[name][0]}")
        args.cases += [(name, one) for one in ([shape] if shape else CASES[name])]
    return args


def main():
    args = parse(sys.argv[1:])
    CACHE.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    torch = torch_python(args.torch_python) if "torch" in args.runtimes else None
    if torch is None:
        say("no PyTorch here (benchmarks/bench.sh --torch installs it): its rows are left out")
    result = {"machine": machine(args.threads), "cases": []}
    if args.add and (args.out / "bench.json").exists():
        result = json.loads((args.out / "bench.json").read_text())
        if result["machine"] != machine(args.threads):
            say(f"{args.out}/bench.json is of another machine, thread count or version: measure into another --out")
            return 1
    wrong = []
    for network, shape in args.cases:
        case = measure(args, network, shape, torch)
        wrong += [row for row in case["rows"] if row.get("wrong") or "error" in row]
        print(bench_report.case_text(case), flush=True)
        add(result["cases"], case)
        bench_report.write(result, args.out)
    say(f"written: {args.out}/bench.md, bench.json, bench.svg")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
