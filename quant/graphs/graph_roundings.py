"""How a candidate's widths hold the values of a graph."""

from collections.abc import Mapping
from typing import ClassVar

from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights
from quant.own.formats import Formats
from quant.own.roundings import Rounded
from quant.sites.candidate import Bits


class GraphRounded(Rounded):
    """Products see codes of the candidate's widths, everything else is 16-bit fixed point, as in modules of one's own;
    what compiled recurrences need of it besides is the codes and the formats themselves."""

    by_steps: ClassVar = False
    """Whether recurrences run step by step, for what products read is more than rounded."""

    def __init__(self, bits: Bits, formats: Formats, weights: Mapping[str, Weights]):
        super().__init__(bits, formats, {site: held.codes * held.steps[:, None] for site, held in weights.items()})
        self.codes = weights
        """Codes and steps of each site's matrix."""

    def covers(self, sites: tuple[str, str]) -> bool | None:
        """Whether both sites of a recurrence have widths; None where one of them has."""
        there = [site in self._bits for site in sites]
        return there[0] if there[0] == there[1] else None

    def holds(self, site: str) -> bool:
        """Whether a site's product is not sent all that it reads."""
        return False

    def grid(self, site: str) -> Grid:
        """The grid of what the product of a site reads."""
        return self._formats.inputs[site][self._bits[site][1]]

    def kept_steps(self, site: str) -> tuple[float, float]:
        """Steps of the 16-bit fixed point of a recurrence's sums, and of what it keeps where that is no gate's."""
        sums = self._formats.results[site].step
        kept = self._formats.states.get(site)
        return sums, sums if kept is None else kept.step
