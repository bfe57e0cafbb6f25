"""Pruning, optimizing, comparing and inspecting: the verbs of the command line on paths and arrays."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from tamis import _models, _tamis
from tamis._engine import Engine, Progress
from tamis._reports import OptimizeReport, PruneReport, QuantizeReport, from_json
from tamis._session import Array, Session

Data = Union[str, "os.PathLike[str]", Mapping[str, Array]]


def _data(
    source: Data,
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> _tamis.Data:
    if isinstance(source, (str, os.PathLike)):
        return _tamis.make_data(os.fspath(source), samples, image_size, list(mean), list(std))
    if isinstance(source, Mapping):
        return _tamis.make_data(dict(source), samples, image_size, list(mean), list(std))
    raise ValueError(f"data are a path or a dict of arrays by input, not {type(source).__name__}")


def prune(
    model: _models.ModelLike,
    output: str | os.PathLike[str],
    *,
    data: Data,
    labels: Any = None,
    method: str = "reconstruct",
    pattern: str = "2:4",
    keep: Sequence[str] = (),
    quantize: str = "none",
    observer: str = "mse",
    activations: str = "u8",
    keep_float: Sequence[str] = (),
    permute: bool | None = None,
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    threads: int = 0,
    folder: str | os.PathLike[str] = ".",
    progress: Progress | None = None,
) -> PruneReport:
    """Prunes a network to the 2:4 pattern from unlabelled samples and writes it as ONNX.

    Args:
        model: Path of an ONNX file, its bytes, or an `onnx.ModelProto`; weights in f32.
        output: ONNX file to write.
        data: Arrays by input, `{"ids": ids, "mask": mask}`, whose first dimension are the samples; or a folder of .npy
            files named so; or a folder or .zip of images.
        labels: With method="gradient": one class a sample, an array of integers; by default `data["labels"]`, labels.npy
            or the class folders.
        method: "reconstruct", second order, the best without labels; "gradient", the same with samples that count by
            how steep their loss is; "activation", each weight's square times its input's energy; or
            "magnitude".
        pattern: "2:4"; "paired": 2:4 whose outputs keep the same positions two by two, faster on CPUs and less exact;
            "1:4", which is 2:4 too; or, only to compare with, for no kernel gains by them, "4:8" and "unstructured".
        keep: Layers that stay dense, by the name of the weight or of the node.
        quantize: "int8": kept weights become int8 codes in the same walk, each layer making up for the pruning and the
            rounding before it, and activations get ranges; the file has QuantizeLinear and DequantizeLinear.
        observer, activations: With quantize, as of `quantize`.
        keep_float: With quantize: layers that stay float, by the name of the weight or of the node.
        permute: Whether channels are first put in the order in which 2:4 keeps most, as far as the network's outputs
            stay as they are. By default where weights are fitted and become 2:4.
        samples: At most so many, evenly spaced; 0 is all.
        image_size, mean, std: How images are prepared: height and width; per channel, for values in [0, 1].
        threads: 0 is one for every core that the process may use.
        progress: Called with (done, total, layer).

    Raises:
        ValueError: The model, the data or an argument is wrong; the message lists all that is.
        OSError: The model can't be opened.
        RuntimeError: The machine's fault (disk full, no memory), or a bug of Tamis, which the message then says.
    """
    source = _models.source(model, folder)
    found = _tamis.prune(
        source.model, source.folder, os.fspath(output), _data(data, samples, image_size, mean, std), classes(labels),
        method, pattern, list(keep), quantize, observer, activations, list(keep_float), permute, threads, progress,
    )  # fmt: skip
    return from_json(PruneReport, json.loads(found))


def quantize(
    model: _models.ModelLike,
    output: str | os.PathLike[str],
    *,
    data: Data,
    format: str = "int8",
    observer: str = "mse",
    percentile: float = 99.99,
    activations: str = "u8",
    rounding: str = "nearest",
    clip_weights: bool = True,
    correct_bias: bool = True,
    balance: bool = True,
    keep: Sequence[str] = (),
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    threads: int = 0,
    folder: str | os.PathLike[str] = ".",
    progress: Progress | None = None,
) -> QuantizeReport:
    """Quantises a network to int8 or float8 from unlabelled samples and writes it as ONNX with QuantizeLinear and
    DequantizeLinear, which Tamis builds into kernels of such codes and any other runtime reads.

    Args:
        model, data, samples, image_size, mean, std, threads, folder, progress: As of `prune`.
        output: ONNX file to write.
        format: "int8", or "fp8": float8e4m3fn around matrix products, for NVIDIA GPUs of compute capability 8.9 and
            later; scales are those of the largest numbers, and of what follows `keep` and `threads` count.
        observer: How ranges are chosen: "mse", "minmax", "percentile" or "entropy".
        percentile: The share of the values, in percent, that "percentile" keeps.
        activations: "u8", asymmetric, or "s8", symmetric.
        rounding: "nearest", or "descent": every code makes up for the rounding of the others, layer after layer.
        clip_weights: Weight scales of least squared error; else the largest weight's, and none is clipped.
        correct_bias: Biases take the mean error of each output.
        balance: Activations are balanced against the weights that read them, channel by channel.
        keep: Layers that stay float, by the name of the weight or of the node.

    Raises:
        ValueError: The model, the data or an argument is wrong; the message lists all that is.
        OSError: The model can't be opened.
        RuntimeError: The machine's fault (disk full, no memory), or a bug of Tamis, which the message then says.
    """
    source = _models.source(model, folder)
    found = _tamis.quantize(
        source.model, source.folder, os.fspath(output), _data(data, samples, image_size, mean, std), format,
        observer, percentile, activations, rounding, clip_weights, correct_bias, balance, list(keep), threads, progress,
    )  # fmt: skip
    return from_json(QuantizeReport, json.loads(found))


def optimize(
    model: _models.ModelLike,
    output: str | os.PathLike[str] | None = None,
    *,
    data: Data,
    labels: Any = None,
    min_agreement: float | None = None,
    max_drop: float | None = None,
    precision: str = "auto",
    method: str = "reconstruct",
    observer: str = "mse",
    keep: Sequence[str] = (),
    permute: bool | None = None,
    profiles: _models.Profiles | None = None,
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    threads: int = 0,
    report: str | os.PathLike[str] | None = None,
    unseen: bool = False,
    write_closest: bool = False,
    folder: str | os.PathLike[str] = ".",
    progress: Progress | None = None,
) -> OptimizeReport:
    """Prunes, quantises and compiles, layer by layer as far as an accuracy budget allows.

    Args:
        model, data, method, keep, permute, samples, image_size, mean, std, threads, folder, progress: As of `prune`.
        output: Engine file to write.
        labels: One class a sample, an array of integers; by default `data["labels"]`, labels.npy or the class folders.
            Without any, answers are compared with the dense network's.
        min_agreement: The budget: mean cosine between the dense network's outputs and the engine's; or
        max_drop: the budget: points of top-1, against the labels or the dense network's own answers; or both. With
            none of them max_drop is 1.5.
        observer: How int8 ranges are chosen, as of `quantize`.
        precision: "auto" (int8 and bf16 where they are faster and the budget allows it), "f32" or "bf16".
        profiles: As of `build`.
        report: HTML page to write.
        unseen: The network was not trained on the samples: points of top-1 are not measured on mixtures of them too.
        write_closest: If the budget can't be held, the closest network is written and given back, with `holds` False.

    Raises:
        ValueError: As `prune`; and if the budget can't be held and the closest network is not wanted. Then nothing is
            written.
        RuntimeError: As `prune`.
    """
    source = _models.source(model, folder)
    engine, found = _tamis.optimize(
        source.model, source.folder, "" if output is None else os.fspath(output),
        _data(data, samples, image_size, mean, std), classes(labels), min_agreement, max_drop, precision, method,
        observer, list(keep), permute, _models.profiles(profiles), threads,
        "" if report is None else os.fspath(report), unseen, write_closest, progress,
    )  # fmt: skip
    return from_json(OptimizeReport, json.loads(found), engine=Engine(engine))


def classes(labels: Any) -> list[int] | None:
    """Labels as the extension takes them."""
    if labels is None:
        return None
    array = np.asarray(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"labels are {array.dtype} {list(array.shape)}; they take integers, one a sample")
    return [int(label) for label in array]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far one output of two models is apart, over all samples."""

    samples: int
    max_relative_error: float
    """max |a - b| over max |b|."""
    max_absolute_error: float
    relative_root_error: float
    """Root of sum (a - b)^2 over sum b^2."""
    mean_cosine: float
    min_cosine: float
    """Of the angles between the rows of a and those of b."""
    top1_agreement: float | None
    """Share of rows with the same largest element; None if the output has no rows of scores."""
    clear_top1_disagreements: int | None
    """Rows whose largest element differs although b's leads clearly."""


