"""Weights as a codebook: k-means in one dimension, the weight-only quantization of Deep Compression (Han et al. 2016)
and of HAQ's other half (Wang et al. 2019).

A matrix at b bits is a code of b bits for every weight and 2^b centroids, which are 16-bit fixed point here, as the
activations are that they are multiplied with. Centroids are those of Lloyd's algorithm, from two starts: the levels of
the linear grid of b bits, so that a codebook never errs more than that grid, and k-means++ (Arthur and Vassilvitskii
2007), seeded; the better of both. Values are sorted and alike ones counted, so that a step of the algorithm is a search
for the borders between clusters and differences of running sums: O(2^b log n) for n values, and not O(2^b n).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from quant.arithmetic.grid import largest_magnitude, minimum_error_grid, sixteen_bit_grid
from quant.arithmetic.products import Weights
from quant.sites.candidate import FIXED_POINT_BITS

MOST_STEPS = 300
"""Steps of Lloyd's algorithm, which ends before where no value changes its cluster."""
SEED = 0
"""Seed of the centroids that are drawn: a matrix has one codebook a width."""

Floats = NDArray[np.float64]


def codebook_weights(weight: torch.Tensor, bits: int) -> Weights:
    """A matrix (M, K) with every weight replaced by its centroid: codes of 16-bit fixed point, one step for all. At 16
    bits the weights themselves are fixed point."""
    values = weight if bits == FIXED_POINT_BITS else torch.from_numpy(clustered(weight, bits)).float()
    grid = sixteen_bit_grid(values)
    return Weights(grid.encode(values), torch.full((len(weight),), grid.step), FIXED_POINT_BITS)


def clustered(weight: torch.Tensor, bits: int) -> Floats:
    """A tensor with every value replaced by the nearest of at most 2^bits centroids, float64. Raises InputError for
    values that are not finite."""
    values, number = weight.detach().double().numpy(), 1 << bits
    largest_magnitude(values)
    points = SortedValues.of(values)
    if len(points.values) <= number:
        return values
    starts = linear_levels(weight, bits), _drawn(points, number)
    found = min((lloyd(points, start) for start in starts), key=points.distortion)
    nearest = found[points.clusters(found)]
    return nearest[np.searchsorted(points.values, values)]


def linear_levels(weight: torch.Tensor, bits: int) -> Floats:
    """The 2^bits values (rising) of the linear grid of least error; at 1 bit, which has none, the mean magnitude with
    both signs, as a network of binary weights has it (Rastegari et al. 2016)."""
    if bits == 1:
        return float(weight.abs().double().mean()) * np.array([-1.0, 1.0])
    step = minimum_error_grid(weight, bits).step
    return step * np.arange(-(1 << (bits - 1)), 1 << (bits - 1), dtype=np.float64)


@dataclass(frozen=True)
class SortedValues:
    """Distinct values of a tensor, rising, with running sums over them."""

    values: Floats
    """(N,) in the unit of the tensor."""
    counts: Floats
    """(N,) how often each occurs."""
    running: Floats
    """(N + 1,) Σ counts of the values before each."""
    sums: Floats
    """(N + 1,) Σ counts · values of the values before each."""

    @classmethod
    def of(cls, values: Floats) -> "SortedValues":
        """The distinct values of an array."""
        distinct, occurrences = np.unique(values, return_counts=True)
        counts = occurrences.astype(np.float64)
        running, sums = (np.concatenate(([0.0], np.cumsum(of))) for of in (counts, counts * distinct))
        return cls(distinct, counts, running, sums)

    def borders(self, centroids: Floats) -> NDArray[np.int64]:
        """(k + 1,) Position of the first value of each cluster of rising centroids (k,), and of the end. What lies in
        the middle belongs to the lower one."""
        middles = 0.5 * (centroids[1:] + centroids[:-1])
        return np.concatenate(([0], np.searchsorted(self.values, middles, side="right"), [len(self.values)]))

    def clusters(self, centroids: Floats) -> NDArray[np.int64]:
        """(N,) The cluster of each value."""
        return np.repeat(np.arange(len(centroids)), np.diff(self.borders(centroids)))

    def squares(self, centroids: Floats) -> Floats:
        """(N,) Squared distance of each value to the nearest of rising centroids, times how often it occurs."""
        distances: Floats = self.counts * (self.values - centroids[self.clusters(centroids)]) ** 2
        return distances

    def distortion(self, centroids: Floats) -> float:
        """The squared error of all values at the nearest of rising centroids."""
        return float(self.squares(centroids).sum())


def lloyd(points: SortedValues, centroids: Floats) -> Floats:
    """Centroids (k,), rising, that each are the mean of the values nearest to them, begun with others. An empty cluster
    takes the value that errs most, so that no step makes the squared error larger."""
    centroids = np.sort(centroids)
    before: NDArray[np.int64] | None = None
    for _ in range(MOST_STEPS):
        borders = points.borders(centroids)
        if before is not None and np.array_equal(borders, before):
            break
        members = np.diff(points.running[borders])
        filled = members > 0
        centroids = centroids.copy()
        centroids[filled] = np.diff(points.sums[borders])[filled] / members[filled]
        before = borders
        if not filled.all():
            kept = centroids[filled]
            worst = np.argsort(-points.squares(kept), kind="stable")[: len(centroids) - len(kept)]
            centroids, before = np.sort(np.concatenate((kept, points.values[worst]))), None
    return centroids


def _drawn(points: SortedValues, number: int) -> Floats:
    """k-means++: each further centroid is a value drawn by its squared distance to those before."""
    rng = np.random.default_rng(SEED)
    first = points.values[rng.choice(len(points.values), p=points.counts / points.running[-1])]
    drawn, squares = [first], points.counts * (points.values - first) ** 2
    for _ in range(number - 1):
        value = points.values[rng.choice(len(squares), p=squares / squares.sum())]
        drawn.append(value)
        np.minimum(squares, points.counts * (points.values - value) ** 2, out=squares)
    return np.sort(np.array(drawn))
