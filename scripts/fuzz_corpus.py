#!/usr/bin/env python3
"""Writes the fuzz targets' first inputs: real models for the importer, real engines for the reader.

    scripts/fuzz_corpus.py FOLDER [--tamis build/tamis]

Models are those of ONNX's node tests (of every operator and type there is) and the networks of tests/networks.py, as far
as they are small. Does nothing where they are there already.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 64 * 1024


def models():
    """Serialised models, each once."""
    from onnx.backend.test.case.node import collect_testcases

    sys.path.insert(0, str(ROOT / "tests"))
    import networks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in collect_testcases(None):
            yield case.model.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cnn", "transformer"):
            path = Path(folder) / f"{name}.onnx"
            getattr(networks, name)(str(path))
            yield path.read_bytes()


def write(folder, data):
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def engines(tamis, onnx_files):
    """Engines of every 12th model, with one or two profiles or precisions."""
    flags = [["--precision", "f32"], ["--precision", "f32", "--precision", "bf16"], ["--time-budget", "0.000001"]]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        for i, model in enumerate(onnx_files[::12]):
            engine = Path(folder) / "e.tamis"
            done = subprocess.run([tamis, "build", model, "-o", engine, "--threads", "1", *flags[i % len(flags)]],
                                  env=environment, capture_output=True)
            if done.returncode == 0 and engine.stat().st_size <= LARGEST:
                yield engine.read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tamis", type=Path, default=ROOT / "build" / "tamis")
    arguments = parser.parse_args()
    onnx_folder = arguments.folder / "seeds" / "import_fuzz"
    engine_folder = arguments.folder / "seeds" / "reader_fuzz"
    if not onnx_folder.exists():
        onnx_folder.mkdir(parents=True)
        for data in models():
            if len(data) <= LARGEST:
                write(onnx_folder, data)
    if not engine_folder.exists():
        engine_folder.mkdir(parents=True)
        for older in (ROOT / "src" / "engine" / "testdata").glob("*.tamis"):
            write(engine_folder, older.read_bytes())
        if arguments.tamis.exists():
            for data in engines(arguments.tamis.resolve(), sorted(onnx_folder.iterdir())):
                write(engine_folder, data)
    print(f"fuzz corpus: {len(list(onnx_folder.iterdir()))} models, {len(list(engine_folder.iterdir()))} engines")


if __name__ == "__main__":
    main()
