"""Products of a graph on a candidate's grids while gradients pass the rounding: see `quant.training.straight_through`.

Only what products see is rounded; results, gates and states stay in floating point, for 16 bits do not change them."""

from collections.abc import Mapping

import torch

from quant.arithmetic.clipping import Scheme
from quant.own.formats import Formats
from quant.own.roundings import Exactly
from quant.sites.candidate import Bits
from quant.training.straight_through import REFRESH, OnGrid, WeightGrid, WeightsOnGrid


class GraphStraightThrough(Exactly):
    """Weights are parameters (M, K) by the names of sites, whose grids follow them."""

    def __init__(self, weights: Mapping[str, torch.Tensor], bits: Bits, formats: Formats, scheme: Scheme):
        self._weights, self._bits, self._formats, self._scheme = weights, bits, formats, scheme
        self._grids: dict[str, WeightGrid] = {}
        self._steps = 0

    def next_step(self) -> None:
        """Choose the grids of the weights again, as often as `REFRESH` says: called before each optimiser step."""
        if self._steps % REFRESH == 0:
            for site, weight in self._weights.items():
                self._grids[site] = WeightGrid.of(weight, self._bits[site][0], self._scheme)
        self._steps += 1

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x on the grid of the candidate's width; gradients of what is clipped are zero."""
        rounded: torch.Tensor = OnGrid.apply(x, self._formats.inputs[site][self._bits[site][1]])
        return rounded

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The site's parameters on their grid."""
        rounded: torch.Tensor = WeightsOnGrid.apply(self._weights[site], *self._grids[site])
        return rounded
