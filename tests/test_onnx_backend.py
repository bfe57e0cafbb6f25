"""ONNX's own backend tests over tamis.backend: a wrong answer fails, a refusal that gives its reason is skipped."""

import functools
import unittest

import onnx_cases
from onnx.backend.test import BackendTest

import tamis.backend


def _refusals_skip(test):
    @functools.wraps(test)
    def run(*arguments, **options):
        try:
            return test(*arguments, **options)
        except ValueError as refusal:
            raise unittest.SkipTest(f"refused: {refusal}") from refusal

    return run


def _over_tamis():
    wanted = {f"{case.name}_cpu" for case in onnx_cases.load()}
    cases = BackendTest(tamis.backend.TamisBackend, __name__).include("_cpu$").test_cases
    node = cases.pop("OnnxBackendNodeModelTest")
    chosen = {name: _refusals_skip(test) for name, test in vars(node).items() if name in wanted}
    return type("OnnxNodeTest", (unittest.TestCase,), {"__module__": __name__, **chosen})


OnnxNodeTest = _over_tamis()
