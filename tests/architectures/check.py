"""Compares exported networks in Tamis and in ONNX Runtime, f32, at two input sizes each.

    python check.py FOLDER [--only NAME,...] [--tolerance 1e-3] [--json FILE] [--tamis BUILD/python]

FOLDER is what export.py wrote. A network agrees if every output has the dtype and shape that ONNX Runtime gives and
differs by at most the tolerance, relative to the output's largest magnitude; findings of a detector whose scores tie may
come in either order. Where the two differ by more, the outputs that export.py wrote in double decide: Tamis must be close
to them, or no further from ONNX Runtime than that is from them. A file that both refuse, or that ONNX Runtime can't run
at any size, is `broken` by its exporter and does not count. Outputs must be finite and must change with the inputs.
A network in half precision may differ by as much as its type rounds; where ONNX Runtime has no kernel of the type, it
computes the file in f32. A file that is far from the network in double there has been changed by its exporter.
`reference` is the share of the time that Tamis spends in reference evaluations, which no network that users meet should
spend. One process a network, so that a crash is one network's.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path

MAX_REFERENCE_SHARE = 0.02
BFLOAT16_EPSILON = 2.0**-7


def is_float(array):
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def compare(expected, actual):
    import numpy as np
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return f"{actual.dtype}{list(actual.shape)} instead of {expected.dtype}{list(expected.shape)}", 0.0
    if expected.size == 0:
        return "", 0.0
    if not is_float(expected):
        wrong = int((expected != actual).sum())
        return (f"{wrong} of {expected.size} integers differ" if wrong else ""), 0.0
    expected, actual = expected.astype(np.float64), actual.astype(np.float64)
    if not np.isfinite(expected).all():
        return "the expected output is not finite", 0.0
    scale = float(np.abs(expected).max()) or 1.0
    return "", float(np.abs(expected - actual).max()) / scale


def paired(expected, actual, tolerance):
    """The actual detections in the expected order, where both are the same but for ties.

    A detector lists its findings by score. Scores that are equal to within the tolerance may come in either order, so
    findings are paired by what they hold: every expected one with the nearest actual one of its label that is left.
    """
    import numpy as np
    counts = {len(a) for a in expected} | {len(a) for a in actual if a.ndim}
    scores = [i for i, a in enumerate(expected) if a.ndim == 1 and a.dtype.kind == "f"]
    if len(expected) < 3 or len(counts) != 1 or len(scores) != 1:
        return actual
    if np.abs(expected[scores[0]] - actual[scores[0]]).max(initial=0) > tolerance:
        return actual
    left, order = list(range(len(expected[0]))), []
    for row in range(len(expected[0])):
        def distance(other):
            far = 0.0
            for a, b in zip(expected, actual):
                far += float(np.abs(a[row].astype(np.float64) - b[other]).max()) / (float(np.abs(a).max()) or 1.0)
            return far
        nearest = min(left, key=distance)
        left.remove(nearest)
        order.append(nearest)
    return [array[order] for array in actual]


def errors_of(expected, actual, tolerance):
    if all(a.ndim and a.shape == b.shape for a, b in zip(expected, actual)):
        actual = paired(expected, actual, tolerance)
    return [compare(left, right) for left, right in zip(expected, actual)]


def open_peer(path):
    """ONNX Runtime's session, or None and why there is none: it has no kernels of the file's type, or refuses the file."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 3
    try:
        peer = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return None, str(error)[:150]
    if any("bfloat16" in value.type for value in peer.get_inputs() + peer.get_outputs()):
        return None, "NOT_IMPLEMENTED : bfloat16 arrays in its Python"
    return peer, ""


