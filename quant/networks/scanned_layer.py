"""A layer of a cell without a recurrent product, in every arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.grid import fixed_point_grid
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import CARRIED, IntegerArithmetic, carried, whole
from quant.arithmetic.observer import Observer
from quant.arithmetic.protocol import Arithmetic
from quant.arithmetic.whole_numbers import Ints, fraction_of, rescaled, saturated
from quant.networks.cell_layer import CellLayer, LayerParameters, ValueRoundings
from quant.networks.step import Fractions, StepRoundings, Tensors
from quant.networks.time_order import in_time, side_by_side, true_frames

if TYPE_CHECKING:
    from quant.networks.scanned_cell import ScannedCell


class ScannedLayer(CellLayer):
    """An input product of all steps, and elementwise work behind it."""

    def __init__(self, cell: ScannedCell, parameters: LayerParameters):
        self.cell = cell
        self.parameters = parameters
        self.site = parameters.input_site
        """The one site, whose formats sums and states have."""

    def in_float(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: FloatArithmetic) -> torch.Tensor:
        """Float32, differentiable."""
        h, _ = self.cell.all_steps(self._inputs(x, lengths, arithmetic), self.parameters.vectors)
        return _true_part(in_time(h, lengths), lengths)

    def observed(self, x: torch.Tensor, lengths: torch.Tensor, observer: Observer) -> torch.Tensor:
        """Float32; the state is what is kept."""
        h, kept = self.cell.all_steps(self._inputs(x, lengths, observer), self.parameters.vectors)
        observer.see_state(self.site, kept.transpose(1, 2))
        return _true_part(in_time(h, lengths), lengths)

    def in_fixed_point(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: QuantizedArithmetic) -> torch.Tensor:
        """16-bit fixed point by the cell's step, in torch."""
        sums, memory = arithmetic.calibration.results[self.site], arithmetic.calibration.states[self.site]
        gates = fixed_point_grid(1.0)
        u = sums.round(self._inputs(x, lengths, arithmetic))
        constants = tuple(gates.round(value.float())[:, None] for value in self._constants())
        h = self._stepped(u, constants, StepRoundings(gates.round, memory.round, sums.round))
        return _true_part(in_time(h, lengths), lengths)

    def in_integers(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: IntegerArithmetic) -> torch.Tensor:
        """Step by step, by the cell's step in whole numbers."""
        result, memory = arithmetic.calibration.results[self.site], arithmetic.calibration.states[self.site]
        fractions = Fractions(fraction_of(result), fraction_of(memory))
        u = saturated(rescaled(whole(self._inputs(x, lengths, arithmetic)), CARRIED, fractions.sum))
        constants = tuple(value[:, None] for value in self.cell.integer_constants(self.parameters.vectors))
        shape = (*u.shape[1:-1], u.shape[-1] // self.cell.gates)
        state: tuple[Ints, ...] = tuple(np.zeros(shape, np.int64) for _ in range(self.cell.states))
        out = np.zeros((len(u), *shape), np.int64)
        for t, of_step in enumerate(u):
            state = self.cell.integer_step(of_step, constants, state, fractions)
            out[t] = state[0]
        return _true_part(in_time(carried(out, memory.step), lengths), lengths)

    def in_roundings(self, x: torch.Tensor, lengths: torch.Tensor, roundings: ValueRoundings) -> torch.Tensor:
        """The cell's step, its values rounded as a module of one's own has it."""
        parameters = self.parameters
        weight = roundings.weight(self.site, parameters.input_weight)
        products = functional.linear(roundings.input(self.site, x), weight, parameters.bias)
        u = side_by_side(roundings.result(self.site, products), lengths, parameters.directions)
        held = StepRoundings(
            lambda value: roundings.gate(self.site, value),
            lambda value: roundings.state(self.site, value),
            lambda value: roundings.result(self.site, value),
        )
        constants = tuple(held.gate(value.float())[:, None] for value in self._constants())
        return _true_part(in_time(self._stepped(u, constants, held), lengths), lengths)

    def _stepped(self, u: torch.Tensor, constants: Tensors, roundings: StepRoundings) -> torch.Tensor:
        """h of all steps, one after the other."""
        shape = (*u.shape[1:-1], u.shape[-1] // self.cell.gates)
        state: Tensors = tuple(u.new_zeros(shape) for _ in range(self.cell.states))
        out = u.new_empty(len(u), *shape)
        for t, of_step in enumerate(u):
            state = self.cell.step(of_step, constants, state, roundings)
            out[t] = state[0]
        return out

    def _constants(self) -> Tensors:
        return self.cell.held_constants(self.parameters.vectors.detach())

    def _inputs(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: Arithmetic) -> torch.Tensor:
        """The input product of all steps (T, D, B, G·C) with its bias."""
        parameters = self.parameters
        u = arithmetic.product(self.site, x, parameters.input_weight, parameters.bias)
        return side_by_side(u, lengths, parameters.directions)


def _true_part(h: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """h (T, B, D, C) with what lies past an utterance's end set to zero."""
    return h * true_frames(h, lengths)[..., None, None]
