"""What the package's functions take as a model, brought to one form."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, Union, runtime_checkable

_MAGIC = b"TAMIS"


@runtime_checkable
class Serializable(Protocol):
    """An `onnx.ModelProto`, or anything else that gives an ONNX model's bytes."""

    def SerializeToString(self) -> bytes: ...  # noqa: N802 (protobuf's name)


ModelLike = Union[str, "os.PathLike[str]", bytes, Serializable]
Profiles = Mapping[str, Union[Sequence[int], Sequence[Sequence[int]]]]


class Source(NamedTuple):
    """A path, or the bytes of an ONNX model with the folder of its external data."""

    model: str | bytes
    folder: str
    is_engine: bool


def source(model: ModelLike, folder: str | os.PathLike[str] = ".") -> Source:
    """Raises ValueError for what is no model, FileNotFoundError and the like for a path that can't be opened."""
    if isinstance(model, (bytes, bytearray, memoryview)):
        data = bytes(model)
    elif isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        with open(path, "rb") as file:
            is_engine = file.read(len(_MAGIC)) == _MAGIC
        return Source(path, os.fspath(folder), is_engine)
    elif isinstance(model, Serializable):
        data = model.SerializeToString()
    else:
        raise ValueError(
            f"a model is a path, the bytes of an ONNX model or an onnx.ModelProto, not {type(model).__name__}"
        )
    if data.startswith(_MAGIC):
        raise ValueError("an engine is loaded from a file, not from memory: write the bytes to one and give its path")
    return Source(data, os.fspath(folder), False)


def profiles(given: Profiles | Sequence[Profiles] | None) -> list[dict[str, list[list[int]]]]:
    """Every profile as min, opt and max of every input. Given: `{"x": shape}`, `{"x": (min, opt, max)}`, or several."""
    if given is None:
        return []
    return [_profile(profile) for profile in ([given] if isinstance(given, Mapping) else given)]


def _profile(given: Profiles) -> dict[str, list[list[int]]]:
    result = {}
    for name, bounds in given.items():
        dims: list[Any] = list(bounds)
        if all(isinstance(dim, int) for dim in dims):
            dims = [dims, dims, dims]
        if len(dims) != 3:
            raise ValueError(
                f"profiles[{name!r}] takes one shape, or the shapes at min, opt and max; it has {len(dims)}"
            )
        result[name] = [[int(dim) for dim in shape] for shape in dims]
    return result
