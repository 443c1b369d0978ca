"""A layer of a cell with a recurrent product, in every arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import CARRIED, IntegerArithmetic, carried, whole
from quant.arithmetic.observer import Observer
from quant.arithmetic.protocol import Arithmetic
from quant.arithmetic.whole_numbers import GATE_FRACTION, fraction_of, rescaled, saturated
from quant.networks.cell_layer import CellLayer, LayerParameters, SeenRecurrence, ValueRoundings
from quant.networks.fixed_point import with_fast_step, with_step
from quant.networks.step import Fractions, StepRoundings, Tensors
from quant.networks.time_order import before, in_time, side_by_side, true_frames

if TYPE_CHECKING:
    from quant.networks.gated import GatedCell


class GatedLayer(CellLayer):
    """An input product of all steps, and a recurrence with a product in it."""

    def __init__(self, cell: GatedCell, parameters: LayerParameters):
        assert parameters.recurrent_site is not None
        assert parameters.recurrent_weight is not None
        self.cell = cell
        self.parameters = parameters
        self.site = parameters.recurrent_site
        """The recurrent product's site, whose formats sums and states have."""
        self.weight = parameters.recurrent_weight
        self.directions = parameters.directions

    def in_float(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: FloatArithmetic) -> torch.Tensor:
        """Float32, differentiable."""
        u = side_by_side(self._inputs(x, arithmetic), lengths, self.directions)
        w = arithmetic.recurrent_weight(self.site, self.weight).unflatten(0, (self.directions, -1))
        h = self.cell.differentiable(u, w, self.parameters.vectors, arithmetic.recurrent_input(self.site))
        return _true_part(in_time(h, lengths), lengths)

    def observed(self, x: torch.Tensor, lengths: torch.Tensor, observer: Observer) -> torch.Tensor:
        """Float32; sums before and after the recurrent product is added share a format."""
        u = side_by_side(self._inputs(x, observer), lengths, self.directions)
        w = self.weight.unflatten(0, (self.directions, -1))
        bias = self.parameters.vectors
        h, memory = self.cell.outputs_and_memory(u, w, bias)
        observer.see_input(self.site, before(h).transpose(1, 2))
        sums = torch.matmul(before(h), w.transpose(1, 2))
        if bias.numel():
            sums[..., -bias.shape[1] :] += bias[:, None]
        observer.see_result(self.site, *(values.transpose(1, 2) for values in (u, sums, u + sums)))
        observer.see_state(self.site, memory.transpose(1, 2))
        return _true_part(in_time(h, lengths), lengths)

    def in_fixed_point(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: QuantizedArithmetic) -> torch.Tensor:
        """16-bit fixed point by the cell's compiled step, or by its step in torch."""
        u = self._inputs(x, arithmetic)
        fast_step = self.cell.fast_step()
        if fast_step is None:
            return with_step(self.cell, self.site, u, self.parameters.vectors, lengths, arithmetic)
        return with_fast_step(fast_step, self.cell.gates, self.site, u, self.parameters.vectors, lengths, arithmetic)

    def in_integers(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: IntegerArithmetic) -> torch.Tensor:
        """Whole numbers alone, by the cell's step in them. Raises InputError where it has none."""
        u = self._inputs(x, arithmetic)
        result, memory = arithmetic.calibration.results[self.site], arithmetic.calibration.states[self.site]
        fractions = Fractions(fraction_of(result), fraction_of(memory))
        h_fraction = GATE_FRACTION if self.cell.bounded else fractions.memory
        inputs = saturated(
            rescaled(whole(side_by_side(u, lengths, self.directions)), CARRIED, fractions.sum)
        )  # (T, D, B, G·C)
        biases = np.rint(self.parameters.vectors.double().numpy() / result.step).astype(np.int64)
        weights = arithmetic.weight_codes(self.site)  # (D·G·C, C)
        rows, cells = len(weights) // self.directions, weights.shape[1]
        out = np.zeros((*inputs.shape[:3], cells), np.int64)
        for d in range(self.directions):
            own = slice(d * rows, (d + 1) * rows)
            rescale = arithmetic.rescale(self.site, result, own)
            state = tuple(np.zeros(out.shape[2:], np.int64) for _ in range(self.cell.states))
            for t in range(len(inputs)):
                codes = arithmetic.encode(self.site, rescaled(state[0], h_fraction, CARRIED))
                a = saturated(rescale(arithmetic.accumulate(self.site, codes, weights[own])))
                state = self.cell.integer_step(inputs[t, d], a, biases[d], state, fractions)
                out[t, d] = state[0]
        return _true_part(in_time(carried(out, 2.0**-h_fraction), lengths), lengths)

    def in_roundings(self, x: torch.Tensor, lengths: torch.Tensor, roundings: ValueRoundings) -> torch.Tensor:
        """Each direction, one after the other."""
        parameters = self.parameters
        assert parameters.bias is not None
        weights = (
            roundings.weight(parameters.input_site, parameters.input_weight),
            roundings.weight(self.site, self.weight),
            parameters.bias,
        )
        directions = []
        for d, (w, u, bias) in enumerate(zip(*(each.chunk(self.directions) for each in weights), strict=True)):
            sites = parameters.input_site, self.site
            turned = x.flip(0) if d else x
            h, _ = one_direction(self.cell, sites, turned, (w, u), (bias, parameters.vectors[d : d + 1]), roundings)
            directions.append(h.flip(0) if d else h)
        return torch.stack(directions, 2)

    def _inputs(self, x: torch.Tensor, arithmetic: Arithmetic) -> torch.Tensor:
        """The input product of all steps (T, B, D·G·C) with its bias."""
        parameters = self.parameters
        return arithmetic.product(parameters.input_site, x, parameters.input_weight, parameters.bias)


