"""What happens to the values that pass through the layers of a module of one's own."""

from collections.abc import Mapping

import numpy as np
import torch

from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.networks.cell_layer import SeenRecurrence
from quant.own.formats import Formats
from quant.own.rounding_kernel import round_to_grid
from quant.own.saturation import SaturationCounts
from quant.sites.candidate import Bits
from simulators.inputs.errors import InputError

GATES = fixed_point_grid(1.0)
"""Holds gates, and other values in [-1, 1]: 14 fractional bits."""


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

    def gate(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """A gate of the recurrence of a site, or another value in [-1, 1]."""
        return x

    def recurrence(self, recurrence: SeenRecurrence) -> None:
        """What one direction of a layer computed."""

    def steps(self, site: str) -> tuple[float, float] | None:
        """Steps of the 16-bit fixed point of a site's results and states; None where nothing is rounded."""
        return None


class Rounded(Exactly):
    """Products of the sites that a candidate names see codes of its widths, and their results, states and gates are
    16-bit fixed point; sites that it does not name compute as they are. It counts what saturates."""

    def __init__(self, bits: Bits, formats: Formats, weights: Mapping[str, torch.Tensor]):
        """`weights` are the quantized values of the sites' weights."""
        self.saturation = SaturationCounts()
        self._bits = bits
        self._formats = formats
        self._weights = weights

    def input(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x on the grid of the candidate's width."""
        if site not in self._bits:
            return x
        return self._held(site, "inputs", x, self._formats.inputs[site][self._bits[site][1]])

    def weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The quantized weights."""
        return self._weights[site] if site in self._bits else weight

    def result(self, site: str, y: torch.Tensor) -> torch.Tensor:
        """y in 16-bit fixed point."""
        return self._held(site, "results", y, self._formats.results[site]) if site in self._bits else y

    def state(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x in 16-bit fixed point."""
        return self._held(site, "states", x, self._formats.states[site]) if site in self._bits else x

    def gate(self, site: str, x: torch.Tensor) -> torch.Tensor:
        """x in 16-bit fixed point with 14 fractional bits."""
        return self._held(site, "states", x, GATES) if site in self._bits else x

    def steps(self, site: str) -> tuple[float, float] | None:
        """Steps of the formats of a site's results and states."""
        return (self._formats.results[site].step, self._formats.states[site].step) if site in self._bits else None

    def _held(self, site: str, what: str, x: torch.Tensor, grid: Grid) -> torch.Tensor:
        """x on a grid, while what does not fit is counted. Raises InputError for what is no number."""
        values = x.detach().numpy().reshape(-1)
        rounded, kind = np.empty_like(values), values.dtype.type
        clipped, no_numbers = round_to_grid(
            values, kind(1.0 / grid.step), kind(grid.step), kind(grid.lowest), kind(grid.highest), rounded
        )
        if no_numbers:
            raise InputError(f"{site}: {what} are no numbers: they cannot be quantized")
        self.saturation.add(site, what, clipped, values.size)
        return torch.from_numpy(rounded).view(x.shape)
