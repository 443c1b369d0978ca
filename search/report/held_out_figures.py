"""Errors on test and on all of dev as figures of a report, beside the objectives: they are known of a front's solutions
and of the candidates of one width."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.objectives import Floats, Objective, PointFigures
from search.objectives.columns import HELD_OUT


def _in_results(points: PointFigures) -> Floats:
    """A search does not compute them from what it knows of its points: they stand in its results."""
    return np.full(len(points), np.nan)


def _figure(name: str, label: str, reading: str) -> Objective:
    return Objective(name, "%", label, ("error",), _in_results, reading=reading)


TEST_FIGURES = (
    _figure("error_dev", "error rate on all of dev, worst of 4 subsets", "% error on all of dev"),
    _figure("error_test", "error rate on test, worst of 4 subsets", "% error on test"),
    _figure("error_test_plain", "error rate on test, all", "% error on test, all"),
)
"""What can be drawn, filtered and read of each solution."""
NUMBERS = tuple(name for name in HELD_OUT if name != "dominated_on_test_by")
"""Columns of numbers."""


def with_test(visited: Sequence[Mapping[str, Any]], front: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of what a search looked at, those on its front with what is known of them on test."""
    known = {row["bits"]: {name: row.get(name) for name in NUMBERS} for row in front}
    return [{**row, **known.get(row["bits"], {})} for row in visited]
