"""The ranges and formats of everything that is not a weight, as calibration found them and checkpoints store them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from quant.arithmetic.grid import Grid, integer_grid
from quant.sites.candidate import FIXED_POINT_BITS


@dataclass(frozen=True)
class Range:
    """Magnitudes of the input of a site."""

    max: float
    """The largest magnitude."""
    percentile: float
    """What 99.9 % of the values do not exceed."""
    median: float
    """The median of the utterances' largest magnitudes."""


@dataclass(frozen=True)
class Calibration:
    """Formats by the names of sites, from what was seen on the calibration utterances."""

    activations: Mapping[str, Mapping[int, Grid]]
    """The grid of least error of each site's input, by its width in bits."""
    ranges: Mapping[str, Range]
    """The ranges of each site's input that other rules clip at."""
    results: Mapping[str, Grid]
    """The 16-bit fixed-point format of each site's result."""
    states: Mapping[str, Grid]
    """The 16-bit fixed-point format of what a recurrence keeps from step to step, by the last site before it."""

    def grid(self, site: str, bits: int, rule: str = "mse") -> Grid:
        """The grid of a site's input at a width, clipped by a rule of `quant.arithmetic.clipping`."""
        grid = self.activations[site][bits]
        if rule == "mse" or bits == FIXED_POINT_BITS:
            return grid
        threshold = float(getattr(self.ranges[site], rule))
        return integer_grid(bits, threshold) if threshold > 0 else grid

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Calibration":
        """What `to_dict` gave, also after its way through JSON. Raises KeyError or TypeError for anything else."""
        return cls(
            activations={
                site: {int(bits): Grid(**grid) for bits, grid in grids.items()}
                for site, grids in content["activations"].items()
            },
            ranges={site: Range(**values) for site, values in content["ranges"].items()},
            results={site: Grid(**grid) for site, grid in content["results"].items()},
            states={site: Grid(**grid) for site, grid in content["states"].items()},
        )


NOT_CALIBRATED = Calibration({}, {}, {}, {})
"""Stands in a checkpoint that is evaluated in float32 only."""
