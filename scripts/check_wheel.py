"""Uses an installed package as a newcomer would, with NumPy and nothing else: runs, builds, calls the command line."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

started = time.monotonic()
import tamis  # noqa: E402


def varint(value: int) -> bytes:
    """Protobuf's variable-length integer."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: "int | bytes | str") -> bytes:
    """One protobuf field: an integer, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def model(weight: np.ndarray) -> bytes:
    """y = Relu(x w) as an ONNX model, written by hand: the clean environment has no onnx."""

    def value_info(name: str, *dims: "int | str") -> bytes:
        shape = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    tensor = b"".join(field(1, dim) for dim in weight.shape) + field(2, 1) + field(8, "w") + field(9, weight.tobytes())
    product = field(1, "x") + field(1, "w") + field(2, "t") + field(4, "MatMul")
    relu = field(1, "t") + field(2, "y") + field(4, "Relu")
    graph = (
        field(1, product) + field(1, relu) + field(2, "g") + field(5, tensor)
        + field(11, value_info("x", "n", weight.shape[0])) + field(12, value_info("y", "n", weight.shape[1]))
    )  # fmt: skip
    return field(1, 9) + field(7, graph) + field(8, field(1, "") + field(2, 18))


def main() -> None:
    package = Path(tamis.__file__).parent
    assert "site-packages" in package.parts, f"{package} is not installed"
    random = np.random.default_rng(1)
    weight = random.normal(size=(96, 40)).astype(np.float32)
    x = random.normal(size=(5, 96)).astype(np.float32)
    expected = np.maximum(x.astype(np.float64) @ weight.astype(np.float64), 0)

    def check(y: np.ndarray) -> None:
        np.testing.assert_allclose(y, expected, rtol=0, atol=96 * np.finfo(np.float32).eps * 8)

    check(tamis.Session(model(weight)).run({"x": x})["y"])
    print(f"first answer {time.monotonic() - started:.2f} s after the import began")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        path.write_bytes(model(weight))
        engine = tamis.build(path, Path(folder, "m.tamis"), cache=Path(folder, "times"))
        assert not [notice for notice in engine.notices if "can't start" in notice], engine.notices
        check(tamis.Session(Path(folder, "m.tamis")).run({"x": x})["y"])
        program = Path(sys.executable).parent / "tamis"
        answer = subprocess.run(
            [program, "run", "m.tamis", "--shape", "x=2x96"], cwd=folder, capture_output=True, text=True
        )
        assert answer.returncode == 0, answer.stderr
        assert tamis.inspect(path)["parameters"] == weight.size
    # Nothing of Tamis may come from the system, bar what every Linux has.
    mapped = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
    foreign = [
        name for name in mapped if any(part in name for part in ("dnnl", "protobuf", "libfmt", "simdjson", "xxhash"))
    ]
    assert foreign and all(
        os.path.commonpath([name, str(package.parent)]) == str(package.parent) for name in foreign
    ), foreign
    assert len(list((package / "licenses").glob("*.txt"))) >= len(foreign)
    print("wheel: runs, builds with its worker, answers on the command line; libraries are its own")


main()
