"""What the pictures of searches, sweeps and reports have in common: their axes of costs, and how a picture is saved."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from search.objectives import Floats
from simulators.inputs.escapes import picture_text
from simulators.views.drawing import drawing

HEIGHT = 4.2
"""Inches of a picture."""


@contextmanager
def plain_style() -> Iterator[None]:
    """Small type and no frame, for what is drawn inside."""
    with drawing(), matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        yield


def cost_axis(axis: Axes, label: str, values: Floats) -> None:
    """An axis across for values (N,) of a cost: logarithmic, unless one of them has no logarithm."""
    axis.set_xlabel(picture_text(label))
    if (values[~np.isnan(values)] > 0).all():
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", linewidth=0.3, color="#dddddd")


def png_of(figure: Figure) -> bytes:
    """A picture as PNG, the same from the same data."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()
