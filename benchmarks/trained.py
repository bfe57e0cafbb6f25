"""Time and accuracy of the same engine side by side, Tamis's and its peers', on a trained network.

    benchmarks/trained.py resnet18.onnx --calibration cifar/train --test cifar/test \
        --data-flags "--mean 0.4914,0.4822,0.4465 --std 0.2470,0.2435,0.2616" --max-drop 1.5

Tamis's rows come from `tamis prune`, `quantize` and `optimize` with unlabelled calibration samples; the peers' int8 from
ONNX Runtime's static quantisation (QDQ, per channel, min/max) of the same samples, which OpenVINO runs as well. Every
row is a process of its own with one sample a request: it answers every test sample (accuracy), then all rows take turns
(time). Written: trained.md, trained.json and trained.svg, the Pareto picture; a network measured again replaces its rows.
"""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

import numpy as np

import bench_report
import peers
import samples

OURS = {"f32": (None, False), "int8": (None, True), "2:4": ([], False), "paired": (["--pattern", "paired"], False),
        "int8 2:4": ([], True), "int8 paired": (["--pattern", "paired"], True)}


def tamis(args, *command):
    """Runs a verb; its standard output, or None after saying what it said."""
    done = subprocess.run([str(part) for part in (args.tamis, *command)], capture_output=True, text=True)
    if done.returncode == 0:
        return done.stdout
    peers.say(f"`tamis {command[0]}` failed: {done.stderr.strip()[-400:]}")
    return None


def fitted(args, folder):
    """{row: (ONNX file, seconds)} of Tamis's uniform rows; what two rows share is made once."""
    data = ["--data", args.calibration, "--samples", args.samples, "--threads", args.threads, *shlex.split(args.data_flags)]
    files, pruned = {}, {}
    for name, (prune, quantize) in OURS.items():
        file, seconds = args.model, 0.0
        if prune is not None:
            key = " ".join(prune)
            if key not in pruned:
                start = time.monotonic()
                peers.say(f"tamis prune {key}".rstrip())
                made = tamis(args, "prune", args.model, "-o", folder / f"{len(pruned)}.pruned.onnx", *data, *prune, "--json")
                pruned[key] = (folder / f"{len(pruned)}.pruned.onnx" if made else None, time.monotonic() - start)
            file, seconds = pruned[key]
        if quantize and file is not None:
            start = time.monotonic()
            target = folder / f"{name.replace(' ', '_').replace(':', '')}.onnx"
            file = target if tamis(args, "quantize", file, "-o", target, *data, "--json") else None
            seconds += time.monotonic() - start
        if file is not None:
            files[name] = (file, seconds)
    return files


def optimized(args, folder):
    """(engine, seconds) of `tamis optimize` under the user's budget, or None where it can't be held."""
    budget = ["--max-drop", args.max_drop] if args.max_drop is not None else []
    budget += ["--min-agreement", args.min_agreement] if args.min_agreement is not None else []
    start = time.monotonic()
    peers.say("tamis optimize " + " ".join(map(str, budget)))
    profile = [f"{name}={'x'.join(map(str, dims))}" for name, dims in args.profile.items()]
    made = tamis(args, "optimize", args.model, "-o", folder / "optimized.tamis", "--data", args.calibration, "--samples",
                 args.optimize_samples, "--threads", args.threads, *shlex.split(args.data_flags), *budget, "--profile",
                 *profile)
    return (folder / "optimized.tamis", time.monotonic() - start) if made is not None else None


def statically_quantized(args, folder, calibration):
    """ONNX Runtime's int8 file of the same samples."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.at = 0

        def get_next(self):
            if self.at >= len(next(iter(calibration.values()))):
                return None
            self.at += 1
            return {name: array[self.at - 1 : self.at] for name, array in calibration.items()}

    peers.say("ONNX Runtime's static quantisation")
    prepared, target = folder / "prepared.onnx", folder / "onnxruntime_int8.onnx"
    quant_pre_process(str(args.model), str(prepared), skip_symbolic_shape=True)
    quantize_static(str(prepared), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    return target


def start(args, row, path, test_path):
    """Loads a row in a process of its own and has it answer the test samples."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    environment["PYTHONPATH"] = f"{args.tamis.parent / 'python'}{os.pathsep}{pathlib.Path(__file__).parent}"
    worker = peers.Worker(row["runtime"], sys.executable, environment)
    answer = worker.ask(do="load", runtime=row["runtime"], path=str(path), threads=args.threads, inputs=str(test_path),
                        precision="int8" if "int8" in row["row"] else "f32")
    if "error" not in answer:
        outputs = test_path.with_suffix(".outputs.npz")
        answer |= worker.ask(do="answer", samples=str(args.samples_path), path=str(outputs))
    if "error" in answer:
        row["error"] = answer["error"]
        worker.close()
        return None
    row["peak_bytes"], row["file_bytes"] = answer["peak_bytes"], path.stat().st_size
    with np.load(outputs) as arrays:
        row["outputs"] = next(iter(arrays.values())).astype(np.float64)
    outputs.unlink()
    return worker


