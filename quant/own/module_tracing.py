"""What a module of one's own computes, in order: the trace of `quant.own.own_model`, seen through hooks on one
example."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from quant.networks.recurrent_cell import RecurrentCell
from quant.own.module_layers import ACTIVATIONS, FREE, torch_cell, weights_of
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import Bits
from quant.sites.site import Site
from simulators import Conv2d, Elementwise, Matmul
from simulators.inputs.errors import InputError
from simulators.workloads.operations import ElementwiseOp

AnyLayer = Matmul | Conv2d | Elementwise

_ELEMENTWISE: dict[str, ElementwiseOp] = {
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
    """Something that the module computes, once it is known at which bits."""

    sites: tuple[str, ...]
    """Names of the sites whose products it computes."""
    layers: Callable[[Bits, int], list[AnyLayer]]
    """Makes its layers of a trace, given a candidate and the number of layers before it."""


class ModuleTrace:
    """The layers and elementwise operations of the example's pass, in order."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.frames = 1
        """Frames of the example: the most of any recurrent layer."""
        self.inside = 0
        """Layers and activation modules that are computing: what they call is theirs."""

    def elementwise(self, op: ElementwiseOp, elements: int) -> None:
        """Note an operation on so many elements."""

        def layers(bits: Bits, number: int) -> list[AnyLayer]:
            return [Elementwise(name=f"{op}{number}", ops={op: elements}, inputs=elements, outputs=elements, steps=1)]

        self.records.append(Record((), layers))

    def product(self, site: str, rows: int, inputs: int, steps: int) -> None:
        """Note a matrix product with so many vectors (`steps`)."""

        def layers(bits: Bits, number: int) -> list[AnyLayer]:
            w, a = bits[site]
            return [Matmul(name=site, out_features=rows, in_features=inputs, steps=steps, weight_bits=w,
                           activation_bits=a, output_bits=16)]  # fmt: skip

        self.records.append(Record((site,), layers))

    def convolution(self, site: str, part: nn.Conv1d | nn.Conv2d, size: tuple[int, ...]) -> None:
        """Note a convolution over an input of a size, (width,) or (height, width)."""

        def two(values: Sequence[int], filler: int) -> tuple[int, int]:
            return (filler, values[0]) if len(values) == 1 else (values[0], values[1])

        def layers(bits: Bits, number: int) -> list[AnyLayer]:
            w, a = bits[site]
            assert not isinstance(part.padding, str)
            return [Conv2d(name=site, in_channels=part.in_channels, out_channels=part.out_channels,
                           kernel=two(part.kernel_size, 1), input_size=two(size, 1), stride=two(part.stride, 1),
                           padding=two(part.padding, 0), groups=part.groups, steps=1, weight_bits=w,
                           activation_bits=a, output_bits=16)]  # fmt: skip

        self.records.append(Record((site,), layers))

    def recurrent(self, cell: RecurrentCell, sites: tuple[Site, ...], steps: int) -> None:
        """Note a recurrent layer of so many frames, or one direction of it."""
        self.frames = max(self.frames, steps)

        def layers(bits: Bits, number: int) -> list[AnyLayer]:
            traced = cell.trace_layers(sites, bits, steps, 16, lambda direction: f"{sites[-1].name}{direction}.gates")
            return [layer.layer for layer in traced]

        self.records.append(Record(tuple(site.name for site in sites), layers))

    def layer(self, path: str, part: nn.Module, x: torch.Tensor) -> None:
        """Note a layer with weights, given its input, whose batch is one."""
        if isinstance(part, nn.Linear):
            self.product(path, part.out_features, part.in_features, prod(x.shape[:-1]))
        elif isinstance(part, nn.Conv1d | nn.Conv2d):
            self.convolution(path, part, tuple(x.shape[-len(part.kernel_size) :]))
        elif isinstance(part, Recurrent):
            self.recurrent(part.cell, tuple(site for site, _ in weights_of(path, part)), len(x))
        elif isinstance(part, nn.LSTM | nn.GRU):
            sites = [site for site, _ in weights_of(path, part)]
            for pair in zip(sites[::2], sites[1::2], strict=True):
                self.recurrent(torch_cell(part), pair, x.shape[1 if part.batch_first else 0])


@contextmanager
def observed(module: nn.Module, parts: Mapping[str, nn.Module], trace: ModuleTrace) -> Iterator[None]:
    """Layers, activation modules and free ones tell what passes through them."""
    paths = {part: path for path, part in parts.items()}
    if not paths:
        raise InputError("the module has no layers with weights")
    watched = [part for part in module.modules() if part in paths or isinstance(part, (*FREE, *ACTIVATIONS))]
    hooks = []

    def enter(part: nn.Module, inputs: tuple[Any, ...]) -> None:
        trace.inside += 1
        if trace.inside > 1:
            return
        if part in paths:
            trace.layer(paths[part], part, inputs[0])
        elif type(part) in ACTIVATIONS:
            trace.elementwise(ACTIVATIONS[type(part)], prod(inputs[0].shape))

    def leave(part: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        trace.inside -= 1

    try:
        for part in watched:
            hooks += [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]
        yield
    finally:
        for hook in hooks:
            hook.remove()


class Functions(TorchFunctionMode):
    """Every torch function that a module calls outside its layers: costed, free, or an error that names it."""

    def __init__(self, trace: ModuleTrace):
        super().__init__()
        self._trace = trace

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", str(function))
        if not self._trace.inside and name not in _RESHAPING and name != "__get__":
            op = _ELEMENTWISE.get(name.rstrip("_") if not name.startswith("__") else name)
            if op is None:
                called = resolve_name(function) or name
                traceable = ", ".join(sorted({key for key in _ELEMENTWISE if not key.startswith("_")}))
                raise InputError(
                    f"{called}: an operation that cannot be traced; those that can: layers, reshaping, {traceable}"
                )
            self._trace.elementwise(op, prod(result.shape))
        return result
