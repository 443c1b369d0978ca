"""Plain LSTM and GRU by compiled steps: in float, and in the fixed point of a candidate."""

from collections.abc import Callable

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.graphs.graph_roundings import GraphRounded
from quant.graphs.recurrent_direction import GATES, RecurrentDirection, States
from quant.networks.cell_layer import SeenRecurrence, ValueRoundings
from quant.networks.gated import GatedCell
from quant.networks.gru import GRU
from quant.networks.lstm import LSTM
from quant.networks.step import StepRoundings, Tensors


def in_fixed_point(
    layer: RecurrentDirection, products: torch.Tensor, first: States, lengths: torch.Tensor | None, held: GraphRounded
) -> tuple[torch.Tensor, States]:
    """h (T, B, C) and the last states, of input products (T, B, G·C) on the grid of the sums."""
    site, cells = layer.sites[1], layer.u.shape[1]
    sum_step, state_step = map(np.float32, held.kept_steps(site))
    grid, weights = held.grid(site), held.codes[site]
    encoding = tuple(map(np.float32, (1.0 / grid.step, grid.lowest, grid.highest)))
    u, frames = _arranged(layer, products, lengths)
    out = torch.zeros(*products.shape[:2], cells)
    h = _copied(first.h)
    common = u, weights.codes.contiguous().numpy(), (weights.steps * grid.step).numpy(), encoding, frames, h.numpy()
    if layer.op == "LSTM":
        c = _copied(first.c)
        kernels.lstm_sequence(*common, c.numpy(), out.numpy(), sum_step, state_step)
        return out, States(h, c)
    bias = held.result(site, layer.bias[1, 2 * cells :]).contiguous().numpy()
    kernels.gru_sequence(*common, bias, out.numpy(), sum_step)
    return out, States(h)


def in_float(
    layer: RecurrentDirection, x: torch.Tensor, products: torch.Tensor, first: States, lengths: torch.Tensor | None,
    held: ValueRoundings,
) -> tuple[torch.Tensor, States]:  # fmt: skip
    """h (T, B, C) and the last states, of inputs (T, B, K) and their products (T, B, G·C); `held` is shown what it
    would be shown step by step."""
    site, cells = layer.sites[1], layer.u.shape[1]
    u, frames = _arranged(layer, products, lengths)
    h, made = _copied(first.h), torch.zeros(products.shape)
    out, other = (torch.zeros(*products.shape[:2], cells) for _ in range(2))
    weights = layer.u.contiguous().numpy()
    if layer.op == "LSTM":
        c = _copied(first.c)
        kernels.lstm_float_sequence(u, weights, frames, h.numpy(), c.numpy(), out.numpy(), other.numpy(), made.numpy())
        begin: Tensors = (first.h, _copied(first.c))
        before: Tensors = tuple(torch.cat((x[None], kept[:-1])) for x, kept in zip(begin, (out, other), strict=True))
        products_alone, states = made, States(h, c)
    else:
        of_n = layer.bias[1, 2 * cells :].contiguous().numpy()
        kernels.gru_float_sequence(u, weights, frames, h.numpy(), of_n, out.numpy(), other.numpy(), made.numpy())
        before = (torch.cat((first.h[None], out[:-1])),)
        products_alone, states = made - _of_last_gate(layer), States(h)
    held.input(site, before[0])
    bias = layer.bias[1:, 2 * cells :] if layer.op == "GRU" else layer.bias[1:, :0]
    seen = SeenRecurrence(_STEPS[layer.op], layer.sites, x, layer.w, products, products_alone, bias, before)
    held.recurrence(seen)
    return out, states


def _of_last_gate(layer: RecurrentDirection) -> torch.Tensor:
    """The bias of the recurrent product of n, (3·C,) with zeros for the others."""
    cells = layer.u.shape[1]
    return torch.cat((torch.zeros(2 * cells), layer.bias[1, 2 * cells :]))


def _in_order(cell: GatedCell, order: tuple[int, ...]) -> Callable[..., Tensors]:
    """A cell's step for sums whose gates stand in ONNX's order; `order` has the place of each of the cell's gates."""

    def step(u: torch.Tensor, a: torch.Tensor, bias: torch.Tensor, state: Tensors, roundings: StepRoundings) -> Tensors:
        u, a = (x.unflatten(-1, (len(order), -1))[..., list(order), :].flatten(-2) for x in (u, a))
        return cell.step(u, a, bias, state, roundings)

    return step


_STEPS = {"LSTM": _in_order(LSTM, (0, 2, 3, 1)), "GRU": _in_order(GRU, (1, 0, 2))}


def _arranged(
    layer: RecurrentDirection, products: torch.Tensor, lengths: torch.Tensor | None
) -> tuple[np.ndarray, np.ndarray]:
    """The products (T, B, G, C) and the frames of each utterance, as kernels take them."""
    steps, batch, _ = products.shape
    u = products.float().reshape(steps, batch, GATES[layer.op], -1).contiguous().numpy()
    return u, np.full(batch, steps, np.int64) if lengths is None else lengths.numpy()


def _copied(state: torch.Tensor | None) -> torch.Tensor:
    assert state is not None
    return state.float().contiguous().clone()
