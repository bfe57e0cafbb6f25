"""Code written for onnxruntime, with `import tamis` in its place."""

import numpy as np
import onnx
import onnxruntime
import pytest
from python_models import assert_close, layer, samples

import tamis


def test_onnxruntime_code_runs_with_another_import(tmp_path):
    ort = tamis
    model, reference = layer()
    onnx.save(model, tmp_path / "m.onnx")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL  # of no meaning here
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(tmp_path / "m.onnx"), options, providers=[("CUDAExecutionProvider", {}),
                                                                                 "CPUExecutionProvider"])  # fmt: skip
    x = samples(3)
    feeds = {session.get_inputs()[0].name: x}
    [y] = session.run([session.get_outputs()[0].name], feeds)
    assert_close(y, reference(x))
    np.testing.assert_array_equal(session.run(None, feeds, None)[0], y)
    np.testing.assert_array_equal(session.run(None, feeds, run_options=ort.RunOptions())[0], y)
    assert session.get_session_options() is options and ort.get_device() == "CPU"
    assert session.get_providers() == ort.get_available_providers() == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="CPUExecutionProvider is"):
        ort.InferenceSession(str(tmp_path / "m.onnx"), providers=["CUDAExecutionProvider"])


@pytest.mark.parametrize("ort", [onnxruntime, tamis], ids=["onnxruntime", "tamis"])
def test_bindings_are_as_onnxruntime_has_them(tmp_path, ort):
    model, reference = layer()
    onnx.save(model, tmp_path / "m.onnx")
    session = ort.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    x = samples(3)
    binding = session.io_binding()
    binding.bind_cpu_input("x", x)
    binding.bind_output("y")
    session.run_with_iobinding(binding)
    [y] = binding.copy_outputs_to_cpu()
    assert_close(y, reference(x))

    place = np.full_like(y, np.nan)
    binding.clear_binding_outputs()
    binding.bind_input("x", "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, place.shape, place.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(place, y)
    assert binding.get_outputs()[0].data_ptr() == place.ctypes.data

    value = ort.OrtValue.ortvalue_from_numpy(x)
    assert value.shape() == [3, 64] and value.is_tensor() and value.device_name() == "cpu"
    target = ort.OrtValue.ortvalue_from_shape_and_type(list(y.shape), np.float32)
    binding.bind_ortvalue_input("x", value)
    binding.clear_binding_outputs()
    binding.bind_ortvalue_output("y", target)
    session.run_with_iobinding(binding)
    np.testing.assert_array_equal(target.numpy(), y)
    [other] = session.run_with_ort_values(["y"], {"x": value})
    np.testing.assert_array_equal(other.numpy(), y)


def test_places_that_do_not_fit_are_refused():
    model, _ = layer()
    session = tamis.InferenceSession(model)
    binding = session.io_binding()
    binding.bind_cpu_input("x", samples(3))
    with pytest.raises(ValueError, match="no output is bound"):
        session.run_with_iobinding(binding)
    binding.bind_ortvalue_output("y", tamis.OrtValue.ortvalue_from_shape_and_type([1, 1], np.float32))
    with pytest.raises(ValueError, match=r"output 'y' is float32\[3, .*but its place is float32\[1, 1\]"):
        session.run_with_iobinding(binding)
    with pytest.raises(ValueError, match="device 'cuda'"):
        binding.bind_output("y", "cuda")


def test_session_options_that_would_be_missed_are_refused():
    options = tamis.SessionOptions()
    for name in ("intra_op_threads", "graph_optimisation_level"):  # typing errors
        with pytest.raises(AttributeError, match=name):
            setattr(options, name, 1)
    with pytest.raises(NotImplementedError, match="tamis.build"):
        options.optimized_model_filepath = "out.onnx"
    with pytest.raises(NotImplementedError, match="TAMIS_CUSTOM_OPS"):
        options.register_custom_ops_library("ops.so")
    options.enable_profiling = False  # nothing is missed
    theirs = onnxruntime.SessionOptions()
    for name in (name for name in dir(theirs) if not name.startswith("_") and not callable(getattr(theirs, name))):
        setattr(options, name, getattr(theirs, name))  # what onnxruntime does without being asked


def test_messages_call_arguments_as_python_does(tmp_path):
    model, _ = layer()
    with pytest.raises(ValueError, match="^device 'tpu' is unknown"):
        tamis.Session(model, device="tpu")
    with pytest.raises(ValueError, match="^precision 'f3' is unknown"):
        tamis.build(model, precision="f3")
    for threads in (-1, 10**6):
        with pytest.raises(ValueError, match=f"^threads is {threads}; it takes 1 to 1024, or 0"):
            tamis.Session(model, threads=threads)
