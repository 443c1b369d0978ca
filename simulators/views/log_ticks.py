"""Ticks of logarithmic axes, of which each can be read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axis import Axis

FEW_TICKS = 3
"""A logarithmic axis has more ticks a decade where fewer than these would be in view."""
MOST_TICKS = 10
"""It has only whole decades where more than these would be in view, and of many decades not all."""
STEPS = ((1, 2, 5), (1, 2, 3, 4, 6, 8))
"""Ticks of a decade, of which the first are taken that are enough."""


def show_log_ticks(axis: Axis) -> None:
    """Have an axis, logarithmic and with its limits set, show `log_ticks` and no others."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

    axis.set_major_locator(FixedLocator(log_ticks(*axis.get_view_interval())))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis from `low` to `high`, both above zero: STEPS and their multiples by ten; where these
    are more than MOST_TICKS, powers of ten; where fewer than FEW_TICKS are in view, evenly spaced ones."""
    from matplotlib.ticker import MaxNLocator

    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in STEPS:
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        seen = [tick for tick in ticks if low <= tick <= high]
        if len(seen) > MOST_TICKS:
            powers = [10.0**decade for decade in decades if low <= 10.0**decade <= high]
            return powers[:: math.ceil(len(powers) / MOST_TICKS)]
        if len(seen) >= FEW_TICKS:
            return seen
    return [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
