"""How the program takes its command line: what it says about wrong ones, and that nothing is left of an attempt."""
import json
import os
import re
import resource
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import networks


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("command_line") / "cnn.onnx"
    networks.cnn(str(path))
    return path


def test_an_unknown_option_is_told_with_what_was_meant(tamis, model, tmp_path):
    # The parser alone would say that --output is missing, or that the network was not expected.
    message = tamis("build", model, "--ouput", tmp_path / "a.tamis", fails=True)
    assert "--ouput is no option of 'build', did you mean --output?" in message
    message = tamis("build", "--precison", "f32", model, "-o", tmp_path / "a.tamis", fails=True)
    assert "--precison is no option of 'build', did you mean --precision?" in message
    assert "not expected" not in message
    assert tamis("build", model, "--zzz=3", fails=True).startswith("tamis build: error: --zzz is no option of 'build' (")


def test_no_output_is_written_over_the_model(tamis, model, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    np.save(data / "image.npy", np.zeros((2, 3, 20, 20), np.float32))
    own = tmp_path / "own.onnx"
    own.write_bytes(model.read_bytes())
    link = tmp_path / "link.onnx"
    link.symlink_to(own)
    for arguments in (["build", own, "-o", own], ["build", own, "-o", link], ["build", link, "-o", own],
                      ["prune", own, "-o", own, "--data", data], ["quantize", own, "-o", own, "--data", data],
                      ["optimize", own, "-o", link, "--data", data, "--min-agreement", "0.5"],
                      ["bench", own, "--seconds", "0", "--json", own],
                      ["gate", "--dense", own, "--candidate", own, "--data", data, "--junit", own]):  # fmt: skip
        assert "is the model that is read" in tamis(*arguments, fails=True), arguments
        assert own.read_bytes() == model.read_bytes(), arguments
    twice = ["optimize", own, "-o", tmp_path / "e", "--report", tmp_path / "e", "--data", data, "--min-agreement", "0.5"]
    assert "is to be written twice" in tamis(*twice, fails=True)
    # An engine is built anew in its place.
    tamis("build", own, "-o", tmp_path / "own.tamis")
    tamis("build", tmp_path / "own.tamis", "-o", tmp_path / "own.tamis")


def test_no_output_is_written_over_weights_of_the_model(tamis, tmp_path):
    path, weights, data = linear_model(tmp_path), tmp_path / "weights.bin", tmp_path / "data"
    before, both = weights.read_bytes(), ["--dense", path, "--candidate", path]
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    for arguments in (["build", path, "-o", weights], ["prune", path, "-o", weights, "--data", data],
                      ["quantize", path, "-o", weights, "--data", data],
                      ["optimize", path, "-o", weights, "--data", data, "--min-agreement", "0.5"],
                      ["bench", path, "--seconds", "0", "--json", weights],
                      ["gate", *both, "--data", data, "--junit", weights],
                      ["gate", *both[:-1], broken, "--data", data, "--junit", weights]):  # fmt: skip
        assert "holds weights of the model that is read" in tamis(*arguments, fails=True), arguments
        assert weights.read_bytes() == before, arguments
    # What ONNX has room for needs no file beside it.
    tamis("prune", path, "-o", tmp_path / "weights", "--data", data, "--method", "magnitude")


def test_data_that_are_not_used_are_told(tamis, tmp_path):
    path, data = linear_model(tmp_path), tmp_path / "data"
    both = ["--dense", path, "--candidate", path]
    refused = tamis("quantize", path, "-o", tmp_path / "q.onnx", "--data", data, "--mean", "0.5", fails=True)
    assert "holds arrays, which are fed as they are: --mean would prepare images" in refused
    np.save(data / "types.npy", np.zeros(3))
    for arguments in (["quantize", path, "-o", tmp_path / "q.onnx"], ["compare", path, path], ["gate", *both]):
        told = subprocess.run([tamis.program, *map(str, arguments), "--data", data], capture_output=True, text=True)
        assert "types.npy is no input of this network" in told.stderr, told
    assert "are of the data that --calibration names" in tamis(
        "build", path, "-o", tmp_path / "e.tamis", "--image-size", "3", fails=True
    )


def test_an_option_that_is_given_twice_is_told(tamis, model, tmp_path):
    told = tamis("build", model, "-o", tmp_path / "e.tamis", "--threads", "1", "--threads", "2", fails=True)
    assert told.startswith("tamis build: error: --threads is given 2 times; it takes one value (")


def linear_model(folder):
    """A product whose weights lie in a file beside it, and 64 samples in data/."""
    weight = np.random.default_rng(1).standard_normal((64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 64])],
        [onnx.numpy_helper.from_array(weight, "w")])  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (folder / "data").mkdir()
    np.save(folder / "data" / "x.npy", np.random.default_rng(2).standard_normal((64, 64)).astype(np.float32))
    return folder / "m.onnx"


