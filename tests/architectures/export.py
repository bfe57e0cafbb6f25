"""Writes OUT/NAME-EXPORTER.onnx, its inputs OUT/NAME-SIZE.npz and the outputs that the network gives in double,
OUT/NAME-SIZE.double.npz; each network in a process of its own.

    python export.py OUT [--only NAME,...] [--exporter torchscript|dynamo] [--timeout SECONDS]
                     [--dtype float16|bfloat16] [--opset N,...]

With --dtype the network's weights and inputs are of that type, and what is in double has the rounded weights; give each
type an OUT of its own. With --opset each file is OUT/NAME-EXPORTER_OPSET.onnx, one for each opset that the exporter
knows.
"""
import argparse
import inspect
import os
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

EXPORTERS = ("torchscript", "dynamo")
USUAL_OPSETS = {"torchscript": 17, "dynamo": 20}
KNOWN_OPSETS = {"torchscript": range(7, 21), "dynamo": range(18, 27)}


def export(name, exporter, opset, path, dtype):
    warnings.filterwarnings("ignore")
    import numpy as np
    import torch
    from zoo import settle
    entry = entries()[name]
    out = path.parent
    torch.manual_seed(7)
    network = entry.make().eval()
    traced = entry.inputs(0)
    settle(network, tuple(traced.values()))
    if dtype != "float32":
        network.to(getattr(torch, dtype))
        traced = of_type(traced, getattr(torch, dtype))
    partial = path.with_suffix(".partial.onnx")
    options = {"input_names": list(traced), "opset_version": opset}
    with torch.no_grad():
        if exporter == "dynamo":
            dims = {key: {axis: torch.export.Dim.DYNAMIC for axis in entry.dynamic.get(key, {})} for key in traced}
            # A wrapper that takes *tensors wants one tuple of them.
            positional = tuple(dims.values())
            wraps = any(p.kind is p.VAR_POSITIONAL
                        for p in inspect.signature(network.forward).parameters.values())
            torch.onnx.export(network, tuple(traced.values()), str(partial), dynamo=True, external_data=False,
                              dynamic_shapes=(positional,) if wraps else positional, **options)
        else:
            torch.onnx.export(network, tuple(traced.values()), str(partial), dynamo=False, dynamic_axes=entry.dynamic,
                              **options)
    for size in (1, 2):  # halves are kept as the float32 that they are, for NumPy has no bfloat16
        inputs = of_type(of_type(entry.inputs(size), getattr(torch, dtype)), torch.float32)
        np.savez(out / f"{name}-{size}.npz", **{k: v.numpy() for k, v in inputs.items()})
    os.replace(partial, path)
    write_doubles(network, name, out)


def of_type(inputs, dtype):
    """The inputs with their floating-point ones in another type."""
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}


def write_doubles(network, name, out):
    """What the network answers in double, where it can be run so: networks of random weights may be so sensitive that
    the f32 answers of two runtimes differ and neither is to blame."""
    import numpy as np
    import torch
    network.double()
    for size in (1, 2):
        path = out / f"{name}-{size}.double.npz"
        if path.exists():
            continue
        stored = np.load(out / f"{name}-{size}.npz")
        inputs = list(of_type({key: torch.from_numpy(stored[key]) for key in stored.files}, torch.float64).values())
        try:
            with torch.no_grad():
                result = network(*inputs)
        except Exception as error:
            print(f"not in double: {error}")
            return
        result = result if isinstance(result, tuple) else (result,)
        np.savez(path, *[v.numpy() for v in result])


def entries():
    import zoo
    import zoo_custom  # noqa: F401  each adds to the same entries
    import zoo_held  # noqa: F401
    import zoo_language  # noqa: F401
    import zoo_more  # noqa: F401
    import zoo_small  # noqa: F401
    import zoo_vision  # noqa: F401
    import zoo_wider  # noqa: F401
    return zoo.ENTRIES


def run(name, exporter, opset, path, dtype, timeout):
    """The export in a child of this process, which has imported everything: 0, an exit code, a signal or "timeout"."""
    log = path.with_suffix(".log")
    child = os.fork()
    if child == 0:
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        code = 1
        try:
            export(name, exporter, opset, path, dtype)
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timeout"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--exporter", choices=EXPORTERS)
    parser.add_argument("--timeout", type=float, default=400)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--opset", default="")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(Path(__file__).parent))
    import torch
    torch.set_num_threads(1)  # a forked child may not use the parent's threads
    import torch.onnx._internal.exporter._core  # noqa: F401
    opsets = [int(opset) for opset in arguments.opset.split(",") if opset]
    failed = 0
    for name in arguments.only.split(",") if arguments.only else entries():
        for exporter in (arguments.exporter,) if arguments.exporter else EXPORTERS:
            for opset in [n for n in opsets if n in KNOWN_OPSETS[exporter]] if opsets else [USUAL_OPSETS[exporter]]:
                variant = f"{exporter}_{opset}" if opsets else exporter
                path = arguments.out / f"{name}-{variant}.onnx"
                if path.exists():
                    continue
                code = run(name, exporter, opset, path, arguments.dtype, arguments.timeout)
                why = "" if code == 0 else f"failed ({code}), see {path.with_suffix('.log')}"
                print(f"{name:40} {variant:14} {why or 'written'}", flush=True)
                failed += code != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
