"""SRU (Lei et al. 2018, equations 1-4; no highway): the only product is that of the input, and everything else is fused
in one pass over time, `quant.networks.sru_recurrence`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch.nn import functional

from quant.arithmetic import kernels
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import IntegerArithmetic, carried
from quant.arithmetic.observer import Observer
from quant.arithmetic.products import Weights
from quant.arithmetic.whole_numbers import (
    GATE_FRACTION,
    Ints,
    exact_sum,
    fraction_of,
    rounded_sum,
    saturated,
    sigmoid,
    tanh,
)
from quant.networks.cell_layer import CellLayer, LayerParameters, ValueRoundings
from quant.networks.fused_trace import FusedWork, fused_layers
from quant.networks.recurrent_cell import RecurrentCell
from quant.networks.sru_recurrence import sru_recurrence, sru_recurrence_fixed, sru_states
from quant.networks.traced_layer import TracedLayer
from quant.sites.candidate import Bits
from quant.sites.site import DIRECTIONS, Role, Site, direction_of

GATES = 3
"""x, f and r."""
VECTORS = 4
"""v_f, v_r, b_f and b_r."""

CELLS_AT_ONCE = 280
"""Cells of a block of a layer, at most: fewer keep more in the caches and take more calls."""
CELLS_PER_WORD = 16
"""float32 numbers in the widest machine word of today, 512 bits."""


class Sru(RecurrentCell):
    """f, r = sigmoid(W x + v c' + b); c = W x + f (c' - W x); h = r tanh(c). Order of the gates: x, f, r."""

    name, title, gates, vector_words, states = "sru", "SRU", GATES, VECTORS, 2
    ops: ClassVar = {"multiply": 4, "add": 6, "sigmoid": 2, "tanh": 1}
    default_layers, default_projection = 4, 256  # MOHAQ, Rezk et al. 2022, figure 5
    input_bias, input_prefix, vectors_prefix = False, "L", "V"
    shifted_gates = (1, 2)  # x has no bias
    frames_per_batch = 1024  # what is in flight stays near the caches

    def layer_sites(self, layer: int, inputs: int, cells: int, directions: int = DIRECTIONS) -> tuple[Site, ...]:
        """One matrix for all directions and gates."""
        rows = directions * GATES * cells
        return (Site(f"{self.input_prefix}{layer}", rows, inputs, Role.INPUT, layer, direction_of(directions)),)

    def vectors_shape(self, cells: int, directions: int = DIRECTIONS) -> tuple[int, ...]:
        """(D, 4, C), in the order v_f, v_r, b_f, b_r."""
        return directions, VECTORS, cells

    def with_shift(self, vectors: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """The vectors, with the shifts of f and r added to b_f and b_r."""
        _, f, r = shift.unflatten(0, (len(vectors), GATES, -1)).unbind(1)
        v_f, v_r, b_f, b_r = vectors.unbind(1)
        return torch.stack((v_f, v_r, b_f + f, b_r + r), 1)

    def vectors_grid(self, vectors: torch.Tensor, sums: Grid) -> Grid:
        """The finest that holds the largest of them: they multiply, and so need not have the format of the sums."""
        return grid_of(vectors)

    def layer(self, parameters: LayerParameters) -> "SruLayer":
        """A layer of these parameters, to be computed."""
        return SruLayer(parameters)

    def trace_layers(
        self, sites: tuple[Site, ...], bits: Bits, steps: int, output_bits: int, elementwise_name: Callable[[str], str]
    ) -> Iterator[TracedLayer]:
        """The product of all steps, whose results are 16-bit fixed point, and the recurrence of both directions."""
        (site,) = sites
        work = FusedWork(elementwise_name(""), self.gates, self.ops, self.vector_words)
        yield from fused_layers(site, bits[site.name], steps, output_bits, work)


class SruLayer(CellLayer):
    """The product of all steps, and the fused recurrence behind it."""

    def __init__(self, parameters: LayerParameters):
        self.site, self.directions = parameters.input_site, parameters.directions
        self.weight, self.vectors = parameters.input_weight, parameters.vectors

    def in_float(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: FloatArithmetic) -> torch.Tensor:
        """Float32, differentiable."""
        u = by_gate(arithmetic.product(self.site, x, self.weight), self.directions)
        return sru_recurrence(u, self.vectors, lengths)

    def observed(self, x: torch.Tensor, lengths: torch.Tensor, observer: Observer) -> torch.Tensor:
        """Float32; c is what is kept."""
        u = by_gate(observer.product(self.site, x, self.weight), self.directions)
        h, c = sru_states(u, self.vectors, lengths)
        observer.see_state(self.site, c)
        return h

    def in_fixed_point(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: QuantizedArithmetic) -> torch.Tensor:
        """h as int16 in gate steps. Some cells at a time, whose sums are still in the caches when the recurrence reads
        them."""
        codes, grid = arithmetic.codes(self.site, x)
        vectors = grid_of(self.vectors).round(self.vectors)
        u_step = np.float32(arithmetic.calibration.results[self.site].step)
        state_step = np.float32(arithmetic.calibration.states[self.site].step)
        h = torch.empty(*x.shape[:2], *vectors.shape[::2], dtype=torch.int16)
        blocks = arithmetic.arranged(self.site, partial(blocks_of, self.directions))
        shape = *x.shape[:2], *blocks[0].steps.shape
        room = torch.empty(shape, dtype=torch.int32).view(-1, blocks[0].steps.size)
        step, recurrent = np.float32(grid.step), (vectors.numpy(), lengths.numpy(), h.numpy())
        for block in blocks:
            sums = block.weights.multiply(codes, room).view(shape).numpy()
            kernels.sru_forward_fixed(
                sums, block.steps * step, *recurrent, block.direction, block.first, u_step, state_step
            )
        return h

    def in_integers(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: IntegerArithmetic) -> torch.Tensor:
        """Step by step, as the equations are written."""
        result, memory = arithmetic.calibration.results[self.site], arithmetic.calibration.states[self.site]
        fixed = grid_of(self.vectors)
        vectors = fixed.encode(self.vectors).numpy().astype(np.int64)  # (D, 4, C)
        sums = arithmetic.sums(self.site, x)
        cells = self.vectors.shape[2]
        u = saturated(arithmetic.rescale(self.site, result)(sums)).reshape(
            *sums.shape[:2], self.directions, GATES, cells
        )
        fractions = fraction_of(result), fraction_of(memory), fraction_of(fixed)
        out = np.zeros((*u.shape[:3], cells), np.int64)
        for b, length in enumerate(lengths.tolist()):
            for d in range(self.directions):
                c = np.zeros(cells, np.int64)
                for t in range(length) if d == 0 else range(length - 1, -1, -1):
                    out[t, b, d], c = integer_step(u[t, b, d], vectors[d], c, fractions)
        return carried(out, 2.0**-GATE_FRACTION)

    def in_roundings(self, x: torch.Tensor, lengths: torch.Tensor, roundings: ValueRoundings) -> torch.Tensor:
        """The fused recurrence, in fixed point where values are rounded."""
        weight = roundings.weight(self.site, self.weight)
        products = roundings.result(self.site, functional.linear(roundings.input(self.site, x), weight))
        u = by_gate(products, self.directions)
        steps = roundings.steps(self.site)
        if steps is None:
            roundings.state(self.site, u[..., 0, :])  # the state is a mean of past inputs
            return sru_recurrence(u, self.vectors, lengths)
        vectors = grid_of(self.vectors).round(self.vectors)
        return sru_recurrence_fixed(u, torch.ones(u.shape[2:]), vectors, lengths, *steps)


SRU = Sru()


@dataclass(frozen=True)
class SruBlock:
    """The weights (3·W, K) of W cells of one direction, and their steps (3, W). What lies past the last cell is
    zero."""

    weights: Weights
    steps: np.ndarray
    direction: int
    """0 forward, 1 backward."""
    first: int
    """The first of the cells."""


def blocks_of(directions: int, whole: Weights) -> tuple[SruBlock, ...]:
    """The matrix of a layer (D·3·C, K) in parts of some cells each."""
    cells = len(whole.codes) // (directions * GATES)
    words = -(-cells // CELLS_PER_WORD)
    width = CELLS_PER_WORD * -(-words // -(-cells // CELLS_AT_ONCE))
    firsts = range(0, cells, width)
    missing = len(firsts) * width - cells
    codes = functional.pad(whole.codes.unflatten(0, (directions, -1, cells)), (0, 0, 0, missing))
    steps = functional.pad(whole.steps.unflatten(0, (directions, -1, cells)), (0, missing))
    blocks = []
    for direction in range(directions):
        for first in firsts:
            own = direction, slice(None), slice(first, first + width)
            weights = Weights(codes[own].flatten(0, 1), steps[own].flatten(), whole.bits)
            blocks.append(SruBlock(weights, steps[own].numpy(), direction, first))
    return tuple(blocks)


def grid_of(vectors: torch.Tensor) -> Grid:
    """The finest 16-bit fixed point that holds all values."""
    return fixed_point_grid(float(vectors.abs().max()))


def by_gate(u: torch.Tensor, directions: int) -> torch.Tensor:
    """The product of a layer (T, B, D·3·C) → (T, B, D, 3, C)."""
    apart: torch.Tensor = u.unflatten(-1, (directions, GATES, -1))
    return apart


def integer_step(u: Ints, vectors: Ints, c: Ints, fractions: tuple[int, int, int]) -> tuple[Ints, Ints]:
    """h and c of the next step in whole numbers: u (3, C), vectors (4, C) and c (C,), with the fractional bits of u, c
    and the vectors in `fractions`."""
    fu, fc, fv = fractions
    x, a_f, a_r = u
    v_f, v_r, b_f, b_r = vectors
    f = sigmoid(rounded_sum((a_f, fu), (v_f * c, fv + fc), (b_f, fv), to=fu), fu)
    r = sigmoid(rounded_sum((a_r, fu), (v_r * c, fv + fc), (b_r, fv), to=fu), fu)
    change, fine = exact_sum((c, fc), (-x, fu))
    c = rounded_sum((x, fu), (f * change, GATE_FRACTION + fine), to=fc)
    return rounded_sum((r * tanh(c, fc), 2 * GATE_FRACTION), to=GATE_FRACTION), c
