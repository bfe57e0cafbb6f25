"""ONNX Runtime or OpenVINO as a process of its own, driven by one JSON line a request over standard input.

    {"do": "encode", "ids": FILE.npy, "mask": FILE.npy, "out": FILE.npy}       one batch
    {"do": "time", "shape": [1, 128], "seconds": 1.0}                          -> latencies in seconds
    {"do": "memory"}                                                           -> peak bytes of this process
"""

import argparse
import json
import sys
import time

import numpy as np


def onnxruntime_runner(model, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def openvino_runner(model, threads, precision):
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model), "CPU",
                                  {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads,
                                   "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    return lambda inputs: np.array(request.infer(inputs)[compiled.output(0)])


def quantize(model, output):
    """ONNX Runtime's own dynamic quantisation: int8 weights, activations quantised as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(model, output, weight_type=QuantType.QInt8)


def peak_memory():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", choices=["onnxruntime", "openvino-bf16", "openvino-f32"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.runtime == "onnxruntime":
        run = onnxruntime_runner(args.model, args.threads)
    else:
        run = openvino_runner(args.model, args.threads, args.runtime.split("-")[1])
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "memory":
            answer = {"bytes": peak_memory()}
        elif request["do"] == "encode":
            rows = run({"input_ids": np.load(request["ids"]), "attention_mask": np.load(request["mask"])})
            np.save(request["out"], rows)
            answer = {"done": True}
        else:
            ones = np.ones(request["shape"], np.int64)
            inputs = {"input_ids": ones, "attention_mask": ones}
            for _ in range(3):
                run(inputs)
            latencies, start = [], time.perf_counter()
            while time.perf_counter() - start < request["seconds"]:
                begin = time.perf_counter()
                run(inputs)
                latencies.append(time.perf_counter() - begin)
            answer = {"latencies": latencies}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
