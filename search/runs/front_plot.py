"""The picture of a run: error against the other objectives. The axes span what keeps all limits: a candidate far over
one of them would leave the front no room."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from search.objectives import Floats, Objective
from search.objectives.built_in import ENERGY, ERROR, LATENCY
from search.runs.plot_axes import HEIGHT, cost_axis, plain_style, png_of, show_span
from search.runs.results import Run, Solution
from simulators.inputs.escapes import picture_text

VISITED, FRONT, BASELINE, TEST, OVER = "#b8c0cc", "#c0392b", "#1f3a5f", "#e69f00", "#d9c3a0"


def draw_front(run: Run) -> bytes:
    """PNG: every evaluated candidate, the front, and the homogeneous baselines, against each objective but the error;
    against latency and energy where there are fewer than two. What is over a limit is a cross, and drawn only where the
    axes, which span what is not, reach."""
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


def _draw_test(axis: Axes, run: Run, cost: Objective) -> tuple[Floats, Floats]:
    """The front's errors on test, at the same costs, and where they are."""
    if run.check is None:
        return np.zeros(0), np.zeros(0)
    tested = [(solution, run.check.test.get(solution.chosen.key)) for solution in run.front]
    figures = run.figures([replace(solution, quality=quality) for solution, quality in tested if quality is not None])
    places = cost.values(figures), ERROR.values(figures)
    if len(figures):
        axis.scatter(*places, s=26, marker="x", color=TEST, label="front on test",
                     linewidths=1.2)  # fmt: skip
    return places


def _draw(axis: Axes, run: Run, cost: Objective) -> None:
    """One diagram."""

    def points(solutions: Iterable[Solution]) -> tuple[Floats, Floats]:
        evaluated = run.figures([solution for solution in solutions if solution.quality is not None])
        return cost.values(evaluated), ERROR.values(evaluated)

    kept = {solution.name for solution, feasible in zip(run.visited, run.feasible, strict=True) if feasible}
    feasible = points(solution for solution in run.visited if solution.name in kept)
    over = points(solution for solution in run.visited if solution.name not in kept)
    axis.scatter(*feasible, s=12, color=VISITED, label="evaluated", linewidths=0)
    # On a front of three objectives a solution need not be on the staircase of any two, so no line joins them.
    axis.scatter(*points(run.front), s=26, color=FRONT, label="Pareto front", linewidths=0)
    tested = _draw_test(axis, run, cost)
    within = _draw_baselines(axis, run, cost)
    if run.error_limit is not None:
        axis.axhline(run.error_limit, color=BASELINE, linewidth=0.8, linestyle=":")
        axis.text(0.01, run.error_limit, "error limit", transform=axis.get_yaxis_transform(), va="bottom", fontsize=8,
                  color=BASELINE, clip_on=True)  # fmt: skip
    # With nothing feasible there is nothing to leave room for, and all is shown.
    spans = [feasible, within, tested] if len(feasible[0]) or len(within[0]) else [over, points(run.baselines.values())]
    across, upright = (np.concatenate([span[i] for span in spans]) for i in (0, 1))
    cost_axis(axis, cost.axis, across)
    show_span(axis, "y", upright[~np.isnan(upright)])
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    seen = (left <= over[0]) & (over[0] <= right) & (low <= over[1]) & (over[1] <= high)
    if seen.any():
        axis.scatter(over[0][seen], over[1][seen], s=14, color=OVER, marker="x", label="over a limit", linewidths=0.8)


def _draw_baselines(axis: Axes, run: Run, cost: Objective) -> tuple[Floats, Floats]:
    """The candidates of one width for all, those over a limit dashed; where those are that keep all limits."""
    places: list[tuple[float, float]] = []
    for width, solution in run.baselines.items():
        if solution.quality is None:
            continue
        (x,), (y,) = (objective.values(run.figures([solution])).tolist() for objective in (cost, ERROR))
        kept = run.budget.kept_by(solution.cost)
        kept &= run.experiment.constraints.kept_by(solution.cost.memory_mib, y, run.error_limit)
        label = "one width for all" if kept and not places else None
        axis.scatter([x], [y], s=44, marker="D", facecolors="none", edgecolors=BASELINE, linewidths=1.3,
                     linestyles="-" if kept else ":", label=label)  # fmt: skip
        text = f"{width}-bit" if kept else f"{width}-bit, over a limit"
        axis.annotate(text, (x, y), xytext=(6, 6), textcoords="offset points", color=BASELINE, fontsize=8)
        places += [(x, y)] if kept else []
    found = np.array(places, float).reshape(-1, 2)
    return found[:, 0], found[:, 1]
