"""Engines: profiles, several plans in one file, reproducible builds, timing caches, tuning while running, custom operators."""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """x [batch, length, 24] -> a gated block; small enough to be timed in a moment."""
    random = np.random.default_rng(3)
    weights = {name: numpy_helper.from_array(random.normal(size=shape).astype(np.float32) * 0.2, name)
               for name, shape in {"w1": (24, 320), "w2": (320, 24), "b1": (320,)}.items()}
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"], name="up"),
        helper.make_node("Add", ["a", "b1"], ["b"], name="bias"),
        helper.make_node("Sigmoid", ["b"], ["c"], name="gate"),
        helper.make_node("Mul", ["b", "c"], ["d"], name="product"),
        helper.make_node("MatMul", ["d", "w2"], ["e"], name="down"),
        helper.make_node("Add", ["e", "x"], ["y"], name="residual"),
    ]
    shape = ["batch", "length", 24]
    graph = helper.make_graph(nodes, "gated", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], list(weights.values()))
    path = tmp_path_factory.mktemp("gated") / "gated.onnx"
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    built.ir_version = 8
    onnx.save(built, path)
    return path


def run(tamis, file, folder, shape, *arguments):
    folder.mkdir(exist_ok=True)
    np.save(folder / "x.npy", np.random.default_rng(1).normal(size=shape).astype(np.float32))
    tamis("run", file, "--input", f"x={folder}/x.npy", "--output-dir", folder / "out", "--threads", 1, *arguments)
    return np.load(folder / "out" / "y.npy")


PROFILES = ["--profile", 0, "--minShapes", "x:1x1x24", "--optShapes", "x:1x8x24", "--maxShapes", "x:1x64x24",
            "--profile", 1, "--minShapes", "x:4x1x24", "--optShapes", "x:16x32x24", "--maxShapes", "x:32x32x24"]


def test_several_profiles(tamis, model, tmp_path):
    engine = tmp_path / "two.tamis"
    built = tamis.json("build", model, "-o", engine, "--threads", 1, *PROFILES)
    assert [p["batch"]["max"] for p in built["profiles"]] == [1, 32]
    assert {plan["profile"] for plan in built["plans"] if plan["measured"]} == {0, 1}
    for plan in built["plans"]:
        memory = plan["memory"]
        assert memory["lower_bound"] <= memory["planned"] <= 1.15 * memory["lower_bound"] + 4096
        assert memory["lower_bound"] <= memory["naive"]  # two layers may have nothing to share, and `planned` is aligned
    listed = tamis("inspect", engine)
    assert "profile 0: batch 1 : 1 : 1, length 1 : 8 : 64" in listed
    assert "profile 1: batch 4 : 16 : 32, length 1 : 32 : 32" in listed
    points = [p for plan in tamis.json("inspect", engine)["plans"] if plan["measured"] for p in plan["points"]]
    assert {"batch": 16, "length": 32} in [p["shape"] for p in points]

    whole = run(tamis, model, tmp_path / "onnx", (1, 64, 24))
    np.testing.assert_allclose(run(tamis, engine, tmp_path / "a", (1, 64, 24)), whole, rtol=1e-4, atol=1e-5)
    run(tamis, engine, tmp_path / "b", (32, 32, 24))
    np.save(tmp_path / "x.npy", np.zeros((40, 64, 24), np.float32))
    error = tamis("run", engine, "--input", f"x={tmp_path}/x.npy", fails=True)
    assert "profile 0: input 'x', dimension 0 ('batch') is 40, outside 1 to 1" in error
    assert "profile 1: input 'x', dimension 0 ('batch') is 40, outside 4 to 32" in error
    assert "dimension 1 ('length') is 64, outside 1 to 32" in error


def test_profile_syntax(tamis, model, tmp_path):
    engine = tmp_path / "one.tamis"
    built = tamis.json("build", model, "-o", engine, "--threads", 1, "--profile", "x=1x1x24:2x4x24:4x8x24")
    assert built["profiles"] == [{"batch": {"min": 1, "opt": 2, "max": 4, "bounded": True},
                                  "length": {"min": 1, "opt": 4, "max": 8, "bounded": True}}]
    free = tamis.json("build", model, "-o", engine, "--threads", 1)
    assert not any(r["bounded"] for r in free["profiles"][0].values())
    run(tamis, engine, tmp_path / "free", (3, 500, 24))
    for flags, text in [(["--profile", 0, "--profile", 0], "given twice"), (["--profile", 1], "says nothing"),
                        (["--optShapes", "x:1x1x24", "--optShapes", "x:1x2x24"], "begin another with --profile 1"),
                        (["--profile", "x=1x1x24", "--profile", "x=1x2x24"], "another profile begins"),
                        (["--profile", 0, "--optShapes", "x:1x1x24", "--profile", 1, "--optShapes", "z:1"],
                         "profile 1")]:
        assert text in tamis("build", model, "-o", engine, *flags, fails=True)