def judge(rows, labels):
    """Accuracy where there are labels, and how near each row's answers are to ONNX Runtime's f32."""
    reference = next(row for row in rows if row["runtime"] == "onnxruntime" and row["row"] == "f32")["outputs"]
    for row in rows:
        if "outputs" not in row:
            continue
        got = row.pop("outputs")
        a, b = got.reshape(len(got), -1), reference.reshape(len(reference), -1)
        row["cosine"] = float(np.mean((a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))))
        if labels is not None:
            row["top1"] = float(100 * np.mean(a.argmax(1) == labels))


def measure(args):
    folder = peers.CACHE / "trained" / args.name
    folder.mkdir(parents=True, exist_ok=True)
    import onnxruntime
    session = onnxruntime.InferenceSession(str(args.model), providers=["CPUExecutionProvider"])
    flags = dict(zip(*[iter(shlex.split(args.data_flags))] * 2))
    channels = {key: [float(part) for part in flags["--" + key].split(",")] for key in ("mean", "std") if "--" + key in flags}
    name = session.get_inputs()[0].name
    test, labels = samples.read(args.test, name, args.test_samples, **channels)
    calibration, _ = samples.read(args.calibration, name, args.samples, **channels)
    one = {key: array[:1] for key, array in test.items()}
    args.profile = {key: array.shape for key, array in one.items()}
    args.samples_path, one_path = folder / "samples.npz", folder / "one.npz"
    np.savez(args.samples_path, **test)
    np.savez(one_path, **one)

    entries = []
    for row, (file, seconds) in fitted(args, folder).items():
        name = f"trained.{args.name}.{row.replace(' ', '_').replace(':', '')}.tamis"
        engine, _, said = peers.build(args, file, peers.CACHE / "engines" / name, "f32", one)
        entries.append(({"row": row, "runtime": "tamis", "fit_seconds": seconds} | ({} if engine else {"error": said}), engine))
    if args.max_drop is not None or args.min_agreement is not None:
        made = optimized(args, folder)
        if made:
            entries.append(({"row": "optimized", "runtime": "tamis", "fit_seconds": made[1]}, made[0]))
    begin = time.monotonic()
    quantized = statically_quantized(args, folder, calibration)
    took = time.monotonic() - begin
    for runtime in ("onnxruntime", "openvino"):
        entries.append(({"row": "f32", "runtime": runtime, "fit_seconds": 0.0}, args.model))
        entries.append(({"row": "int8", "runtime": runtime, "fit_seconds": took}, quantized))

    peers.say(f"{len(next(iter(test.values())))} test samples by {len(entries)} rows, one sample a request")
    running = []
    for row, path in entries:
        worker = None if path is None else start(args, row, path, one_path)
        if worker is not None:
            running.append((row, worker))
            row["times"] = []
    rows = [row for row, _ in entries]
    judge(rows, labels)
    for turn in range(args.turns + 1):
        for row, worker in running if turn % 2 else reversed(running):
            answer = worker.ask(do="run", seconds=args.seconds / args.turns)
            row["times"] = answer.get("ms", []) if turn <= 1 else row["times"] + answer.get("ms", [])  # turn 0: warm-up
    for row, worker in running:
        worker.close()
        times = row.pop("times")
        row |= peers.timed(times) if times else {"error": "the process ended"}
    return {"network": args.name, "test_samples": len(next(iter(test.values()))), "samples": args.samples, "rows": rows}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--calibration", required=True, type=pathlib.Path, help="folder of unlabelled samples")
    parser.add_argument("--test", required=True, type=pathlib.Path, help="folder of other samples, with classes if there are any")
    parser.add_argument("--name", help="of the network in the report; by default the file's")
    parser.add_argument("--samples", type=int, default=512, help="calibration samples, evenly spaced")
    parser.add_argument("--optimize-samples", type=int, default=1024, help="of `tamis optimize`, which splits them in three")
    parser.add_argument("--test-samples", type=int, default=0, help="evenly spaced; 0: all")
    parser.add_argument("--data-flags", default="", help="how pictures are prepared: --mean A,B,C --std A,B,C")
    parser.add_argument("--max-drop", type=float, help="an `optimized` row: points of top-1")
    parser.add_argument("--min-agreement", type=float, help="an `optimized` row: mean cosine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4, help="of timing, a row")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--tamis", type=pathlib.Path, default=peers.ROOT / "build" / "tamis")
    parser.add_argument("--out", type=pathlib.Path, default=peers.CACHE / "report", help="folder of the report")
    args = parser.parse_args(arguments)
    args.name = args.name or args.model.stem
    return args


def main():
    args = parse(sys.argv[1:])
    args.out.mkdir(parents=True, exist_ok=True)
    report = args.out / "trained.json"
    about = peers.machine(args.threads)
    result = json.loads(report.read_text()) if report.exists() else {}
    if result.get("machine") != about:
        result = {"machine": about, "networks": []}
    network = measure(args)
    result["networks"] = [known for known in result["networks"] if known["network"] != args.name] + [network]
    bench_report.write_trained(result, args.out)
    print(bench_report.trained_markdown(result))
    peers.say(f"written: {args.out}/trained.md, trained.json, trained.svg")
    return 1 if any("error" in row for row in network["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
