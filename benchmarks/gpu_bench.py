"""Times Tamis on an NVIDIA GPU against PyTorch on the same networks with the same weights, in one run.

Run through benchmarks/gpu.sh. Both sides keep inputs and outputs in the GPU's memory and are timed by events around one
run; rounds of both alternate, and the medians of the rounds are reported.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import numpy as np

import gpu_int8
import gpu_models
import gpu_serve

CASES = [("resnet50", 1), ("resnet50", 32), ("bert_base", 1), ("bert_base", 32)]
SEQUENCE = 128


def log(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


class Tamis:
    """The program, its engines and its logs."""

    def __init__(self, programs, work):
        self.programs, self.work = programs, work
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(work / "cache"))

    def run(self, *arguments, name):
        start = time.time()
        done = subprocess.run([self.programs / "tamis", *map(str, arguments)], capture_output=True, text=True,
                              env=self.environment)
        (self.work / f"{name}.log").write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            log(f"tamis {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stderr[-1500:]}")
            return None
        return time.time() - start, done.stdout, done.stderr

    def build(self, model, batch, kind="", *more, least=None):
        """The engine for one batch, or for all from `least` to it."""
        engine = self.work / f"{model}{kind}_b{batch}.tamis"
        rest = "3x224x224" if "resnet" in model else str(SEQUENCE)
        names = ["image"] if "resnet" in model else ["input_ids", "attention_mask"]
        range_of = f"{least or batch}x{rest}:{batch}x{rest}:{batch}x{rest}"
        flags = [flag for name in names for flag in ("--profile", f"{name}={range_of}")]
        done = self.run("build", self.work / f"{model}.onnx", "-o", engine, "--device", "cuda", "--verbose", *flags,
                        *more, name=f"build_{model}{kind}_b{batch}")
        return (engine, done[0]) if done else (None, None)

    def answers(self, engine, device, inputs, folder):
        """What `run` returned, and the outputs by name; both None if it failed."""
        folder.mkdir(exist_ok=True)
        flags = []
        for name, array in inputs.items():
            path = self.work / f"{folder.name}.{name}.npy"
            np.save(path, array)
            flags += ["--input", f"{name}={path}"]
        done = self.run("run", engine, "--device", device, "--output-dir", folder, *flags, name=f"run_{folder.name}")
        return (done, {path.stem: np.load(path) for path in folder.glob("*.npy")}) if done else (None, None)

    def bench(self, engine, name, *flags):
        done = self.run("bench", engine, "--device", "cuda", "--json", "-", *flags, name=name)
        if done is None:
            return None
        return json.loads(done[1])["results"][0]


def inputs_of(model, batch, seed=3):
    random = np.random.default_rng(seed)
    if "resnet" in model:
        return {"image": random.standard_normal((batch, 3, 224, 224), dtype=np.float32)}
    ids = random.integers(0, gpu_models.WORDS, (batch, SEQUENCE), dtype=np.int64)
    mask = np.ones((batch, SEQUENCE), np.int64)
    mask[:, SEQUENCE - 20:] = random.integers(0, 2, (batch, 20))
    mask = np.sort(mask, axis=1)[:, ::-1].copy()  # open tokens first, as tokenisers pad
    return {"input_ids": ids, "attention_mask": mask}


class Torch:
    """PyTorch's side: one module a network, variants of how it is run."""

    def __init__(self, variants):
        import torch
        self.torch, self.variants, self.modules = torch, variants, {}
        torch.backends.cudnn.benchmark = True

    def module(self, model):
        if model not in self.modules:
            torch = self.torch
            if model == "resnet50":
                import torchvision
                module = torchvision.models.resnet50()
                arrays = gpu_models.resnet50_weights()
            else:
                import transformers
                module = transformers.BertModel(transformers.BertConfig(), add_pooling_layer=True)
                arrays = gpu_models.bert_weights()
            state = {name: torch.from_numpy(array) for name, array in arrays.items()}
            missing, unexpected = module.load_state_dict(state, strict=False)
            assert not unexpected, unexpected
            missing = [m for m in missing if "num_batches" not in m and "ids" not in m]
            assert not missing, missing
            self.modules[model] = module.eval()
        return self.modules[model]

    def answer(self, model, inputs):
        """Outputs in f32 of an f32 run."""
        torch = self.torch
        module = self.module(model).cuda().float()
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        with torch.no_grad():
            out = module(**self.arguments(model, inputs)) if model == "bert_base" else module(
                self.arguments(model, inputs)["x"])
        if model == "resnet50":
            return {"scores": out.float().cpu().numpy()}
        return {"last_hidden_state": out.last_hidden_state.float().cpu().numpy(),
                "pooler_output": out.pooler_output.float().cpu().numpy()}

    def arguments(self, model, inputs, dtype=None, channels_last=False):
        torch = self.torch
        if model == "bert_base":
            return {name: torch.from_numpy(array).cuda() for name, array in inputs.items()}
        x = torch.from_numpy(inputs["image"]).cuda()
        x = x.to(dtype or torch.float32)
        return {"x": x.to(memory_format=torch.channels_last) if channels_last else x}

    def prepare(self, model, batch, variant):
        """A function that runs once."""
        torch = self.torch
        import copy
        precision = variant.rsplit("_", 1)[1]
        dtype = {"f16": torch.float16, "bf16": torch.bfloat16}.get(precision, torch.float32)
        if precision == "tf32":  # recorded by a graph; f32 runs as `answer` left it
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        module = copy.deepcopy(self.module(model)).cuda().to(dtype)
        if precision != "f32" and model == "resnet50":
            module = module.to(memory_format=torch.channels_last)
        arguments = self.arguments(model, inputs_of(model, batch), dtype, precision != "f32")

        def plain():
            with torch.no_grad():
                return module(**arguments)

        if variant.startswith("compile"):
            compiled = torch.compile(module, mode="reduce-overhead")

            def plain():  # noqa: F811
                with torch.no_grad():
                    return compiled(**arguments)

            for _ in range(4):
                plain()
            return plain
        for _ in range(3):
            plain()
        if not variant.startswith("graph"):
            return plain
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                plain()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            kept = plain()

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

        def replay(kept=(kept, module, arguments)):  # a graph does not hold what it reads
            graph.replay()

        return replay

    def time(self, run, repeats):
        torch = self.torch
        for _ in range(10):
            run()
        events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
        events[0].record()
        for event in events[1:]:
            run()
            event.record()
        torch.cuda.synchronize()
        return float(np.median([a.elapsed_time(b) for a, b in zip(events, events[1:])]))


    def memory(self, model, batch, variant):
        """Bytes that PyTorch's allocator holds for one network and a run of it."""
        torch = self.torch
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        run = self.prepare(model, batch, variant)
        run()
        torch.cuda.synchronize()
        return torch.cuda.memory_reserved() - before

    @staticmethod
    def memory_above_context(model, batch):
        """Bytes of the card that a process of its own takes above an empty context, for an f32 run: what a session's
        bytes_above_context is for Tamis, libraries and their workspaces included."""
        code = ("import sys, torch, gpu_bench\n"
                "torch.cuda.init(); torch.cuda.synchronize()\n"
                "before = torch.cuda.mem_get_info()[0]\n"
                "run = gpu_bench.Torch([]).prepare(sys.argv[1], int(sys.argv[2]), 'eager_f32')\n"
                "run(); torch.cuda.synchronize()\n"
                "print(before - torch.cuda.mem_get_info()[0])")
        done = subprocess.run([sys.executable, "-c", code, model, str(batch)], capture_output=True, text=True,
                              cwd=pathlib.Path(__file__).parent)
        return int(done.stdout.split()[-1]) if done.returncode == 0 else None

    def joules(self, run, seconds=1.0):
        """Energy of one run, by NVML's counter; None without it."""
        try:
            import pynvml
            pynvml.nvmlInit()
            card = pynvml.nvmlDeviceGetHandleByIndex(self.torch.cuda.current_device())
        except Exception:  # noqa: BLE001  no NVML, no figure
            return None
        repeats = max(10, int(seconds * 1e3 / max(self.time(run, 10), 1e-3)))
        start = pynvml.nvmlDeviceGetTotalEnergyConsumption(card)
        for _ in range(repeats):
            run()
        self.torch.cuda.synchronize()
        return (pynvml.nvmlDeviceGetTotalEnergyConsumption(card) - start) / 1e3 / repeats


