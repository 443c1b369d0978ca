"""Where to clip: the thresholds of weights and activations, by one of several published rules.

| rule | threshold |
|---|---|
| `mse` | least mean squared error over a histogram (MOHAQ, Rezk et al. 2022; the default) |
| `max` | the largest magnitude: nothing is clipped |
| `percentile` | the magnitude that 99.9 % of the values do not exceed |
| `aciq-laplace`, `aciq-gauss` | the optimum for a Laplace or normal distribution (ACIQ, Banner et al. 2019) |
| `median` | of activations only: the median of the utterances' largest magnitudes |

With `kmeans` in place of a rule of weights there are no thresholds, but codebooks (`quant.arithmetic.kmeans`).

16 bits are fixed point under every rule, or what errs less (`quant.arithmetic.grid.sixteen_bit_grid`); with a step for
each row, as fine as the row allows.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import erfc, lambertw

from quant.arithmetic.grid import (
    THRESHOLD_SHARES,
    integer_grid,
    largest_magnitude,
    minimum_error_grid,
    sixteen_bit_grid,
)
from quant.arithmetic.products import Weights
from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS, check_bits
from simulators.inputs.errors import InputError

KMEANS = "kmeans"
"""In place of a rule of weights: weights are codes of a codebook, and activations have 16 bits."""
WEIGHT_RULES = ("mse", "max", "percentile", "aciq-laplace", "aciq-gauss", KMEANS)
ACTIVATION_RULES = ("mse", "max", "percentile", "median")
PERCENTILE = 99.9
_LEAST_STEP = 1e-30
"""Divides nothing by zero: rows of zeros."""
_CACHED_WEIGHTS = 1 << 15
"""Weights at a time that steps are tried on, so that they stay in a processor's cache."""


@dataclass(frozen=True)
class Scheme:
    """How a model's weights and activations are clipped, and whether every row of a weight matrix has a step of its
    own."""

    weights: str = "mse"
    activations: str = "mse"
    per_channel: bool = False

    def __post_init__(self) -> None:
        for what, rules in (("weights", WEIGHT_RULES), ("activations", ACTIVATION_RULES)):
            if getattr(self, what) not in rules:
                raise InputError(f"clipping of {what}: {getattr(self, what)!r}: it must be one of {', '.join(rules)}")
        if self.has_codebooks and (self.per_channel or self.activations != "mse"):
            what = "steps for each channel" if self.per_channel else "narrow activations to clip"
            raise InputError(f"clipping of weights: {KMEANS}: a codebook is of a whole matrix, and there are no {what}")

    @property
    def has_codebooks(self) -> bool:
        """Whether weights are codes of a codebook."""
        return self.weights == KMEANS

    def refuse_codebooks(self, what: str) -> None:
        """Raise InputError for codebooks, where there are none; `what` says why."""
        if self.has_codebooks:
            raise InputError(f"clipping of weights: {KMEANS}: {what}")

    @property
    def name(self) -> str:
        """What distinguishes it from the default, for ledgers; empty for the default."""
        parts = [f"weights={self.weights}"] * (self.weights != "mse")
        parts += [f"activations={self.activations}"] * (self.activations != "mse") + ["per-channel"] * self.per_channel
        return ",".join(parts)


def aciq_laplace(bits: int, scale: float) -> float:
    """Optimal threshold for a Laplace distribution of this mean absolute deviation b: the root of
    2b² exp(-a/b) + a² / (3·4^bits) derived by a (Banner et al. 2019, equation 5): a = b · W(3·4^bits)."""
    return scale * float(np.real(lambertw(3.0 * 4.0**bits)))


def aciq_gauss(bits: int, deviation: float) -> float:
    """Optimal threshold for a normal distribution of this standard deviation: the clipped tails' error against
    a² / (3·4^bits) (Banner et al. 2019, equation 7), its derivative's root found numerically."""

    def slope(a: float) -> float:
        return (
            2 * a * float(erfc(a / math.sqrt(2)))
            - 2 * math.sqrt(2 / math.pi) * math.exp(-a * a / 2)
            + 2 * a / (3 * 4.0**bits)
        )

    return deviation * float(brentq(slope, 1e-3, 30.0))


