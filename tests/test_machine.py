"""What the machine denies the program: a place for its cache, a file where one was named."""

import os
import subprocess

import pytest

import networks


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("machine") / "cnn.onnx"
    networks.cnn(str(path))
    return path


@pytest.mark.parametrize("verb", ["build", "inspect"])
def test_without_a_place_for_the_cache_the_work_is_done_and_the_reason_told(tamis, model, tmp_path, verb):
    (tmp_path / "file").touch()
    output = ["-o", tmp_path / "a.tamis"] if verb == "build" else []
    done = subprocess.run([tamis.program, verb, model, *output], capture_output=True, text=True,
                          env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "file")})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"can't make the folder '{tmp_path}/file/tamis': Not a directory" in done.stderr


def test_a_pipe_is_not_waited_for(tamis, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = subprocess.run([tamis.program, "run", tmp_path / "pipe"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "not a file" in done.stderr
