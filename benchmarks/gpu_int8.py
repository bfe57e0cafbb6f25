"""int8 and fp8 networks on a GPU: quantised by `tamis quantize` from random samples, timed beside f16, compared with the CPU."""
import json

import numpy as np


def samples_for(inputs_of, model, folder):
    """Calibration samples like the inputs that are timed."""
    folder.mkdir(exist_ok=True)
    for name, array in inputs_of(model, 8, seed=5).items():
        np.save(folder / f"{name}.npy", array)
    return folder


def quantize(tamis, inputs_of, model, format="int8"):
    """The name of the quantised network beside the model's; None if it failed."""
    name = f"{model}_{format}"
    if (tamis.work / f"{name}.onnx").exists():
        return name
    samples = samples_for(inputs_of, model, tamis.work / f"samples_{model}")
    done = tamis.run("quantize", tamis.work / f"{model}.onnx", "-o", tamis.work / f"{name}.onnx", "--data", samples,
                     "--format", format, name=f"quantize_{name}")
    return name if done else None


def measure(tamis, torch_side, inputs_of, differences, model, batch, rounds, layers, format="int8"):
    """Builds and times one network of codes; its answers against the CPU's on the same engine and against PyTorch's f32."""
    name = quantize(tamis, inputs_of, model, format)
    if name is None:
        return None
    engine, seconds = tamis.build(name, batch)
    if engine is None:
        return None
    row = {"model": name, "batch": batch, "build_s": seconds}
    inputs = inputs_of(model, batch)
    _, ours = tamis.answers(engine, "cuda", inputs, tamis.work / f"{name}_b{batch}_cuda")
    _, on_cpu = tamis.answers(engine, "cpu", inputs, tamis.work / f"{name}_b{batch}_cpu")
    if ours and on_cpu:
        row["difference_from_cpu"] = differences(ours, on_cpu)
    if ours:
        row["difference_from_torch_f32"] = differences(ours, torch_side.answer(model, inputs))
    times = []
    for turn in range(rounds):
        more = ["--layers"] if layers and turn == 0 else []
        measured = tamis.bench(engine, f"bench_{name}_b{batch}_{turn}", "--seconds", 0.4, "--warmup", 0.1, *more)
        if measured and "device_ms" in measured.get("gpu", {}):
            times.append(measured["gpu"]["device_ms"])
            row["gpu"] = measured["gpu"]
            row["layers"] = measured.get("layers", row.get("layers"))
    if times:
        row["tamis_ms"] = float(np.median(times))
    return row


def markdown(rows):
    lines = ["| network of codes | Tamis, ms | J a run | from the CPU's answers | from PyTorch f32 |", "|---|---|---|---|---|"]
    for row in rows:
        error = {key: ", ".join(f"{name} {entry['relative_root_error']:.1e}" for name, entry in row.get(key, {}).items())
                 for key in ("difference_from_cpu", "difference_from_torch_f32")}
        joules = row.get("gpu", {}).get("joules_per_run")
        lines.append(f"| {row['model']} b{row['batch']} | {row.get('tamis_ms', float('nan')):.3f} | "
                     f"{f'{joules:.4f}' if joules else ''} | {error['difference_from_cpu']} | "
                     f"{error['difference_from_torch_f32']} |")
    return "\n".join(lines)


def layer_table(row):
    """The slowest nodes of a measured network, for the log."""
    nodes = sorted(row.get("layers") or [], key=lambda layer: -layer["ms"])
    total = sum(layer["ms"] for layer in nodes)
    lines = [f"{row['model']} b{row['batch']}: nodes sum up to {total:.3f} ms"]
    lines += [f"  {layer['ms'] * 1e3:8.1f} us {layer['operator']:28} {layer['tactic']:32} {json.dumps(layer.get('output', ''))} "
              f"{layer['node']}" for layer in nodes[:24]]
    return "\n".join(lines)
