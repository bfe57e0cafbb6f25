"""ONNX's own backend interface over Tamis: what `onnx.backend.test` and frameworks of its time drive.

    rep = tamis.backend.prepare(onnx.load("model.onnx"))
    outputs = rep.run([x])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import onnx.helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType, namedtupledict

import tamis
from tamis import _tamis


class TamisBackendRep(BackendRep):
    """A network that is ready to run."""

    def __init__(self, session: tamis.Session) -> None:
        self.session = session
        self._inputs = [info.name for info in session.get_inputs()]
        self._outputs = [info.name for info in session.get_outputs()]

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Outputs in the network's order for inputs in the network's order, or by name as a dict.

        Raises ValueError if inputs don't fit the network, with all that is wrong with them.
        """
        if kwargs:
            raise ValueError(f"run takes no option {', '.join(kwargs)}")
        if not isinstance(inputs, dict):
            if not isinstance(inputs, (list, tuple)):
                inputs = [inputs]
            if len(inputs) > len(self._inputs):
                raise ValueError(f"{len(inputs)} inputs given, the network has {len(self._inputs)}: {self._inputs}")
            inputs = dict(zip(self._inputs, inputs))
        return namedtupledict("Outputs", self._outputs)(*self.session.run(None, inputs))


_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}


def _random_operators(graph: onnx.GraphProto | onnx.FunctionProto) -> set[str]:
    """Operators of a graph and those inside it whose answer is drawn."""
    found = {node.op_type for node in graph.node if node.domain in ("", "ai.onnx")} & _RANDOM
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                found |= _random_operators(body)
    return found


def _name(device: Device) -> str:
    return "cpu" if device.type == DeviceType.CPU else f"cuda:{device.device_id}"


def _problem(device: str) -> str:
    """Why nothing can run on `device`, or nothing."""
    try:
        return _tamis.device_problem(_name(Device(device)))
    except (AttributeError, ValueError):
        return "devices are CPU, CUDA and CUDA:ORDINAL"


class TamisBackend(Backend):
    """Devices are the CPU and, where `libtamis_cuda.so` is built and a GPU is found, CUDA."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """True for "CPU", and for "CUDA" (or "CUDA:1") if there is such a GPU."""
        return not _problem(device)

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether `prepare` takes the model."""
        try:
            cls.prepare(model, device, **kwargs)
        except ValueError:
            return False
        return True

    @classmethod
    def prepare(
        cls, model: onnx.ModelProto, device: str = "CPU", *, threads: int = 0, precision: str | None = None,
        random: bool = False, **kwargs: Any
    ) -> TamisBackendRep:  # fmt: skip
        """The model, compiled with the safe plan.

        Args:
            threads, precision: As of `tamis.Session`.
            random: Take models that draw random numbers too. Who drives a backend compares its answers with recorded
                ones, and of drawn numbers ONNX determines the distribution only; `tamis.Session` takes such models.

        Raises:
            ValueError: Tamis can't take the model; with all reasons.
        """
        if kwargs:
            raise ValueError(f"prepare takes no option {', '.join(kwargs)}")
        if problem := _problem(device):
            raise ValueError(f"device {device!r} can't be used: {problem}")
        drawn = set().union(*map(_random_operators, (model.graph, *model.functions)))
        if drawn and not random:
            raise ValueError(
                f"{', '.join(sorted(drawn))}: random numbers, whose values ONNX does not determine, can't be compared "
                "with recorded ones; prepare(..., random=True) and tamis.Session take the model"
            )
        return TamisBackendRep(tamis.Session(model, threads=threads, device=_name(Device(device)), precision=precision))

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One node as a network of its own. `opset_version` chooses the opset, the newest by default."""
        opset = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        names = [name for name in node.input if name]
        graph = onnx.helper.make_graph(
            [node],
            "node",
            [
                onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
                for name, value in zip(names, inputs)
            ],
            [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, opset)])
        return cls.prepare(model, device, **kwargs).run(inputs)


prepare = TamisBackend.prepare
run_model = TamisBackend.run_model
run_node = TamisBackend.run_node
supports_device = TamisBackend.supports_device
is_compatible = TamisBackend.is_compatible