def limited(tamis, kind, most, *arguments):
    """Runs the program with a limit of the system's."""
    return subprocess.run([tamis.program, *map(str, arguments)], capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(kind, (most, most)))  # fmt: skip


def test_a_node_too_large_to_be_timed_is_told(tamis, tmp_path):
    graph = onnx.parser.parse_graph("g (float[N,4] x) => (float[N,1] y) {y = ReduceMax <axes=[1]> (x)}")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "m.onnx")
    done = limited(tamis, resource.RLIMIT_AS, 4 << 30, "build", tmp_path / "m.onnx", "-o", tmp_path / "m.tamis",
                   "--profile", "x=1x4:400000000x4:400000000x4")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "could not be timed" in done.stderr and "not enough memory to time it" in done.stderr
    assert "terminate" not in done.stderr


def test_a_file_larger_than_the_system_allows_leaves_nothing(tamis, model, tmp_path):
    done = limited(tamis, resource.RLIMIT_FSIZE, 4096, "build", model, "-o", tmp_path / "a.tamis")
    assert done.returncode == 2 and "File too large" in done.stderr, done.stderr
    assert not list(tmp_path.iterdir())


def test_pruning_nothing_is_told(tamis, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    np.save(data / "x.npy", np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32))
    graph = onnx.parser.parse_graph("g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> {y = MatMul(x, w)}")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    done = limited(tamis, resource.RLIMIT_CORE, 0, "prune", tmp_path / "m.onnx", "-o", tmp_path / "p.onnx", "--data", data)
    assert done.returncode == 0 and "nothing was pruned: all 1 layers stayed dense, w: " in done.stderr, done.stderr


def test_int8_stands_alone(tamis, model, tmp_path):
    message = tamis("build", model, "-o", tmp_path / "a", "--precision", "int8", "--precision", "f32", fails=True)
    assert "--precision int8 stands alone" in message


def test_an_unknown_verb_is_told_with_what_was_meant(tamis):
    assert "'biuld' is no verb, did you mean build?" in tamis("biuld", fails=True)
    assert "did you mean" not in tamis("zzz", fails=True)


def test_every_message_of_the_parser_names_verb_and_help(tamis, model):
    for arguments in (["build"], ["bench"], ["build", model, "--threads", "two"], ["inspect", model, model]):
        message = tamis(*arguments, fails=True)
        assert message.startswith(f"tamis {arguments[0]}: error: "), message
        assert f"'tamis {arguments[0]} --help'" in message
    assert "--threads is 'two'; it takes a whole number" in tamis("build", model, "--threads", "two", fails=True)


def test_the_gate_answers_2_to_what_it_cannot_read(tamis, model):
    code = subprocess.run([tamis.program, "gate", "--dense", model], capture_output=True).returncode
    assert code == 2


@pytest.mark.parametrize("verb", ["build", "bench", "run", "inspect"])
def test_more_threads_than_there_can_be_are_refused(tamis, model, verb, tmp_path):
    output = ["-o", tmp_path / "a.tamis"] if verb == "build" else []
    for threads in (-1, 100000):
        message = tamis(verb, model, *output, "--threads", threads, fails=True)
        assert f"--threads is {threads}; it takes 1 to 1024, or 0 for every core" in message


def test_a_system_that_gives_no_threads_is_no_crash(tamis, model):
    # A limit on memory for stacks stands in for one on processes, which root does not have.
    limited = f'ulimit -s 1000000; ulimit -v 6000000; exec "{tamis.program}" run "{model}" --threads 64'
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr


def test_help_shows_defaults(tamis):
    text = tamis("serve", "--help")
    assert "INT=8000" in text and "TEXT=127.0.0.1" in text


