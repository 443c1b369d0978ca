"""The still picture of a report: the fronts of some runs in one diagram a cost, and their hypervolumes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.objectives import Floats, Objective
from search.objectives.built_in import ERROR, LATENCY
from search.report.analysis import Analysis
from search.runs.plot_axes import HEIGHT, cost_axis, plain_style, png_of, show_span
from simulators.inputs.escapes import picture_text

# Okabe and Ito's palette, as in `basics.js`.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")


def draw_report(report: Analysis) -> bytes:
    """PNG: error against each cost among the first run's objectives, or latency; then hypervolume by evaluations, where
    any run has an order of evaluation."""
    runs, growth = report.runs, [grown for grown in report.growth if grown.evaluations]
    costs = [objective for objective in runs[0].objectives if objective != ERROR] or [LATENCY]
    with plain_style():
        figure = Figure(figsize=(4.75 * (len(costs) + bool(growth)), HEIGHT), layout="constrained")
        axes = figure.subplots(1, len(costs) + bool(growth), squeeze=False)[0].tolist()
        for axis, cost in zip(axes, costs, strict=False):
            _draw_front(axis, report, cost)
        axes[0].legend(frameon=False, loc="best")
        if growth:
            _draw_growth(axes[-1], report)
        return png_of(figure)


def _draw_growth(axis: Axes, report: Analysis) -> None:
    for i, (run, grown) in enumerate(zip(report.runs, report.growth, strict=True)):
        if grown.evaluations:
            axis.step(grown.evaluations, grown.shares, where="post", color=_colour(i), label=picture_text(run.label))
        else:
            axis.axhline(grown.shares[-1], color=_colour(i), linestyle="--", label=picture_text(run.label))
    names = ", ".join(objective.name for objective in report.objectives)
    axis.set(xlabel="evaluations", ylabel=picture_text(f"hypervolume of {names} (share)"), ylim=(0, 1))
    axis.grid(True, linewidth=0.3, color="#dddddd")


def _draw_front(axis: Axes, report: Analysis, cost: Objective) -> None:
    """One diagram. It spans what keeps all limits, so that the fronts fill it."""
    spans: list[tuple[Floats, Floats]] = []
    for i, (run, shown) in enumerate(zip(report.runs, report.shown, strict=True)):
        points = run.points
        unknown = np.full(len(points), np.nan)  # a plugin's objective that this run has not
        x, y = points.values.get(cost.column, unknown), points.values[ERROR.column]
        seen = shown.positions[points.feasible[shown.positions]]
        axis.scatter(x[seen], y[seen], s=8, color=_colour(i), alpha=0.25, linewidths=0)
        axis.scatter(
            x[points.front], y[points.front], s=26, color=_colour(i), linewidths=0, label=picture_text(run.label)
        )
        spans.append((x[seen], y[seen]))
        rows = [detail.row for detail in run.baselines if run.keeps(detail.row)]
        x, y = (np.array([row.get(name) for row in rows], float) for name in (cost.column, ERROR.column))
        axis.scatter(x, y, s=40, marker="D", facecolors="none", edgecolors=_colour(i), linewidths=1.1)
        spans.append((x, y))
    axis.set_ylabel(ERROR.axis)
    across, upright = (np.concatenate([span[i] for span in spans]) for i in (0, 1))
    cost_axis(axis, cost.axis, across)
    show_span(axis, "y", upright[~np.isnan(upright)])


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]
