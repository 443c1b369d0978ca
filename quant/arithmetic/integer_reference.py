"""The integer-only reference: what integer hardware computes, with whole numbers alone and written to be read.

It plugs into a network in place of `quant.arithmetic.integer.QuantizedArithmetic`. Values between operations are 16-bit
fixed point, carried as floating-point numbers that hold them exactly; within an operation there are only integers:
products with accumulators of stated width, checked for overflow, and the functions of
`quant.arithmetic.whole_numbers`. Accumulators equal the fast path's bit for bit; results of elementwise work lie within
one unit of 16-bit fixed point of it.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.grid import FRACTION_BITS, Grid
from quant.arithmetic.protocol import RecurrentLayer
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import NARROW_ACCUMULATOR, WIDE_ACCUMULATOR, Ints, Multiplier, saturated
from quant.sites.candidate import FIXED_POINT_BITS, Bits
from simulators.inputs.errors import InputError

CARRIED = max(FRACTION_BITS)
"""Fractional bits of the finest fixed point: in these units every carried value is whole."""


class IntegerArithmetic:
    """Inference of one candidate in whole numbers."""

    integer_products = False

    def __init__(self, bits: Bits, weights: QuantizedWeights, calibration: Calibration, features_site: str):
        """`features_site` is the network's first: the features that it reads are real numbers, and their encoding is
        the border of the integer domain."""
        self.calibration = calibration
        self.accumulator_bits: dict[str, int] = {}
        """Bits that the largest sum of each site took."""
        self.bits = bits
        self._weights = weights
        self._features_site = features_site

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """16-bit fixed point of the product of codes: carried values x (..., K) → carried values (..., M)."""
        result = self.calibration.results[site]
        y = self.rescale(site, result)(self.sums(site, x))
        if bias is not None:
            y = y + np.rint(bias.double().numpy() / result.step).astype(np.int64)
        return carried(saturated(y), result.step)

    def recurrence(self, layer: RecurrentLayer, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """A bidirectional recurrent layer: x (T, B, K), lengths (B,) in frames → h (T, B, 2, C). Raises InputError for
        a cell without a step in whole numbers."""
        return layer.in_integers(x, lengths, self)

    def sums(self, site: str, x: torch.Tensor) -> Ints:
        """The accumulators (..., M) of a site's product with carried values x (..., K)."""
        features = site == self._features_site
        codes = self.grid(site).encode(x).numpy().astype(np.int64) if features else self.encode(site, whole(x))
        return self.accumulate(site, codes, self.weight_codes(site))

    def accumulate(self, site: str, codes: Ints, weights: Ints) -> Ints:
        """Sums (…, M) of the products of codes (…, K) and weights (M, K). Raises InputError if one does not fit its
        accumulator."""
        width = WIDE_ACCUMULATOR if max(self.bits[site]) == FIXED_POINT_BITS else NARROW_ACCUMULATOR
        sums = codes @ weights.T
        used = int(np.abs(sums).max(initial=0)).bit_length() + 1
        self.accumulator_bits[site] = max(used, self.accumulator_bits.get(site, 0))
        if used > width:
            raise InputError(f"site {site}: a sum takes {used} bits: the accumulator has {width}")
        return sums

    def encode(self, site: str, values: Ints) -> Ints:
        """The activation codes of values in units of 2^-CARRIED."""
        grid = self.grid(site)
        codes = Multiplier.of(np.array(2.0**-CARRIED / grid.step))(values)
        return np.clip(codes, grid.lowest, grid.highest)

    def rescale(self, site: str, result: Grid, rows: slice = slice(None)) -> Multiplier:
        """What makes accumulators of a site, or of some of its rows, units of a result."""
        return Multiplier.of(self.weight_steps(site)[rows] * self.grid(site).step / result.step)

    def weight_codes(self, site: str) -> Ints:
        """The codes (M, K) of a site's matrix."""
        return self._weights(site, self.bits[site][0]).codes.numpy().astype(np.int64)

    def weight_steps(self, site: str) -> NDArray[np.float64]:
        """The step (M,) of each row of a site's matrix."""
        steps: NDArray[np.float64] = self._weights(site, self.bits[site][0]).steps.double().numpy().ravel()
        return steps

    def grid(self, site: str) -> Grid:
        """The grid of a site's activations at the candidate's width."""
        return self.calibration.grid(site, self.bits[site][1], self._weights.scheme.activations)


def whole(x: torch.Tensor) -> Ints:
    """Carried values in units of 2^-CARRIED."""
    return np.rint(x.double().numpy() * 2.0**CARRIED).astype(np.int64)


def carried(values: Ints, step: float) -> torch.Tensor:
    """Whole numbers of steps as float32, which holds 16-bit fixed point exactly."""
    return torch.from_numpy((values * step).astype(np.float32))
