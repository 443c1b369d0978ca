"""The layers of a module of one's own: which have weights, what their sites are, and what cannot be quantized."""

from collections.abc import Iterator

import torch
from torch import nn

from quant.networks.gated import GatedCell
from quant.networks.gru import GRU
from quant.networks.lstm import LSTM
from quant.own.plain_modules import check_module, why_not_plain
from quant.own.recurrent_layers import Recurrent
from quant.sites.site import Direction, Role, Site
from simulators.inputs.errors import InputError
from simulators.workloads.operations import ElementwiseOp

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.LSTM, nn.GRU, Recurrent)
"""Modules whose weights are sites."""

FREE = (nn.Identity, nn.Dropout, nn.Flatten, nn.Unflatten)
"""Modules that compute nothing in inference."""

ACTIVATIONS: dict[type[nn.Module], ElementwiseOp] = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
"""Modules of activation functions, and the operation of a trace that each is."""

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def kind_of(module: nn.Module) -> type[nn.Module] | None:
    """The class of `LAYERS`, `FREE` or `ACTIVATIONS` that computes what a module does; None where none of them does:
    then it is its children and the functions that its own forward calls."""
    for kind in (*LAYERS, *FREE, *ACTIVATIONS):
        if isinstance(module, kind):
            return None if why_not_plain(module, kind) else kind
    return None


def layers_of(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that have weights by their paths, each once, under its first. Raises InputError for a module that is
    neither one, nor free, nor made of others, and for a layer whose forward is not that of its class."""
    found: dict[str, nn.Module] = {}
    for name, part in module.named_modules():
        check_module(part, name or "the module")
    _collect(module, "", found, set())
    return found


def _collect(module: nn.Module, path: str, found: dict[str, nn.Module], seen: set[nn.Module]) -> None:
    if module in seen:
        return
    seen.add(module)
    name = path or "the module"
    for kind in LAYERS:
        if isinstance(module, kind):
            if why := why_not_plain(module, kind):
                raise InputError(f"{name}: {type(module).__name__}: {why}: what it computes instead cannot be traced")
            _check(module, name)
            found[path or type(module).__name__.lower()] = module
            return
    children = list(module.named_children())
    of_torch = type(module).__module__.split(".")[0] == "torch" and not isinstance(module, _CONTAINERS)
    if not children and of_torch and kind_of(module) is None:
        traceable = ", ".join(kind.__name__ for kind in (*LAYERS, *ACTIVATIONS, *FREE))
        raise InputError(f"{name}: {type(module).__name__}: it cannot be traced; what can: {traceable}")
    if stray := [name for name, _ in module.named_parameters(recurse=False)]:
        raise InputError(f"{name}: parameters of its own ({', '.join(stray)}) cannot be traced")
    for child_name, child in children:
        _collect(child, f"{path}.{child_name}" if path else child_name, found, seen)


def _check(layer: nn.Module, path: str) -> None:
    complaint = ""
    if isinstance(layer, nn.LSTM) and layer.proj_size:
        complaint = f"proj_size {layer.proj_size}"
    if isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.padding_mode != "zeros":
        complaint = f"padding with {layer.padding_mode}, not zeros,"
    if isinstance(layer, nn.Conv1d | nn.Conv2d) and padding_of(layer) is None:
        complaint = f"padding {layer.padding!r} of different widths on both sides"
    if complaint:
        raise InputError(f"{path}: {type(layer).__name__}: {complaint} cannot be traced")


def padding_of(layer: nn.Conv1d | nn.Conv2d) -> tuple[int, ...] | None:
    """The zeros on each side of the input; None where the sides differ."""
    if layer.padding == "valid":
        return (0,) * len(layer.kernel_size)
    if isinstance(layer.padding, str):  # "same": torch has it for strides of 1 only
        totals = [apart * (size - 1) for apart, size in zip(layer.dilation, layer.kernel_size, strict=True)]
        return None if any(total % 2 for total in totals) else tuple(total // 2 for total in totals)
    return layer.padding


def first_with_weights(layers: dict[str, nn.Module]) -> dict[str, str]:
    """The path of the first layer with the same weights, for each layer by its path: itself, or one that it is tied to.
    Raises InputError for recurrent layers that share single matrices, and for weights of another use."""
    first: dict[tuple[object, ...], str] = {}
    paths = {}
    for path, layer in layers.items():
        for site, weight in weights_of(path, layer):
            tensor = (weight.data_ptr(), tuple(weight.shape), weight.stride())
            other = first.setdefault(tensor, path)
            alike = isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d) and _use(layers[other]) == _use(layer)
            if other != path and not alike:
                raise InputError(f"{site.name}: its weights are those of {other}, used otherwise: it cannot be traced")
            paths[path] = other
    return paths


def _use(layer: nn.Module) -> tuple[object, ...]:
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return (type(layer), layer.stride, layer.padding, layer.dilation, layer.groups)
    return (nn.Linear,) if isinstance(layer, nn.Linear) else (id(layer),)


def torch_cell(layer: nn.LSTM | nn.GRU) -> GatedCell:
    """The cell that computes what a recurrent layer of torch does."""
    return LSTM if isinstance(layer, nn.LSTM) else GRU


def weights_of(path: str, layer: nn.Module) -> Iterator[tuple[Site, torch.Tensor]]:
    """The sites of a layer, and their weights."""
    if isinstance(layer, nn.LSTM | nn.GRU):
        for number in range(layer.num_layers):
            for suffix, direction in torch_directions(layer):
                for kind, letter, role in (("ih", "W", Role.INPUT), ("hh", "U", Role.RECURRENT)):
                    weight = getattr(layer, f"weight_{kind}_l{number}{suffix}").detach()
                    name = f"{path}.{letter}{number}{'b' * bool(suffix)}"
                    yield Site(name, len(weight), weight.shape[1], role, number, direction), weight
    elif isinstance(layer, Recurrent):
        for site, letter, weight in zip(layer.sites, "WU", (layer.W, layer.U), strict=False):
            assert weight is not None
            name = f"{path}.{letter}"
            yield Site(name, site.out_features, site.in_features, site.role, 0, site.direction), weight.detach()
    else:
        weight = torch.as_tensor(layer.weight).detach()  # which may be parametrized: no parameter then
        yield Site(path, len(weight), weight[0].numel()), weight


def torch_directions(layer: nn.LSTM | nn.GRU) -> tuple[tuple[str, Direction], ...]:
    """The directions of a recurrent layer of torch, by the suffix of its parameters' names."""
    both = ("", Direction.FORWARD), ("_reverse", Direction.BACKWARD)
    return both if layer.bidirectional else both[:1]
