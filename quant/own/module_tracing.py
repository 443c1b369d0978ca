"""What a module of one's own computes, in order: the trace of `quant.own.own_model`, seen through hooks on one
example."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from quant.networks import sru as sru_sizes
from quant.networks.cells import CELLS, Cell
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import Bits
from simulators import Conv2d, Elementwise, Matmul
from simulators.inputs.errors import InputError

FREE = (nn.Identity, nn.Dropout, nn.Flatten, nn.Unflatten)
"""Modules that compute nothing in inference."""

ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
"""Modules of activation functions, and the operation of a trace that each is."""

_ELEMENTWISE = {
    "add": "add", "__add__": "add", "__radd__": "add", "sub": "add", "__sub__": "add", "__rsub__": "add", "rsub": "add",
    "mul": "multiply", "__mul__": "multiply", "__rmul__": "multiply", "relu": "relu", "sigmoid": "sigmoid",
    "tanh": "tanh", "maximum": "max",
}  # fmt: skip
_RESHAPING = {
    "view", "reshape", "transpose", "permute", "squeeze", "unsqueeze", "flatten", "unflatten", "contiguous", "cat",
    "stack", "chunk", "split", "__getitem__", "size", "dim", "expand", "flip", "narrow", "select", "movedim", "detach",
    "clone", "unbind", "t", "__len__", "view_as", "reshape_as", "float", "shape", "dropout", "numel",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    sites: tuple[str, ...]
    layers: Callable[[Bits, int], list[Any]]


class Shapes:
    """The layers and elementwise operations of the example's pass, in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.frames = 1
        self.inside = 0
        """Layers and activation modules that are computing: what they call is theirs."""

    def elementwise(self, op: str, elements: int) -> None:
        def layers(bits: Bits, number: int) -> list[Any]:
            ops: dict[Any, int] = {op: elements}
            return [Elementwise(name=f"{op}{number}", ops=ops, inputs=elements, outputs=elements, steps=1)]

        self.records.append(Record((), layers))

    def product(self, site: str, rows: int, inputs: int, steps: int) -> None:
        def layers(bits: Bits, number: int) -> list[Any]:
            w, a = bits[site]
            return [Matmul(name=site, out_features=rows, in_features=inputs, steps=steps, weight_bits=w,
                           activation_bits=a, output_bits=16)]  # fmt: skip

        self.records.append(Record((site,), layers))

    def convolution(self, site: str, part: nn.Conv1d | nn.Conv2d, size: tuple[int, ...]) -> None:
        def two(values: tuple[int, ...], filler: int) -> tuple[int, int]:
            return (filler, values[0]) if len(values) == 1 else (values[0], values[1])

        def layers(bits: Bits, number: int) -> list[Any]:
            w, a = bits[site]
            return [Conv2d(name=site, in_channels=part.in_channels, out_channels=part.out_channels,
                           kernel=two(part.kernel_size, 1), input_size=two(size, 1), stride=two(part.stride, 1),
                           padding=two(part.padding, 0), groups=part.groups, steps=1,  # type: ignore[arg-type]
                           weight_bits=w, activation_bits=a, output_bits=16)]  # fmt: skip

        self.records.append(Record((site,), layers))

    def recurrent(
        self, input_site: str, site: str, cell: type[Cell], inputs: int, cells: int, steps: int, directions: str
    ) -> None:
        """A layer, or one direction of it."""
        gates = cell.gates * cells

        def layers(bits: Bits, number: int) -> list[Any]:
            (w, a), (u, h) = bits[input_site], bits[site]
            ops: dict[Any, int] = {op: count * cells for op, count in cell.ops.items()}
            found: list[Any] = [
                Matmul(name=input_site, out_features=gates * max(1, len(directions)), in_features=inputs, steps=steps,
                       weight_bits=w, activation_bits=a, output_bits=16)
            ]  # fmt: skip
            for direction in directions or [""]:
                found += [
                    Matmul(name=f"{site}{direction}", out_features=gates, in_features=cells, steps=steps,
                           recurrent=True, weight_bits=u, activation_bits=h, output_bits=16),
                    Elementwise(name=f"{site}{direction}.gates", ops=ops, inputs=2 * gates, outputs=cells, steps=steps,
                                recurrent=True, vector_parameters=cell.vectors * cells),
                ]  # fmt: skip
            return found

        self.records.append(Record((input_site, site), layers))

    def sru(self, site: str, inputs: int, cells: int, steps: int) -> None:
        def layers(bits: Bits, number: int) -> list[Any]:
            w, a = bits[site]
            ops: dict[Any, int] = {op: 2 * count * cells for op, count in sru_sizes.OPS_PER_CELL.items()}
            return [
                Matmul(name=site, out_features=2 * sru_sizes.GATES * cells, in_features=inputs, steps=steps,
                       weight_bits=w, activation_bits=a, output_bits=16),
                Elementwise(name=f"{site}.gates", ops=ops, inputs=2 * sru_sizes.GATES * cells, outputs=2 * cells,
                            steps=steps, recurrent=True, vector_parameters=2 * sru_sizes.VECTORS_PER_CELL * cells),
            ]  # fmt: skip

        self.records.append(Record((site,), layers))

    def layer(self, path: str, part: nn.Module, x: torch.Tensor) -> None:
        """A layer on an input, whose batch is one."""
        if isinstance(part, nn.Linear):
            self.product(path, part.out_features, part.in_features, prod(x.shape[:-1]))
        elif isinstance(part, nn.Conv1d | nn.Conv2d):
            self.convolution(path, part, tuple(x.shape[-len(part.kernel_size) :]))
        elif isinstance(part, Recurrent):
            self.frames = max(self.frames, len(x))
            if part.U is None:
                self.sru(f"{path}.W", part.inputs, part.cells, len(x))
            else:
                self.recurrent(f"{path}.W", f"{path}.U", part.rule, part.inputs, part.cells, len(x), "fb")
        elif isinstance(part, nn.LSTM | nn.GRU):
            steps = x.shape[1 if part.batch_first else 0]
            self.frames = max(self.frames, steps)
            cell = CELLS["lstm" if isinstance(part, nn.LSTM) else "gru"]
            count = 2 if part.bidirectional else 1
            for k in range(part.num_layers):
                inputs = part.hidden_size * count if k else part.input_size
                for suffix in ("", "b")[:count]:
                    name = f"{k}{suffix}"
                    self.recurrent(f"{path}.W{name}", f"{path}.U{name}", cell, inputs, part.hidden_size, steps, "")


