"""Tamis compiles trained ONNX networks for this machine and runs them."""

from tamis import _dtypes, _tamis

_tamis.set_dtypes(_dtypes.NUMPY)

__version__ = _tamis.__version__