def open_widened(path):
    """ONNX Runtime's session of the same file with f32 wherever it has bfloat16; None if it has it nowhere."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, numpy_helper
    model = onnx.load(path)
    if all(v.type.tensor_type.elem_type != TensorProto.BFLOAT16 for v in [*model.graph.input, *model.graph.output]):
        return None

    def widen(graph):
        for info in [*graph.input, *graph.output, *graph.value_info]:
            kind = info.type.tensor_type
            if kind.elem_type == TensorProto.BFLOAT16:
                kind.elem_type = TensorProto.FLOAT
        tensors = list(graph.initializer)
        for node in graph.node:
            for attribute in node.attribute:
                # PyTorch's older exporter writes its own number of bfloat16, ONNX's of complex128, into some casts.
                if attribute.name in ("to", "dtype") and attribute.i in (TensorProto.BFLOAT16, TensorProto.COMPLEX128):
                    attribute.i = TensorProto.FLOAT
                if attribute.HasField("t"):
                    tensors.append(attribute.t)
                if attribute.HasField("g"):
                    widen(attribute.g)
        for tensor in tensors:
            if tensor.data_type == TensorProto.BFLOAT16:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float32"), tensor.name))

    widen(model.graph)
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:
        return None


def judged_by_double(wrong, expected, actual, exact, tolerance):
    """`wrong`, but for outputs that are close to those in double, or no further from ONNX Runtime than that is."""
    own, others = errors_of(exact, actual, tolerance), errors_of(exact, expected, tolerance)
    judged = list(wrong)
    for i, (_, error) in enumerate(wrong):
        if not own[i][0] and own[i][1] <= tolerance:
            judged[i] = own[i]
        elif not wrong[i][0] and not others[i][0] and error <= others[i][1]:
            judged[i] = ("", 0.0)
    return judged, max(error for _, error in others)


def check_one(folder, stem, tolerance, with_peer=True):
    import numpy as np
    import tamis
    path = folder / f"{stem}.onnx"
    name = stem.rsplit("-", 1)[0]
    row = {"network": name, "exporter": stem.rsplit("-", 1)[1]}
    peer, refusal = open_peer(path) if with_peer else (None, "NOT_IMPLEMENTED : it crashes")
    if peer is None and with_peer:
        peer = open_widened(path)
        if peer is not None:
            row["note"] = "ONNX Runtime computes it in f32"
    widened = "note" in row
    if peer is None and not ("NOT_IMPLEMENTED" in refusal and (folder / f"{name}-1.double.npz").exists()):
        return {**row, "verdict": "broken", "why": f"ONNX Runtime can't load the file: {refusal}"}
    if peer is None:
        row["note"] = f"compared with double alone: {refusal}"
    problems, errors, answers = [], [], []
    try:
        session = tamis.Session(str(path))
    except Exception as error:
        if peer is not None:
            try:  # a file that an exporter broke is refused by both
                feeds = np.load(folder / f"{name}-1.npz")
                peer.run(None, {value.name: feeds[value.name] for value in peer.get_inputs()})
            except Exception as other:
                row["note"] = f"ONNX Runtime refuses it as well: {str(other)[:150]}"
                return {**row, "verdict": "broken", "why": str(error)}
        return {**row, "verdict": "refused", "why": str(error)}
    names = [output.name for output in session.get_outputs()]
    if any(output.type == "tensor(bfloat16)" for output in session.get_outputs()):
        tolerance = max(tolerance, BFLOAT16_EPSILON)
    for size in (1, 2):
        stored = np.load(folder / f"{name}-{size}.npz")
        feeds = {value.name: stored[value.name].astype(value.dtype, copy=False) for value in session.get_inputs()}
        doubles = folder / f"{name}-{size}.double.npz"
        exact = list(np.load(doubles).values()) if doubles.exists() else None
        expected = None
        if peer is not None:
            try:
                expected = peer.run(names, {
                    v.name: feeds[v.name].astype("float32") if widened and is_float(feeds[v.name]) else feeds[v.name]
                    for v in peer.get_inputs()})
            except Exception as error:
                problems.append(f"size {size}: ONNX Runtime can't run the file: {str(error)[:150]}")
                continue
        try:
            actual = session.run(names, feeds)
        except Exception as error:
            return {**row, "verdict": "refused", "why": f"size {size}: {error}"}
        answers.append(actual)
        if widened and expected is not None:
            expected = [e.astype(a.dtype) for e, a in zip(expected, actual)]
        ordered = [np.asarray(array) for array in actual]
        if exact is not None:
            exact = [array.astype(a.dtype) for array, a in zip(exact, ordered)]
        if expected is None:
            wrong = errors_of(exact, ordered, tolerance)
        else:
            wrong = errors_of(expected, ordered, tolerance)
            if exact is not None and any(problem or error > tolerance for problem, error in wrong):
                wrong, others = judged_by_double(wrong, expected, ordered, exact, tolerance)
                row["note"] = (row.get("note", "") + f" ONNX Runtime differs from double by {others:.1e}").strip()
        for output, (problem, error) in zip(names, wrong):
            errors.append(error)
            if problem:
                problems.append(f"size {size}, {output}: {problem}")
            elif error > tolerance:
                problems.append(f"size {size}, {output}: error {error:.1e}")
        if size == 2 and not problems:
            moved = {k: v + v.dtype.type(0.5) if is_float(v) else v[::-1, ::-1].copy() if v.ndim == 2 else v
                     for k, v in feeds.items()}
            changed = session.run(names, moved)
            same = all(a.shape == b.shape and np.array_equal(a, b) for a, b in zip(actual, changed))
            if same and any(not np.array_equal(feeds[k], moved[k]) for k in feeds):
                problems.append("the outputs do not depend on the inputs")
            row.update(reference_share(session, feeds))
    row["error"] = max(errors, default=0.0)
    row["why"] = "; ".join(problems)
    row["verdict"] = "broken" if not answers else "differs" if problems else "agrees"
    return row


def reference_share(session, feeds):
    times = session.profile(feeds, repeats=3)
    total = sum(t.seconds for t in times)
    slow = {}
    for t in times:
        if t.kernel == "reference":
            slow[t.operator] = slow.get(t.operator, 0) + t.seconds
    return {"reference": {op: round(s / total, 4) for op, s in slow.items()} if total else {}, "nodes": len(times)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tamis", default="", help="folder of the package, where it is not installed")
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--without-peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.tamis:
        sys.path.insert(0, arguments.tamis)
    if arguments.one:
        print(json.dumps(check_one(arguments.folder, arguments.one, arguments.tolerance, not arguments.without_peer)))
        return 0
    rows = []
    for path in sorted(arguments.folder.glob("*-*.onnx")):
        stem = path.stem
        if "." in stem or (arguments.only and stem.rsplit("-", 1)[0] not in arguments.only.split(",")):
            continue
        command = [sys.executable, __file__, str(arguments.folder), "--one", stem, "--tolerance",
                   str(arguments.tolerance), "--tamis", arguments.tamis]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=arguments.timeout)
            if result.returncode < 0:  # of whom? ONNX Runtime is in the same process
                command.append("--without-peer")
                result = subprocess.run(command, capture_output=True, text=True, timeout=arguments.timeout)
            row = json.loads(result.stdout.splitlines()[-1]) if result.returncode == 0 else {
                "network": stem.rsplit("-", 1)[0], "exporter": stem.rsplit("-", 1)[1], "verdict": "crashed",
                "why": f"exit code {result.returncode}: " + (result.stderr.strip().splitlines() or [""])[-1]}
        except subprocess.TimeoutExpired:
            row = {"network": stem, "exporter": "", "verdict": "crashed", "why": "runs too long"}
        rows.append(row)
        slow = {op: share for op, share in row.get("reference", {}).items() if share > MAX_REFERENCE_SHARE}
        print(f"{row['network']:38} {row['exporter']:12} {row['verdict']:8} {row.get('error', 0):8.1e} "
              f"{row['why'][:600]} {row.get('note', '')} {f'reference: {slow}' if slow else ''}".rstrip(), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1))
    networks = {row["network"] for row in rows}
    agreeing = {n for n in networks if all(r["verdict"] in ("agrees", "broken") for r in rows if r["network"] == n)}
    broken = sum(row["verdict"] == "broken" for row in rows)
    failed = sum(row["verdict"] not in ("agrees", "broken") for row in rows)
    print(f"{len(agreeing)} of {len(networks)} networks agree in every form that was exported")
    print(f"{len(rows) - failed - broken} passed, {failed} failed, {broken} broken by their exporters")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
