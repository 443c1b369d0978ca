"""Functions of whole numbers that stand for 16-bit fixed point: what integer hardware computes, written to be read.

A number is an integer and its fractional bits. Requantization is by a multiplier of 31 bits and a shift (Jacob et al.
2018, section 2.2), ties to even; sigmoid and tanh come from one table of 1,025 words with linear interpolation.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from quant.arithmetic.grid import Grid

Ints = NDArray[np.int64]

NARROW_ACCUMULATOR, WIDE_ACCUMULATOR = 32, 48
"""Bits of an accumulator for operands of up to 8 bits, and where one has 16."""

GATE_FRACTION = 14
"""Fractional bits of gates and of other values in [-1, 1]."""
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
    rounded: Ints = quotient + ((rest > half) | ((rest == half) & (right > 0) & (quotient & 1 == 1)))
    return rounded


def saturated(x: Ints) -> Ints:
    """The nearest number that a signed 16-bit word holds."""
    return np.clip(x, _LOW, _HIGH)


@dataclass(frozen=True)
class Multiplier:
    """A positive factor of each row (M,) as whole numbers: x · 2^-first · m · 2^-second."""

    first: Ints
    """Bits that the first shift drops."""
    m: Ints
    """Mantissa of 31 bits."""
    second: Ints
    """Bits that the second shift drops."""

    @classmethod
    def of(cls, factor: NDArray[np.float64]) -> "Multiplier":
        """The multiplier nearest to a positive factor."""
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
def tanh_table() -> Ints:
    """tanh at 1,025 points of [0, 8], in units of 2^-16, 16 unsigned bits at most."""
    points = np.linspace(0.0, 2.0**_TABLE_REACH, 2**_TABLE_BITS + 1)
    words: Ints = np.minimum(np.rint(np.tanh(points) * 2**_TABLE_FRACTION), 2**_TABLE_FRACTION - 1).astype(np.int64)
    return words


_POSITION = 30  # fractional bits of a place in the table
_BETWEEN = _POSITION - (_TABLE_BITS - _TABLE_REACH)  # of a place between two of its points
_INTERPOLATED = _TABLE_FRACTION + _BETWEEN  # of the interpolated value


def _interpolated(x: Ints, fraction: int) -> Ints:
    """tanh(x · 2^-fraction) with _INTERPOLATED fractional bits."""
    table, limit = tanh_table(), np.int64(1) << (_TABLE_REACH + _POSITION)
    place = np.minimum(shifted(np.minimum(np.abs(x), 1 << 20), fraction - _POSITION), limit - 1)
    index = place >> _BETWEEN
    value: Ints = (table[index] << _BETWEEN) + (table[index + 1] - table[index]) * (place - (index << _BETWEEN))
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


def rescaled(x: Ints, fraction: int, to: int) -> Ints:
    """A value with `fraction` fractional bits, rounded to one with `to`."""
    return shifted(x, fraction - to)


def exact_sum(*terms: tuple[Ints, int]) -> tuple[Ints, int]:
    """The exact sum of terms of their own fractional bits, and its fractional bits."""
    fine = max(fraction for _, fraction in terms)
    return np.sum(np.broadcast_arrays(*(rescaled(x, fraction, fine) for x, fraction in terms)), axis=0), fine


def rounded_sum(*terms: tuple[Ints, int], to: int) -> Ints:
    """The sum of terms of their own fractional bits, rounded once and saturated to 16 bits."""
    total, fine = exact_sum(*terms)
    return saturated(rescaled(total, fine, to))