def test_equal_builds_are_equal_files(tamis, model, tmp_path):
    files = []
    for name in ("first", "second", "third"):
        engine = tmp_path / f"{name}.tamis"
        tamis("build", model, "-o", engine, "--threads", 1, "--precision", "f32", "--precision", "bf16")
        files.append(engine.read_bytes())
    assert files[1] == files[2]  # the first filled the timing cache, the others read it
    assert files[0] == files[1]


def test_precisions_share_weights(tamis, tmp_path):
    import networks
    large = tmp_path / "wide.onnx"
    b = networks.Builder(9)
    x = b.op("Relu", [b.op("MatMul", ["x", b.normal(256, 1024)])])
    b.op("MatMul", [x, b.normal(1024, 256)], "y")
    onnx.save(b.model([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 256])],
                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 256])]), large)
    one, two = tmp_path / "one.tamis", tmp_path / "two.tamis"
    flags = ["--threads", 1, "--profile", "x=1x256"]
    tamis("build", large, "-o", one, *flags)
    built = tamis.json("build", large, "-o", two, *flags, "--precision", "f32", "--precision", "bf16")
    assert built["precisions"] == ["f32", "bf16"]
    assert two.stat().st_size < one.stat().st_size + 200_000  # 2 MB of weights, stored once
    folder = tmp_path / "run"
    f32 = run(tamis, two, folder, (1, 256), "--precision", "f32")
    bf16 = run(tamis, two, folder, (1, 256), "--precision", "bf16")
    np.testing.assert_array_equal(run(tamis, two, folder, (1, 256)), f32)
    assert 0 < np.abs(f32 - bf16).max() < 0.05 * np.abs(f32).max()
    only = tmp_path / "only.tamis"
    tamis("build", large, "-o", only, *flags, "--precision", "bf16")
    np.testing.assert_array_equal(run(tamis, only, folder, (1, 256)), bf16)
    assert "has no precision 'f16'" in tamis("run", two, "--precision", "f16", fails=True)


@pytest.mark.parametrize("kind", ["bottleneck_cnn", "transformer"])
def test_activation_memory_is_near_the_lower_bound(tamis, kind, tmp_path):
    """The graphs of ResNet-50 and BERT-base, narrower."""
    import networks
    path = tmp_path / f"{kind}.onnx"
    if kind == "bottleneck_cnn":
        networks.bottleneck_cnn(str(path), width=16, size=128, classes=20)
        profile = ["--profile", "picture=8x3x128x128"]
    else:
        networks.transformer(str(path), hidden=192, heads=12, depth=12, inner=768)
        profile = ["--profile", "tokens=8x128", "--profile", "open=8x128"]
    built = tamis.json("build", path, "-o", tmp_path / "e.tamis", "--time-budget", "0.001", *profile)
    for plan in built["plans"]:
        memory = plan["memory"]
        assert memory["planned"] <= 1.15 * memory["lower_bound"]
        assert memory["planned"] < memory["naive"] / 3


def another_machine(tamis, name):
    other = type(tamis)(tamis.program, tamis.home)
    base = other.__class__.__call__

    class Elsewhere(other.__class__):
        def __call__(self, *arguments, fails=False):
            before = os.environ.get("TAMIS_TEST_FINGERPRINT")
            os.environ["TAMIS_TEST_FINGERPRINT"] = name
            try:
                return base(self, *arguments, fails=fails)
            finally:
                del os.environ["TAMIS_TEST_FINGERPRINT"]
                if before is not None:
                    os.environ["TAMIS_TEST_FINGERPRINT"] = before

    return Elsewhere(tamis.program, tamis.home)


def test_plans_of_several_machines(tamis, model, tmp_path):
    here, both = tmp_path / "here.tamis", tmp_path / "both.tamis"
    flags = ["--threads", 1]
    tamis("build", model, "-o", here, *flags, *PROFILES)
    elsewhere = another_machine(tamis, "cpu/of another machine")
    built = elsewhere.json("build", here, "-o", both, *flags)
    devices = [p["device"] for p in built["plans"] if p["measured"]]
    assert len(devices) == 4 and devices.count("cpu/of another machine") == 2
    again = tmp_path / "again.tamis"
    assert len(elsewhere.json("build", both, "-o", again, *flags)["plans"]) == len(built["plans"])
    np.testing.assert_array_equal(run(tamis, here, tmp_path / "a", (1, 8, 24)), run(tamis, both, tmp_path / "b", (1, 8, 24)))