def quantize_weights(weight: torch.Tensor, bits: int, scheme: Scheme) -> Weights:
    """Codes and steps of a matrix (M, K): one step for all of it, or one a row. Raises InputError for codebooks, which
    `QuantizedWeights` makes."""
    scheme.refuse_codebooks("codebooks are those of this project's recognisers and networks for pictures")
    check_bits(bits, "weight")
    if scheme.per_channel:
        highest = 2 ** (bits - 1) - 1
        steps = _row_steps(weight.detach(), bits, scheme.weights)
        codes = (weight / steps[:, None]).round_().clamp_(-highest - 1, highest)
        return Weights(codes, steps, bits)
    if bits == FIXED_POINT_BITS:
        grid = sixteen_bit_grid(weight)
    elif scheme.weights == "mse":
        grid = minimum_error_grid(weight, bits)
    else:
        threshold = _threshold(weight.detach().numpy().ravel(), bits, scheme.weights)
        grid = integer_grid(bits, threshold if threshold > 0 else float(2 ** (bits - 1) - 1))
    return Weights(grid.encode(weight), torch.full((len(weight),), grid.step), bits)


def _threshold(values: np.ndarray, bits: int, rule: str) -> float:
    largest = largest_magnitude(values)
    if rule == "percentile":
        return float(np.percentile(np.abs(values), PERCENTILE))
    if rule == "aciq-laplace":
        return min(largest, aciq_laplace(bits, float(np.abs(values - values.mean()).mean())))
    if rule == "aciq-gauss":
        return min(largest, aciq_gauss(bits, float(values.std())))
    return largest


def _row_steps(weight: torch.Tensor, bits: int, rule: str) -> torch.Tensor:
    """(M,), positive: each row's own, by a rule. `mse` by the true error of each row, for a row is too short for a
    histogram; the best step of a narrower width is tried too, so that more bits never cost accuracy."""
    largest = weight.abs().amax(1)
    largest_magnitude(largest.numpy())
    highest = 2 ** (bits - 1) - 1
    if bits == FIXED_POINT_BITS:  # the finest power of two that holds the row, as `finest_fixed_point` has it
        fixed = torch.ldexp(torch.ones_like(largest), torch.frexp(largest).exponent.clamp_min(-80) - 15)
        tried = [fixed, _row_steps(weight, max(INTEGER_BITS), "mse")]
    elif rule == "mse":
        tried = [largest * (share / highest) for share in (*THRESHOLD_SHARES, 1.0)]
        narrower = [width for width in INTEGER_BITS if width < bits]
        tried += [_row_steps(weight, narrower[-1], rule)] if narrower else []
    else:
        thresholds = [_threshold(row, bits, rule) for row in weight.numpy()]
        tried = [torch.tensor(thresholds, dtype=torch.float32) / highest]
    steps = _least_error(weight, tried, highest)
    return torch.where(steps > _LEAST_STEP, steps, torch.full_like(steps, 1.0 / highest))


def _least_error(weight: torch.Tensor, tried: list[torch.Tensor], highest: int) -> torch.Tensor:
    """The step (M,) of least error of each row (M, K), of several (M,); the first of equals."""
    if len(tried) == 1:
        return tried[0].clamp_min(_LEAST_STEP)
    rows = max(1, _CACHED_WEIGHTS // max(1, weight.shape[1]))
    parts = zip(weight.split(rows), *(steps.split(rows) for steps in tried), strict=True)
    return torch.cat([_least_error_of_part(part, steps, highest) for part, *steps in parts])


def _least_error_of_part(weight: torch.Tensor, tried: list[torch.Tensor], highest: int) -> torch.Tensor:
    """`_least_error` of rows that a cache holds."""
    best, least = tried[0].clone(), torch.full_like(tried[0], math.inf)
    for steps in tried:
        steps = steps.clamp_min(_LEAST_STEP)
        rounded = (weight / steps[:, None]).round_().clamp_(-highest - 1, highest).mul_(steps[:, None])
        error = (weight - rounded).square_().sum(1)
        better = error < least
        best[better], least[better] = steps[better], error[better]
    return best
