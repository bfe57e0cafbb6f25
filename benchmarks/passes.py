"""What single passes are worth: a network in ONNX Runtime, in Tamis, and in Tamis without each of some passes.

`PYTHONPATH=build/python python benchmarks/passes.py MODEL.onnx INPUTS.npz [--without recognize_rotary,...] [--seconds 6]`
takes files as `make architectures` writes them. All forms run in turns in one process, with --threads threads; outputs
are compared. A time is the lower quartile; kernels are chosen by the cost model, so that forms differ by the pass alone.
"""
import argparse
import time

import numpy as np
import onnxruntime
import tamis

PASSES = "recognize_attention,recognize_causal,recognize_rotary,split_products,fuse_elementwise"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("inputs")
    parser.add_argument("--without", default=PASSES)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = arguments.threads, 3
    peer = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in peer.get_inputs()}
    feeds = {name: array for name, array in np.load(arguments.inputs).items() if name in wanted}
    outputs = [value.name for value in peer.get_outputs()]
    forms = {"ONNX Runtime": peer}
    for skipped in [None, *arguments.without.split(",")]:
        engine = tamis.build(arguments.model, without=[skipped] if skipped else [], tune=False,
                             threads=arguments.threads)
        forms[f"without {skipped}" if skipped else "Tamis"] = tamis.Session(engine, threads=arguments.threads)
    expected = peer.run(outputs, feeds)
    for name, form in forms.items():
        error = max(np.abs(a - b).max() / np.abs(a).max() for a, b in zip(expected, form.run(outputs, feeds))
                    if a.dtype.kind == "f" and a.size)
        if error > 1e-3:
            print(f"{name}: differs by {error:.1e}")
    times = {name: [] for name in forms}
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end:
        for name, form in forms.items():
            if name == "Tamis":
                time.sleep(0.02)  # until ONNX Runtime's threads no longer spin
            form.run(outputs, feeds)
            for _ in range(3):
                start = time.perf_counter()
                form.run(outputs, feeds)
                times[name].append(time.perf_counter() - start)
    own = sorted(times["Tamis"])[len(times["Tamis"]) // 4]
    for name, measured in times.items():
        quartile = sorted(measured)[len(measured) // 4]
        print(f"{name:32} {quartile * 1e3:9.3f} ms {quartile / own:6.2f}")


if __name__ == "__main__":
    main()
