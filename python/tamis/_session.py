"""Networks that run on NumPy arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from tamis import _dtypes, _models, _tamis
from tamis._engine import Engine, build
from tamis._tamis import DeviceArray

Array = Any  # a NumPy array, anything with __dlpack__, or what numpy.asarray takes


class TensorInfo(NamedTuple):
    """An input or output as the network declares it."""

    name: str
    shape: list[int | str]
    """A fixed dimension is an int, a dynamic one the str that names it; equal names stand for equal sizes."""
    type: str
    """As onnxruntime writes it: `"tensor(float)"`, `"seq(tensor(int64))"`, `"optional(tensor(float))"`, ... Dtype and
    shape are an element's, then."""
    dtype: np.dtype[Any]
    """NumPy's dtype; bfloat16, float8 and what is below a byte come from ml_dtypes, strings are objects."""


class ModelMetadata(NamedTuple):
    """What the ONNX file said of itself, under onnxruntime's names. Bytes that are no UTF-8 become U+FFFD."""

    producer_name: str
    graph_name: str
    domain: str
    description: str
    graph_description: str
    version: int
    """Of the model (`model_version`)."""
    custom_metadata_map: dict[str, str]
    """`metadata_props` in the file's order: class names, strides, ..."""


class NodeTime(NamedTuple):
    """The time that one node of the compiled network takes."""

    name: str
    operator: str
    kernel: str
    """Empty: the reference evaluation."""
    seconds: float
    shape: list[int]
    """Of its first output."""


