"""What happens to the values that pass through the layers of a module of one's own."""

from collections.abc import Mapping

import torch

from quant.arithmetic.grid import Grid, fixed_point_grid, minimum_error_grid
from quant.sites.candidate import FIXED_POINT_BITS, INTEGER_BITS, Bits


class Exactly:
    """Values pass as they are. What derives from it rounds them, or keeps something of them."""

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """What the product of a site reads."""
        return x

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """What the product of a site multiplies with."""
        return weight

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        """What the product of a site leaves, and sums of it."""
        return y

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """What the recurrence of a site keeps from step to step."""
        return x

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        """A gate, or another value in [-1, 1]."""
        return x

    def steps(self, site: str) -> tuple[float, float] | None:
        """Steps of the 16-bit fixed point of a site's results and states; None where nothing is rounded."""
        return None


class SeenRanges(Exactly):
    """Keeps what passes: inputs as they are, of results and states the largest magnitude."""

    def __init__(self) -> None:
        self.results: dict[str, float] = {}
        self.states: dict[str, float] = {}
        self._inputs: dict[str, list[torch.Tensor]] = {}

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x, which is kept."""
        self._inputs.setdefault(site, []).append(x.flatten())
        return x

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        """y, whose largest magnitude is kept."""
        self.results[site] = max(self.results.get(site, 0.0), float(y.abs().max()))
        return y

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x, whose largest magnitude is kept."""
        self.states[site] = max(self.states.get(site, 0.0), float(x.abs().max()))
        return x

    def grids(self) -> dict[str, dict[int, Grid]]:
        """The grid of least error of each site's inputs, by width."""
        grids = {}
        for site, values in self._inputs.items():
            x = torch.cat(values)
            grids[site] = {bits: minimum_error_grid(x, bits) for bits in INTEGER_BITS}
            grids[site][FIXED_POINT_BITS] = fixed_point_grid(float(x.abs().max()))
        return grids


class Rounded(Exactly):
    """Products see codes of the candidate's widths; results, states and gates are 16-bit fixed point."""

    _gates = fixed_point_grid(1.0)

    def __init__(
        self, bits: Bits, grids: Mapping[str, dict[int, Grid]], ranges: SeenRanges, weights: dict[str, torch.Tensor]
    ):
        """`grids` are those of the sites' inputs by width, `weights` the quantized values of the sites' weights."""
        self._bits = bits
        self._grids = grids
        self._weights = weights
        self._results = {site: fixed_point_grid(largest) for site, largest in ranges.results.items()}
        self._states = {site: fixed_point_grid(largest) for site, largest in ranges.states.items()}

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x on the grid of the candidate's width."""
        return self._grids[site][self._bits[site][1]].round(x)

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The quantized weights."""
        return self._weights[site]

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        """y in 16-bit fixed point."""
        return self._results[site].round(y)

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x in 16-bit fixed point."""
        return self._states[site].round(x)

    def gate(self, x: torch.Tensor) -> torch.Tensor:
        """x in 16-bit fixed point with 14 fractional bits."""
        return self._gates.round(x)

    def steps(self, site: str) -> tuple[float, float] | None:
        """Steps of the formats of a site's results and states."""
        return self._results[site].step, self._states[site].step