@contextmanager
def observed(module: nn.Module, parts: Mapping[str, nn.Module], shapes: Shapes) -> Iterator[None]:
    """Layers, activation modules and free ones tell what passes through them."""
    paths = {part: path for path, part in parts.items()}
    if not paths:
        raise InputError("the module has no layers with weights")
    watched = [part for part in module.modules() if part in paths or isinstance(part, (*FREE, *ACTIVATIONS))]
    hooks = []

    def enter(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        shapes.inside += 1
        if shapes.inside > 1:
            return
        if part in paths:
            shapes.layer(paths[part], part, inputs[0])
        elif type(part) in ACTIVATIONS:
            shapes.elementwise(ACTIVATIONS[type(part)], prod(inputs[0].shape))

    def leave(part: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        shapes.inside -= 1

    try:
        for part in watched:
            hooks += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Functions(TorchFunctionMode):
    """Every torch function that a module calls outside its layers: costed, free, or an error that names it."""

    def __init__(self, shapes: Shapes):
        super().__init__()
        self._shapes = shapes

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", str(function))
        if not self._shapes.inside and name not in _RESHAPING and name != "__get__":
            op = _ELEMENTWISE.get(name.rstrip("_") if not name.startswith("__") else name)
            if op is None:
                called = resolve_name(function) or name
                known = ", ".join(sorted({key for key in _ELEMENTWISE if not key.startswith("_")}))
                raise InputError(
                    f"{called}: an operation that cannot be traced; those that can: layers, reshaping, {known}"
                )
            self._shapes.elementwise(op, prod(result.shape))
        return result
