"""The gate: what it measures, how it ends, and what it refuses."""

import os
import signal
import subprocess
import xml.etree.ElementTree as xml
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tamis as package

SAMPLES, WIDTH, CLASSES = 600, 32, 5
EXAMPLE = Path(__file__).parent.parent / "examples" / "ci" / "gate.sh"


def write(path, first, second, output="scores"):
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w2"], [output]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", second.shape[1]])],
        [numpy_helper.from_array(first, "w1"), numpy_helper.from_array(second, "w2")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """A classifier, the same with a little noise in its weights, one with much, data and the classifier's answers as
    labels, one in ten of them wrong."""
    folder = tmp_path_factory.mktemp("gate")
    random = np.random.default_rng(23)
    first = random.normal(size=(WIDTH, 64)).astype(np.float32) / 6
    second = random.normal(size=(64, CLASSES)).astype(np.float32) / 8
    x = (random.normal(size=(SAMPLES, 8)) @ random.normal(size=(8, WIDTH))).astype(np.float32)
    scores = np.maximum(x @ first, 0) @ second
    labels = scores.argmax(axis=1)
    wrong = random.permutation(SAMPLES)[: SAMPLES // 10]
    labels[wrong] = (labels[wrong] + 1) % CLASSES
    (folder / "data").mkdir()
    np.save(folder / "data" / "x.npy", x)
    np.save(folder / "labels.npy", labels)

    def noisy(name, amount):
        return write(folder / name, first + amount * random.normal(size=first.shape).astype(np.float32), second)

    class Net:
        dense = write(folder / "dense.onnx", first, second)
        near, far = noisy("near.onnx", 1e-4), noisy("far.onnx", 0.15)
        other = write(folder / "other.onnx", first, second, "logits")
        wide = write(folder / "wide.onnx", first, np.concatenate([second, second], axis=1))
        data, label_file = folder / "data", folder / "labels.npy"

    Net.x, Net.labels, Net.scores, Net.weights = x, labels, scores, (first, second)
    return Net


def gate(tamis, *arguments):
    result = subprocess.run([tamis.program, "gate", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert "internal error" not in result.stderr
    return result


def test_passes_and_fails_by_exit_code(tamis, net, tmp_path):
    near = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--labels", net.label_file)
    assert near.returncode == 0, near.stdout + near.stderr
    assert "90.00 %" in near.stdout and "gate passed" in near.stdout
    junit = tmp_path / "gate.xml"
    far = gate(tamis, "--dense", net.dense, "--candidate", net.far, "--data", net.data, "--labels", net.label_file,
               "--junit", junit)  # fmt: skip
    assert far.returncode == 1 and "gate failed" in far.stdout
    suite = xml.parse(junit).getroot().find("testsuite")
    assert suite.get("failures") == "1" and suite.get("errors") == "0"
    failed = [case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None]
    assert failed == ["top1_drop of 'scores'"]


def test_figures_are_the_ones_of_numpy(tamis, net):
    result = tamis.json("gate", "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--labels",
                        net.label_file, "--max-drop", 100)  # fmt: skip
    assert result["samples"] == SAMPLES and result["top1_measured"]
    assert result["top1_dense"] == pytest.approx(100 * (net.scores.argmax(axis=1) == net.labels).mean())
    drop = next(check for check in result["checks"] if check["name"] == "top1_drop")
    assert drop["measured"] == pytest.approx(result["top1_dense"] - result["top1_candidate"])
    assert drop["interval"][0] <= drop["measured"] <= drop["interval"][1]
    again = tamis.json("gate", "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--labels",
                       net.label_file, "--max-drop", 100)  # fmt: skip
    assert again["checks"] == result["checks"]  # the seed is fixed


def test_without_labels_agreement_is_judged(tamis, net):
    near = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", net.data)
    assert near.returncode == 0 and "top-1 not measured" in near.stdout
    assert gate(tamis, "--dense", net.dense, "--candidate", net.far, "--data", net.data).returncode == 1


def test_engines_and_latency(tamis, net, tmp_path):
    engine = tmp_path / "near.tamis"
    tamis("build", net.near, "-o", engine, "--threads", 1)
    result = tamis.json("gate", "--dense", net.dense, "--candidate", engine, "--data", net.data, "--labels",
                        net.label_file, "--max-latency-ratio", 1000, "--seconds", 0.2, "--threads", 1)  # fmt: skip
    ratio = next(check for check in result["checks"] if check["name"] == "latency_ratio")
    assert ratio["measured"] > 0 and ratio["verdict"] == "passed" and result["latency"]["rounds"] > 1
    slow = gate(tamis, "--dense", net.dense, "--candidate", engine, "--data", net.data, "--labels", net.label_file,
                "--max-latency-ratio", 1e-6, "--seconds", 0.2, "--threads", 1)  # fmt: skip
    assert slow.returncode == 1


@pytest.mark.parametrize("batch", [32, 16, 1000], ids=["the last is part of one", "smaller", "more than there are"])
def test_engines_that_take_whole_batches_only(tamis, net, tmp_path, batch):
    """600 samples are no multiple of 32 or 16: the last batch is filled up, and every sample counts once."""
    engine = tmp_path / "near.tamis"
    tamis("build", net.near, "-o", engine, "--time-budget", 1e-9, "--profile", f"x={batch}x{WIDTH}")
    flags = ["--data", net.data, "--labels", net.label_file]
    free = tamis.json("gate", "--dense", net.dense, "--candidate", net.near, *flags)
    whole = tamis.json("gate", "--dense", net.dense, "--candidate", engine, *flags)
    assert whole["samples"] == SAMPLES
    for key in ("top1_dense", "top1_candidate"):
        assert whole[key] == pytest.approx(free[key])
    free = tamis.json("compare", net.near, net.dense, "--data", net.data)["outputs"][0]
    whole = tamis.json("compare", engine, net.dense, "--data", net.data)["outputs"][0]
    assert whole["samples"] == SAMPLES
    assert whole["mean_cosine"] == pytest.approx(free["mean_cosine"], abs=1e-6)
    assert package.compare(engine, net.dense, data=net.data)["scores"].mean_cosine == pytest.approx(whole["mean_cosine"])


def test_networks_of_a_fixed_batch(tamis, net, tmp_path):
    model = onnx.load(net.near)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 32
    onnx.save(model, tmp_path / "fixed.onnx")
    flags = ["--data", net.data, "--labels", net.label_file]
    free = tamis.json("gate", "--dense", net.dense, "--candidate", net.near, *flags)
    fixed = tamis.json("gate", "--dense", net.dense, "--candidate", tmp_path / "fixed.onnx", *flags)
    assert fixed["samples"] == SAMPLES and fixed["top1_candidate"] == pytest.approx(free["top1_candidate"])


def test_one_sample_is_refused(tamis, net, tmp_path):
    np.save(tmp_path / "x.npy", net.x[:1])
    result = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", tmp_path)
    assert result.returncode == 2 and "1 sample" in result.stderr


@pytest.mark.parametrize("shift, words", [(1, "count from 1"), (-1, " has -1"), (CLASSES, "labels count from 0")])
def test_labels_out_of_range(tamis, net, tmp_path, shift, words):
    np.save(tmp_path / "labels.npy", net.labels + shift)
    junit = tmp_path / "gate.xml"
    result = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--labels",
                  tmp_path / "labels.npy", "--junit", junit)  # fmt: skip
    assert result.returncode == 2 and words in result.stderr
    assert xml.parse(junit).getroot().get("errors") == "1"  # a CI that shows only this file shows the error


def test_labels_that_are_not_there_or_do_not_fit(tamis, net, tmp_path):
    missing = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--labels", tmp_path / "no.npy")
    assert missing.returncode == 2 and "no.npy" in missing.stderr
    np.save(tmp_path / "short.npy", net.labels[:7])
    short = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--labels", tmp_path / "short.npy")
    assert short.returncode == 2 and "[7]" in short.stderr and str(SAMPLES) in short.stderr


def test_networks_that_do_not_match(tamis, net):
    other = gate(tamis, "--dense", net.dense, "--candidate", net.other, "--data", net.data)
    assert other.returncode == 2 and "'scores'" in other.stderr and "'logits'" in other.stderr
    wide = gate(tamis, "--dense", net.dense, "--candidate", net.wide, "--data", net.data)
    assert wide.returncode == 2 and f"[n, {CLASSES}]" in wide.stderr and f"[n, {2 * CLASSES}]" in wide.stderr


def test_not_a_number(tamis, net, tmp_path):
    broken = net.x.copy()
    broken[5, 3] = np.nan
    np.save(tmp_path / "x.npy", broken)
    result = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", tmp_path)
    assert result.returncode == 2 and "sample 5" in result.stderr
    first, second = net.weights
    weights = second.copy()
    weights[0, 0] = np.inf
    infinite = write(tmp_path / "infinite.onnx", first, weights)
    candidate = gate(tamis, "--dense", net.dense, "--candidate", infinite, "--data", net.data)
    assert candidate.returncode == 1 and "NaN or infinite" in candidate.stdout
    dense = gate(tamis, "--dense", infinite, "--candidate", net.dense, "--data", net.data)
    assert dense.returncode == 2 and "NaN or infinite" in dense.stderr


def test_flags_that_are_wrong_are_listed_together(tamis, net):
    result = gate(tamis, "--dense", net.dense, "--candidate", net.near, "--data", net.data, "--max-drop", -1,
                  "--min-same", 95, "--max-latency-ratio", 0)  # fmt: skip
    assert result.returncode == 2
    assert all(flag in result.stderr for flag in ("--max-drop", "--min-same", "--max-latency-ratio"))
    assert gate(tamis, "--dense", net.dense).returncode == 2  # what the parser refuses


def test_from_python(net, tmp_path):
    report = package.gate(net.dense, onnx.load(net.near), data={"x": net.x}, labels=net.labels, junit=tmp_path / "g.xml")
    assert report.passed and report.top1_measured and report["top1_drop"]["limit"] == 1.5
    assert (tmp_path / "g.xml").exists()
    assert not package.gate(net.dense, net.far, data={"x": net.x, "labels": net.labels}).passed
    with pytest.raises(ValueError, match="count from 1"):
        package.gate(net.dense, net.near, data={"x": net.x}, labels=net.labels + 1)
    with pytest.raises(ValueError, match="there are 599 labels for 600 samples"):
        package.gate(net.dense, net.near, data={"x": net.x}, labels=net.labels[1:])
    with pytest.raises(ValueError, match="max_drop -1 .*min_same 95"):
        package.gate(net.dense, net.near, data={"x": net.x}, max_drop=-1, min_same=95)
    with pytest.raises(RuntimeError, match="cannot be created"):
        package.gate(net.dense, net.near, data={"x": net.x}, junit=tmp_path / "nowhere" / "g.xml")


def test_from_python_with_engines_in_memory(net):
    dense = package.build(net.dense, tune=False)
    steps = []
    report = package.gate(dense, onnx.load(net.near), data=net.data, progress=lambda *step: steps.append(step))
    assert report.passed and not report.top1_measured and report.details["data"] == str(net.data)
    assert steps[-1][:2] == (SAMPLES, SAMPLES) and isinstance(report.notices, list)


def test_ctrl_c_ends_the_gate(net):
    def interrupt(done, total, what):
        if done < total:
            os.kill(os.getpid(), signal.SIGINT)
            signal.sigtimedwait([], 0.2)  # longer than the wait between two looks for signals

    with pytest.raises(KeyboardInterrupt):
        package.gate(net.dense, net.near, data={"x": net.x}, progress=interrupt)


@pytest.mark.parametrize("budget, code", [("--max-drop 60 --max-latency-ratio 1000 --seconds 0.2", 0), ("--min-agreement 1", 1)])
def test_the_example_for_ci(tamis, net, tmp_path, budget, code):
    (tmp_path / "test").mkdir()
    np.save(tmp_path / "test" / "x.npy", net.x)
    np.save(tmp_path / "test" / "labels.npy", net.labels)
    out = tmp_path / "out"
    result = subprocess.run(
        ["sh", str(EXAMPLE), str(net.dense), str(net.data), str(tmp_path / "test"), str(out)],
        env={**os.environ, "TAMIS": tamis.program, "THREADS": "1", "GATE_FLAGS": budget, "XDG_CACHE_HOME": str(tamis.home)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == code, result.stdout + result.stderr
    assert (out / "gate.xml").exists() and (out / "gate.json").exists()
    assert (out / "model.tamis").exists() == (code == 0)


def test_the_example_tells_a_failed_step_from_a_failed_gate(tamis, net, tmp_path):
    result = subprocess.run(
        ["sh", str(EXAMPLE), str(tmp_path / "no.onnx"), str(net.data), str(net.data), str(tmp_path / "out")],
        env={**os.environ, "TAMIS": tamis.program}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert result.returncode == 2 and "no.onnx" in result.stderr