def compare(
    a: _models.ModelLike | Engine | Session,
    b: _models.ModelLike | Engine | Session,
    *,
    data: Data,
    samples: int = 0,
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    threads: int = 0,
) -> dict[str, Difference]:
    """Runs two models on the same samples and says how far their outputs are apart; `b` is what `a` is judged against.

    Arrays of the data that no input takes are told of by a UserWarning.

    Raises:
        ValueError: The models have other inputs or outputs, or the data don't fit them.
    """
    left, right = (side if isinstance(side, Session) else Session(side, threads=threads) for side in (a, b))
    names = [info.name for info in right.get_outputs()]
    missing = sorted(set(names) - {info.name for info in left.get_outputs()})
    if missing:
        raise ValueError(f"the first model lacks outputs of the second: {', '.join(missing)}")
    batches = _tamis.open_batches(left._session, right._session, _data(data, samples, image_size, mean, std))
    for remark in batches.remarks:
        warnings.warn(remark, stacklevel=2)
    sums = {name: _tamis.OutputComparison() for name in names}
    for index in range(len(batches)):
        batch, repeated = batches[index], batches.repeated(index)
        answers = list(zip(left.run(names, batch), right.run(names, batch)))
        if repeated > 0 and any(x.shape[:1] != (batches.samples(index),) for pair in answers for x in pair):
            if index == 0:
                raise ValueError("the data hold no full batch")
            continue  # what fills the batch up can't be told from the samples that are new
        for name, (ours, reference) in zip(names, answers):
            sums[name].add(ours[repeated:] if repeated else ours, reference[repeated:] if repeated else reference)
    return {name: _difference(total) for name, total in sums.items()}


