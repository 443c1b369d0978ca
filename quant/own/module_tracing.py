"""What a module of one's own computes, in order: the trace of `quant.own.own_model`, seen through hooks on one
example, and which result is read by what."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode, resolve_name

from quant.own.module_layers import ACTIVATIONS, first_with_weights, kind_of
from quant.own.recurrent_layers import Recurrent
from quant.own.replaced_layers import check_recurrent_input
from quant.own.traced_records import AnyLayer, Convolution, ElementwiseWork, LinearProduct, Reader, Record, recurrences
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError
from simulators.workloads.operations import ElementwiseOp

_ELEMENTWISE: dict[str, ElementwiseOp] = {
    "add": "add", "__add__": "add", "__radd__": "add", "sub": "add", "__sub__": "add", "__rsub__": "add", "rsub": "add",
    "mul": "multiply", "__mul__": "multiply", "__rmul__": "multiply", "relu": "relu", "sigmoid": "sigmoid",
    "tanh": "tanh", "maximum": "max", "__iadd__": "add", "__isub__": "add", "__imul__": "multiply",
}  # fmt: skip
_FREE = {
    "view", "reshape", "transpose", "permute", "squeeze", "unsqueeze", "flatten", "unflatten", "contiguous", "cat",
    "stack", "chunk", "split", "__getitem__", "size", "dim", "expand", "flip", "narrow", "select", "movedim", "detach",
    "clone", "unbind", "t", "__len__", "view_as", "reshape_as", "float", "shape", "dropout", "numel", "__get__",
    "zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "is_floating_point", "swapaxes", "concat",
    "__iter__", "repeat", "expand_as", "hsplit", "vsplit", "tensor_split", "swapdims", "ravel", "empty", "new_empty",
    "as_tensor", "tensor", "pad_sequence", "_pack_padded_sequence", "full", "arange", "to", "cpu", "type_as",
}  # fmt: skip
"""Functions that move values, make constants or ask for shapes."""


class ModuleTrace:
    """The layers and elementwise operations of the example's pass, in order."""

    def __init__(self, constants: Mapping[int, torch.Tensor] | None = None) -> None:
        """`constants` are the module's buffers, by their `id`: what multiplies with one reads it as a parameter."""
        self.records: list[Record] = []
        self.frames = 1
        """Frames of the example: the most steps of any recurrent layer, whatever its batch."""
        self.inside = 0
        """Layers and activation modules that are computing: what they call is theirs."""
        self.path: list[str] = []
        """Modules that are computing, outermost first."""
        self._constants = dict(constants or {})
        self._by_site: dict[str, Record] = {}
        self._sources: dict[int, frozenset[Record]] = {}
        self._alive: list[Any] = []  # an `id` says which tensor it is only while the tensor is there

    @property
    def where(self) -> str:
        """The innermost module that is computing."""
        return self.path[-1] if self.path and self.path[-1] else "the module"

    def layers(self, bits: Bits) -> list[AnyLayer]:
        """All layers of a candidate."""
        layers: list[AnyLayer] = []
        for record in self.records:
            layers += record.layers(bits, len(layers))
        return layers

    def sole_readers(self) -> dict[str, str]:
        """The one kind of elementwise operation that reads a site's results, where nothing else does."""
        found = {}
        for record in self.records:
            operations = {reader.operation for reader in record.readers}
            if (
                isinstance(record, LinearProduct | Convolution)
                and len(operations) == 1
                and (operation := operations.pop())
            ):
                found[record.sites[0]] = operation
        return found

    def elementwise(self, op: ElementwiseOp, result: torch.Tensor, operands: Any) -> None:
        """Note an operation that left a result, of these operands: each tensor is read once, numbers are free."""
        tensors = {id(tensor): tensor for tensor in _tensors(operands)}
        constants = [tensor for key, tensor in tensors.items() if key in self._constants]
        words = sum(tensor.numel() for tensor in constants)
        inputs = sum(tensor.numel() for tensor in tensors.values()) - words
        record = ElementwiseWork(op, result.numel(), max(inputs, 1), words)
        self._read(tensors.values(), Reader(operation=op))
        self._note(record, result)

    def moved(self, result: Any, operands: Any) -> None:
        """Note that results are parts of what operands are."""
        read = list(_tensors(operands))
        sources = frozenset[Record]().union(*(self._sources.get(id(x), ()) for x in read))
        constant = bool(read) and all(id(x) in self._constants for x in read)
        for tensor in _tensors(result):
            self._left(tensor, sources)
            if constant:
                self._constants[id(tensor)] = tensor

    def layer(self, path: str, site: str, part: nn.Module, x: torch.Tensor, result: Any) -> None:
        """Note a call of a layer with weights, of a site or of several, given its input and its result."""
        if isinstance(part, nn.LSTM | nn.GRU | Recurrent):
            time, batch = _steps(part, x)
            self.frames = max(self.frames, time)
            of_layers = recurrences(path, part, time * batch)
            for before, after in pairwise(of_layers):
                for each in before:
                    each.readers |= {Reader(site=reader.sites[0]) for reader in after}
            records = [self._known(each, path) for of_layer in of_layers for each in of_layer]
            self._read([x], *(Reader(site=each.sites[0]) for each in of_layers[0]))
            last = frozenset(records[-len(of_layers[-1]) :])
            for tensor in _tensors(result):
                self._left(tensor, last)
            return
        if isinstance(part, nn.Linear):
            record: Record = LinearProduct(site, part.out_features, part.in_features, prod(x.shape[:-1]))
        else:
            assert isinstance(part, nn.Conv1d | nn.Conv2d)
            size = tuple(x.shape[-len(part.kernel_size) :])
            record = Convolution(site, part, size, x.numel() // (part.in_channels * prod(size)))
        self._read([x], Reader(site=site))
        self._left(result, frozenset([self._known(record, path)]))

    def _known(self, record: Record, path: str) -> Record:
        """The record of the same weights from before, with this one's steps as well, or this one."""
        name = record.sites[-1]
        if name not in self._by_site:
            self._by_site[name] = record
            self.records.append(record)
        elif not self._by_site[name].again(record):
            raise InputError(f"{path}: called on maps of different sizes, which cannot be traced as one layer")
        return self._by_site[name]

    def _note(self, record: Record, result: torch.Tensor) -> None:
        self.records.append(record)
        self._left(result, frozenset([record]))

    def _read(self, tensors: Any, *readers: Reader) -> None:
        for tensor in tensors:
            for source in self._sources.get(id(tensor), ()):
                source.readers |= set(readers)

    def _left(self, tensor: torch.Tensor, sources: frozenset[Record]) -> None:
        self._alive.append(tensor)
        self._sources[id(tensor)] = sources


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    """The tensors in what a function takes or gives."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from _tensors(list(values.values()))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _steps(part: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    """Steps in time, and sequences that take them."""
    if isinstance(part, Recurrent):
        return x.shape[0], x.shape[1]
    if x.dim() == 2:
        return len(x), 1
    return (x.shape[1], x.shape[0]) if part.batch_first else (x.shape[0], x.shape[1])


@contextmanager
def observed(module: nn.Module, layers: Mapping[str, nn.Module], trace: ModuleTrace) -> Iterator[None]:
    """Layers, activation modules and free ones tell what passes through them, and every module where it is."""
    if not layers:
        raise InputError("the module has no layers with weights")
    paths, sites = {part: path for path, part in layers.items()}, first_with_weights(dict(layers))
    hooks = []
    parametrizations = {part for layer in paths for part in layer.modules()} - set(paths)
    for name, part in module.named_modules():
        kind = kind_of(part)
        if part in parametrizations:
            continue
        if part in paths or kind is not None:
            hooks += _watching(part, paths.get(part, name), sites, kind, trace)
        else:
            hooks += _located(part, name, trace)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _located(part: nn.Module, name: str, trace: ModuleTrace) -> list[Any]:
    def enter(_: nn.Module, inputs: Any) -> None:
        trace.path.append(name)

    def leave(_: nn.Module, inputs: Any, outputs: Any) -> None:
        trace.path.pop()

    return [part.register_forward_pre_hook(enter, prepend=True), part.register_forward_hook(leave)]


def _watching(
    part: nn.Module, path: str, sites: Mapping[str, str], kind: type[nn.Module] | None, trace: ModuleTrace
) -> list[Any]:
    """Hooks that are the innermost ones, so that what a user's hooks compute is outside the layer."""

    def enter(_: nn.Module, args: Any, kwargs: Any) -> None:
        x = args[0] if args else next(iter(kwargs.values()), None)
        if path in sites and isinstance(part, nn.LSTM | nn.GRU | Recurrent):
            check_recurrent_input(path, part, x)
        if path in sites and isinstance(x, torch.Tensor) and x.dtype is not torch.float32:
            dtype = str(x.dtype).removeprefix("torch.")
            raise InputError(f"{path}: {type(part).__name__}: its input is {dtype}: float32 is quantized")
        trace.inside += 1

    def leave(_: nn.Module, args: Any, kwargs: Any, result: Any) -> None:
        trace.inside -= 1
        if trace.inside:
            return
        x = args[0] if args else next(iter(kwargs.values()))
        if path in sites:
            trace.layer(path, sites[path], part, x, result)
        elif kind in ACTIVATIONS:
            trace.elementwise(ACTIVATIONS[kind], result, x)
        else:
            trace.moved(result, x)

    return [
        part.register_forward_pre_hook(enter, with_kwargs=True),
        part.register_forward_hook(leave, with_kwargs=True, prepend=True),
    ]


class Functions(TorchFunctionMode):
    """Every torch function that a module calls outside its layers: costed, free, or an error that names it."""

    def __init__(self, trace: ModuleTrace):
        super().__init__()
        self._trace = trace

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if self._trace.inside:
            return result
        name = getattr(function, "__name__", str(function))
        if name in _FREE:
            self._trace.moved(result, (args, kwargs))
            return result
        op = _ELEMENTWISE.get(name.rstrip("_") if not name.startswith("__") else name)
        if op is None:
            called = resolve_name(function) or name
            traceable = ", ".join(sorted({key for key in _ELEMENTWISE if not key.startswith("_")}))
            raise InputError(
                f"{self._trace.where}: {called}: an operation that cannot be traced; those that can: layers, "
                f"reshaping, {traceable}"
            )
        self._trace.elementwise(op, result, (args, kwargs))
        return result
