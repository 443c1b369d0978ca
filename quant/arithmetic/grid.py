"""Number formats: symmetric linear integers of 2, 4 and 8 bits, and 16-bit fixed point.

As in the code published with MOHAQ (Rezk et al. 2022): an integer of b bits lies in [-2^(b-1), 2^(b-1) - 1], and a
clipping threshold a maps to 2^(b-1) - 1, so one step is a / (2^(b-1) - 1). The threshold minimises the mean squared
error over a 201-bin histogram, among 1 %…99 % of the largest magnitude; `quant.arithmetic.clipping` has other choices.
16 bits are fixed point with 14, 10 or 7 fractional bits, as the range demands; what is small beside 2^-14 has more, and
where another choice errs less, that (`sixteen_bit_grid`, `least_error_fixed_point`)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS
from simulators.inputs.errors import InputError

HISTOGRAM_BINS = 201
THRESHOLD_SHARES = np.arange(1, 100) / 100.0
FRACTION_BITS = (14, 10, 7)
LARGEST = 1e15
"""Magnitude beyond which sums of squares would overflow float32."""
SMALL_RANGE = 0.125
"""Below this magnitude 14 fractional bits leave 11 bits of a 16-bit word: it has more of them."""
CLIPPED_OCTAVES = 8
"""How many times 16-bit fixed point may halve its range below the largest value seen, where that errs less."""


@dataclass(frozen=True)
class Grid:
    """The representable values: step · k for whole k in [lowest, highest]."""

    bits: int
    step: float
    """Distance of two neighbouring values, in the unit of what is represented."""
    lowest: int
    """Least code."""
    highest: int
    """Largest code."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """The codes k nearest to x / step (ties to even), saturated, as integer-valued float32."""
        return torch.mul(x, 1.0 / self.step).round_().clamp_(self.lowest, self.highest)

    def round(self, x: torch.Tensor) -> torch.Tensor:
        """The nearest representable values."""
        return self.encode(x).mul_(self.step)

    def squared_error(self, values: np.ndarray, counts: np.ndarray | float = 1.0) -> float:
        """Σ counts · (values - nearest representable)²."""
        rounded = np.clip(np.rint(values / self.step), self.lowest, self.highest) * self.step
        return float(np.sum(counts * (values - rounded) ** 2))


def integer_grid(bits: int, threshold: float, symmetric: bool = False) -> Grid:
    """Integers of `bits` with the largest positive code at `threshold`. A symmetric grid leaves the lowest code out:
    -1, 0, 1 at 2 bits."""
    highest = 2 ** (bits - 1) - 1
    return Grid(bits, float(threshold) / highest, -highest if symmetric else -highest - 1, highest)


def fixed_point_grid(largest: float) -> Grid:
    """16-bit fixed point whose range holds `largest` (a magnitude): as many fractional bits of 14, 10 and 7 as that
    allows.

    Beyond the range of 7 fractional bits (±256), as many as still fit.
    """
    for fraction in (*FRACTION_BITS, *range(min(FRACTION_BITS) - 1, -16, -1)):
        if largest < 2.0 ** (15 - fraction):
            return _fixed_point(fraction)
    raise InputError(f"a value of magnitude {largest:g} does not fit 16-bit fixed point")


def largest_magnitude(values: np.ndarray) -> float:
    """Raises InputError where a value is not finite or beyond LARGEST; 0 for no values."""
    largest = float(np.abs(values).max()) if values.size else 0.0
    if not np.isfinite(largest):
        raise InputError("cannot quantize values that are not finite")
    if largest > LARGEST:
        raise InputError(f"cannot quantize values as large as {largest:g}: at most {LARGEST:g}")
    return largest


def minimum_error_grid(values: torch.Tensor, bits: int) -> Grid:
    """The integer grid of least mean squared error for the distribution of `values`; at 2 bits among both grids of
    that width. Where the histogram misjudges and the step of a narrower width would err less, that step is taken: more
    bits never cost accuracy.

    An all-zero tensor gets a step of 1, which represents it exactly.
    """
    array = values.detach().numpy().ravel()
    largest = largest_magnitude(array)
    if largest == 0.0:
        return integer_grid(bits, float(2 ** (bits - 1) - 1))
    counts, edges = np.histogram(array, bins=HISTOGRAM_BINS, range=(-largest, largest))
    centres = 0.5 * (edges[1:] + edges[:-1])
    best: Grid | None = None
    for width in (*(b for b in INTEGER_BITS if b < bits), bits):
        grids = [
            integer_grid(width, share * largest, symmetric)
            for symmetric in ((False, True) if width == 2 else (False,))
            for share in THRESHOLD_SHARES
        ]
        own = min(grids, key=lambda grid: grid.squared_error(centres, counts))
        finer = best and Grid(width, best.step, -(2 ** (width - 1)), 2 ** (width - 1) - 1)
        best = own if finer is None else min((own, finer), key=lambda grid: grid.squared_error(array))
    assert best is not None
    return best


def finest_fixed_point(largest: float) -> Grid:
    """The 16-bit fixed point of most fractional bits, of any number, that holds a magnitude; 14 bits for zero. Raises
    InputError for one that is not finite."""
    if not math.isfinite(largest):
        raise InputError("cannot quantize values that are not finite")
    if largest == 0.0:
        return _fixed_point(max(FRACTION_BITS))
    _, exponent = math.frexp(largest)  # largest < 2^exponent
    return _fixed_point(15 - max(exponent, -80))


def least_error_fixed_point(
    values: torch.Tensor, through: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> Grid:
    """The 16-bit fixed point of least squared error, of the finest that holds all values and of finer ones that clip
    the largest. `through` is the one function that reads the values, whose results the error is of then: where it is
    flat, clipping costs nothing."""
    finest = finest_fixed_point(largest_magnitude(values.detach().numpy()))
    tried = [finer(finest, octaves) for octaves in range(CLIPPED_OCTAVES + 1)]
    exact = values.detach().double()
    if through is not None:
        read = through(exact)
        return min(tried, key=lambda grid: float((through(grid.round(exact)) - read).square().sum()))
    return min(tried, key=lambda grid: grid.squared_error(exact.numpy()))


def sixteen_bit_grid(values: torch.Tensor, fixed: Grid | None = None) -> Grid:
    """The 16-bit grid of a tensor: a given fixed point, by default `fixed_point_grid`, or for a small range
    `finest_fixed_point`. Where the step of 8 bits would err less, as for values that lie on a grid of their own, that
    step is taken: more bits never cost accuracy."""
    array = values.detach().numpy().ravel()
    largest = largest_magnitude(array)
    if fixed is None:
        fixed = finest_fixed_point(largest) if largest < SMALL_RANGE else fixed_point_grid(largest)
    wide = Grid(FIXED_POINT_BITS, minimum_error_grid(values, max(INTEGER_BITS)).step, fixed.lowest, fixed.highest)
    return min((fixed, wide), key=lambda grid: grid.squared_error(array))


def finer(grid: Grid, octaves: int) -> Grid:
    """The grid with steps halved so often, which clips at what is left of its range."""
    return Grid(grid.bits, grid.step * 2.0**-octaves, grid.lowest, grid.highest)


def _fixed_point(fraction: int) -> Grid:
    return Grid(FIXED_POINT_BITS, 2.0**-fraction, -(2**15), 2**15 - 1)