def differences(ours, theirs):
    result = {}
    for name, expected in theirs.items():
        actual = ours[name].astype(np.float64)
        expected = expected.astype(np.float64)
        entry = {"relative_root_error": float(np.sqrt(((actual - expected)**2).sum() / (expected**2).sum())),
                 "max_relative_error": float(np.abs(actual - expected).max() / np.abs(expected).max())}
        if expected.ndim == 2:
            entry["same_top1"] = float((actual.argmax(1) == expected.argmax(1)).mean())
        result[name] = entry
    return result


def check_answers(tamis, torch_side, engine, model, batch):
    inputs = inputs_of(model, batch)
    done, ours = tamis.answers(engine, "cuda", inputs, tamis.work / f"answers_{model}_b{batch}")
    if done is None:
        return None
    log(f"opening the engine and the first answer: {done[0]:.2f} s, process start and CUDA context included")
    if done[2]:
        log(f"{model} b{batch} notes: {done[2].strip()[:800]}")
    return differences(ours, torch_side.answer(model, inputs))


SPARSE_SOURCES = {
    "resnet50": (gpu_models.write_resnet50, gpu_models.resnet50_weights),
    "bert_base": (gpu_models.write_bert, gpu_models.bert_weights),
    "bert_large": (lambda path, arrays: gpu_models.write_bert(path, arrays, gpu_models.LARGE),
                   lambda: gpu_models.bert_weights(size=gpu_models.LARGE)),
}


