"""What pruning and quantising cost a network in accuracy: one Markdown table from your own ONNX file and samples.

    python benchmarks/accuracy.py model.onnx --calibration images/train --test images/test \
        --data-flags "--mean 0.4914,0.4822,0.4465 --std 0.2470,0.2435,0.2616" --shape input=1x3x32x32

Every row is made by the `tamis` program from the same unlabelled calibration samples and judged against the dense
network on samples that it never saw, by `tamis gate`: top-1 by the folders' (or labels.npy's) classes where there are
any with the 95 % interval of what was lost, the share of samples with the dense network's answer, and the mean cosine of
the outputs. With --queries (a folder like the test samples), outputs count as embeddings: the ten nearest test samples of
each query are compared with the dense network's. Beside each figure stand the share of the layers' weights that are 2:4
and the median time of an engine built from the file (all engines are timed in turns in one run; --seconds 0 leaves it
out). The row "optimized" is `tamis optimize` with --budget, to be seen beside the settings that do the same to every layer,
whether it gains by it or not ("uniform" stands for all nine of them):

    ... --rows "uniform,optimized" --budget "--max-drop 1.5"
"""
import argparse
import json
import pathlib
import shlex
import subprocess
import tempfile
import time

import numpy as np

# name -> (arguments of `tamis prune` or None, whether it is quantised afterwards)
ROWS = {
    "dense": (None, False),
    "magnitude 2:4": (["--method", "magnitude"], False),
    "activation 2:4": (["--method", "activation"], False),
    "gradient 2:4": (["--method", "gradient"], False),
    "2:4": ([], False),
    "paired 2:4": (["--pattern", "paired"], False),
    "int8": (None, True),
    "2:4 + int8": ([], True),
    "paired 2:4 + int8": (["--pattern", "paired"], True),
    "1:4": (["--pattern", "1:4"], False),
    "4:8": (["--pattern", "4:8"], False),
    "unstructured": (["--pattern", "unstructured"], False),
    "unpermuted 2:4": (["--no-permute"], False),
    "unpermuted paired 2:4": (["--no-permute", "--pattern", "paired"], False),
    "unpermuted 2:4 + int8": (["--no-permute"], True),
    "unpermuted paired 2:4 + int8": (["--no-permute", "--pattern", "paired"], True),
}
# name -> arguments of `tamis prune` or None; engines of these are built in bf16
BF16_ROWS = {"bf16": None, "2:4 + bf16": [], "paired 2:4 + bf16": ["--pattern", "paired"]}
OPTIMIZED = "optimized"
UNIFORM = [f"{pattern}{precision}" for pattern in ("", "2:4", "paired 2:4") for precision in ("", " + bf16", " + int8")]
UNIFORM = [name.removeprefix(" + ") or "dense" for name in UNIFORM]
NAMES = [*ROWS, *BF16_ROWS, OPTIMIZED]


