"""The picture of a co-design: error against each cost, the joint front coloured by the hardware's area."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from search.codesign.design_points import CoDesign
from search.objectives import Objective
from search.objectives.built_in import AREA, ERROR, LATENCY
from search.runs.front_plot import FRONT, VISITED
from search.runs.plot_axes import HEIGHT, cost_axis, plain_style, png_of
from simulators.engine.program import Ints
from simulators.inputs.escapes import picture_text

AREA_COLOURS = ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0, 0.85, 256)), "area")
"""Small hardware is dark; without the palest."""
MOST_DOTS = 20_000
"""Points of the variants' own fronts that are drawn, evenly taken."""


def draw_sweep(result: CoDesign) -> bytes:
    """PNG: the points of the variants' own fronts in grey, those of the joint front in colour, by area where variants
    differ in it. The first objective (error where there is one) is upright, the others have an axis each."""
    objectives = result.objectives
    upright = ERROR if ERROR in objectives else objectives[0]
    across = [objective for objective in objectives if objective != upright] or [LATENCY]
    own = np.concatenate([np.zeros(0, np.int64), *result.fronts])
    own = own[:: max(1, -(-len(own) // MOST_DOTS))]
    with plain_style():
        figure = Figure(figsize=(4.4 * len(across) + 0.8, HEIGHT), layout="constrained")
        axes = figure.subplots(1, len(across), sharey=True, squeeze=False)[0]
        area = result.area_mm2[result.variant[result.front]]
        coloured = bool(len(area)) and not np.isnan(area).any() and area.min() < area.max()
        # Small hardware on top: it is on the front although others are faster.
        front = result.front[np.argsort(-area, kind="stable")] if coloured else result.front
        for axis, objective in zip(axes, across, strict=True):
            dots = _draw(axis, result, (objective, upright), own, front, coloured)
        axes[0].set_ylabel(picture_text(upright.axis))
        axes[0].legend(frameon=False, loc="best")
        if coloured:
            bar = figure.colorbar(dots, ax=axes[-1], label=AREA.axis)
            bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
            bar.ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            bar.ax.yaxis.set_minor_formatter(NullFormatter())
        text = f"{len(result.hardware)} hardware variants, {len(result.candidates)} candidates"
        figure.suptitle(picture_text(f"{result.experiment.name}: {result.experiment.model}, {text}"), fontsize=10)
        return png_of(figure)


def _draw(
    axis: Axes, result: CoDesign, objectives: tuple[Objective, Objective], own: Ints, front: Ints, coloured: bool
) -> PathCollection:
    """One diagram, of an objective across and one upright; the dots of the joint front."""
    (own_x, own_y), (x, y) = (
        [objective.values(result.figures(rows)) for objective in objectives] for rows in (own, front)
    )
    axis.scatter(own_x, own_y, s=7, color=VISITED, linewidths=0, label="on the front of its own hardware")
    label = "on the joint front"
    if coloured:
        area = result.area_mm2[result.variant[front]]
        dots = axis.scatter(x, y, s=22, linewidths=0, label=label, c=area, cmap=AREA_COLOURS, norm="log")
    else:
        dots = axis.scatter(x, y, s=22, linewidths=0, label=label, color=FRONT)
    cost_axis(axis, objectives[0].axis, np.concatenate([own_x, x]))
    return dots
