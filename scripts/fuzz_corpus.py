#!/usr/bin/env python3
"""Writes the fuzz targets' first inputs: real models for the importer, real engines for the reader, images, arrays and
requests for what else parses bytes.

    scripts/fuzz_corpus.py FOLDER [--tamis build/tamis]

Models are those of ONNX's node tests (of every operator and type there is) and the networks of tests/networks.py, also as
onnxruntime's tools write them, as far as they are small. Images are those of ONNX's tests of ImageDecoder, one a format, and small ones written here in the
variants that the simple formats have. Does nothing for a target whose inputs are there already.
"""

import argparse
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 64 * 1024


def node_cases():
    """ONNX's node tests."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from collect_testcases(None)


def models():
    """Serialised models, each once."""
    sys.path.insert(0, str(ROOT / "tests"))
    import networks
    import onnx

    for case in node_cases():
        yield case.model.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cnn", "transformer"):
            path = Path(folder) / f"{name}.onnx"
            getattr(networks, name)(str(path))
            yield path.read_bytes()
        # Operators of com.microsoft, as onnxruntime's tools write them.
        networks.transformer(str(path), hidden=16, heads=2, depth=1, inner=32)
        from onnxruntime.quantization import matmul_nbits_quantizer
        from onnxruntime.transformers import optimizer

        yield optimizer.optimize_model(str(path), model_type="bert", opt_level=0).model.SerializeToString()
        quantizer = matmul_nbits_quantizer.MatMulNBitsQuantizer(onnx.load(path), block_size=32)
        quantizer.process()
        yield quantizer.model.model.SerializeToString()


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


def png(depth, colour, interlaced, size=9):
    """A PNG file of random samples: bits a sample, colour type and Adam7 as the format numbers them."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    random = np.random.default_rng(depth * 8 + colour)
    for x, y, step_x, step_y in passes if interlaced else [(0, 0, 1, 1)]:
        width, height = -(-(size - x) // step_x), -(-(size - y) // step_y)
        for row in range(height):
            filtered = random.integers(0, 256, -(-width * samples * depth // 8), np.uint8).tobytes()
            rows += bytes([row % 5]) + filtered
    palette = chunk(b"PLTE", random.integers(0, 256, 3 << depth, np.uint8).tobytes()) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", size, size, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(order, samples, compression, data, size=8):
    """A TIFF file of one strip."""
    entries = [(256, 3, 1, size), (257, 3, 1, size), (258, 3, 1, 8), (259, 3, 1, compression),
               (262, 3, 1, 2 if samples == 3 else 1), (273, 4, 1, 8), (277, 3, 1, samples), (278, 3, 1, size),
               (279, 4, 1, len(data))]
    text = b"II*\0" if order == "<" else b"MM\0*"
    text += struct.pack(order + "I", 8 + len(data)) + data + struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        text += struct.pack(order + "HHI", tag, kind, count)
        text += struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
    return text + struct.pack(order + "I", 0)


def images():
    """Encoded images."""
    for case in node_cases():
        if "image_decoder" in case.name:
            yield case.data_sets[0][0][0].tobytes()
    for colour, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for depth in depths:
            for interlaced in (False, True):
                yield png(depth, colour, interlaced)
    pixels = np.random.default_rng(5).integers(0, 256, 8 * 8 * 3, np.uint8).tobytes()
    packed = b"".join(bytes([127]) + pixels[i:i + 128] for i in range(0, 192 - 64, 128)) + bytes([63]) + pixels[128:]
    for order in "<>":
        yield tiff(order, 3, 1, pixels)
        yield tiff(order, 1, 1, pixels[:64])
        yield tiff(order, 3, 8, zlib.compress(pixels))
        yield tiff(order, 3, 32773, packed)
    yield b"P6 8 8 255\n" + pixels
    yield b"P5\n# a comment\n8 8\n255\n" + pixels[:64]
    yield b"P3 1 2 255 1 2 3 4 5 6\n"
    yield b"P2 2 1 15 1 2\n"
    yield b"P4 8 8\n" + pixels[:8]
    yield b"P1 2 2 1 0 0 1\n"
    for bits, colours in ((1, 2), (4, 16), (8, 256), (24, 0), (32, 0)):
        rows = bytes(8 * -(-8 * bits // 32) * 4)
        for height in (8, -8):
            head = struct.pack("<IiiHHIIiiII", 40, 8, height, 1, bits, 0, len(rows), 0, 0, colours, 0)
            at = 14 + len(head) + 4 * colours
            yield b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + head + bytes(4 * colours) + rows


def arrays():
    """NumPy files."""
    for dtype in ("<f4", ">f8", "<f2", "<i8", "|u1", "?"):
        for order in "CF":
            file = io.BytesIO()
            np.save(file, np.asarray(np.arange(6).reshape(2, 3), dtype, order=order))
            yield file.getvalue()


def requests():
    """Inference requests of KServe's protocol, tensors in JSON and behind it, with the two bytes that infer_fuzz reads
    in front: where the JSON ends, and that the request says so."""
    plain = [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2.5, -3e2, 4]},
             {"name": "ids", "datatype": "INT64", "shape": [1, 3], "data": [[1, 2, 3]]}]
    yield b"\0\0" + json.dumps({"id": "1", "inputs": plain, "outputs": [{"name": "y"}]}).encode()
    binary = [{"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}]
    text = json.dumps({"inputs": binary, "parameters": {"binary_data_output": True}}).encode()
    yield struct.pack("<H", len(text) | 0x8000) + text + struct.pack("<2f", 1, 2)


def seed(folder, inputs):
    """Writes the inputs that are small enough, where the folder is not there yet."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    for data in inputs():
        if len(data) <= LARGEST:
            write(folder, data)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tamis", type=Path, default=ROOT / "build" / "tamis")
    arguments = parser.parse_args()
    seeds = arguments.folder / "seeds"
    seed(seeds / "import_fuzz", models)
    seed(seeds / "op_image_fuzz", images)
    seed(seeds / "data_source_decode_fuzz", images)
    seed(seeds / "npy_fuzz", arrays)
    seed(seeds / "infer_fuzz", requests)
    engine_folder = seeds / "reader_fuzz"
    if not engine_folder.exists():
        engine_folder.mkdir(parents=True)
        for older in (ROOT / "src" / "engine" / "testdata").glob("*.tamis"):
            write(engine_folder, older.read_bytes())
        if arguments.tamis.exists():
            for data in engines(arguments.tamis.resolve(), sorted((seeds / "import_fuzz").iterdir())):
                write(engine_folder, data)
    print("fuzz corpus: " + ", ".join(f"{len(list(f.iterdir()))} for {f.name}" for f in sorted(seeds.iterdir())))


if __name__ == "__main__":
    main()
