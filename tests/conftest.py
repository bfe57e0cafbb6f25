import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import networks


def pytest_addoption(parser):
    parser.addoption("--tamis", default="build/tamis", help="the program under test")


def pytest_configure(config):
    # The Python package as the build made it, beside the program.
    sys.path.insert(0, str(Path(config.getoption("--tamis")).resolve().parent / "python"))


class Tamis:
    def __init__(self, program, home):
        self.program = str(Path(program).resolve())
        self.home = home

    def __call__(self, *arguments, fails=False):
        """Runs a verb; returns standard output, or standard error where `fails` expects a non-zero exit."""
        import os
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                                env={**os.environ, "XDG_CACHE_HOME": str(self.home)})
        if fails:
            assert result.returncode in (1, 2), f"exit code {result.returncode}: {result.stdout}\n{result.stderr}"
            assert "internal error" not in result.stderr
            return result.stderr
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def json(self, *arguments):
        return json.loads(self(*arguments, "--json"))


@pytest.fixture(scope="session")
def tamis(request, tmp_path_factory):
    return Tamis(request.config.getoption("--tamis"), tmp_path_factory.mktemp("home"))


class Case:
    """A generated network with seeded inputs as a folder of .npy files."""

    def __init__(self, folder, name, model, inputs):
        self.name, self.onnx, self.model, self.inputs = name, folder / f"{name}.onnx", model, inputs
        self.data = folder / f"{name}_data"
        self.data.mkdir()
        for key, array in inputs.items():
            np.save(self.data / f"{key}.npy", array)


@pytest.fixture(scope="session", params=["cnn", "transformer"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    random = np.random.default_rng(11)
    path = folder / f"{request.param}.onnx"
    if request.param == "cnn":
        model = networks.cnn(str(path))
        # Smooth pictures: what layers see must be correlated, as real images are.
        coarse = random.normal(size=(96, 3, 5, 5)).astype(np.float32)
        inputs = {"picture": coarse.repeat(4, axis=2).repeat(4, axis=3)}
    else:
        model = networks.transformer(str(path))
        lengths = random.integers(5, 25, 96)
        inputs = {"tokens": random.zipf(1.5, size=(96, 24)).clip(max=96).astype(np.int64),
                  "open": (np.arange(24)[None, :] < lengths[:, None]).astype(np.int64)}
    return Case(folder, request.param, model, inputs)
