"""Layers of a module of one's own that compute in other roundings for a while."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from quant.networks.cell_layer import ValueRoundings
from quant.networks.gated import GatedCell
from quant.networks.gated_layer import one_direction
from quant.networks.step import Tensors
from quant.own.module_layers import first_with_weights, torch_cell, torch_directions
from quant.own.recurrent_layers import Recurrent
from simulators.inputs.errors import InputError


@contextmanager
def replaced(layers: Mapping[str, nn.Module], roundings: ValueRoundings) -> Iterator[None]:
    """Layers, by their paths, compute in these roundings while the context is open; tied ones as the first of them."""
    sites = first_with_weights(dict(layers))
    try:
        for path, layer in layers.items():
            layer.forward = _computing(path, sites[path], layer, roundings)
        yield
    finally:
        for layer in layers.values():
            vars(layer).pop("forward", None)


def _computing(path: str, site: str, layer: nn.Module, roundings: ValueRoundings) -> Callable[..., Any]:
    """What a layer's `forward` is replaced by, with the names that its arguments have."""
    if isinstance(layer, nn.LSTM | nn.GRU):
        return lambda input, hx=None: _torch_recurrent(path, layer, roundings, input, hx)
    if isinstance(layer, Recurrent):

        def recurrent(x: torch.Tensor) -> torch.Tensor:
            lengths = torch.full((x.shape[1],), len(x))
            return layer.layer(path).in_roundings(x, lengths, roundings).flatten(2)

        return recurrent

    def product(input: torch.Tensor) -> torch.Tensor:
        x, weight = roundings.input(site, input), roundings.weight(site, torch.as_tensor(layer.weight))
        if isinstance(layer, nn.Linear):
            y = nn.functional.linear(x, weight, layer.bias)
        else:
            assert isinstance(layer, nn.Conv1d | nn.Conv2d)
            y = layer._conv_forward(x, weight, layer.bias)
        return roundings.result(site, y)

    return product


def check_recurrent_input(path: str, layer: nn.Module, x: object) -> None:
    """Raise InputError for what no recurrent layer here takes."""
    if not isinstance(x, torch.Tensor):
        what = "a packed sequence" if isinstance(x, nn.utils.rnn.PackedSequence) else type(x).__name__
        raise InputError(f"{path}: {type(layer).__name__}: called with {what}: it must be a tensor")


def _torch_recurrent(
    path: str, layer: nn.LSTM | nn.GRU, roundings: ValueRoundings, x: Any, hx: Any
) -> tuple[torch.Tensor, Any]:
    """torch's LSTM or GRU step by step, from given states or from zero; batched or not, as torch has it."""
    check_recurrent_input(path, layer, x)
    cell, batched = torch_cell(layer), x.dim() == 3
    of_batch = 0 if layer.batch_first else 1
    given = () if hx is None else hx if isinstance(layer, nn.LSTM) else (hx,)
    if not batched:
        x, given = x.unsqueeze(of_batch), tuple(state.unsqueeze(1) for state in given)
    x = x.transpose(0, 1) if layer.batch_first else x
    last: list[Tensors] = []
    for number in range(layer.num_layers):
        directions = []
        for suffix, _ in torch_directions(layer):
            name = f"{number}{'b' * bool(suffix)}"
            sites = f"{path}.W{name}", f"{path}.U{name}"
            kinds = zip(sites, ("ih", "hh"), strict=True)
            w, u = (roundings.weight(site, getattr(layer, f"weight_{kind}_l{number}{suffix}")) for site, kind in kinds)
            biases = _biases(layer, f"l{number}{suffix}", cell)
            initial = tuple(state[len(last)] for state in given) or None
            turned = x.flip(0) if suffix else x
            h, states = one_direction(cell, sites, turned, (w, u), biases, roundings, initial)
            last.append(states)
            directions.append(h.flip(0) if suffix else h)
        x = torch.cat(directions, -1)
    kept = tuple(torch.stack(states) for states in zip(*last, strict=True))
    y = x.transpose(0, 1) if layer.batch_first else x
    if not batched:
        y, kept = y.squeeze(of_batch), tuple(state.squeeze(1) for state in kept)
    return y, (kept if isinstance(layer, nn.LSTM) else kept[0])


def _biases(layer: nn.LSTM | nn.GRU, name: str, cell: GatedCell) -> tuple[torch.Tensor, torch.Tensor]:
    """What is added to the input product (G·C,), and the recurrent bias that has to stay apart (1, R·C)."""
    cells = layer.hidden_size
    if not layer.bias:
        return torch.zeros(cell.gates * cells), torch.zeros(1, cell.recurrent_biases * cells)
    bias, recurrent = getattr(layer, f"bias_ih_{name}").clone(), getattr(layer, f"bias_hh_{name}")
    together = (cell.gates - cell.recurrent_biases) * cells
    bias[:together] += recurrent[:together]
    return bias, recurrent[None, together:]
