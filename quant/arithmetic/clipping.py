"""Where to clip: the thresholds of weights and activations, by one of several published rules.

| rule | threshold |
|---|---|
| `mse` | least mean squared error over a histogram (MOHAQ, Rezk et al. 2022; the default) |
| `max` | the largest magnitude: nothing is clipped |
| `percentile` | the magnitude that 99.9 % of the values do not exceed |
| `aciq-laplace`, `aciq-gauss` | the optimum for a Laplace or normal distribution (ACIQ, Banner et al. 2019) |
| `median` | of activations only: the median of the utterances' largest magnitudes |

16 bits are fixed point under every rule.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import erfc, lambertw

from quant.arithmetic.grid import (
    THRESHOLD_SHARES,
    fixed_point_grid,
    integer_grid,
    largest_magnitude,
    minimum_error_grid,
)
from quant.arithmetic.products import Weights
from quant.sites.candidate import FIXED_POINT_BITS, check_bits
from simulators.inputs.errors import InputError

WEIGHT_RULES = ("mse", "max", "percentile", "aciq-laplace", "aciq-gauss")
ACTIVATION_RULES = ("mse", "max", "percentile", "median")
PERCENTILE = 99.9


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
    """Codes and steps of a matrix (M, K): one step for all of it, or one a row."""
    check_bits(bits, "weight")
    if bits == FIXED_POINT_BITS:
        grid = fixed_point_grid(largest_magnitude(weight.detach().numpy()))
    elif scheme.per_channel:
        thresholds = _row_thresholds(weight, bits, scheme.weights)
        highest = 2 ** (bits - 1) - 1
        steps = thresholds / highest
        codes = (weight / steps[:, None]).round_().clamp_(-highest - 1, highest)
        return Weights(codes, steps, bits)
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


def _row_thresholds(weight: torch.Tensor, bits: int, rule: str) -> torch.Tensor:
    """(M,), positive. `mse` by the true error of each row, for a row is too short for a histogram."""
    largest = weight.abs().amax(1)
    largest_magnitude(largest.numpy())
    if rule != "mse":
        rows = [_threshold(row, bits, rule) for row in weight.detach().numpy()]
        thresholds = torch.tensor(rows, dtype=torch.float32)
    else:
        highest = 2 ** (bits - 1) - 1
        thresholds, least = largest.clone(), torch.full_like(largest, math.inf)
        for share in (*THRESHOLD_SHARES, 1.0):
            steps = (largest * (share / highest)).clamp_min(1e-30)[:, None]
            rounded = (weight / steps).round_().clamp_(-highest - 1, highest).mul_(steps)
            error = (weight - rounded).square_().sum(1)
            better = error < least
            thresholds[better], least[better] = largest[better] * share, error[better]
    return torch.where(thresholds > 0, thresholds, torch.ones_like(thresholds))
