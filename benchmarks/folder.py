"""Tamis against ONNX Runtime and OpenVINO on every ONNX file of a folder, whatever it holds.

    benchmarks/folder.py FOLDER                         builds an engine of each file and times all three in turns
    benchmarks/folder.py FOLDER --precision bf16        Tamis and OpenVINO in bf16; ONNX Runtime stays f32, for the answers
    benchmarks/folder.py FOLDER --seconds 0             only builds and compares answers (beside other work, say)
    benchmarks/folder.py FOLDER --keep                  times engines that are there already

Inputs are those of NAME.npz or NAME-1.npz beside NAME.onnx, or else random: dimensions without a number are --size,
integers are 0 or 1. The ratio is the faster peer's median over ours: below 1 Tamis is slower. A file that was quantised
is compared in its own precision. `differs` is Tamis's largest difference from ONNX Runtime over the largest output.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys

import numpy as np

from peers import CACHE, HERE, ROOT, Worker, build, difference, timed

sys.path.insert(0, str(ROOT / "tests" / "architectures"))
from times import random_inputs  # noqa: E402

PEERS = ("onnxruntime", "openvino")


def inputs_of(path, size):
    """(every input, those of them that have a dimension without a number)."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.graph_optimization_level = 3, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    wanted = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).get_inputs()
    stored = [path.with_name(f"{stem}.npz") for stem in (path.stem, f"{path.stem.rsplit('-', 1)[0]}-1")]
    found = next((npz for npz in stored if npz.exists()), None)
    feeds = dict(np.load(found)) if found else random_inputs(wanted, size)
    return ({value.name: feeds[value.name] for value in wanted},
            {value.name for value in wanted if not all(isinstance(dim, int) for dim in value.shape)})


def start(args, path):
    """The row of a file and its loaded processes, by runtime."""
    inputs, dynamic = inputs_of(path, args.size)
    stored = args.engines / f"{path.stem}.inputs.npz"
    np.savez(stored, **inputs)
    row, workers, answers = {"file": path.stem}, {}, {}
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    environment["PYTHONPATH"] = f"{args.tamis.parent / 'python'}{os.pathsep}{HERE}"
    engine = args.engines / f"{path.stem}.{args.precision}.tamis"
    if not (args.keep and engine.exists()):
        built, row["build_seconds"], said = build(args, path, engine, args.precision, {name: inputs[name] for name in dynamic})
        if built is None:
            return row | {"note": f"not built: {said}"}, {}
    for runtime in ("tamis", *PEERS):
        worker = Worker(runtime, sys.executable, environment)
        precision = "f32" if runtime == "onnxruntime" else args.precision
        answer = worker.ask(do="load", runtime=runtime, path=str(engine if runtime == "tamis" else path),
                            threads=args.threads, precision=precision, inputs=str(stored))
        outputs = args.engines / f"{path.stem}.{runtime}.npz"
        if "error" not in answer:
            answer = worker.ask(do="outputs", path=str(outputs))
        if "error" in answer:
            row["note"] = row.get("note", "") + f"{runtime}: {answer['error'][:150]} "
            worker.close()
            continue
        workers[runtime] = worker
        with np.load(outputs) as arrays:
            answers[runtime] = dict(arrays)
        outputs.unlink()
    for runtime in ("tamis", "openvino"):
        if runtime in answers and "onnxruntime" in answers:
            row[f"{runtime}_differs"] = difference(answers[runtime], answers["onnxruntime"])[0]
    if args.precision != "f32" and "onnxruntime" in workers:
        workers.pop("onnxruntime").close()
    return row, workers


def measure(args, path):
    row, workers = start(args, path)
    times = {runtime: [] for runtime in workers}
    for turn in range(args.turns if args.seconds else 0):
        for runtime in list(workers) if turn % 2 == 0 else reversed(workers):
            times[runtime] += workers[runtime].turn(args.seconds / args.turns)
    for worker in workers.values():
        worker.close()
    for runtime, runs in times.items():
        if runs:
            row[runtime] = timed(runs)
    peers = [row[peer]["ms"] for peer in PEERS if peer in row]
    if peers and "tamis" in row:
        row["ratio"] = min(peers) / row["tamis"]["ms"]
    return row


def line(row):
    cells = [f"{row[runtime]['ms']:9.2f}" if runtime in row else " " * 9 for runtime in ("tamis", *PEERS)]
    ratio = f"{row['ratio']:6.2f}" if "ratio" in row else " " * 6
    differs = f"{row['tamis_differs']:.0e}" if "tamis_differs" in row else ""
    return f"{row['file']:44} {' '.join(cells)} {ratio}  {differs} {row.get('note', '')}".rstrip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="", help="names of files or their beginnings, with commas between")
    parser.add_argument("--precision", default="f32", choices=("f32", "bf16"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1, help="of measurement a runtime and file")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="don't build engines that exist")
    parser.add_argument("--tamis", type=pathlib.Path, default=ROOT / "build" / "tamis")
    parser.add_argument("--engines", type=pathlib.Path, default=CACHE / "folder", help="where engines are put")
    parser.add_argument("--json", type=pathlib.Path, help="rows are added to this file, or replace theirs")
    args = parser.parse_args()
    args.engines.mkdir(parents=True, exist_ok=True)
    rows = json.loads(args.json.read_text()) if args.json and args.json.exists() else []
    measured = []
    print(f"{'':44} {'Tamis':>9} {'ORT':>9} {'OpenVINO':>9} {'ratio':>6}  differs")
    for path in sorted(args.folder.glob("*.onnx")):
        if not path.name.startswith(tuple(args.only.split(","))):
            continue
        row = measure(args, path)
        print(line(row), flush=True)
        measured.append(row)
        rows = [other for other in rows if other["file"] != row["file"]] + [row]
        if args.json:
            args.json.write_text(json.dumps(rows, indent=1))
    ratios = [row["ratio"] for row in measured if "ratio" in row]
    if ratios:
        print(f"{len(measured)} files, {sum(ratio < 1 for ratio in ratios)} slower than the faster peer, median ratio "
              f"{statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
