"""The still picture of a report: the fronts of some runs in one diagram a cost, and their hypervolumes."""

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from search.report.analysis import Analysis
from search.report.figures import METRIC_OF, METRICS

# Okabe and Ito's palette, as in `basics.js`.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")


def draw_report(report: Analysis) -> bytes:
    """PNG: error against each cost among the first run's objectives, or latency; then hypervolume by evaluations, where
    any run has an order of evaluation."""
    runs, growth = report.runs, [grown for grown in report.growth if grown.evaluations]
    costs = [o for o in runs[0].experiment.objectives if o != "error"] or ["latency"]
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.75 * (len(costs) + bool(growth)), 4.2), layout="constrained")
        axes = figure.subplots(1, len(costs) + bool(growth), squeeze=False)[0].tolist()
        for axis, cost in zip(axes, costs, strict=False):
            _draw_front(axis, report, METRIC_OF[cost])
        axes[0].legend(frameon=False, loc="best")
        if growth:
            _draw_growth(axes[-1], report)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()


def _draw_growth(axis: Axes, report: Analysis) -> None:
    for i, (run, grown) in enumerate(zip(report.runs, report.growth, strict=True)):
        if grown.evaluations:
            axis.step(grown.evaluations, grown.shares, where="post", color=_colour(i), label=run.label)
        else:
            axis.axhline(grown.shares[-1], color=_colour(i), linestyle="--", label=run.label)
    axis.set(xlabel="evaluations", ylabel=f"hypervolume of {', '.join(report.objectives)} (share)", ylim=(0, 1))
    axis.grid(True, linewidth=0.3, color="#dddddd")


def _draw_front(axis: Axes, report: Analysis, cost: str) -> None:
    runs = report.runs
    for i, (run, shown) in enumerate(zip(runs, report.shown, strict=True)):
        points = run.points
        x, y = points.figures[cost], points.figures["error"]
        seen = shown.positions[points.feasible[shown.positions]]
        axis.scatter(x[seen], y[seen], s=8, color=_colour(i), alpha=0.25, linewidths=0)
        axis.scatter(x[points.front], y[points.front], s=26, color=_colour(i), linewidths=0, label=run.label)
        rows = [detail.row for detail in run.baselines]
        x, y = (np.array([row.get(name) for row in rows], float) for name in (cost, "error"))
        axis.scatter(x, y, s=40, marker="D", facecolors="none", edgecolors=_colour(i), linewidths=1.1)
    limits = [run.error_limit for run in runs if run.error_limit is not None]
    # A baseline far over the limit would leave the fronts no room; without fronts there is nothing to leave it to.
    if len(limits) == len(runs) and any(run.baselines for run in runs) and any(len(run.points.front) for run in runs):
        axis.set_ylim(top=1.02 * max(limits))
    axis.set(xlabel=METRICS[cost], ylabel=METRICS["error"], xscale="log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", linewidth=0.3, color="#dddddd")


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]
