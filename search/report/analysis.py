"""What is computed of several runs together: fronts of each variant of hardware, hypervolumes, and the closed form held
against simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.objectives import Objective
from search.objectives.built_in import ERROR, LATENCY, MOHAQ_SPEEDUP
from search.report.closed_form import Disagreement, disagreement
from search.report.data import ReportedRun
from search.report.hypervolume import Bounds, Growth, growth, share
from search.report.points import Bools, Shown
from search.report.policies import PolicyMatrix, policy_matrices
from search.report.variants import ComparedVariant, compare_variants

MOST_OTHERS = 20_000
"""Points of a co-design that are on no front and shown; a search's are all shown."""


@dataclass(frozen=True)
class Analysis:
    """Several runs and what was computed of them; sequences are by run."""

    runs: tuple[ReportedRun, ...]
    objectives: tuple[Objective, ...]
    """Those that all runs have, in the first one's order, of which hypervolumes are."""
    bounds: Bounds | None
    """The bounds of hypervolumes; None where there is no objective or feasible point in common."""
    growth: tuple[Growth, ...]
    """Growth of each run's hypervolume; empty where there are no bounds."""
    shown: tuple[Shown, ...]
    """What the page and the picture show."""
    variants: tuple[list[ComparedVariant], ...]
    """Each run's variants of hardware side by side."""
    policies: tuple[PolicyMatrix, ...]
    """The best policies of each network that was searched on several pieces of hardware."""
    closed_form: tuple[tuple[list[int], Disagreement] | None, ...]
    """Positions of the points compared, and the comparison; None where there are no two."""


def analyse(runs: Sequence[ReportedRun]) -> Analysis:
    """What there is to tell of several runs, at least one."""
    first, *others = (run.objectives for run in runs)
    objectives = tuple(objective for objective in first if all(objective in other for other in others))
    own = [run.points.own_fronts(run.objectives, len(run.hardware)) for run in runs]
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
        policies=policy_matrices(runs),
        closed_form=tuple(_closed_form(run) for run in runs),
    )


def _bounds(runs: Sequence[ReportedRun], objectives: Sequence[Objective]) -> Bounds | None:
    """Around the feasible points of all runs."""
    evaluated = [_evaluated(run) & run.points.feasible for run in runs]
    points = np.concatenate([run.points.minimised(objectives)[e] for run, e in zip(runs, evaluated, strict=True)])
    return Bounds.around(points) if objectives and len(points) else None


def _evaluated(run: ReportedRun) -> Bools:
    """(P,) Whether a point was evaluated: not if the memory limit screened it out."""
    return run.points.known([objective for objective in run.objectives if objective.needs_error])


def _growth(run: ReportedRun, objectives: Sequence[Objective], bounds: Bounds) -> Growth:
    values = run.points.minimised(objectives)
    if run.is_codesign:
        return Growth([], [share(values[run.points.front], bounds)])
    evaluated = _evaluated(run)
    return Growth(*growth(values[evaluated], run.points.feasible[evaluated].tolist(), bounds))


def _closed_form(run: ReportedRun) -> tuple[list[int], Disagreement] | None:
    """The comparison of the feasible candidates whose error and closed form are known."""
    points, compared = run.points, (ERROR, MOHAQ_SPEEDUP, LATENCY)
    rows = np.flatnonzero(points.feasible & points.known(compared))
    if len(rows) < 2:
        return None
    error, speedup, latency_ms = (points.values[objective.column][rows] for objective in compared)
    return rows.tolist(), disagreement(error, speedup, latency_ms)
