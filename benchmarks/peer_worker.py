"""One runtime with one network in a process of its own: peers.py starts one a row and lets them take turns.

Reads one JSON object a line from standard input and answers each with one: {"do": "load", "runtime": ..., "path": ...,
"precision": ..., "threads": N, "inputs": NPZ}, {"do": "run", "seconds": S}, {"do": "outputs", "path": NPZ} and
{"do": "answer", "samples": NPZ, "path": NPZ}, which runs the samples of another file one after the other.
"""
import json
import os
import sys
import time

import numpy as np


def load_tamis(request, inputs):
    import tamis
    session = tamis.Session(request["path"], threads=request["threads"])
    names = [output.name for output in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(None, given)))


def load_onnxruntime(request, inputs):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = request["threads"]
    session = onnxruntime.InferenceSession(request["path"], options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda given: dict(zip(names, session.run(names, given)))


def load_openvino(request, inputs):
    import openvino
    core = openvino.Core()
    model = core.read_model(request["path"])
    model.reshape({name: list(array.shape) for name, array in inputs.items()})
    precision = {"f32": "f32", "int8": "f32", "bf16": "bf16", "int8+bf16": "bf16"}[request["precision"]]
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": request["threads"], "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": precision})
    call = compiled.create_infer_request()
    names = [output.get_any_name() for output in compiled.outputs]

    def run(given):
        call.infer(given, share_inputs=True)
        return {name: call.get_output_tensor(i).data for i, name in enumerate(names)}

    return run


def load_torch(request, inputs):
    """Eager PyTorch with weights of its own: speed only."""
    import torch
    import torch_networks
    torch.set_num_threads(request["threads"])
    module = torch_networks.make(request["network"])
    if request["precision"] == "bf16":
        module = module.to(torch.bfloat16)
    prepared = torch_networks.arguments(inputs, request["precision"])
    names = torch_networks.output_names(request["network"])

    def run(given):
        tensors = prepared if given is inputs else torch_networks.arguments(given, request["precision"])
        with torch.inference_mode():
            return {name: out.float().numpy() for name, out in zip(names, torch_networks.call(module, tensors))}

    return run


LOADERS = {"tamis": load_tamis, "onnxruntime": load_onnxruntime, "openvino": load_openvino, "torch": load_torch}


def peak_bytes():
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def answer_all(run, samples):
    """The outputs of every sample, along axis 0."""
    outputs = {}
    for i in range(len(next(iter(samples.values())))):
        for name, out in run({name: array[i : i + 1] for name, array in samples.items()}).items():
            outputs.setdefault(name, []).append(np.array(out, np.float32))
    return {name: np.concatenate(parts) for name, parts in outputs.items()}


def main():
    answers = os.fdopen(os.dup(1), "w")  # what libraries print must not mix with the answers
    os.dup2(2, 1)
    run, inputs = None, {}
    for line in sys.stdin:
        request = json.loads(line)
        answer = {}
        try:
            if request["do"] == "load":
                inputs = dict(np.load(request["inputs"]))
                start = time.perf_counter()
                run = LOADERS[request["runtime"]](request, inputs)
                answer["load_seconds"] = time.perf_counter() - start
            elif request["do"] == "run":
                times, end = [], time.perf_counter() + request["seconds"]
                while not times or time.perf_counter() < end:
                    start = time.perf_counter()
                    run(inputs)
                    times.append((time.perf_counter() - start) * 1e3)
                answer["ms"] = times
            elif request["do"] == "outputs":
                np.savez(request["path"], **{name: np.asarray(out, np.float32) for name, out in run(inputs).items()})
                answer["peak_bytes"] = peak_bytes()
            elif request["do"] == "answer":
                run(inputs)
                answer["peak_bytes"] = peak_bytes()  # before the samples are read
                np.savez(request["path"], **answer_all(run, dict(np.load(request["samples"]))))
        except Exception as error:  # whatever a runtime throws is this row's answer
            answer["error"] = f"{type(error).__name__}: {error}"[:500]
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