def one_direction(
    cell: GatedCell,
    sites: tuple[str, str],
    x: torch.Tensor,
    weights: tuple[torch.Tensor, torch.Tensor],
    biases: tuple[torch.Tensor, torch.Tensor],
    roundings: ValueRoundings,
    initial: Tensors | None = None,
) -> tuple[torch.Tensor, Tensors]:
    """One direction of a layer in a module's roundings: x (T, B, K) in that direction's order of time → h (T, B, C) and
    the last states (B, C). `weights` (G·C, K) and (G·C, C) are rounded already; `biases` are those of the input product
    (G·C,) and of the recurrent one (1, R·C). `sites` are both products'. `initial` states (B, C), by default zero."""
    input_site, site = sites
    w, u = weights
    products = roundings.result(input_site, functional.linear(roundings.input(input_site, x), w, biases[0]))

    def gate(value: torch.Tensor) -> torch.Tensor:
        return roundings.gate(site, value)

    def memory(value: torch.Tensor) -> torch.Tensor:
        return roundings.state(site, value)

    recurrent: list[torch.Tensor] = []

    def product(h: torch.Tensor) -> torch.Tensor:
        recurrent.append(roundings.result(site, roundings.input(site, h) @ u.T))
        return recurrent[-1]

    if initial is None:
        initial = tuple(x.new_zeros(x.shape[1], u.shape[1]) for _ in range(cell.states))
    else:
        initial = tuple((memory if number or not cell.bounded else gate)(part) for number, part in enumerate(initial))
    held = StepRoundings(gate, memory, lambda value: roundings.result(site, value))
    begin = tuple(part[None] for part in initial)
    states = list(cell.steps(products[:, None], product, biases[1], held, begin))
    kept = tuple(torch.cat(parts) for parts in zip(begin, *states, strict=True))  # (1 + T, B, C) each
    before = tuple(part[:-1] for part in kept)
    roundings.recurrence(SeenRecurrence(cell.step, sites, x, w, products, torch.cat(recurrent), biases[1], before))
    return kept[0][1:], tuple(part[-1] for part in kept)


def _true_part(h: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """h (T, B, D, C) with what lies past an utterance's end set to zero."""
    return h * true_frames(h, lengths)[..., None, None]