def test_inspect_tells_passes_beside_its_json(tamis, model):
    done = subprocess.run([tamis.program, "inspect", model, "--no-timing", "--json", "--verbose"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["nodes_before"] > 0
    assert re.search(r"^pass fuse_epilogue +\d+ -> +\d+ nodes", done.stderr, re.M)


def padded_sound(path, samples):
    """Mirrors so many samples at each end: shorter sounds are none of its."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", f"{name}_samples"]) for name in ("sound", "y"))
    pads = helper.make_node("Constant", [], ["pads"], value_ints=[0, samples, 0, samples])
    pad = helper.make_node("Pad", ["sound", "pads"], ["y"], mode="reflect")
    graph = helper.make_graph([pads, pad], "padded", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def test_sizes_that_were_assumed_are_told_where_they_do_not_fit(tamis, tmp_path):
    path, engine = tmp_path / "sound.onnx", tmp_path / "sound.tamis"
    padded_sound(path, 20_000)
    for verb in (["build", path, "-o", engine], ["inspect", path]):
        message = tamis(*verb, fails=True)
        assert "sound_samples = 128, which was assumed" in message, message
        assert "--profile sound=MIN:OPT:MAX, each like [batch, sound_samples]" in message
    assert not engine.exists()
    tamis("build", path, "-o", engine, "--profile", "sound=1x32000")
    padded_sound(path, 200)  # none of 128, but another size that is assumed
    tamis("build", path, "-o", engine)
    assert "512" in tamis("inspect", engine)
    padded_sound(path, 20)  # 128 will do, and 16, at which kernels are timed as well, will not
    done = subprocess.run([tamis.program, "build", path, "-o", engine], capture_output=True, text=True, check=True)
    assert "no kernels were timed where they cannot run" in done.stdout + done.stderr


def test_bench_refuses_times_that_are_none(tamis, model):
    for flag in ("--seconds", "--warmup"):
        assert f"{flag} is -1; it takes seconds" in tamis("bench", model, flag, "-1", fails=True)
    assert "--streams is 5000; it takes 1 to 1024" in tamis("bench", model, "--streams", "5000", fails=True)


def test_bench_says_at_once_that_its_json_cannot_be_written(tamis, model, tmp_path):
    # Were it to measure first, it would run into the time that a command has here.
    message = tamis("bench", model, "--seconds", "3600", "--json", tmp_path / "nowhere" / "a.json", fails=True)
    assert "nowhere/a.json' cannot be created: No such file or directory" in message


@pytest.mark.parametrize("verb", ["build", "run", "bench", "gate", "optimize", "cache"])
def test_help_shows_no_default_where_there_is_none(tamis, verb):
    text = tamis(verb, "--help")
    assert "=[]" not in text and "=nan" not in text


def test_values_that_the_parser_would_bend_are_refused(tamis, model, tmp_path):
    for seed in ("-1", "18446744073709551616"):
        assert f"--seed is '{seed}'; it takes a whole number from 0" in tamis("run", model, "--seed", seed, fails=True)
    message = tamis("build", model, "-o", "-", fails=True)
    assert "--output is '-'" in message and "./-" in message


def test_a_network_without_buffers_is_not_compared_with_a_bound_of_zero(tamis, tmp_path):
    from onnx import TensorProto, helper, save
    io = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "one", io[:1], io[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "one.onnx")
    text = tamis("build", tmp_path / "one.onnx", "-o", tmp_path / "one.tamis")
    assert "lower bound" not in text, text


def test_all_that_is_wrong_with_the_options_is_told_at_once(tamis, model, tmp_path):
    message = tamis("build", model, "-o", tmp_path / "a.tamis", "--time-budget", "-1", "--device", "gpu", "--precision",
                    "f31", "--profile", "image", fails=True)
    for part in ("--time-budget is -1", "'gpu'", "'f31'", "--profile"):
        assert part in message, message
    message = tamis("bench", model, "--seconds", "-1", "--warmup", "-2", "--percentile", "101", "--retune", "later",
                    "--device", "gpu", fails=True)
    for part in ("--seconds is -1", "--warmup is -2", "--percentile 101", "'later'", "'gpu'"):
        assert part in message, message
    np.save(tmp_path / "x.npy", np.zeros(3, np.float32))
    message = tamis("run", model, "--input", f"imgae={tmp_path}/x.npy", "--input", "=a", "--input",
                    f"imgae={tmp_path}/none.npy", fails=True)
    for part in ("no such input; it has 'picture'", "'imgae' is given twice", "'=a' should read",
                 "input 'picture' (tensor(float)) has no --input"):
        assert part in message, message


def test_outputs_in_bf16_are_taken_as_inputs(tamis, tmp_path):
    io = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, [4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "one", io[:1], io[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "neg.onnx")
    values = (np.array([1, -2.5, 0, 1e30], np.float32).view(np.uint32) & 0xffff0000).view(np.float32)
    np.save(tmp_path / "x.npy", values)
    tamis("run", tmp_path / "neg.onnx", "--input", f"x={tmp_path}/x.npy", "--output-dir", tmp_path / "out")
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "y.npy"), -values)
    np.save(tmp_path / "x.npy", np.full(4, 0.1, np.float32))
    assert "bfloat16" in tamis("run", tmp_path / "neg.onnx", "--input", f"x={tmp_path}/x.npy", fails=True)
