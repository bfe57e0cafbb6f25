"""ONNX's own backend tests over tamis.backend: the node tests, and the models that come with onnx.

A test passes, or stands on the list of what is deliberately out and is then refused for the reason given there. A wrong
answer, a crash, an unlisted refusal and a listed test that passes are failures.
"""

import functools
import os
import tempfile
import unittest
from pathlib import Path

import onnx
import onnx_cases
from onnx.backend.test import BackendTest
from onnx_backend_excludes import Exclude, find

import tamis.backend

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
OLD = Exclude("", "operator set", "written for an opset before 7, which is of 2018")


class Backend(tamis.backend.TamisBackend):
    """Claims to take every model, so that a refusal is seen and not skipped."""

    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        return True


class Test(BackendTest):
    """Compares the elements of sequences one by one."""

    @classmethod
    def assert_similar_outputs(cls, ref_outputs, outputs, rtol, atol, model_dir=None):
        flat = onnx_cases.flattened(ref_outputs, outputs)
        super().assert_similar_outputs(*flat, rtol, atol, model_dir=model_dir)


def checked(test, exclude):
    """`test` with refusals held against the list."""

    @functools.wraps(test)
    def run(self):
        try:
            test(self)
        except ValueError as error:
            if not exclude:
                self.fail(f"refused, and not on the list of what is: {error}")
            self.assertIn(exclude.message, str(error))
        else:
            if exclude:
                self.fail(f"passes now: take it off the list ({exclude.reason})")

    return run


def is_old(folder, name):
    """Whether the model of a test that lies in a file is of an opset that is out."""
    path = DATA / folder / name / "model.onnx"
    return path.exists() and any(o.domain == "" and o.version < 7 for o in onnx.load(path).opset_import)


def make_cases():
    os.environ["ONNX_HOME"] = tempfile.mkdtemp(prefix="onnx-home-")  # where the runner writes expected outputs
    node = {case.name for case in onnx_cases.load()}
    classes = {}
    for name, case in Test(Backend, __name__).include("_cpu$").test_cases.items():
        folder = {"OnnxBackendPyTorchConvertedModelTest": "pytorch-converted",
                  "OnnxBackendPyTorchOperatorModelTest": "pytorch-operator"}.get(name, "")  # fmt: skip
        tests = {}
        for test_name, test in vars(case).items():
            plain = test_name.removesuffix("_cpu")
            if not test_name.endswith("_cpu") or ("Node" in name and plain not in node):
                continue
            tests[test_name] = checked(test, OLD if folder and is_old(folder, plain) else find(plain))
        classes[name] = type(name, (unittest.TestCase,), {"__module__": __name__, **tests})
    return classes


globals().update(make_cases())
