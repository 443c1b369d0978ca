"""Noise on actions: a normal distribution cut to the interval from 0 to 1."""

from statistics import NormalDist

import numpy as np

STANDARD = NormalDist()


def truncated_normal(mean: float, deviation: float, generator: np.random.Generator) -> float:
    """A number from 0 to 1, normally distributed around a mean that is among them, on the condition that it is too; by
    the inverse of the distribution function."""
    if not deviation:  # decayed below the smallest float
        return mean
    low, high = STANDARD.cdf((0.0 - mean) / deviation), STANDARD.cdf((1.0 - mean) / deviation)
    share = low + (high - low) * generator.random()
    # The ends themselves have no finite quantile where the interval is many deviations wide.
    quantile = STANDARD.inv_cdf(min(max(share, 1e-300), 1.0 - 2.0**-53))
    return min(max(mean + deviation * quantile, 0.0), 1.0)
