"""Networks compiled for a machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tamis import _models, _tamis

Progress = Callable[[int, int, str], object]


class PassRecord(NamedTuple):
    """What one pass of the compiler did."""

    name: str
    nodes_before: int
    nodes_after: int
    seconds: float


class Engine:
    """A compiled network: what an engine file holds. `tamis.build` makes one, `Session` runs it."""

    def __init__(self, engine: _tamis.Engine) -> None:
        self._engine = engine

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, map_file: bool = True) -> Engine:
        """Reads an engine file and checks it. Raises ValueError if it is damaged, RuntimeError if it can't be read."""
        return cls(_tamis.read_engine(os.fspath(path), map_file))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the engine file, whole or not at all. Raises RuntimeError if the disk refuses."""
        self._engine.save(os.fspath(path))

    @property
    def provenance(self) -> dict[str, Any]:
        """Where it comes from: source_file, source_hash, precision, host, created, nodes_before, nodes_after, ..."""
        return self._engine.provenance

    @property
    def plans(self) -> list[dict[str, Any]]:
        """Its plans: device ("" fits all machines), threads, measured, precision, profile by symbol as (min, opt, max)."""
        return self._engine.plans

    @property
    def passes(self) -> list[PassRecord]:
        """What the compiler did; empty for an engine from a file."""
        return [PassRecord(*row) for row in self._engine.passes]

    @property
    def notices(self) -> list[str]:
        """What there is to know of its making. One sentence each."""
        return list(self._engine.notices)

    def __repr__(self) -> str:
        facts = self.provenance
        return f"<tamis.Engine of {facts['source_file']!r}, {facts['precision']}, {facts['nodes_after']} nodes>"


def build(
    model: _models.ModelLike,
    output: str | os.PathLike[str] | None = None,
    *,
    precision: str | Sequence[str] = (),
    profiles: _models.Profiles | Sequence[_models.Profiles] | None = None,
    without: Sequence[str] = (),
    device: str = "cpu",
    threads: int = 0,
    tune: bool = True,
    time_budget: float = 0,
    workspace_limit: int = 0,
    cache: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] = ".",
    progress: Progress | None = None,
) -> Engine:
    """Compiles a network for this machine, as the command `tamis build` does.

    Args:
        model: Path of an ONNX file, its bytes, an `onnx.ModelProto`, or the path of an engine, which gets plans for
            this machine beside those that it has.
        output: Engine file to write, if any.
        precision: "f32" (the default for a network); "bf16"; "f16"; "tf32" (on a GPU: f32 whose products round their
            operands to 10 bits of mantissa); "fp8" (on a GPU of compute capability 8.9 and later: f16 whose products
            round their operands to float8e4m3fn, of a network that `quantize(format="fp8")` made); or "auto" (the default on
            a GPU), which there is bf16 where the file's weights are and f16 otherwise, and elsewhere, node by node, what
            was measured faster, conversions counted. Several as a list: the engine carries them all, and runs the first
            unless `Session` asks for another.
        profiles: Of inputs with dynamic dimensions, one shape, or the shapes at min, opt and max:
            `{"ids": [(1, 16), (1, 128), (32, 128)]}`. Kernels are timed there, and a run outside is refused; dimensions
            of inputs that are left out are not bounded. A list of such dicts makes several profiles.
        without: Passes that are switched off, by name; `Engine.passes` lists them.
        device: What plans are made for: "cpu", or "cuda" ("cuda:1") for an NVIDIA GPU of this machine.
        threads: That the plan is tuned for; 0 is one for every core that the process may use.
        tune: Time the kernels. Without it the cost model chooses, and the engine runs alike on every machine.
        time_budget: Seconds of timing; when they are up, the cost model chooses the rest. 0: no limit.
        workspace_limit: Bytes that one kernel on a GPU may take beside its operands; 0: any number.
        cache: File that keeps times between builds; by default the one of the command line.
        folder: Where external data of a model in memory are.
        progress: Called with (done, total, what). An exception of it ends the build.

    Raises:
        ValueError: The model or an argument is wrong. All unknown operators, bad shapes and missing files are listed.
        OSError: The file can't be opened.
        RuntimeError: The machine's fault (disk full, no memory), or a bug of Tamis, which the message then says.
        KeyboardInterrupt: Ctrl-C ends the build; nothing is written.
    """
    source = _models.source(model, folder)
    if output is not None:
        _tamis.check_target(os.fspath(output), source.model if isinstance(source.model, str) else "")
    built = Engine(
        _tamis.build(
            model=source.model,
            folder=source.folder,
            precisions=[precision] if isinstance(precision, str) else list(precision),
            profiles=_models.profiles(profiles),
            without=list(without),
            device=device,
            threads=threads,
            tune=tune,
            time_budget=time_budget,
            workspace_limit=workspace_limit,
            cache=_tamis.default_cache() if cache is None else os.fspath(cache),
            output="" if output is None else os.fspath(output),
            progress=progress,
        )
    )
    if output is not None:
        built.save(output)
    return built
