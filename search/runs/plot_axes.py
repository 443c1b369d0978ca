"""What the pictures of searches, sweeps and reports have in common: their axes, which part of the plane they show, and
how a picture is saved."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter

from search.objectives import Floats
from simulators.inputs.escapes import picture_text
from simulators.views.drawing import drawing

HEIGHT = 4.2
"""Inches of a picture."""
MARGIN = 0.05
"""Free space at each end of an axis, as a share of what its points span."""
FEW_TICKS = 3
"""A logarithmic axis has more ticks a decade where fewer than these would be in view."""
STEPS = ((1, 2, 5), (1, 2, 3, 4, 6, 8))
"""Ticks of a decade, of which the first are taken that are enough."""


@contextmanager
def plain_style() -> Iterator[None]:
    """Small type and no frame, for what is drawn inside."""
    with drawing(), matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        yield


def cost_axis(axis: Axes, label: str, values: Floats) -> None:
    """An axis across that shows values (N,) of a cost: logarithmic, unless one of them has no logarithm."""
    axis.set_xlabel(picture_text(label))
    known = values[~np.isnan(values)]
    if (known > 0).all():
        axis.set_xscale("log")
    show_span(axis, "x", known)
    if len(known) and (known > 0).all():
        axis.xaxis.set_major_locator(FixedLocator(log_ticks(*axis.get_xlim())))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", linewidth=0.3, color="#dddddd")


def show_span(axis: Axes, name: Literal["x", "y"], values: Floats) -> None:
    """Have an axis show what values (N,), none of them unknown, span, with a margin; as it was where there are none."""
    if not len(values):
        return
    logarithmic = (axis.get_xscale() if name == "x" else axis.get_yscale()) == "log"
    low, high = (float(x) for x in (values.min(), values.max()))
    if logarithmic:
        low, high = math.log10(low), math.log10(high)
    margin = MARGIN * (high - low) or MARGIN * max(abs(high), 1.0)
    ends = low - margin, high + margin
    (axis.set_xlim if name == "x" else axis.set_ylim)(*(10**end for end in ends) if logarithmic else ends)


def log_ticks(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis from `low` to `high`, both above zero: STEPS and their multiples by ten; where fewer
    than FEW_TICKS of these are in view, evenly spaced ones."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in STEPS:
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        seen = [tick for tick in ticks if low <= tick <= high]
        if len(seen) >= FEW_TICKS:
            return seen
    return [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]


def png_of(figure: Figure) -> bytes:
    """A picture as PNG, the same from the same data."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()