def compare_sparse(tamis, model, batch, format, rounds):
    """A 2:4 network as it is, and built as if it were dense: whole runs in turns, then every layer of both in turns."""
    name = f"{model}_24"
    if not (tamis.work / f"{name}.onnx").exists():
        write, weights = SPARSE_SOURCES[model]
        write(tamis.work / f"{name}.onnx", gpu_models.two_four(weights()))
    if format:
        name = gpu_int8.quantize(tamis, inputs_of, name, format)
        if name is None:
            return None
    sparse, seconds = tamis.build(name, batch)
    dense, _ = tamis.build(name, batch, "_as_dense", "--without", "detect_patterns")
    if not sparse or not dense:
        return None
    row = {"model": name, "batch": batch, "build_s": seconds}
    times, layers = {"sparse": [], "dense": []}, {"sparse": [], "dense": []}
    for turn in range(rounds):
        for kind, engine in (("sparse", sparse), ("dense", dense)):
            measured = tamis.bench(engine, f"bench_{name}_{kind}_b{batch}_{turn}", "--seconds", 0.3, "--warmup", 0.1,
                                   "--layers")
            if measured and "device_ms" in measured.get("gpu", {}):
                times[kind].append(measured["gpu"]["device_ms"])
                layers[kind].append({layer["node"]: layer for layer in measured["layers"]})
    for kind in times:
        row[f"{kind}_ms"] = float(np.median(times[kind]))
    slower = []
    for node, layer in layers["sparse"][0].items():
        if not all(node in found for found in layers["dense"]):
            continue
        ours, theirs = (float(np.median([found[node]["ms"] for found in layers[k]])) for k in ("sparse", "dense"))
        row["layers_2to4"] = row.get("layers_2to4", 0) + ("24" in layer["tactic"] or "sparse" in layer["tactic"])
        if ours > 1.03 * theirs:
            slower.append({"node": node, "sparse_ms": ours, "dense_ms": theirs, "tactic": layer["tactic"],
                           "dense_tactic": layers["dense"][0][node]["tactic"]})
    row["slower_layers"] = slower
    return row


def sparse_markdown(rows):
    lines = ["| 2:4 network | best dense, ms | best of both, ms | ratio | layers on 2:4 | slower than dense by 3 % |",
             "|---|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['model']} b{row['batch']} | {row['dense_ms']:.3f} | {row['sparse_ms']:.3f} | "
                     f"{row['dense_ms'] / row['sparse_ms']:.2f} | {row.get('layers_2to4', 0)} | "
                     f"{len(row['slower_layers'])} |")
    return "\n".join(lines)


