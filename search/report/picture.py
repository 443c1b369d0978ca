"""The still picture of a report: the fronts of some runs in one diagram a cost, and their hypervolumes."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from search.report.data import METRIC_OF, METRICS, ReportedRun
from search.report.hypervolume import Growth

# Okabe and Ito's palette, as in `page.js`.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")


def draw_report(runs: Sequence[ReportedRun], growth: Sequence[Growth], objectives: Sequence[str]) -> bytes:
    """PNG: error against each cost among the first run's objectives, or latency; then hypervolume by evaluations."""
    costs = [o for o in runs[0].experiment.objectives if o != "error"] or ["latency"]
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.75 * (len(costs) + bool(growth)), 4.2), layout="constrained")
        axes = figure.subplots(1, len(costs) + bool(growth), squeeze=False)[0].tolist()
        for axis, cost in zip(axes, costs, strict=False):
            _draw_front(axis, runs, METRIC_OF[cost])
        axes[0].legend(frameon=False, loc="best")
        for i, grown in enumerate(growth):
            axes[-1].step(grown.evaluations, grown.shares, where="post", color=_colour(i), label=runs[i].label)
            axes[-1].set(xlabel="evaluations", ylabel=f"hypervolume of {', '.join(objectives)} (share)", ylim=(0, 1))
            axes[-1].grid(True, linewidth=0.3, color="#dddddd")
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()


def _draw_front(axis: Axes, runs: Sequence[ReportedRun], cost: str) -> None:
    def points(rows: Sequence[dict[str, Any]]) -> tuple[list[float], list[float]]:
        known = [row for row in rows if row["error"] is not None and row[cost] is not None]
        return [row[cost] for row in known], [row["error"] for row in known]

    for i, run in enumerate(runs):
        axis.scatter(*points([row for row in run.visited if row["feasible"]]), s=8, color=_colour(i), alpha=0.25,
                     linewidths=0)  # fmt: skip
        axis.scatter(*points([d.row for d in run.front]), s=26, color=_colour(i), linewidths=0, label=run.label)
        axis.scatter(*points([d.row for d in run.baselines]), s=40, marker="D", facecolors="none",
                     edgecolors=_colour(i), linewidths=1.1)  # fmt: skip
    limits = [run.error_limit for run in runs]
    if None not in limits:  # a baseline far over the limit would leave the fronts no room
        axis.set_ylim(top=1.02 * max(limit for limit in limits if limit is not None))
    axis.set(xlabel=METRICS[cost], ylabel=METRICS["error"], xscale="log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", linewidth=0.3, color="#dddddd")


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]