def _difference(total: _tamis.OutputComparison) -> Difference:
    scores = total.top1_agreement >= 0
    return Difference(
        samples=total.rows,
        max_relative_error=total.max_relative_error,
        max_absolute_error=total.max_absolute_error,
        relative_root_error=total.relative_root_error,
        mean_cosine=total.mean_cosine,
        min_cosine=total.min_cosine,
        top1_agreement=total.top1_agreement if scores else None,
        clear_top1_disagreements=total.clear_top1_disagreements if scores else None,
    )


def inspect(
    model: str | os.PathLike[str],
    *,
    profiles: _models.Profiles | None = None,
    timing: bool = False,
    threads: int = 0,
) -> dict[str, Any]:
    """What is in an ONNX file or an engine: what `tamis inspect --json` prints.

    Of an ONNX file: producer, model (what the file says of itself), parameters, nodes_before, nodes_after, inputs, outputs, operators, layers (each with the
    reason why it could not be pruned, and with `timing` its time dense and as 2:4), predicted. Of an engine:
    provenance, model, layers, plans with the kernel of every node.

    Raises:
        ValueError: The file is no model, or an argument is wrong.
        RuntimeError: The file can't be read.
    """
    program = Path(__file__).parent / "bin" / "tamis"
    command = [str(program), "inspect", os.fspath(model), "--json", "--threads", str(threads)]
    if not timing and not _models.source(model).is_engine:
        command.append("--no-timing")
    for profile in _models.profiles(profiles):
        for name, shapes in profile.items():
            command += ["--profile", f"{name}=" + ":".join("x".join(map(str, shape)) for shape in shapes)]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode != 0:
        kind = ValueError if answer.returncode == 1 else RuntimeError
        raise kind(answer.stderr.strip().removeprefix("tamis inspect: error: "))
    return json.loads(answer.stdout)
