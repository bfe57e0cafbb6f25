"""Where untuned sessions spend their time: a line for each ONNX file of a folder.

    python times.py FOLDER [--only NAME,...] [--threads 2] [--json FILE] [--tamis BUILD/python] [--no-peer]

Inputs are those of export.py (NAME-1.npz beside NAME-EXPORTER.onnx), or random ones where a file has none: every dimension
without a number is --size, integers are 0 or 1. `ours` and `theirs` are medians of runs in turns, Tamis (not tuned) and ONNX
Runtime, in milliseconds; `ratio` is theirs over ours. `reference` lists the operators that ran their reference evaluation,
each with its share of the time of all nodes; the exit code is 1 where one has more than 2 %. One process a file.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

MOST = 0.02


def random_inputs(peer_inputs, size):
    import numpy as np
    random = np.random.default_rng(1)
    dtypes = {"float": np.float32, "double": np.float64, "float16": np.float16}
    feeds = {}
    for value in peer_inputs:
        shape = [dim if isinstance(dim, int) else size for dim in value.shape]
        name = value.type.removeprefix("tensor(").removesuffix(")")
        if name in dtypes:
            feeds[value.name] = random.standard_normal(shape).astype(dtypes[name])
        elif name == "string":
            feeds[value.name] = np.full(shape, "a")
        else:
            feeds[value.name] = random.integers(0, 2, shape).astype(name)
    return feeds


def measure(path, arguments):
    import numpy as np
    import onnxruntime
    import tamis
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = arguments.threads, 3
    session = tamis.Session(str(path), threads=arguments.threads)
    inputs = session.get_inputs()
    stored = path.with_name(path.stem.rsplit("-", 1)[0] + "-1.npz")
    feeds = dict(np.load(stored)) if stored.exists() else random_inputs(inputs, arguments.size)
    feeds = {value.name: feeds[value.name] for value in inputs}
    runs = {"ours": lambda: session.run(None, feeds)}
    row = {"file": path.stem}
    if not arguments.no_peer:
        try:
            peer = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            peer.run(None, feeds)
            runs["theirs"] = lambda: peer.run(None, feeds)
        except Exception as error:
            row["note"] = f"ONNX Runtime can't run it: {str(error)[:120]}"
    times = {name: [] for name in runs}
    for run in runs.values():
        run()
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end or len(times["ours"]) < 5:
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    row |= {name: 1e3 * statistics.median(list_) for name, list_ in times.items()}
    nodes = session.profile(feeds, repeats=5)
    total = sum(node.seconds for node in nodes) or 1
    shares = {}
    for node in nodes:
        if node.kernel == "reference":
            shares[node.operator] = shares.get(node.operator, 0) + node.seconds / total
    row["reference"] = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names of files or their beginnings")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.4, help="that both runtimes together run a file")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tamis", default="", help="folder of the package, where it is not installed")
    parser.add_argument("--no-peer", action="store_true", help="without ONNX Runtime")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.tamis:
        sys.path.insert(0, arguments.tamis)
    if arguments.one:
        print(json.dumps(measure(Path(arguments.one), arguments)))
        return 0
    rows = []
    for path in sorted(arguments.folder.glob("*.onnx")):
        if ".partial" in path.name or not path.name.startswith(tuple(arguments.only.split(","))):
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--one", str(path)]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            row = {"file": path.stem, "note": "failed: " + (result.stderr.strip().splitlines() or [""])[-1][:300]}
        else:
            row = json.loads(result.stdout.splitlines()[-1])
        rows.append(row)
        peer = f"{row['theirs']:9.3f} {row['theirs'] / row['ours']:6.2f}" if "theirs" in row else " " * 16
        shares = ", ".join(f"{op} {share:.1%}" for op, share in row.get("reference", {}).items() if share >= 0.001)
        ours = f"{row['ours']:9.3f}" if "ours" in row else " " * 9
        print(f"{row['file']:48} {ours} {peer}  {shares} {row.get('note', '')}".rstrip(), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1))
    above = [row["file"] for row in rows if max(row.get("reference", {}).values(), default=0) > MOST]
    failed = [row["file"] for row in rows if "ours" not in row]
    print(f"{len(rows)} files, {len(above)} with an operator above {MOST:.0%} in its reference evaluation, {len(failed)} failed")
    return 1 if above or failed else 0


if __name__ == "__main__":
    sys.exit(main())
