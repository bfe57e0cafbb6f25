"""onnxruntime's values and bindings, for code that is written for them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from tamis._session import Array, Session


def _require_cpu(device_type: str) -> None:
    if device_type.lower() != "cpu":
        raise ValueError(f"values are in the memory of the host here; device {device_type!r} is none of it")


def _at(address: int, element_type: Any, shape: Sequence[int]) -> np.ndarray:
    """What lies at the address, which the caller keeps alive."""
    dtype = np.dtype(element_type)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)


class OrtValue:
    """A tensor in the memory of the host. Made by the functions below, as in onnxruntime."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @staticmethod
    def ortvalue_from_numpy(array: np.ndarray, device_type: str = "cpu", device_id: int = 0) -> OrtValue:
        """Shares the array's memory."""
        _require_cpu(device_type)
        return OrtValue(array)

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: Sequence[int], element_type: Any, device_type: str = "cpu", device_id: int = 0
    ) -> OrtValue:
        """Zeros."""
        _require_cpu(device_type)
        return OrtValue(np.zeros(shape, element_type))

    def numpy(self) -> np.ndarray:
        """The array itself; nothing is copied."""
        return self._array

    def shape(self) -> list[int]:
        return list(self._array.shape)

    def element_type(self) -> np.dtype[Any]:
        return self._array.dtype

    def data_ptr(self) -> int:
        return int(self._array.ctypes.data)

    def device_name(self) -> str:
        return "cpu"

    def is_tensor(self) -> bool:
        return True

    def has_value(self) -> bool:
        return True

    def update_inplace(self, array: np.ndarray) -> None:
        """Copies the array's elements here. Shape and dtype must be the same."""
        _put("the value", array, self._array)


def _put(what: str, array: np.ndarray, place: np.ndarray) -> None:
    if array.shape != place.shape or array.dtype != place.dtype:
        raise ValueError(
            f"{what} is {array.dtype}{list(array.shape)}, but its place is {place.dtype}{list(place.shape)}"
        )
    np.copyto(place, array)


class IOBinding:
    """Inputs and places of outputs that stay from one run to the next. Inputs are read where they lie; an output that
    has a place is copied there when the run has ended."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._inputs: dict[str, Array] = {}
        self._places: dict[str, np.ndarray | None] = {}
        self._outputs: list[np.ndarray] = []

    def bind_cpu_input(self, name: str, array: Array) -> None:
        self._inputs[name] = array

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int], buffer_ptr: int
    ) -> None:
        _require_cpu(device_type)
        self._inputs[name] = _at(buffer_ptr, element_type, shape)

    def bind_ortvalue_input(self, name: str, value: OrtValue) -> None:
        self._inputs[name] = value.numpy()

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """Without a pointer the output has new memory at every run."""
        _require_cpu(device_type)
        if buffer_ptr is not None and (element_type is None or shape is None):
            raise ValueError(f"output {name!r}: a place needs an element type and a shape")
        self._places[name] = None if buffer_ptr is None else _at(buffer_ptr, element_type, shape or ())

    def bind_ortvalue_output(self, name: str, value: OrtValue) -> None:
        self._places[name] = value.numpy()

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._places.clear()
        self._outputs = []

    def synchronize_inputs(self) -> None:
        """Does nothing: inputs are there."""

    def synchronize_outputs(self) -> None:
        """Does nothing: outputs are there when a run has ended."""

    def get_outputs(self) -> list[OrtValue]:
        """Of the last run, in the order in which they were bound."""
        return [OrtValue(output) for output in self._outputs]

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        """As `get_outputs`, arrays."""
        return list(self._outputs)

    def _run(self) -> None:
        if not self._places:
            raise ValueError("no output is bound: bind_output() names those that a run is for")
        outputs = self._session.run(list(self._places), self._inputs)
        for (name, place), output in zip(self._places.items(), outputs):
            if place is not None:
                _put(f"output {name!r}", output, place)
        self._outputs = [output if place is None else place for place, output in zip(self._places.values(), outputs)]