def test_time_budget(tamis, model, tmp_path):
    other = another_machine(tamis, "cpu/nothing cached")
    result = subprocess.run([other.program, "build", model, "-o", tmp_path / "e.tamis", "--threads", "1",
                             "--time-budget", "0.000001"], capture_output=True, text=True,
                            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "empty")}, check=True)
    assert "the time budget of 1e-06 s was spent" in result.stderr and "chosen by the cost model" in result.stderr
    assert "\r" not in result.stderr  # progress is for terminals


def test_cache_verb(tamis, model, tmp_path, monkeypatch):
    # A cache of its own: others hold times inside networks, which are ratios to others and have no samples.
    monkeypatch.setattr(tamis, "home", tmp_path / "home")
    tamis("build", model, "-o", tmp_path / "e.tamis", "--threads", 1)
    path = tamis("cache", "path").strip()
    assert tamis.json("cache", "path")["path"] == path
    listed = tamis.json("cache", "list")
    assert listed["entries"] and all(e["samples"] > 0 and e["device"] for e in listed["entries"]
                                     if any(k["ms"] > 0 for k in e["kernels"]))
    lines = Path(path).read_text().splitlines()
    assert lines[0] == "tamis-timings 2"
    # The same problem with less noise, a kernel that nobody has, and another machine's.
    fields = lines[1].split("\t")
    calm = fields.copy()
    calm[2], calm[3], calm[4] = "123.5", "0", "99"
    strange = ["f" * 32, "no_such_kernel", "1", "0.1", "5", "1", "cpu/elsewhere", "Linear", ""]
    other = tmp_path / "other.tsv"
    other.write_text("\n".join([lines[0], "\t".join(calm), "\t".join(strange), "broken line"]) + "\n")
    merged = tmp_path / "merged.tsv"
    assert tamis.json("cache", "merge", path, other, "-o", merged)["changed"] >= 2
    text = merged.read_text()
    if float(fields[2]) > 0:
        assert "\t123.5\t" in text
    assert "no_such_kernel" in text
    assert tamis.json("cache", "prune", merged)["removed"] == 1
    assert "no_such_kernel" not in merged.read_text()
    tamis("cache", "prune", merged, "--other-devices")
    assert len({e["device"] for e in tamis.json("cache", "list", merged)["entries"]}) == 1
    subprocess.run([tamis.program, "cache", "merge", path, "-o", "beside.tsv"], cwd=tmp_path, check=True)
    assert (tmp_path / "beside.tsv").exists()
    bad = tmp_path / "bad.tsv"
    for text in ("this is a text that is no timing cache at all\n", "short\n", "x"):
        bad.write_text(text)
        assert "is not a timing cache" in tamis("cache", "list", bad, fails=True)
    bad.write_text("")
    assert tamis.json("cache", "list", bad)["entries"] == []
    assert "can't open" in tamis("cache", "list", tmp_path / "none.tsv", fails=True)
    assert "can't be read" in tamis("cache", "list", tmp_path, fails=True)


def test_a_machine_that_has_built_nothing_has_an_empty_timing_cache(tamis, tmp_path):
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    for arguments, said in ((["list"], "no times are kept yet"), (["prune"], "0 problems left"),
                            (["list", "--json"], '"entries":[]')):
        done = subprocess.run([tamis.program, "cache", *arguments], env=environment, capture_output=True, text=True,
                              check=True)
        assert said in done.stdout
    assert not any(tmp_path.iterdir())
    assert "takes list, merge, prune or path" in tamis("cache", "melt", fails=True)


def test_retune_now(tamis, model, tmp_path):
    engine = tmp_path / "e.tamis"
    tamis("build", model, "-o", engine, "--threads", 1, *PROFILES)
    elsewhere = another_machine(tamis, "cpu/retuned now")
    before = run(elsewhere, engine, tmp_path / "a", (1, 8, 24))
    np.testing.assert_allclose(run(elsewhere, engine, tmp_path / "b", (1, 8, 24), "--retune", "now"), before, rtol=1e-4,
                               atol=1e-5)
    (plan,) = (tamis.home / "tamis" / "plans").glob("*.tamis")
    assert plan.stat().st_size < engine.stat().st_size
    assert "unknown" in elsewhere("run", engine, "--retune", "perhaps", fails=True)


