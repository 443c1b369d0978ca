"""The integer-only reference: what integer hardware computes, with whole numbers alone and written to be read.

It plugs into a network in place of `quant.arithmetic.integer.QuantizedArithmetic`. Values between operations are 16-bit
fixed point, carried as floating-point numbers that hold them exactly; within an operation there are only integers:
products with accumulators of stated width, checked for overflow; requantization by a multiplier of 31 bits and a shift
(Jacob et al. 2018, section 2.2), ties to even; sigmoid and tanh from one table of 1,025 words with linear
interpolation. Accumulators equal the fast path's bit for bit; results of elementwise work lie within one unit of 16-bit
fixed point of it. """

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.grid import FRACTION_BITS, Grid, fixed_point_grid
from quant.arithmetic.integer import QuantizedWeights
from quant.arithmetic.protocol import by_gate, in_time, side_by_side
from quant.networks.cells import Cell
from quant.sites.candidate import FIXED_POINT_BITS, Bits
from quant.sites.site import DIRECTIONS
from simulators.inputs.errors import InputError

Ints = NDArray[np.int64]

NARROW_ACCUMULATOR, WIDE_ACCUMULATOR = 32, 48
"""Bits of an accumulator for operands of up to 8 bits, and where one has 16."""

CARRIED = max(FRACTION_BITS)
"""Fractional bits of the finest fixed point: in these units every carried value is whole."""

GATE_FRACTION = 14
_LOW, _HIGH = -(2**15), 2**15 - 1
_TABLE_BITS, _TABLE_FRACTION = 10, 16
_TABLE_REACH = 3  # the table spans [0, 2^3): tanh(8) is 1 to 16 bits


def shifted(x: Ints, right: int | Ints) -> Ints:
    """x / 2^right to the nearest whole number, ties to even; a negative shift multiplies."""
    right = np.asarray(right, np.int64)
    left = np.maximum(-right, 0)
    right = np.maximum(right, 0)
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    quotient = (x << left) >> right
    rest = (x << left) - (quotient << right)
    return quotient + ((rest > half) | ((rest == half) & (right > 0) & (quotient & 1 == 1)))


def saturated(x: Ints) -> Ints:
    """As a signed 16-bit word holds it."""
    return np.clip(x, _LOW, _HIGH)


@dataclass(frozen=True)
class Multiplier:
    """A positive factor of each row as a first shift, m of 31 bits, and a second shift."""

    first: Ints
    m: Ints
    second: Ints

    @classmethod
    def of(cls, factor: NDArray[np.float64]) -> "Multiplier":
        mantissa, exponent = np.frexp(factor)
        m = np.rint(np.ldexp(mantissa, 31)).astype(np.int64)
        # As many lower bits of a wide accumulator fall away as let a result of 16 bits come from 32.
        first = np.maximum(17 - 31 - exponent.astype(np.int64), 0)
        return cls(first, m, 31 - exponent - first)

    def __call__(self, x: Ints) -> Ints:
        """x · factor to the nearest whole number. What exceeds 32 bits after the first shift exceeds 16 as a result.
        The first shift leaves a sticky last bit, so that the second does not take for a tie what is none."""
        kept = x >> self.first
        kept = kept | ((kept << self.first) != x)
        narrow = np.clip(kept, -(2**31), 2**31 - 1)
        return shifted(narrow * self.m, np.minimum(self.second, 62))


@cache
def _tanh_table() -> Ints:
    """tanh at 1,025 points of [0, 8], in units of 2^-16, 16 unsigned bits at most."""
    points = np.linspace(0.0, 2.0**_TABLE_REACH, 2**_TABLE_BITS + 1)
    return np.minimum(np.rint(np.tanh(points) * 2**_TABLE_FRACTION), 2**_TABLE_FRACTION - 1).astype(np.int64)


_POSITION = 30  # fractional bits of a place in the table
_BETWEEN = _POSITION - (_TABLE_BITS - _TABLE_REACH)  # of a place between two of its points
_INTERPOLATED = _TABLE_FRACTION + _BETWEEN  # of the interpolated value


def _interpolated(x: Ints, fraction: int) -> Ints:
    """tanh(x · 2^-fraction) with _INTERPOLATED fractional bits."""
    table, limit = _tanh_table(), np.int64(1) << (_TABLE_REACH + _POSITION)
    place = np.minimum(shifted(np.minimum(np.abs(x), 1 << 20), fraction - _POSITION), limit - 1)
    index = place >> _BETWEEN
    value = (table[index] << _BETWEEN) + (table[index + 1] - table[index]) * (place - (index << _BETWEEN))
    return np.sign(x) * value


def tanh(x: Ints, fraction: int) -> Ints:
    """tanh(x · 2^-fraction) in units of 2^-14."""
    return shifted(_interpolated(x, fraction), _INTERPOLATED - GATE_FRACTION)


