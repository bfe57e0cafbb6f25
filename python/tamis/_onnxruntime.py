"""onnxruntime's names, for code that is written for it: `import tamis as ort`."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tamis import _models
from tamis._io_binding import IOBinding, OrtValue
from tamis._session import Array, Session

_CPU = {"CPU", "CPUExecutionProvider"}


class GraphOptimizationLevel(enum.IntEnum):
    """onnxruntime's levels. Tamis has no such levels: all passes run."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """onnxruntime's modes. In Tamis the nodes of a run come one after another, each on all threads."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class SessionOptions:
    """onnxruntime's options. `intra_op_num_threads` counts; those that change no answer are kept and do nothing; those
    that would be missed are refused, as are names that onnxruntime does not have."""

    _IDLE: ClassVar[dict[str, Any]] = {
        "enable_cpu_mem_arena": True,
        "enable_mem_pattern": True,
        "enable_mem_reuse": True,
        "execution_mode": ExecutionMode.ORT_SEQUENTIAL,
        "execution_order": 0,
        "graph_optimization_level": GraphOptimizationLevel.ORT_ENABLE_ALL,
        "inter_op_num_threads": 0,
        "log_severity_level": -1,
        "log_verbosity_level": 0,
        "logid": "",
        "profile_file_prefix": "onnxruntime_profile_",
        "use_deterministic_compute": False,
        "use_per_session_threads": True,
    }
    _INSTEAD: ClassVar[dict[str, str]] = {
        "enable_profiling": "Session.profile() times every node",
        "optimized_model_filepath": "tamis.build() writes an engine file",
        "register_custom_ops_library": "TAMIS_CUSTOM_OPS names a folder of libraries (docs/engines.md)",
        "add_initializer": "weights come with the model",
        "add_external_initializers": "weights come with the model; Session(folder=...) says where",
    }

    def __init__(self) -> None:
        self.intra_op_num_threads = 0
        for name, value in self._IDLE.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "intra_op_num_threads" and name not in self._IDLE:
            if name not in self._INSTEAD:
                raise AttributeError(f"onnxruntime's SessionOptions have no {name!r}")
            if value:
                raise NotImplementedError(f"SessionOptions.{name} is not there: {self._INSTEAD[name]}")
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in self._INSTEAD:
            raise NotImplementedError(f"SessionOptions.{name} is not there: {self._INSTEAD[name]}")
        raise AttributeError(f"onnxruntime's SessionOptions have no {name!r}")

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Does nothing: entries are onnxruntime's own."""

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        """Does nothing: programs are made for the sizes that requests have."""


class RunOptions:
    """onnxruntime's options of a run, all of which do nothing."""


def get_available_providers() -> list[str]:
    """`["CPUExecutionProvider"]`."""
    return ["CPUExecutionProvider"]


def get_device() -> str:
    """`"CPU"`."""
    return "CPU"


class InferenceSession(Session):
    """A `Session` that is made and run as onnxruntime's.

    Args:
        path_or_bytes: As of `Session`.
        sess_options: Its `intra_op_num_threads` is used.
        providers: Where the network may run, in order of preference; the CPU must be among them.
        provider_options: Ignored.
        options: As of `Session`.

    Raises:
        ValueError: As `Session`; and if the CPU is not among `providers`.
    """

    def __init__(
        self,
        path_or_bytes: _models.ModelLike,
        sess_options: Any = None,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Any = None,
        **options: Any,
    ) -> None:
        names = [entry if isinstance(entry, str) else entry[0] for entry in providers or ["CPU"]]
        if not _CPU & set(names):
            raise ValueError(f"none of the providers {names} is there; CPUExecutionProvider is")
        if sess_options is not None:
            options.setdefault("threads", sess_options.intra_op_num_threads)
        super().__init__(path_or_bytes, **options)
        self._options = SessionOptions() if sess_options is None else sess_options
        if self._recipe is not None and isinstance(sess_options, SessionOptions):
            self._recipe["sess_options"] = sess_options

    def get_session_options(self) -> Any:
        """The options that the session was made with."""
        return self._options

    def run(  # type: ignore[override]
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array], run_options: Any = None
    ) -> list[np.ndarray]:
        """All outputs in order, or those named. See `Session.run`."""
        return super().run(output_names, input_feed)

    def io_binding(self) -> IOBinding:
        """Inputs and outputs that are bound once and run often."""
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: Any = None) -> None:
        """Runs on what is bound."""
        iobinding._run()

    def run_with_ort_values(
        self, output_names: Sequence[str] | None, input_dict_ort_values: Mapping[str, OrtValue], run_options: Any = None
    ) -> list[OrtValue]:
        """As `run`, of values."""
        feeds = {name: value.numpy() for name, value in input_dict_ort_values.items()}
        return [OrtValue(output) for output in self.run(output_names, feeds)]

    def get_providers(self) -> list[str]:
        """`["CPUExecutionProvider"]`."""
        return ["CPUExecutionProvider"]
