"""onnxruntime's names, for code that is written for it: `import tamis as ort`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tamis import _models
from tamis._session import Array, Session

_CPU = {"CPU", "CPUExecutionProvider"}


class SessionOptions:
    """Takes whatever onnxruntime's has; `intra_op_num_threads` counts, the rest has no counterpart."""

    def __init__(self) -> None:
        self.intra_op_num_threads = 0

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"SessionOptions.{name} was not set; of onnxruntime's options Tamis knows intra_op_num_threads"
        )


def get_available_providers() -> list[str]:
    """`["CPUExecutionProvider"]`."""
    return ["CPUExecutionProvider"]


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

    def run(  # type: ignore[override]
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array], run_options: Any = None
    ) -> list[np.ndarray]:
        """All outputs in order, or those named. See `Session.run`."""
        return super().run(output_names, input_feed)

    def get_providers(self) -> list[str]:
        """`["CPUExecutionProvider"]`."""
        return ["CPUExecutionProvider"]
