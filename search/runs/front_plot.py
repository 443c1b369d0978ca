"""The picture of a run: error against the other objectives."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.objectives import Objective
from search.objectives.built_in import ENERGY, ERROR, LATENCY
from search.runs.plot_axes import HEIGHT, cost_axis, plain_style, png_of
from search.runs.results import Run, Solution
from simulators.inputs.escapes import picture_text

VISITED, FRONT, BASELINE, TEST = "#b8c0cc", "#c0392b", "#1f3a5f", "#e69f00"


def draw_front(run: Run) -> bytes:
    """PNG: every evaluated candidate, the front, and the homogeneous baselines, against each objective but the error;
    against latency and energy where there are fewer than two."""
    costs = [objective for objective in run.experiment.resolved_objectives if objective != ERROR]
    costs += [objective for objective in (LATENCY, ENERGY) if objective not in costs][: max(0, 2 - len(costs))]
    with plain_style():
        figure = Figure(figsize=(4.75 * len(costs), HEIGHT), layout="constrained")
        axes = figure.subplots(1, len(costs), sharey=True)
        for axis, cost in zip(axes, costs, strict=True):
            _draw(axis, run, cost)
        axes[0].set_ylabel(ERROR.axis)
        axes[0].legend(frameon=False, loc="best")
        model, arch = run.experiment.model, run.arch.name
        title = f"{run.experiment.name}: {model} on {arch}, {len(run.visited)} candidates"
        figure.suptitle(picture_text(title), fontsize=10)
        return png_of(figure)


def _draw_test(axis: Axes, run: Run, cost: Objective) -> None:
    """The front's errors on test, at the same costs."""
    if run.check is None:
        return
    tested = [(solution, run.check.test.get(solution.chosen.key)) for solution in run.front]
    figures = run.figures([replace(solution, quality=quality) for solution, quality in tested if quality is not None])
    if len(figures):
        axis.scatter(cost.values(figures), ERROR.values(figures), s=26, marker="x", color=TEST, label="front on test",
                     linewidths=1.2)  # fmt: skip


def _draw(axis: Axes, run: Run, cost: Objective) -> None:
    """One diagram."""

    def points(solutions: Sequence[Solution]) -> tuple[list[float], list[float]]:
        evaluated = run.figures([solution for solution in solutions if solution.quality is not None])
        return cost.values(evaluated).tolist(), ERROR.values(evaluated).tolist()

    visited = points(run.visited)
    axis.scatter(*visited, s=12, color=VISITED, label="evaluated", linewidths=0)
    # On a front of three objectives a solution need not be on the staircase of any two, so no line joins them.
    axis.scatter(*points(run.front), s=26, color=FRONT, label="Pareto front", linewidths=0)
    _draw_test(axis, run, cost)
    baselines = points(list(run.baselines.values()))
    axis.scatter(*baselines, s=44, marker="D", facecolors="none", edgecolors=BASELINE,
                 label="one width for all", linewidths=1.3)  # fmt: skip
    widths = [width for width, solution in run.baselines.items() if solution.quality is not None]
    for width, x, y in zip(widths, *baselines, strict=True):
        axis.annotate(f"{width}-bit", (x, y), xytext=(6, 6), textcoords="offset points", color=BASELINE, fontsize=8)
    if run.error_limit is not None:
        axis.axhline(run.error_limit, color=BASELINE, linewidth=0.8, linestyle=":")
        axis.text(0.01, run.error_limit, "error limit", transform=axis.get_yaxis_transform(), va="bottom", fontsize=8,
                  color=BASELINE)  # fmt: skip
    cost_axis(axis, cost.axis, np.array(visited[0] + baselines[0]))
