"""What an evaluation of a network of one's own finds."""

from dataclasses import dataclass

from quant.evaluation.rates import Rates
from quant.own.saturation import SiteSaturation

FileBits = tuple[int | None, int | None]
"""Widths of a site's weights and activations in the file that it comes from; None where that has no quantizer."""


@dataclass(frozen=True)
class OwnRates(Rates):
    """Error rates in percent, and what saturated meanwhile."""

    saturation: tuple[SiteSaturation, ...] = ()
    """Shares of each site that was quantized, in the order of the computation."""
