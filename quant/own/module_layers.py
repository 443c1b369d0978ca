"""The layers of a module of one's own: which have weights, what their sites are, and what cannot be quantized."""

from collections.abc import Iterator

import torch
from torch import nn

from quant.networks.gated import GatedCell
from quant.networks.gru import GRU
from quant.networks.lstm import LSTM
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


def layers_of(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The layers that have weights, by their path. Raises InputError for a module that is neither one, nor free, nor
    made of others."""
    if isinstance(module, LAYERS):
        _check(module, path)
        yield path or type(module).__name__.lower(), module
        return
    children = list(module.named_children())
    if not children and not isinstance(module, (*FREE, *ACTIVATIONS)):
        traceable = ", ".join(kind.__name__ for kind in (*LAYERS, *ACTIVATIONS, *FREE))
        raise InputError(f"{path or 'the module'}: {type(module).__name__}: it cannot be traced; what can: {traceable}")
    if stray := [name for name, _ in module.named_parameters(recurse=False)]:
        raise InputError(f"{path or 'the module'}: parameters of its own ({', '.join(stray)}) cannot be traced")
    for name, child in children:
        yield from layers_of(child, f"{path}.{name}" if path else name)


def _check(layer: nn.Module, path: str) -> None:
    complaint = ""
    if isinstance(layer, nn.LSTM) and layer.proj_size:
        complaint = f"proj_size {layer.proj_size}"
    if isinstance(layer, nn.Conv1d | nn.Conv2d) and (set(layer.dilation) != {1} or layer.padding_mode != "zeros"):
        complaint = "dilation or another padding than zeros"
    if isinstance(layer, nn.Conv1d | nn.Conv2d) and isinstance(layer.padding, str):
        complaint = f"padding {layer.padding!r}: give it in numbers"
    if complaint:
        raise InputError(f"{path}: {type(layer).__name__}: {complaint} cannot be traced")


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
        weight = layer.get_parameter("weight").detach()
        yield Site(path, len(weight), weight[0].numel()), weight


def torch_directions(layer: nn.LSTM | nn.GRU) -> tuple[tuple[str, Direction], ...]:
    """The directions of a recurrent layer of torch, by the suffix of its parameters' names."""
    both = ("", Direction.FORWARD), ("_reverse", Direction.BACKWARD)
    return both if layer.bidirectional else both[:1]
