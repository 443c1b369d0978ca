"""Plain LSTM and GRU by compiled steps: in float, and in the fixed point of a candidate."""

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.graphs.graph_roundings import GraphRounded
from quant.graphs.recurrent_direction import GATES, Recurrence, States
from quant.networks.cell_layer import ValueRoundings


def in_fixed_point(
    layer: Recurrence, products: torch.Tensor, first: States, lengths: torch.Tensor | None, held: GraphRounded
) -> tuple[torch.Tensor, States]:
    """h (T, B, C) and the last states, of input products (T, B, G·C) on the grid of the sums."""
    site, cells = layer.sites[1], layer.u.shape[1]
    sum_step, state_step = map(np.float32, held.formats(site))
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
    layer: Recurrence, products: torch.Tensor, first: States, lengths: torch.Tensor | None, held: ValueRoundings
) -> tuple[torch.Tensor, States]:
    """h (T, B, C) and the last states; `held` is shown what it would be shown step by step."""
    site, cells = layer.sites[1], layer.u.shape[1]
    u, frames = _arranged(layer, products, lengths)
    h, made = _copied(first.h), torch.zeros(products.shape)
    out, other = (torch.zeros(*products.shape[:2], cells) for _ in range(2))
    weights = layer.u.contiguous().numpy()
    if layer.op == "LSTM":
        c = _copied(first.c)
        kernels.lstm_float_sequence(u, weights, frames, h.numpy(), c.numpy(), out.numpy(), other.numpy(), made.numpy())
        held.state(site, other)
        sums, states = products + made, States(h, c)
    else:
        bias = layer.bias[1, 2 * cells :].contiguous().numpy()
        kernels.gru_float_sequence(u, weights, frames, h.numpy(), bias, out.numpy(), other.numpy(), made.numpy())
        entering = torch.cat((made[..., : 2 * cells], other), -1)
        sums, states = products + entering, States(h)
    held.input(site, torch.cat((first.h[None], out[:-1])))
    held.result(site, made)
    held.result(site, sums)
    return out, states


def _arranged(layer: Recurrence, products: torch.Tensor, lengths: torch.Tensor | None) -> tuple[np.ndarray, np.ndarray]:
    """The products (T, B, G, C) and the frames of each utterance, as kernels take them."""
    steps, batch, _ = products.shape
    u = products.float().reshape(steps, batch, GATES[layer.op], -1).contiguous().numpy()
    return u, np.full(batch, steps, np.int64) if lengths is None else lengths.numpy()


def _copied(state: torch.Tensor | None) -> torch.Tensor:
    assert state is not None
    return state.float().contiguous().clone()
