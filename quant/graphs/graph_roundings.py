"""How a candidate's widths hold the values of a graph."""

from collections.abc import Mapping

from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights
from quant.own.roundings import Rounded, SeenRanges
from quant.sites.candidate import Bits


class GraphRounded(Rounded):
    """Products see codes of the candidate's widths, everything else is 16-bit fixed point, as in modules of one's own;
    what compiled recurrences need of it besides is the codes themselves."""

    def __init__(
        self, bits: Bits, grids: Mapping[str, dict[int, Grid]], ranges: SeenRanges, weights: Mapping[str, Weights]
    ):
        super().__init__(
            bits, grids, ranges, {site: held.codes * held.steps[:, None] for site, held in weights.items()}
        )
        self.codes = weights
        """Codes and steps of each site's matrix."""
        self._known = grids
        self._widths = bits

    def grid(self, site: str) -> Grid:
        """The grid of what the product of a site reads."""
        return self._known[site][self._widths[site][1]]

    def formats(self, site: str) -> tuple[float, float]:
        """Steps of the 16-bit fixed point of a recurrence's sums, and of what it keeps where that is no gate's."""
        sums = self._results[site].step
        kept = self._states.get(site)
        return sums, sums if kept is None else kept.step
