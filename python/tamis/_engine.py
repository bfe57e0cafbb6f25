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
        """Its plans: device, threads, measured, and profile by symbol as (min, opt, max). The first fits every machine."""
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
    precision: str = "f32",
    profiles: _models.Profiles | None = None,
    without: Sequence[str] = (),
    threads: int = 0,
    tune: bool = True,
    cache: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] = ".",
    progress: Progress | None = None,
) -> Engine:
    """Compiles a network for this machine, as the command `tamis build` does.

    Args:
        model: Path of an ONNX file, its bytes, an `onnx.ModelProto`, or the path of an engine that is to be tuned anew.
        output: Engine file to write, if any.
        precision: "f32"; "bf16"; or "auto", which is bf16 where the machine computes in it.
        profiles: For inputs with dynamic dimensions: one shape, or the shapes at min, opt and max. What is left open gets
            a default by its place (`tamis build --help`). `{"ids": [(1, 16), (1, 128), (32, 128)]}`
        without: Passes that are switched off, by name; `Engine.passes` lists them.
        threads: That the plan is tuned for; 0 is one for every core that the process may use.
        tune: Time the kernels. Without it the cost model chooses, and the engine runs alike on every machine.
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
    built = Engine(
        _tamis.build(
            model=source.model,
            folder=source.folder,
            is_engine=source.is_engine,
            precision=precision,
            profiles=_models.profiles(profiles),
            without=list(without),
            threads=threads,
            tune=tune,
            cache=_tamis.default_cache() if cache is None else os.fspath(cache),
            progress=progress,
        )
    )
    if output is not None:
        built.save(output)
    return built
