"""What is computed of several runs together: fronts of each variant of hardware, hypervolumes, and the closed form held
against simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.report.closed_form import Disagreement, disagreement
from search.report.data import ReportedRun
from search.report.figures import METRIC_OF
from search.report.hypervolume import Bounds, Growth, growth, share
from search.report.points import Shown
from search.report.variants import ComparedVariant, compare_variants

MOST_OTHERS = 20_000
"""Points of a co-design that are on no front and shown; a search's are all shown."""


@dataclass(frozen=True)
class Analysis:
    """Several runs and what was computed of them; sequences are by run."""

    runs: tuple[ReportedRun, ...]
    objectives: tuple[str, ...]
    """Those that all runs have, in the first one's order: of the hypervolume."""
    bounds: Bounds | None
    """Of the hypervolume; None where there is no objective or feasible point in common."""
    growth: tuple[Growth, ...]
    """Empty as `bounds` is None."""
    shown: tuple[Shown, ...]
    """What the page and the picture show."""
    variants: tuple[list[ComparedVariant], ...]
    closed_form: tuple[tuple[list[int], Disagreement] | None, ...]
    """Positions of the points compared, and the comparison; None where there are no two."""


def analyse(runs: Sequence[ReportedRun]) -> Analysis:
    """At least one run."""
    objectives = tuple(o for o in runs[0].experiment.objectives if all(o in r.experiment.objectives for r in runs))
    own = [run.points.own_fronts(run.experiment.objectives, len(run.hardware)) for run in runs]
    bounds = _bounds(runs, objectives)
    return Analysis(
        runs=tuple(runs),
        objectives=objectives,
        bounds=bounds,
        growth=() if bounds is None else tuple(_growth(run, objectives, bounds) for run in runs),
        shown=tuple(
            Shown(run.points, fronts, MOST_OTHERS if run.is_codesign else len(run.points))
            for run, fronts in zip(runs, own, strict=True)
        ),
        variants=tuple(
            compare_variants(run, fronts, objectives, bounds) for run, fronts in zip(runs, own, strict=True)
        ),
        closed_form=tuple(_closed_form(run) for run in runs),
    )


def _bounds(runs: Sequence[ReportedRun], objectives: Sequence[str]) -> Bounds | None:
    """Around the feasible points of all runs."""
    evaluated = [_evaluated(run) & run.points.feasible for run in runs]
    points = np.concatenate([run.points.minimised(objectives)[e] for run, e in zip(runs, evaluated, strict=True)])
    return Bounds.around(points) if objectives and len(points) else None


def _evaluated(run: ReportedRun) -> np.ndarray:
    """(P,) What the memory limit screened out was not evaluated."""
    return run.points.known([o for o in run.experiment.objectives if o == "error"])


def _growth(run: ReportedRun, objectives: Sequence[str], bounds: Bounds) -> Growth:
    values = run.points.minimised(objectives)
    if run.is_codesign:
        return Growth([], [share(values[run.points.front], bounds)])
    evaluated = _evaluated(run)
    return Growth(*growth(values[evaluated], run.points.feasible[evaluated].tolist(), bounds))


def _closed_form(run: ReportedRun) -> tuple[list[int], Disagreement] | None:
    """Of the feasible candidates whose error and closed form are known."""
    points = run.points
    known = np.flatnonzero(points.feasible & points.known(("error", "mohaq_speedup", "latency")))
    if len(known) < 2:
        return None
    error, speedup, latency = (points.figures[METRIC_OF[o]][known] for o in ("error", "mohaq_speedup", "latency"))
    return known.tolist(), disagreement(error, speedup, latency)
