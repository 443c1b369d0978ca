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

from search.objectives import Floats
from simulators.inputs.escapes import picture_text
from simulators.views.drawing import drawing
from simulators.views.log_ticks import show_log_ticks

HEIGHT = 4.2
"""Inches of a picture."""
MARGIN = 0.05
"""Free space at each end of an axis, as a share of what its points span."""


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
        show_log_ticks(axis.xaxis)
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


def png_of(figure: Figure) -> bytes:
    """A picture as PNG, the same from the same data."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()