def run(tamis, *arguments, codes=(0,)):
    command = [str(tamis), *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode not in codes:
        raise SystemExit(f"accuracy: `{shlex.join(command)}` ended with code {result.returncode}")
    return result.stdout


def share_of_weights(layers):
    """Percent of the weights of all layers that lie in layers that were pruned."""
    sizes = [(layer["outputs"] * layer["inputs"], layer["pattern"] != "dense") for layer in layers]
    return 100 * sum(size for size, sparse in sizes if sparse) / max(1, sum(size for size, _ in sizes))


def once(file, command):
    """(what `command` printed, seconds it took). In a folder that is kept, what was made before is taken as it is."""
    record = file.with_name(file.name + ".json")
    if not (file.exists() and record.exists()):
        start = time.monotonic()
        printed = run(*command)
        record.write_text(json.dumps({"printed": printed, "seconds": time.monotonic() - start}))
    kept = json.loads(record.read_text())
    return json.loads(kept["printed"]), kept["seconds"]


def build(tamis, args, file, engine, precision="f32"):
    run(tamis, "build", file, "-o", engine, "--threads", args.threads, "--precision", precision, *args.profile)
    return engine


def make(tamis, args, name, folder):
    """The network of a row: {file, share of weights in 2:4, seconds it took}. Rows that begin alike share files."""
    prune, quantize = ROWS.get(name, (BF16_ROWS.get(name), False))
    row = {"name": name, "file": args.model, "share": 0.0, "seconds": 0.0}
    if name == OPTIMIZED:
        file = folder / "optimized.tamis"
        report, seconds = once(file, [tamis, "optimize", args.model, "-o", file, *args.optimize_flags, "--json"])
        sparse = [layer | {"outputs": 1, "inputs": layer["elements"]} for layer in report["layers"]]
        row |= {"file": file, "share": share_of_weights(sparse), "seconds": seconds}
    if prune is not None:
        file = folder / ("_".join(["pruned", *(flag.lstrip("-").replace(":", "") for flag in prune)]) + ".onnx")
        report, seconds = once(file, [tamis, "prune", args.model, "-o", file, *args.fit_flags, *prune, "--json"])
        row |= {"file": file, "share": share_of_weights(report["layers"]), "seconds": seconds}
    if quantize:
        file = folder / f"int8_{row['file'].name}"
        command = [tamis, "quantize", row["file"], "-o", file, *args.fit_flags, *shlex.split(args.quantize_flags)]
        row |= {"file": file, "seconds": row["seconds"] + once(file, [*command, "--json"])[1]}
    if name in BF16_ROWS:  # as an engine, for `gate` would take the dense network in bf16 as well
        row["file"] = build(tamis, args, row["file"], folder / f"bf16_{row['file'].stem}.tamis", "bf16")
    return row


def embeddings(file, folder, batch=32):
    import tamis  # only this needs the package: PYTHONPATH=build/python

    session = tamis.Session(str(file))
    inputs = {path.stem: np.load(path) for path in sorted(pathlib.Path(folder).glob("*.npy")) if path.stem != "labels"}
    count = len(next(iter(inputs.values())))
    rows = [session.run(None, {name: array[i : i + batch] for name, array in inputs.items()})[0]
            for i in range(0, count, batch)]
    rows = np.concatenate(rows).reshape(count, -1).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nearest(queries, samples, count=10):
    return np.argsort(-(queries @ samples.T), axis=1, kind="stable")[:, :count]


def judge(tamis, args, row, reference):
    """Adds the row's figures, from `tamis gate` against the dense network; whether it passes is not asked."""
    report = json.loads(run(tamis, "gate", "--dense", args.model, "--candidate", row["file"], *args.test_flags, "--json",
                            codes=(0, 1)))
    checks = {check["name"]: check for check in report["checks"]}
    row |= {"cosine": checks["cosine"]["measured"], "samples": report["samples"], "top1": report.get("top1_candidate")}
    if "same_answers" in checks:
        row["agreement"] = checks["same_answers"]["measured"]
    if report["top1_measured"]:
        row |= {"drop": checks["top1_drop"]["measured"], "interval": checks["top1_drop"]["interval"]}
    if args.queries:
        top = nearest(embeddings(row["file"], args.queries), embeddings(row["file"], args.test))
        row["overlap"] = 100 * np.mean([len(set(a) & set(b)) / 10 for a, b in zip(top, reference)])


def measure_times(tamis, args, rows, folder):
    engines = []
    for i, row in enumerate(rows):
        is_engine = row["file"].suffix == ".tamis"
        engines.append(row["file"] if is_engine else build(tamis, args, row["file"], folder / f"row{i}.tamis"))
    shape = ["--shape", *args.shape] if args.shape else []
    results = json.loads(run(tamis, "bench", *engines, *shape, "--threads", args.threads, "--seconds", args.seconds,
                             "--json", "-"))["results"]
    for row, result in zip(rows, results):
        row["ms"] = result["median_ms"]


def table(rows):
    columns = [("network", lambda r: r["name"]), ("weights in 2:4", lambda r: f"{r['share']:.0f} %"),
               ("top-1", lambda r: f"{r['top1']:.2f}"), ("drop, 95 % interval", lambda r: f"{r['drop']:.2f}, {r['interval'][0]:.2f} to {r['interval'][1]:.2f}"),
               ("same answer", lambda r: f"{100 * r['agreement']:.2f} %"), ("mean cosine", lambda r: f"{r['cosine']:.4f}"),
               ("top-ten overlap", lambda r: f"{r['overlap']:.1f} %"), ("ms", lambda r: f"{r['ms']:.2f}"),
               ("made in", lambda r: f"{r['seconds']:.0f} s")]
    needed = {"top-1": "top1", "drop, 95 % interval": "drop", "same answer": "agreement", "top-ten overlap": "overlap", "ms": "ms"}
    columns = [c for c in columns if c[0] not in needed or all(r.get(needed[c[0]]) is not None for r in rows)]
    lines = ["| " + " | ".join(name for name, _ in columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(text(r) for _, text in columns) + " |" for r in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--calibration", required=True, help="unlabelled samples, as `tamis prune --data` takes them")
    parser.add_argument("--test", required=True, help="other samples, with classes where accuracy is to be measured")
    parser.add_argument("--queries", help="folder of .npy files: compare the ten nearest test samples of each")
    parser.add_argument("--samples", type=int, default=512, help="calibration samples, evenly spaced")
    parser.add_argument("--test-samples", type=int, default=0, help="0: all")
    parser.add_argument("--data-flags", default="", help="how images are prepared: --mean, --std, --image-size")
    parser.add_argument("--quantize-flags", default="", help="further flags of `tamis quantize`")
    parser.add_argument("--rows", default=",".join(ROWS), help="some of: uniform, " + ", ".join(NAMES))
    parser.add_argument("--budget", default="--max-drop 1.5", help="further flags of `tamis optimize`")
    parser.add_argument("--optimize-samples", type=int, default=768, help="of the row \"optimized\", which fits, chooses and confirms with them")
    parser.add_argument("--shape", nargs="*", default=[], help="of the timing, for dynamic dimensions")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="of timing, an engine")
    parser.add_argument("--folder", type=pathlib.Path, help="keep what is made here, and take what is there already; for one network and one set of flags")
    parser.add_argument("--tamis", type=pathlib.Path, default=pathlib.Path("build/tamis"))
    args = parser.parse_args()
    names = [name.strip() for name in args.rows.replace("uniform", ",".join(UNIFORM)).split(",")]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise SystemExit(f"accuracy: no row is called {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    prepared = shlex.split(args.data_flags)
    args.fit_flags = ["--data", args.calibration, "--samples", args.samples, "--threads", args.threads, *prepared]
    args.profile = ["--profile", *args.shape] if args.shape else []
    args.optimize_flags = ["--data", args.calibration, "--samples", args.optimize_samples, "--threads", args.threads,
                           *prepared, *args.profile, *shlex.split(args.budget)]
    args.test_flags = ["--data", args.test, "--samples", args.test_samples, "--threads", args.threads, *prepared]
    with tempfile.TemporaryDirectory() as temporary:
        folder, reference = args.folder or pathlib.Path(temporary), None
        folder.mkdir(parents=True, exist_ok=True)
        if args.queries:
            reference = nearest(embeddings(args.model, args.queries), embeddings(args.model, args.test))
        rows = []
        for name in names:
            rows.append(make(args.tamis, args, name, folder))
            judge(args.tamis, args, rows[-1], reference)
            print(f"{name}: {rows[-1]}", flush=True)
        if args.seconds > 0:
            measure_times(args.tamis, args, rows, folder)
    print(f"\n{args.model.name}: {args.samples} calibration samples, {rows[0]['samples']} test samples\n")
    print(table(rows))


if __name__ == "__main__":
    main()
