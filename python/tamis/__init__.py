"""Tamis compiles trained ONNX networks for this machine and runs them.

    import tamis

    session = tamis.Session("model.onnx")
    outputs = session.run({"x": x})           # NumPy in, NumPy out
    tamis.build("model.onnx", "model.tamis")  # tuned for this machine, starts at once afterwards
"""

from tamis import _dtypes, _tamis

_tamis.set_dtypes(_dtypes.NUMPY)  # before anything else can make a tensor

from tamis._engine import Engine, PassRecord, build  # noqa: E402
from tamis._gate import gate  # noqa: E402
from tamis._io_binding import IOBinding, OrtValue  # noqa: E402
from tamis._onnxruntime import (  # noqa: E402
    ExecutionMode,
    GraphOptimizationLevel,
    InferenceSession,
    RunOptions,
    SessionOptions,
    get_available_providers,
    get_device,
)
from tamis._reports import (  # noqa: E402
    GateCheck,
    GateReport,
    OptimizedLayer,
    OptimizeReport,
    OptimizeTrial,
    PrunedLayer,
    PruneReport,
    Quality,
    QuantizedLayer,
    QuantizedTensor,
    QuantizeReport,
)
from tamis._tamis import DeviceArray  # noqa: E402
from tamis._session import ModelMetadata, NodeTime, Session, TensorInfo  # noqa: E402
from tamis._verbs import (  # noqa: E402
    Difference,
    compare,
    inspect,
    optimize,
    prune,
    quantize,
)

__version__: str = _tamis.VERSION
__all__ = [
    "DeviceArray",
    "Difference",
    "Engine",
    "ExecutionMode",
    "GateCheck",
    "GateReport",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "ModelMetadata",
    "NodeTime",
    "OptimizeReport",
    "OptimizeTrial",
    "OptimizedLayer",
    "OrtValue",
    "PassRecord",
    "PruneReport",
    "PrunedLayer",
    "Quality",
    "QuantizeReport",
    "QuantizedLayer",
    "QuantizedTensor",
    "RunOptions",
    "Session",
    "SessionOptions",
    "TensorInfo",
    "build",
    "compare",
    "gate",
    "get_available_providers",
    "get_device",
    "inspect",
    "optimize",
    "prune",
    "quantize",
]
