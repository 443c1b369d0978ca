"""Calibration: the ranges of everything that is not a weight, seen on training utterances."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from quant.arithmetic.clipping import PERCENTILE
from quant.arithmetic.grid import Grid, fixed_point_grid, integer_grid, minimum_error_grid
from quant.arithmetic.protocol import FloatArithmetic, by_gate, in_time, side_by_side
from quant.evaluation.batches import Batch, pack
from quant.networks.cells import Cell, before
from quant.networks.recurrence import sru_states
from quant.networks.registry import Network
from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS
from quant.sites.site import DIRECTIONS
from quant.speech.features import Features


@dataclass(frozen=True)
class Range:
    """Magnitudes of the input of a site."""

    max: float
    percentile: float
    """What 99.9 % of the values do not exceed."""
    median: float
    """The median of the utterances' largest magnitudes."""


@dataclass(frozen=True)
class Calibration:
    """Ranges seen on the calibration utterances: the grid of least error of each site's input at each width, and the
    ranges that other rules clip at; the fixed-point format of each site's result, and that of the state of each
    recurrence (named by the site that feeds it)."""

    activations: Mapping[str, Mapping[int, Grid]]
    ranges: Mapping[str, Range]
    results: Mapping[str, Grid]
    states: Mapping[str, Grid]

    def grid(self, site: str, bits: int, rule: str = "mse") -> Grid:
        """The grid of a site's input at a width, clipped by a rule of `quant.arithmetic.clipping`."""
        grid = self.activations[site][bits]
        if rule == "mse" or bits == FIXED_POINT_BITS:
            return grid
        threshold = float(getattr(self.ranges[site], rule))
        return integer_grid(bits, threshold) if threshold > 0 else grid

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Calibration":
        return cls(
            activations={
                site: {int(bits): Grid(**grid) for bits, grid in grids.items()}
                for site, grids in content["activations"].items()
            },
            ranges={site: Range(**values) for site, values in content["ranges"].items()},
            results={site: Grid(**grid) for site, grid in content["results"].items()},
            states={site: Grid(**grid) for site, grid in content["states"].items()},
        )


UTTERANCES = 32

NOT_CALIBRATED = Calibration({}, {}, {}, {})


class _Observer(FloatArithmetic):
    """Computes in float and keeps what passes: inputs of the sites as they are, of results and states the largest
    magnitude."""

    def __init__(self, lengths: torch.Tensor):
        self.lengths = lengths
        self.inputs: dict[str, torch.Tensor] = {}
        self.medians: dict[str, float] = {}
        self.results: dict[str, float] = {}
        self.states: dict[str, float] = {}

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        y = super().product(site, x, weight, bias)
        self._observe(site, x)
        self.results[site] = float(y[self._true(y)].abs().max())
        return y

    def sru(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        h, c = sru_states(by_gate(self.product(site, x, weight), vectors), vectors, lengths)
        self.states[site] = float(c.abs().max())
        return h

    def recurrence(
        self,
        site: str,
        cell: type[Cell],
        u: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        u, w = side_by_side(u, lengths), weight.unflatten(0, (DIRECTIONS, -1))
        h, *kept = cell.forward(u, w, bias)
        self._observe(site, before(h).transpose(1, 2))
        sums = torch.matmul(before(h), w.transpose(1, 2))
        cells = h.shape[-1]
        if cell.recurrent_biases:
            sums[..., -cells:] += bias[:, None]
        true = self._true(u)[:, None].expand(u.shape[:3])
        self.results[site] = max(float(x[true].abs().max()) for x in (u, sums, u + sums))
        self.states[site] = float(cell.memory(h, tuple(kept))[true].abs().max())
        return in_time(h, lengths)

    def _observe(self, site: str, x: torch.Tensor) -> None:
        """x (T, B, …)."""
        true = self._true(x)
        self.inputs[site] = x[true]
        largest = x.abs().flatten(2).amax(2).masked_fill(~true, 0.0).amax(0)
        self.medians[site] = float(largest.median())

    def _true(self, x: torch.Tensor) -> torch.Tensor:
        """(T, B): whether a frame is one of its utterance."""
        return torch.arange(len(x))[:, None] < self.lengths


@torch.no_grad()
def calibrate(network: Network, batch: Batch) -> Calibration:
    """Ranges of everything that is not a weight, over the true frames of one batch of calibration utterances."""
    observer = _Observer(batch.lengths)
    network(batch.features, batch.lengths, observer)
    activations, ranges = {}, {}
    for site, x in observer.inputs.items():
        magnitudes = x.abs().flatten().numpy()
        ranges[site] = Range(
            float(magnitudes.max()), float(np.percentile(magnitudes, PERCENTILE)), observer.medians[site]
        )
        grids = {bits: minimum_error_grid(x, bits) for bits in INTEGER_BITS}
        activations[site] = {**grids, FIXED_POINT_BITS: fixed_point_grid(ranges[site].max)}
    return Calibration(
        activations=activations,
        ranges=ranges,
        results={site: fixed_point_grid(largest) for site, largest in observer.results.items()},
        states={site: fixed_point_grid(largest) for site, largest in observer.states.items()},
    )


def calibrate_on(network: Network, training: Features, seed: int) -> Calibration:
    """Ranges on a random sample of the training set: dev stays unseen by everything but the decoder's three weights."""
    count = min(UTTERANCES, len(training))
    positions = np.random.default_rng(seed).choice(len(training), count, replace=False)
    return calibrate(network, pack(training.mats, None, sorted(positions.tolist())))
