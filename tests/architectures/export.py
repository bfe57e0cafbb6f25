"""Writes OUT/NAME-EXPORTER.onnx, its inputs OUT/NAME-SIZE.npz and the outputs that the network gives in double,
OUT/NAME-SIZE.double.npz; each network in a process of its own.

    python export.py OUT [--only NAME,...] [--exporter torchscript|dynamo] [--timeout SECONDS]
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


def export(name, exporter, out):
    warnings.filterwarnings("ignore")
    import numpy as np
    import torch
    from zoo import settle
    entry = entries()[name]
    torch.manual_seed(7)
    network = entry.make().eval()
    traced = entry.inputs(0)
    settle(network, tuple(traced.values()))
    path = out / f"{name}-{exporter}.onnx"
    partial = out / f"{name}-{exporter}.partial.onnx"
    options = {"input_names": list(traced), "opset_version": 20}
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
                              **{**options, "opset_version": 17})
    for size in (1, 2):
        np.savez(out / f"{name}-{size}.npz", **{k: v.numpy() for k, v in entry.inputs(size).items()})
    os.replace(partial, path)
    write_doubles(network, entry, name, out)


def write_doubles(network, entry, name, out):
    """What the network answers in double, where it can be run so: networks of random weights may be so sensitive that
    the f32 answers of two runtimes differ and neither is to blame."""
    import numpy as np
    import torch
    network.double()
    for size in (1, 2):
        path = out / f"{name}-{size}.double.npz"
        if path.exists():
            continue
        inputs = [v.double() if v.dtype == torch.float32 else v for v in entry.inputs(size).values()]
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
    import zoo_vision  # noqa: F401
    import zoo_wider  # noqa: F401
    return zoo.ENTRIES


def run(name, exporter, out, timeout):
    """The export in a child of this process, which has imported everything: 0, an exit code, a signal or "timeout"."""
    log = out / f"{name}-{exporter}.log"
    child = os.fork()
    if child == 0:
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        code = 1
        try:
            export(name, exporter, out)
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
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(Path(__file__).parent))
    import torch
    torch.set_num_threads(1)  # a forked child may not use the parent's threads
    import torch.onnx._internal.exporter._core  # noqa: F401
    failed = 0
    for name in arguments.only.split(",") if arguments.only else entries():
        for exporter in (arguments.exporter,) if arguments.exporter else EXPORTERS:
            if (arguments.out / f"{name}-{exporter}.onnx").exists():
                continue
            code = run(name, exporter, arguments.out, arguments.timeout)
            why = "" if code == 0 else f"failed ({code}), see {arguments.out / f'{name}-{exporter}.log'}"
            print(f"{name:40} {exporter:12} {why or 'written'}", flush=True)
            failed += code != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