class Session:
    """A network that is ready to run. Several threads may run one session at once.

    A session of a file can be pickled: the file is opened again, with the same arguments but for `progress`, in the
    process that unpickles it. Engine files are mapped there, so that processes share their weights.

    Args:
        model: Path of an engine (`tamis.build` writes it) or of an ONNX file; the bytes of an ONNX model; an
            `onnx.ModelProto`; or a `tamis.Engine`. An ONNX model is compiled first, which takes seconds at most unless
            `tune` is set.
        device: "cpu", or "cuda" ("cuda:1") for an NVIDIA GPU. What the GPU has no kernels for runs on the CPU, and
            `notices` says so. `tamis.build` with the same device tunes an engine for it.
        threads: Threads of a run; 0 is one for every core that the process may use.
        tune: Time the kernels of an ONNX model on this machine, as `tamis.build` does, instead of choosing them by the
            cost model.
        precision: Of an ONNX model: "f32" (the default), "bf16" or "auto". Of an engine with several: which one;
            "auto" is the one that was measured fastest here. By default the first.
        profiles: Shapes of an ONNX model's inputs with dynamic dimensions, as for `tamis.build`.
        folder: Where external data of a model in memory are.
        retune: What an engine file does on a machine that it has no plan for. It answers at once, with kernels that the
            cost model chooses, and "background" times kernels in a process of its own and takes their plan over when it
            is done (`retune_state`); "now" waits for it; "never" does not.
        map_file: Map an engine file instead of reading it. A mapped file must not be overwritten while it is used.
        progress: Called with (done, total, what) while an ONNX model is compiled.

    Raises:
        ValueError: The model or an argument is wrong; the message lists all that is.
        OSError: The file can't be opened.
        RuntimeError: The machine's fault (no memory), or a bug of Tamis, which the message then says.
    """

    def __init__(
        self,
        model: _models.ModelLike | Engine,
        *,
        device: str = "cpu",
        threads: int = 0,
        tune: bool = False,
        precision: str | None = None,
        profiles: _models.Profiles | Sequence[_models.Profiles] | None = None,
        retune: str = "never",
        folder: str | os.PathLike[str] = ".",
        map_file: bool = True,
        progress: Callable[[int, int, str], object] | None = None,
    ) -> None:
        if retune not in ("never", "background", "now"):
            raise ValueError(f"retune {retune!r} is unknown; it takes never, background or now")
        self._recipe: dict[str, Any] | None = None
        if isinstance(model, (str, os.PathLike)):  # a process that unpickles it may stand in another folder
            self._recipe = {
                "model": os.path.abspath(model), "device": device, "threads": threads, "tune": tune, "precision": precision,
                "profiles": profiles, "retune": retune, "folder": os.path.abspath(folder), "map_file": map_file,
            }  # fmt: skip
        self._path: str | None = None
        self._engine: Engine | None = model if isinstance(model, Engine) else None
        if not isinstance(model, Engine):
            source = _models.source(model, folder)
            if source.is_engine:
                self._path = str(source.model)
            else:
                self._engine = build(
                    source.model, precision=precision or (), profiles=profiles, threads=threads, tune=tune,
                    folder=folder, progress=progress,
                )  # fmt: skip
        if self._path is not None:
            self._session = _tamis.load_session(self._path, threads, map_file, precision or "", retune, device)
        else:
            assert self._engine is not None
            self._session = _tamis.create_session(self._engine._engine, threads, device)
        self._inputs = [_info(spec) for spec in self._session.inputs]
        self._outputs = [_info(spec) for spec in self._session.outputs]

    @overload
    def run(self, feeds: Mapping[str, Array], /) -> dict[str, np.ndarray]: ...
    @overload
    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Array], /) -> list[np.ndarray]: ...
    def run(self, *arguments: Any) -> dict[str, np.ndarray] | list[np.ndarray]:
        """Runs the network.

            outputs = session.run({"x": x})["y"]
            y, z = session.run(None, {"x": x})      # all outputs in the network's order, as onnxruntime
            [y] = session.run(["y"], {"x": x})

        Inputs are NumPy arrays, or anything with `__dlpack__` (torch and jax tensors). A C-contiguous array is read
        where it lies; other layouts are copied first. The dtype must be the network's. Sequences are lists, an optional
        that holds nothing is None, strings are arrays of objects. The lock of the interpreter is released meanwhile;
        nobody may write the inputs until the call returns.

        Returns:
            Arrays that own their memory. They offer `__dlpack__`: `torch.from_dlpack(y)` shares it.

        Raises:
            ValueError: Inputs don't fit the network: a name, a dtype or a shape, or a data-dependent condition of an
                operator. The message lists all that is wrong.
            RuntimeError: Not enough memory, or a bug of Tamis.
        """
        if len(arguments) == 1 and isinstance(arguments[0], Mapping):
            names, feeds = None, arguments[0]
        elif len(arguments) == 2 and isinstance(arguments[1], Mapping):
            names, feeds = arguments
        else:
            raise TypeError('run takes a dict of inputs, or names of outputs and a dict: run(None, {"x": x})')
        if isinstance(names, str):
            raise TypeError(f"names of outputs come as a list: [{names!r}]")
        results = self._session.run(dict(feeds), None if names is None else list(names))
        if len(arguments) == 2:
            return results
        return dict(zip([output.name for output in self._outputs], results))

    __call__ = run

    def run_on_device(self, feeds: Mapping[str, Any], /, *, stream: int | None = None) -> dict[str, DeviceArray]:
        """Runs the network on tensors that lie in the session's GPU; the outputs lie there too.

            y = session.run_on_device({"x": x}, stream=torch.cuda.current_stream().cuda_stream)["y"]
            torch.from_dlpack(y)                    # the same memory

        Inputs are anything with `__dlpack__` in CUDA's memory (torch, cupy, jax, `tamis.DeviceArray`), contiguous.
        Kernels read and write inputs and outputs where they lie, and the call waits for none of them. Work is ordered
        on `stream`, the handle of the CUDA stream on which the caller works (None: the legacy default stream): the run
        begins after what has been enqueued there, what is enqueued there later sees the outputs, and an input may be
        overwritten or dropped in that order at once. An output's memory is used again for later outputs when its last
        holder is gone.

        Inputs that the network looks up rows by are read back first, to be checked, and nodes that the GPU has no
        kernel for (`notices`) are waited for. Calls with the addresses of earlier ones cost one launch; others record
        the work anew.

        Raises:
            ValueError: As of `run`; also for a session on the CPU and inputs elsewhere than in its GPU.
            RuntimeError: Not enough memory, or a bug of Tamis.
        """
        return self._session.run_on_device(dict(feeds), stream)

    def get_inputs(self) -> list[TensorInfo]:
        """The inputs in the network's order. Those with a default (initializers) are not among them."""
        return list(self._inputs)

    def get_outputs(self) -> list[TensorInfo]:
        """The outputs in the network's order."""
        return list(self._outputs)

    def get_modelmeta(self) -> ModelMetadata:
        """What the ONNX file that the session or its engine was made of said of itself."""
        return ModelMetadata(*self._session.model_meta)

    def get_providers(self) -> list[str]:
        """Where the network runs: `["CPU"]`."""
        return ["CPU"]

    @property
    def engine(self) -> Engine:
        """What the session runs."""
        if self._engine is None:
            assert self._path is not None
            self._engine = Engine.load(self._path)
        return self._engine

    @property
    def retune_state(self) -> tuple[str, str]:
        """Of `retune`: "not needed", "running", "done" or "failed", and what went wrong."""
        return self._session.retune_state

    @property
    def notices(self) -> list[str]:
        """What there is to know: a plan of another machine, bf16 computed in f32, ... One sentence each."""
        return (self._engine.notices if self._engine else []) + self._session.notices

    def profile(self, feeds: Mapping[str, Array], *, repeats: int = 10) -> list[NodeTime]:
        """Mean time of every node over `repeats` runs, in the order of execution."""
        return [NodeTime(*row) for row in self._session.profile(dict(feeds), repeats)]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._recipe is None:
            raise TypeError(
                "a session of a model in memory can't be pickled: write it to a file (session.engine.save(path)), open "
                "that and pickle its session"
            )
        recipe = dict(self._recipe)
        return _open, (type(self), recipe.pop("model"), recipe)

    def __repr__(self) -> str:
        def join(infos: list[TensorInfo]) -> str:
            return ", ".join(f"{info.name}: {info.dtype}{info.shape}" for info in infos)

        return f"<tamis.Session {self._session.name!r}: {join(self._inputs)} -> {join(self._outputs)}>"


def _open(kind: type[Session], model: str, options: dict[str, Any]) -> Session:
    """A pickled session."""
    return kind(model, **options)


def _info(spec: tuple[str, str, int, list[int | str]]) -> TensorInfo:
    name, kind, number, shape = spec
    dtype = _dtypes.NUMPY.get(number, np.dtype(object))
    return TensorInfo(name, shape, kind, dtype)
