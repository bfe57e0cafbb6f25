"""How long importing, simplifying and fusing take as networks grow; nothing is tuned.

`python benchmarks/compile_growth.py build/tamis` writes networks of about 1,000, 5,000 and 20,000 nodes and BERT-large
with weights of its real sizes into a temporary folder and times `tamis inspect --no-timing` on each. The times should
grow as the nodes do. With --passes the slowest passes are listed. With --instructions valgrind counts what is executed, which
neither caches nor other work on the machine change (some minutes).
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from networks import Builder, transformer  # noqa: E402


def residual_cnn(path, blocks, channels=8):
    """Convolution, batch norm, Relu and a residual, over and over."""
    b = Builder(3)
    x = "picture"
    for _ in range(blocks):
        y = b.op("Conv", [x, b.normal(channels, channels, 3, 3, scale=0.1)], pads=[1, 1, 1, 1])
        y = b.op("BatchNormalization", [y] + [b.constant(b.random.uniform(0.5, 1.5, channels)) for _ in range(4)])
        x = b.op("Relu", [b.op("Add", [y, x])])
    b.op("Identity", [x], "features")
    onnx.save(b.model([helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", channels, 16, 16])],
                      [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", channels, 16, 16])]), path)


def arithmetic(path, nodes):
    """Elementwise chains that share one constant and end in many outputs."""
    b = Builder(4)
    one, outputs = b.constant(1.0), []
    for chain in range(nodes // 10):
        x = "x"
        for _ in range(4):
            x = b.op("Mul", [b.op("Add", [x, b.constant(float(chain))]), one])
        outputs.append(b.op("Reshape", [b.op("Transpose", [x], perm=[1, 0]), b.constant([0, -1], np.int64)]))
    onnx.save(b.model([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
                      [helper.make_tensor_value_info(o, TensorProto.FLOAT, [4, "n"]) for o in outputs]), path)


def instructions(command):
    """Executed by a command, in millions."""
    run = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr)[1]) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tamis")
    parser.add_argument("--passes", action="store_true")
    parser.add_argument("--no-bert", action="store_true")
    parser.add_argument("--instructions", action="store_true")
    arguments = parser.parse_args()
    sizes = [1000, 5000, 20000]
    cases = [(f"transformer {n}", lambda p, n=n: transformer(p, hidden=16, heads=2, depth=n // 50, inner=32)) for n in sizes]
    cases += [(f"residual cnn {n}", lambda p, n=n: residual_cnn(p, n // 4)) for n in sizes]
    cases += [(f"arithmetic {n}", lambda p, n=n: arithmetic(p, n)) for n in sizes]
    if not arguments.no_bert:
        cases.append(("BERT-large", lambda p: transformer(p, hidden=1024, heads=16, depth=24, inner=4096, vocabulary=30522)))
    print(f"{'network':<20} {'nodes':>7} {'after':>7} {'seconds':>8} {'us/node':>8}{' thousand/node' if arguments.instructions else ''}")
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "network.onnx")
        for name, write in cases:
            write(path)
            command = [arguments.tamis, "inspect", path, "--no-timing", "--json", "--verbose"]
            start = time.monotonic()
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds = time.monotonic() - start
            report = json.loads(run.stdout)
            nodes = report["nodes_before"]
            counted = f" {instructions(command) / nodes * 1e3:>13.0f}" if arguments.instructions else ""
            print(f"{name:<20} {nodes:>7} {report['nodes_after']:>7} {seconds:>8.3f} {seconds / nodes * 1e6:>8.1f}{counted}", flush=True)
            if arguments.passes:
                times = re.findall(r"^pass (\S+) .*?([\d.]+) ms", run.stderr, re.M)
                for pass_name, ms in sorted(times, key=lambda t: -float(t[1]))[:6]:
                    print(f"    {pass_name:<24} {float(ms):>9.1f} ms")


if __name__ == "__main__":
    main()
