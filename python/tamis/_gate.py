"""The check that stands between a compressed network and its release."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from tamis import _models, _tamis
from tamis._engine import Engine, Progress
from tamis._reports import GateReport, from_json
from tamis._verbs import Data, _data, classes


def gate(
    dense: _models.ModelLike | Engine,
    candidate: _models.ModelLike | Engine,
    *,
    data: Data,
    labels: Any = None,
    output: str = "",
    max_drop: float = 1.5,
    min_agreement: float | None = None,
    min_same: float | None = None,
    max_latency_ratio: float | None = None,
    strict: bool = False,
    junit: str | os.PathLike[str] | None = None,
    seed: int = 1,
    resamples: int = 10000,
    batch: int = 0,
    seconds: float = 3.0,
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    precision: str = "f32",
    device: str = "cpu",
    threads: int = 0,
    progress: Progress | None = None,
) -> GateReport:
    """Judges a compressed network against the dense one; a failed check is no exception but `passed` being False.

    Args:
        dense, candidate: Models or engines, each as `Session` takes them, or what `build` returned.
        data, samples, image_size, mean, std, threads: As of `prune`; other samples than the ones weights were fitted to.
        labels: One class a sample, an array of integers; by default `data["labels"]`, labels.npy or the class folders.
        output: The output that labels are about, where several could be.
        max_drop: Points of top-1 that may be lost. Without labels top-1 is not measured, and agreement is judged.
        min_agreement: Least mean cosine between both sides' outputs; without labels 0.99.
        min_same: Least share of samples with the same class from both sides; without labels 0.95.
        max_latency_ratio: Measures both sides in turns; the candidate may take at most this part of the dense time.
        strict: An interval that reaches beyond a limit fails too.
        junit: XML file to write.
        seed, resamples: Of the bootstrap.
        batch: Samples of a latency run; 0: what the engine was tuned for.
        seconds: Of latency runs, a side.
        precision: Of ONNX models, which are built in memory.
        device: "cpu", "cuda" or "cuda:1", for both sides.
        progress: Called with (done, total, what).

    Raises:
        ValueError: The models, the data or an argument can't be judged by; the message lists all that is wrong.
        OSError: A model can't be opened.
        RuntimeError: The machine's fault.
        KeyboardInterrupt: Ctrl-C ends the gate; nothing is written.
    """
    found = json.loads(
        _tamis.gate(
            dense=_model(dense),
            candidate=_model(candidate),
            data=_data(data, samples, image_size, mean, std),
            labels=classes(labels),
            output=output,
            max_drop=float(max_drop),
            min_agreement=min_agreement,
            min_same=min_same,
            max_latency_ratio=max_latency_ratio,
            strict=strict,
            junit="" if junit is None else os.fspath(junit),
            seed=seed,
            resamples=resamples,
            batch=batch,
            seconds=float(seconds),
            precision=precision,
            device=device,
            threads=threads,
            progress=progress,
        )
    )
    return from_json(GateReport, found, details=found)


def _model(model: _models.ModelLike | Engine) -> Any:
    return model._engine if isinstance(model, Engine) else _models.source(model).model