def markdown(results):
    lines = ["| network | best PyTorch | Tamis | ratio | " + " | ".join(results["variants"]) + " | notes |",
             "|---|---|---|---|" + "---|" * (len(results["variants"]) + 1)]
    for row in results["rows"]:
        torch_times = row["torch_ms"]
        kind = row.get("precision") or "f16"
        best = min((v for k, v in torch_times.items() if k.endswith("_" + kind)), default=None)
        ours = row.get("tamis_ms")
        name = f"{row['model']} b{row['batch']} {row.get('precision') or ''}".rstrip()
        cells = [name, f"{best:.3f}" if best else "", f"{ours:.3f}" if ours else "failed",
                 f"{best / ours:.2f}" if best and ours else ""]
        cells += [f"{torch_times[v]:.3f}" if v in torch_times else "" for v in results["variants"]]
        gpu = row.get("gpu", {})
        notes = [f"tuned in {row['build_s']:.0f} s"] if row.get("build_s") else []
        if "joules_per_run" in gpu:
            notes.append(f"{gpu['joules_per_run']:.4f} J, {gpu['watts']:.0f} W")
        if "memory_bytes" in gpu:
            notes.append(f"{gpu['memory_bytes'] / 1e6:.0f} MB, {gpu.get('bytes_above_context', 0) / 1e6:.0f} in all")
        if row.get("torch_f32_bytes"):
            notes.append(f"PyTorch f32 {row['torch_f32_bytes'] / 1e6:.0f} MB")
        if row.get("torch_f32_above_context"):
            notes.append(f"{row['torch_f32_above_context'] / 1e6:.0f} in all")
        if (row.get("torch_joules") or {}).get("eager_f32"):
            notes.append(f"PyTorch f32 {row['torch_joules']['eager_f32']:.3f} J")
        if "open_ms" in row:
            notes.append(f"opened in {row['open_ms']:.0f} ms, first answer {row['first_ms']:.0f} ms")
        if "sm_active" in gpu:
            notes.append(f"SM {100 * gpu['sm_active']:.0f} %")
        for name, entry in (row.get("difference") or {}).items():
            notes.append(f"{name}: {entry['relative_root_error']:.1e}")
        lines.append("| " + " | ".join(cells) + " | " + ", ".join(notes) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--variants", nargs="*", default=["eager_f32", "eager_f16", "graph_f16", "compile_f16"])
    parser.add_argument("--cases", nargs="*", default=[f"{m}:{b}" for m, b in CASES],
                        help="networks to compare with PyTorch, resnet50:32:tf32 by --precision tf32")
    parser.add_argument("--sparse", nargs="*", default=["bert_base:32", "bert_large:32", "resnet50:32"],
                        help="2:4 networks to compare with their best dense plans, bert_base:32:int8 in int8, or fp8")
    parser.add_argument("--int8", nargs="*", default=["resnet50:1", "resnet50:32", "bert_base:32"],
                        help="networks to quantise and time in int8, or bert_base:32:fp8 in float8")
    parser.add_argument("--serve", type=int, nargs="*", default=[14],
                        help="numbers of clients that ask for ResNet-50 through HTTP")
    parser.add_argument("--serve-batch", type=int, default=0,
                        help="serve ResNet-50 by an engine for 1 to so many images too: what waits is computed together")
    parser.add_argument("--serve-torch", type=int, nargs="*", default=[1, 16],
                        help="and PyTorch f32 beside it, which computes so many waiting requests together at most")
    parser.add_argument("--serve-seconds", type=float, default=4)
    parser.add_argument("--layers", action="store_true", help="time of every node, into the logs")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    cases = [(m, int(b), precision[0] if precision else None)
             for m, b, *precision in (case.split(":") for case in options.cases)]
    for model, write, weights in (("resnet50", gpu_models.write_resnet50, gpu_models.resnet50_weights),
                                  ("bert_base", gpu_models.write_bert, gpu_models.bert_weights)):
        used = [case.split(":")[0] for case in options.cases + options.int8]
        if model in used and not (options.work / f"{model}.onnx").exists():
            write(options.work / f"{model}.onnx", weights())
    tamis = Tamis(options.programs, options.work)
    torch_side = Torch(options.variants)
    results = {"gpu": torch_side.torch.cuda.get_device_name(), "torch": torch_side.torch.__version__,
               "variants": options.variants, "rows": []}
    for model, batch, precision in cases:
        log(f"{model} b{batch}" + (f" in {precision}" if precision else ""))
        row = {"model": model, "batch": batch, "precision": precision, "torch_ms": {}}
        results["rows"].append(row)
        more = ("_" + precision, "--precision", precision) if precision else ()
        engine, row["build_s"] = tamis.build(model, batch, *more)
        if engine:
            log(f"built in {row['build_s']:.1f} s")
            row["difference"] = check_answers(tamis, torch_side, engine, model, batch)
            log(f"difference from PyTorch f32: {row['difference']}")
            if options.layers:
                shown = tamis.run("bench", engine, "--device", "cuda", "--layers", "--seconds", 0.2,
                                  name=f"layers_{model}_b{batch}")
                if shown:
                    log(shown[1])
        runs = {}
        if "eager_f32" in options.variants:
            row["torch_f32_bytes"] = torch_side.memory(model, batch, "eager_f32")
            row["torch_f32_above_context"] = torch_side.memory_above_context(model, batch)
        for variant in options.variants:
            try:
                runs[variant] = torch_side.prepare(model, batch, variant)
            except Exception as error:  # noqa: BLE001  a variant that fails is reported, the others go on
                log(f"PyTorch {variant} failed: {str(error)[:300]}")
        times = {variant: [] for variant in runs}
        ours = []
        for turn in range(options.rounds):
            for variant, run in runs.items():
                times[variant].append(torch_side.time(run, options.repeats // (4 if "f32" in variant else 1)))
            if engine:
                measured = tamis.bench(engine, f"bench_{model}_b{batch}_{turn}", "--seconds", 0.5, "--warmup", 0.1)
                if measured:
                    ours.append(measured)
        row["torch_joules"] = {variant: torch_side.joules(run) for variant, run in runs.items()}
        row["torch_ms"] = {variant: float(np.median(t)) for variant, t in times.items()}
        if ours:
            row["tamis_ms"] = float(np.median([m["gpu"]["device_ms"] for m in ours if "device_ms" in m.get("gpu", {})]))
            row["tamis_request_ms"] = float(np.median([m["median_ms"] for m in ours]))
            row["gpu"] = ours[-1].get("gpu", {})
            row["open_ms"] = float(np.median([m["open_ms"] for m in ours]))
            row["first_ms"] = float(np.median([m["first_ms"] for m in ours]))
        runs.clear()
        torch_side.torch.cuda.empty_cache()
        log(json.dumps(row))
    results["sparse"] = []
    for case in options.sparse:
        model, batch, *format = case.split(":")
        log(f"{case}, 2:4")
        row = compare_sparse(tamis, model, int(batch), format[0] if format else "", options.rounds)
        if row:
            results["sparse"].append(row)
            log(json.dumps(row))
    results["int8"] = []
    for case in options.int8:
        model, batch, *format = case.split(":")
        log(f"{model} b{batch}, {format[0] if format else 'int8'}")
        row = gpu_int8.measure(tamis, torch_side, inputs_of, differences, model, int(batch), options.rounds,
                               options.layers, *format)
        if row:
            results["int8"].append(row)
            if options.layers:
                log(gpu_int8.layer_table(row))
            log(json.dumps({key: value for key, value in row.items() if key != "layers"}))
    results["serve"] = []
    for clients in options.serve:
        for name in ("resnet50", "resnet50_int8"):
            engine = options.work / f"{name}_b1.tamis"
            if engine.exists():
                results["serve"].append(gpu_serve.run(tamis, f"Tamis {name}", engine, clients, options.serve_seconds))
        if options.serve_batch:
            engine, _ = tamis.build("resnet50", options.serve_batch, "_upto", least=1)
            if engine:
                results["serve"].append(gpu_serve.run(tamis, f"Tamis resnet50, up to {options.serve_batch} together",
                                                      engine, clients, options.serve_seconds))
        for most in options.serve_torch:
            results["serve"].append(gpu_serve.run_torch(clients, options.serve_seconds, most))
    results["serve"] = [row for row in results["serve"] if row]
    for row in results["serve"]:
        log(json.dumps(row))
    text = "\n\n".join([markdown(results), sparse_markdown(results["sparse"]), gpu_int8.markdown(results["int8"]),
                         gpu_serve.markdown(results["serve"])])
    print(text, flush=True)
    (options.out / "gpu.json").write_text(json.dumps(results, indent=1))
    (options.out / "gpu.md").write_text(text + "\n")
    for path in options.work.glob("*.log"):
        lines = re.sub(r"[^\n]*\r", "", path.read_text())  # without what progress wrote over
        with open(options.out / "logs.txt", "a") as logs:
            logs.write(f"==== {path.name}\n{lines}\n")


if __name__ == "__main__":
    main()
