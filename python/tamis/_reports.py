"""What the verbs give back. The rows are those of the command line's --json."""

from __future__ import annotations

import dataclasses
from typing import Any, TypedDict

from tamis._engine import Engine


class PrunedLayer(TypedDict):
    """One weight of a pruned network."""

    weight: str
    node: str
    operator: str
    outputs: int
    inputs: int
    pattern: str
    """"dense", or the pattern: "2:4", "1:4", "4:8" or "unstructured"."""
    reason: str
    """Why it stayed dense."""
    saliency_kept: float
    """Share of the squared magnitude."""
    output_error: float
    """|Y - Y^|^2 / |Y|^2 before the activation, of pruning and rounding together."""
    bias_moved: bool
    int8: bool
    """Whether it became int8 codes in the same walk."""
    float_reason: str
    """With quantize: why it stayed float."""
    weight_error: float
    """|W - W^|^2 / |W|^2 of the codes, with W as pruned."""


class PermutedChannels(TypedDict):
    """Channels that may change places with one another; several classes of equal size if the same layers read them."""

    channels: int
    classes: int
    layers: list[str]
    """The weights that read them."""
    moved: int
    """Classes that were."""
    kept_before: float
    kept_after: float
    """Share of the layers' saliency that the two best of every four weights hold."""
    reason: str
    """Why not all were moved."""


class FixedChannels(TypedDict):
    """A layer whose input channels can't change places."""

    weight: str
    reason: str


class Permutation(TypedDict):
    """What `permute` did."""

    moved: int
    of: int
    """Classes of channels."""
    error: float
    bound: float
    """By how much the dense network's outputs differ, over their largest, and what rounding explains."""
    seconds: float
    classes: list[PermutedChannels]
    fixed: list[FixedChannels]


@dataclasses.dataclass(frozen=True)
class PruneReport:
    """What `prune` did."""

    pattern: str
    """"2:4", "paired 2:4", "1:4", "4:8" or "unstructured"."""
    layers: list[PrunedLayer]
    samples: int
    notes: list[str]
    """What is odd about the samples, and fallbacks; one sentence each."""
    settled: bool
    """Whether more samples would hardly move the ranges of what the layers read; `verdict` is that in a sentence."""
    verdict: str
    permuted: Permutation | None


class QuantizedLayer(TypedDict):
    """One weight that a product multiplies by."""

    weight: str
    node: str
    operator: str
    int8: bool
    type: str
    """Of its codes: "int8", "float8e4m3fn"; empty if it stayed float."""
    reason: str
    """Why it stayed float."""
    weight_error: float
    """|W - W^|^2 / |W|^2."""
    bias_moved: bool


class QuantizedTensor(TypedDict):
    """One activation with codes."""

    name: str
    low: float
    high: float
    """As seen in the samples."""
    scale: float
    zero_point: int
    clipped: float
    """Share of the values beyond the codes."""
    growth: float
    """By how much the second half of the samples widened the range."""


@dataclasses.dataclass(frozen=True)
class QuantizeReport:
    """What `quantize` did."""

    layers: list[QuantizedLayer]
    tensors: list[QuantizedTensor]
    balanced: list[str]
    """Activations whose channels took a factor each."""
    samples: int
    settled: bool
    """Whether more samples would hardly move the ranges; `verdict` is that in a sentence."""
    verdict: str
    notes: list[str]
    """What is odd about the samples: too few, repeated, not normalised as the network expects; one sentence each."""


class Quality(TypedDict):
    """How far answers are from the dense network's; errors are standard errors over the samples."""

    agreement: float
    """Mean cosine of the worst output."""
    agreement_error: float
    drop: float
    """Points of top-1, estimated; 0 without class scores."""
    drop_error: float
    counted_drop: float
    divergence: float
    """Mean Kullback-Leibler divergence of the class scores, in nats; 0 without any."""
    has_scores: bool
    labelled: bool
    mixed: bool
    """Whether the drop was also measured on mixtures of the samples, which the network was not trained on."""
    mixed_drop: float
    mixed_drop_error: float


class OptimizedLayer(TypedDict):
    """One weight: what became of it, and what it could have been."""

    weight: str
    node: str
    operator: str
    pattern: str
    """"dense", "2:4" or "paired 2:4"."""
    type: str
    """"f32", "bf16" (its product may run in that, where it is faster with conversions counted) or "int8"."""
    int8: bool
    reason: str
    """Why it is not 2:4, not int8, not bf16."""
    float_ms: list[float]
    bf16_ms: list[float]
    int8_ms: list[float]
    """Measured, dense, 2:4 and paired; 0: no kernel, or not asked for."""
    bf16_error: float
    int8_error: float
    pattern_error: list[float]
    """What each costs alone, as 1 - cosine at the network's outputs; 0 where it was not worth trying."""
    bf16_divergence: float
    int8_divergence: float
    pattern_divergence: list[float]
    """The same as divergence of the class scores."""
    output_error: float


class OptimizeTrial(TypedDict):
    """One network that was tried."""

    label: str
    uniform: bool
    in_order: bool
    int8_layers: int
    bf16_layers: int
    sparse_layers: int
    predicted_ms: float
    ms: float
    """0: not run whole."""
    quality: Quality
    holds: bool


class Sensitivities(TypedDict):
    """Where the costs of single layers are from."""

    measured: int
    cached: int
    cache: str
    """The file of the latter; empty if there is none."""


@dataclasses.dataclass(frozen=True)
class OptimizeReport:
    """What `optimize` found."""

    engine: Engine
    holds: bool
    """Whether the budget holds on samples that were used for nothing else."""
    budget: str
    layers: list[OptimizedLayer]
    trials: list[OptimizeTrial]
    chosen: str
    """The label of the trial that was chosen."""
    best_uniform: str
    """The label of the fastest trial that does the same to every layer and holds; empty if none does."""
    permuted: Permutation | None
    choose: Quality
    confirm: Quality
    """Of the engine, on the samples that chose and on those that confirm."""
    precision: str
    dense_ms: float
    ms: float
    """Whole runs of the dense network and of the chosen one, in turns."""
    dense_predicted_ms: float
    predicted_ms: float
    sensitivities: Sensitivities
    fit_samples: int
    choose_samples: int
    confirm_samples: int
    notes: list[str]
    """What is odd about the samples, and what there is to know of the choice; one sentence each."""


class GateCheck(TypedDict, total=False):
    """One finding of the gate."""

    name: str
    output: str
    measured: float
    interval: list[float]
    limit: float | None
    """None: told, not judged."""
    verdict: str
    """"passed", "unproven", "failed" or "not judged"."""
    samples_needed: int
    text: str


@dataclasses.dataclass(frozen=True)
class GateReport:
    """What `gate` found."""

    passed: bool
    verdict: str
    """"passed", "unproven" (within every limit, but the samples are too few to prove it) or "failed"."""
    checks: list[GateCheck]
    samples: int
    top1_measured: bool
    notices: list[str]
    """What is odd about the samples and the models; one sentence each."""
    details: dict[str, Any]
    """All that `tamis gate --json` prints."""

    def __getitem__(self, name: str) -> GateCheck:
        """The first check of that name: "top1_drop", "same_answers", "cosine", "finite", "latency_ratio"."""
        for check in self.checks:
            if check["name"] == name:
                return check
        raise KeyError(name)


def from_json(kind: type, found: dict[str, Any], **more: Any) -> Any:
    """A report of what a verb printed; what the dataclass has no field for (the output's path) is left out."""
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{key: value for key, value in found.items() if key in names}, **more)
