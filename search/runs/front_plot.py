"""The picture of a run: error against the other objectives."""

import io

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from search.runs.results import Run, Solution

COST_AXES = {
    "latency": ("latency_ms", "latency of one utterance (ms)"),
    "energy": ("energy_uj", "energy of one utterance (µJ)"),
    "memory": ("memory_mib", "memory of the model (MiB)"),
    "mohaq_energy": ("mohaq_energy_uj", "energy of a frame by MOHAQ's closed form (µJ)"),
    "mohaq_speedup": ("mohaq_speedup", "speedup by MOHAQ's closed form"),
}
VISITED, FRONT, BASELINE = "#b8c0cc", "#c0392b", "#1f3a5f"


def draw_front(run: Run) -> bytes:
    """PNG: every evaluated candidate, the front, and the homogeneous baselines, against each cost among the objectives
    on a logarithmic axis; against latency and energy where there are fewer than two."""
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        names = [name for name in run.experiment.objectives if name in COST_AXES]
        names += [name for name in ("latency", "energy") if name not in names][: max(0, 2 - len(names))]
        figure = Figure(figsize=(4.75 * len(names), 4.2), layout="constrained")
        axes = figure.subplots(1, len(names), sharey=True)
        for axis, (cost, label) in zip(axes, (COST_AXES[name] for name in names), strict=True):
            _draw(axis, run, cost)
            axis.set_xlabel(label)
        axes[0].set_ylabel("error rate, worst of 4 subsets (%)")
        axes[0].legend(frameon=False, loc="best")
        model, arch = run.experiment.model, run.arch.name
        figure.suptitle(f"{run.experiment.name}: {model} on {arch}, {len(run.visited)} candidates", fontsize=10)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=150, metadata={"Software": None})
    return image.getvalue()


def _draw(axis: Axes, run: Run, cost: str) -> None:
    def points(solutions: list[Solution]) -> tuple[list[float], list[float]]:
        known = [s for s in solutions if s.quality is not None]
        return [getattr(s.cost, cost) for s in known], [s.quality.error for s in known if s.quality is not None]

    axis.scatter(*points(list(run.visited)), s=12, color=VISITED, label="evaluated", linewidths=0)
    # On a front of three objectives a solution need not be on the staircase of any two, so no line joins them.
    axis.scatter(*points(list(run.front)), s=26, color=FRONT, label="Pareto front", linewidths=0)
    axis.scatter(*points(list(run.baselines.values())), s=44, marker="D", facecolors="none", edgecolors=BASELINE,
                 label="one width for all", linewidths=1.3)  # fmt: skip
    for width, solution in run.baselines.items():
        if solution.quality is not None:
            at = (getattr(solution.cost, cost), solution.quality.error)
            axis.annotate(f"{width}-bit", at, xytext=(6, 6), textcoords="offset points", color=BASELINE, fontsize=8)
    if run.error_limit is not None:
        axis.axhline(run.error_limit, color=BASELINE, linewidth=0.8, linestyle=":")
        axis.text(0.01, run.error_limit, "error limit", transform=axis.get_yaxis_transform(), va="bottom", fontsize=8,
                  color=BASELINE)  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(True, which="both", linewidth=0.3, color="#dddddd")
