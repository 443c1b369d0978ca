"""Design points as flat rows of files: a column for every objective that they can have, units in the names."""

from collections.abc import Sequence
from typing import Any

from search.objectives import Floats, Objective, PointFigures
from search.objectives.columns import HELD_OUT, WORST
from search.objectives.registry import columns_of
from search.runs.results import Run, Solution

AFTER_OBJECTIVES = ("cycles", "beacon", "error_original", *HELD_OUT, "bits")
"""Columns of a search's rows that follow those of the objectives."""


def columns(objectives: Sequence[str]) -> tuple[str, ...]:
    """The columns of a search's rows, in their order; `objectives` are the names of the experiment's."""
    return (*(objective.column for objective in columns_of(objectives, of_variants=False)), *AFTER_OBJECTIVES)


def rows_of(run: Run, solutions: Sequence[Solution]) -> list[dict[str, Any]]:
    """Solutions as flat rows; error rates in percent, None where a value is not known."""
    objectives = columns_of(run.experiment.objectives, of_variants=False)
    values = objective_rows(objectives, run.figures(solutions))
    return [
        {
            **row,
            "cycles": solution.cost.cycles,
            "beacon": "" if solution.quality is None else solution.quality.beacon,
            "error_original": None if solution.quality is None else solution.quality.error_original,
            "bits": solution.name,
            **_worst(run, solution),
        }
        for solution, row in zip(solutions, values, strict=True)
    ]


def _worst(run: Run, solution: Solution) -> dict[str, float | None]:
    """The worst utterance's figures, where costs are means over several."""
    if not run.experiment.thresholds:
        return {}
    return {name: getattr(solution.cost, name) for name in WORST}


def objective_rows(objectives: Sequence[Objective], figures: PointFigures) -> list[dict[str, float | None]]:
    """For each design point, the value of each objective by its column, None where it is not known."""
    columns = [_cells(objective.values(figures), objective.digits) for objective in objectives]
    names = [objective.column for objective in objectives]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _cells(values: Floats, digits: int | None) -> list[float | None]:
    """Values (N,) with so many decimals."""
    return [None if x != x else x if digits is None else round(x, digits) for x in values.tolist()]
