"""The picture of a co-design: error against each cost, the joint front coloured by the hardware's area."""

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from search.codesign.design_points import CoDesign
from search.runs.front_plot import COST_AXES, FRONT, VISITED

LABELS = {name: label for name, (_, label) in COST_AXES.items()} | {
    "area": "area of the hardware (mm²)",
    "error": "error rate, worst of 4 subsets (%)",
}
AREA = ListedColormap(matplotlib.colormaps["plasma"](np.linspace(0, 0.85, 256)), "area")
"""Small hardware is dark; without the palest."""
MOST_DOTS = 20_000
"""Points of the variants' own fronts that are drawn, evenly taken."""


def draw_sweep(result: CoDesign) -> bytes:
    """PNG: the points of the variants' own fronts in grey, those of the joint front in colour, by area where variants
    differ in it. The first objective (error where there is one) is upright, the others have an axis each."""
    objectives = result.experiment.objectives
    upright = "error" if "error" in objectives else objectives[0]
    across = [name for name in objectives if name != upright] or ["latency"]
    own = np.concatenate([np.zeros(0, np.int64), *result.fronts])
    own = own[:: max(1, -(-len(own) // MOST_DOTS))]
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.4 * len(across) + 0.8, 4.2), layout="constrained")
        axes = figure.subplots(1, len(across), sharey=True, squeeze=False)[0]
        area = result.area_mm2[result.variant[result.front]]
        coloured = bool(len(area)) and not np.isnan(area).any() and area.min() < area.max()
        for axis, name in zip(axes, across, strict=True):
            axis.scatter(_of(result, name, own), _of(result, upright, own), s=7, color=VISITED, linewidths=0,
                         label="on the front of its own hardware")  # fmt: skip
            # Small hardware on top: it is on the front although others are faster.
            order = np.argsort(-area, kind="stable") if coloured else np.arange(len(result.front))
            rows = result.front[order]
            dots = axis.scatter(
                _of(result, name, rows), _of(result, upright, rows), s=22, linewidths=0, label="on the joint front",
                **({"c": area[order], "cmap": AREA, "norm": "log"} if coloured else {"color": FRONT}),
            )  # fmt: skip
            axis.set_xlabel(LABELS[name])
            _logarithmic(axis)
        axes[0].set_ylabel(LABELS[upright])
        axes[0].legend(frameon=False, loc="best")
        if coloured:
            bar = figure.colorbar(dots, ax=axes[-1], label=LABELS["area"])
            bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
            bar.ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            bar.ax.yaxis.set_minor_formatter(NullFormatter())
        text = f"{len(result.hardware)} hardware variants, {len(result.candidates)} candidates"
        figure.suptitle(f"{result.experiment.name}: {result.experiment.model}, {text}", fontsize=10)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()


def _of(result: CoDesign, name: str, rows: np.ndarray) -> np.ndarray:
    if name in result.experiment.objectives:
        return result.values[rows, result.experiment.objectives.index(name)]
    return result.latency_ms[rows]


def _logarithmic(axis: Axes) -> None:
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", linewidth=0.3, color="#dddddd")