def sigmoid(x: Ints, fraction: int) -> Ints:
    """(1 + tanh(x · 2^-fraction / 2)) / 2 in units of 2^-14."""
    one = np.int64(1) << _INTERPOLATED
    return shifted(one + _interpolated(x, fraction + 1), _INTERPOLATED + 1 - GATE_FRACTION)


def fraction_of(grid: Grid) -> int:
    """Fractional bits of a fixed-point grid."""
    return -round(math.log2(grid.step))


class IntegerArithmetic:
    """Inference of one candidate in whole numbers. `accumulator_bits` collects what each site's largest sum took."""

    def __init__(self, bits: Bits, weights: QuantizedWeights, calibration: Calibration):
        self._bits = bits
        self._weights = weights
        self._calibration = calibration
        self.accumulator_bits: dict[str, int] = {}

    def codes(self, site: str, x: torch.Tensor) -> Ints:
        """The activation codes of carried values."""
        grid = self._grid(site)
        return self._encode(_whole(x), grid)

    def accumulate(self, site: str, codes: Ints, weights: Ints) -> Ints:
        """Sums (…, M) of the products of codes (…, K) and weights (M, K). Raises InputError if one does not fit its
        accumulator."""
        width = WIDE_ACCUMULATOR if max(self._bits[site]) == FIXED_POINT_BITS else NARROW_ACCUMULATOR
        sums = codes @ weights.T
        used = int(np.abs(sums).max(initial=0)).bit_length() + 1
        self.accumulator_bits[site] = max(used, self.accumulator_bits.get(site, 0))
        if used > width:
            raise InputError(f"site {site}: a sum takes {used} bits: the accumulator has {width}")
        return sums

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        # The features of the first site are real numbers: their encoding is the border of the integer domain.
        first = site == self._first
        codes = self._grid(site).encode(x).numpy().astype(np.int64) if first else self.codes(site, x)
        w = self._weights(site, self._bits[site][0])
        sums = self.accumulate(site, codes, w.codes.numpy().astype(np.int64))
        if site in self._calibration.states:
            return torch.from_numpy(sums.astype(np.float64))  # the recurrence rescales its input itself
        result = self._calibration.results[site]
        y = self._rescale(site, w.steps, result)(sums)
        if bias is not None:
            y = y + np.rint(bias.double().numpy() / result.step).astype(np.int64)
        return _carried(saturated(y), result)

    def sru(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        u = by_gate(self.product(site, x, weight), vectors)
        w = self._weights(site, self._bits[site][0])
        result, memory = self._calibration.results[site], self._calibration.states[site]
        fixed = fixed_point_grid(float(vectors.abs().max()))
        v = fixed.encode(vectors).numpy().astype(np.int64)  # (2, 4, C)
        rescale = self._rescale(site, w.steps, result)
        whole = saturated(rescale(u.flatten(2).numpy().astype(np.int64))).reshape(u.shape)  # (T, B, 2, 3, C)
        fu, fc, fv = fraction_of(result), fraction_of(memory), fraction_of(fixed)
        out = np.zeros((*u.shape[:3], u.shape[4]), np.int64)
        for b, length in enumerate(lengths.tolist()):
            for d in range(DIRECTIONS):
                c = np.zeros(u.shape[4], np.int64)
                for t in range(length) if d == 0 else range(length - 1, -1, -1):
                    u_x, a_f, a_r = whole[t, b, d]
                    f = sigmoid(_sum((a_f, fu), (v[d, 0] * c, fv + fc), (v[d, 2], fv), to=fu), fu)
                    r = sigmoid(_sum((a_r, fu), (v[d, 1] * c, fv + fc), (v[d, 3], fv), to=fu), fu)
                    change, fine = exact_sum((c, fc), (-u_x, fu))
                    c = _sum((u_x, fu), (f * change, GATE_FRACTION + fine), to=fc)
                    out[t, b, d] = _sum((r * tanh(c, fc), 2 * GATE_FRACTION), to=GATE_FRACTION)
        return torch.from_numpy((out * 2.0**-GATE_FRACTION).astype(np.float32))

    def recurrence(
        self,
        site: str,
        cell: type[Cell],
        u: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        w = self._weights(site, self._bits[site][0])
        result, memory = self._calibration.results[site], self._calibration.states[site]
        fu, fc = fraction_of(result), fraction_of(memory)
        rows = w.codes.numpy().astype(np.int64).reshape(DIRECTIONS, -1, w.codes.shape[1])
        steps = w.steps.reshape(DIRECTIONS, -1)
        inputs = saturated(_to(_whole(side_by_side(u, lengths)), CARRIED, fu))  # (T, 2, B, G·C)
        biases = np.rint(bias.double().numpy() / result.step).astype(np.int64)
        step = {"lstm": _lstm, "gru": _gru, "ligru": _ligru}[cell.name]
        state_fraction = fc if cell.name == "ligru" else GATE_FRACTION
        out = np.zeros((*inputs.shape[:3], rows.shape[2]), np.int64)
        for d in range(DIRECTIONS):
            rescale = self._rescale(site, steps[d], result)
            h = c = np.zeros(out.shape[2:], np.int64)
            for t in range(len(inputs)):
                codes = self._encode(_to(h, state_fraction, CARRIED), self._grid(site))
                a = saturated(rescale(self.accumulate(site, codes, rows[d])))
                h, c = step(a, inputs[t, d], biases[d], h, c, fu, fc)
                out[t, d] = h
        carried = torch.from_numpy((out * 2.0**-state_fraction).astype(np.float32))
        return in_time(carried, lengths)

    @property
    def _first(self) -> str:
        return next(iter(self._calibration.activations))

    def _grid(self, site: str) -> Grid:
        return self._calibration.grid(site, self._bits[site][1], self._weights.scheme.activations)

    def _encode(self, whole: Ints, grid: Grid) -> Ints:
        """From units of 2^-CARRIED."""
        codes = Multiplier.of(np.array(2.0**-CARRIED / grid.step))(whole)
        return np.clip(codes, grid.lowest, grid.highest)

    def _rescale(self, site: str, steps: torch.Tensor, result: Grid) -> Multiplier:
        return Multiplier.of(steps.double().numpy().ravel() * self._grid(site).step / result.step)


def _lstm(a: Ints, u: Ints, bias: Ints, h: Ints, c: Ints, fu: int, fc: int) -> tuple[Ints, Ints]:
    """`quant.networks.cells.Lstm.step`; a and u have fu fractional bits, c has fc, gates and h 14."""
    i, f, g, o = np.split(saturated(a + u), 4, -1)
    i, f, g, o = sigmoid(i, fu), sigmoid(f, fu), tanh(g, fu), sigmoid(o, fu)
    entering = _sum((i * g, 2 * GATE_FRACTION), to=fc)
    c = _sum((f * c, GATE_FRACTION + fc), (entering, fc), to=fc)
    return _sum((o * tanh(c, fc), 2 * GATE_FRACTION), to=GATE_FRACTION), c


def _gru(a: Ints, u: Ints, bias: Ints, h: Ints, c: Ints, fu: int, fc: int) -> tuple[Ints, Ints]:
    """`quant.networks.cells.Gru.step`; c is not used."""
    cells = h.shape[-1]
    r, z = np.split(sigmoid(saturated(a[..., : 2 * cells] + u[..., : 2 * cells]), fu), 2, -1)
    inner = _sum((r * saturated(a[..., 2 * cells :] + bias), GATE_FRACTION + fu), to=fu)
    n = tanh(saturated(u[..., 2 * cells :] + inner), fu)
    entering = _sum((((1 << GATE_FRACTION) - z) * n, 2 * GATE_FRACTION), to=GATE_FRACTION)
    return _sum((entering, GATE_FRACTION), (z * h, 2 * GATE_FRACTION), to=GATE_FRACTION), c


def _ligru(a: Ints, u: Ints, bias: Ints, h: Ints, c: Ints, fu: int, fc: int) -> tuple[Ints, Ints]:
    """`quant.networks.cells.LiGru.step`; h has fc fractional bits, c is not used."""
    z, n = np.split(saturated(a + u), 2, -1)
    z, n = sigmoid(z, fu), saturated(_to(np.maximum(n, 0), fu, fc))
    entering = _sum((((1 << GATE_FRACTION) - z) * n, GATE_FRACTION + fc), to=fc)
    return _sum((entering, fc), (z * h, GATE_FRACTION + fc), to=fc), c


def _to(x: Ints, fraction: int, to: int) -> Ints:
    """The same value with other fractional bits."""
    return shifted(x, fraction - to)


def exact_sum(*terms: tuple[Ints, int]) -> tuple[Ints, int]:
    """The exact sum of terms of their own fractional bits, and its fractional bits."""
    fine = max(fraction for _, fraction in terms)
    return np.sum(np.broadcast_arrays(*(_to(x, fraction, fine) for x, fraction in terms)), axis=0), fine


def _sum(*terms: tuple[Ints, int], to: int) -> Ints:
    """The sum of terms of their own fractional bits, rounded once and saturated to 16 bits."""
    total, fine = exact_sum(*terms)
    return saturated(_to(total, fine, to))


def _whole(x: torch.Tensor) -> Ints:
    """Carried values in units of 2^-CARRIED."""
    return np.rint(x.double().numpy() * 2.0**CARRIED).astype(np.int64)


def _carried(whole: Ints, grid: Grid) -> torch.Tensor:
    return torch.from_numpy((whole * grid.step).astype(np.float32))