def test_retune_in_the_background(tamis, model, tmp_path):
    """A server on another machine answers at once, and runs by the tuned plan when that is there."""
    engine = tmp_path / "e.tamis"
    tamis("build", model, "-o", engine, "--threads", 1)
    home = tmp_path / "home"
    environment = {**os.environ, "XDG_CACHE_HOME": str(home), "TAMIS_TEST_FINGERPRINT": "cpu/served elsewhere"}
    server = subprocess.Popen([tamis.program, "serve", engine, "--http-port", "0", "--threads", "1", "--retune",
                               "background"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert "listening" in server.stdout.readline()
        deadline = time.monotonic() + 120
        while not list((home / "tamis").glob("plans/*.tamis")) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        server.terminate()
        _, said = server.communicate(timeout=60)
    assert "timed in a process of their own" in said
    assert list((home / "tamis").glob("plans/*.tamis"))
    # The next start finds the plan.
    result = subprocess.run([tamis.program, "bench", engine, "--threads", "1", "--retune", "background", "--warmup", "0",
                             "--seconds", "0.05"], capture_output=True, text=True, env=environment, check=True)
    assert "the plan that an earlier run tuned" in result.stderr
    assert "no plan for this machine" not in result.stderr
    # Tuned before the first request, the session says nothing of a missing plan either.
    result = subprocess.run([tamis.program, "bench", engine, "--threads", "1", "--retune", "now", "--warmup", "0", "--seconds", "0.05"],
                            capture_output=True, text=True, check=True,
                            env={**environment, "TAMIS_TEST_FINGERPRINT": "cpu/yet elsewhere"})
    assert "kernels were timed before the first request; the plan is kept in " in result.stderr
    assert "no plan for this machine" not in result.stderr


@pytest.fixture(scope="module")
def custom_ops(tmp_path_factory):
    folder = tmp_path_factory.mktemp("custom_op")
    for command in (["cmake", "-S", REPOSITORY / "examples" / "custom_op", "-B", folder], ["cmake", "--build", folder]):
        subprocess.run(command, check=True, capture_output=True)
    return folder


def test_custom_operator(tamis, custom_ops, tmp_path):
    nodes = [helper.make_node("Mul", ["x", "x"], ["a"], name="square"),
             helper.make_node("SoftShrink", ["a"], ["b"], name="shrink", domain="com.example", **{"lambda": 0.25}),
             helper.make_node("Neg", ["b"], ["y"], name="negate")]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 5]) for n in ("x", "y")]
    model = helper.make_model(helper.make_graph(nodes, "g", info[:1], info[1:]),
                              opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.example", 1)])
    model.ir_version = 8
    onnx.save(model, tmp_path / "m.onnx")
    x = np.linspace(-2, 2, 20, dtype=np.float32).reshape(4, 5)
    np.save(tmp_path / "x.npy", x)
    arguments = ["--input", f"x={tmp_path}/x.npy", "--output-dir", tmp_path / "out"]
    refused = tamis("run", tmp_path / "m.onnx", *arguments, fails=True)
    assert "'SoftShrink' of com.example 1: 1 node, named 'shrink'" in refused
    tamis("run", tmp_path / "m.onnx", *arguments, "--custom-ops", custom_ops)
    expected = -np.maximum(x * x - np.float32(0.25), 0)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "y.npy"), expected, rtol=1e-6)

    engine = tmp_path / "m.tamis"
    tamis("build", tmp_path / "m.onnx", "-o", engine, "--custom-ops", custom_ops, "--threads", 1)
    missing = tamis("run", engine, *arguments, fails=True)
    assert "'SoftShrink' of domain 'com.example'" in missing and "library 'soft_shrink' 1.0" in missing
    tamis("run", engine, *arguments, "--custom-ops", custom_ops)
    np.testing.assert_allclose(np.load(tmp_path / "out" / "y.npy"), expected, rtol=1e-6)


def test_bad_custom_libraries(tamis, model, tmp_path):
    assert "can't be read" in tamis("run", model, "--custom-ops", tmp_path / "none", fails=True)
    (tmp_path / "text.so").write_text("no library")
    assert "text.so' can't be loaded" in tamis("run", model, "--custom-ops", tmp_path, fails=True)


def test_engine_errors(tamis, model, tmp_path):
    engine = tmp_path / "e.tamis"
    tamis("build", model, "-o", engine, "--threads", 1)
    data = engine.read_bytes()

    def error(changed):
        (tmp_path / "bad.tamis").write_bytes(changed)
        return tamis("run", tmp_path / "bad.tamis", fails=True)

    assert "truncated" in error(data[:-100]) and "truncated" in error(data[:40])
    newer = bytearray(data)
    newer[8] = 9
    assert "format version 9, this program reads version 1" in error(bytes(newer))
    swapped = bytearray(data)
    swapped[8:12] = swapped[8:12][::-1]
    assert "byte order" in error(bytes(swapped))
    damaged = bytearray(data)
    damaged[-2000] ^= 1
    assert "the checksum does not match for 1 of" in error(bytes(damaged))
