"""All points of a report as CSV."""

from collections.abc import Iterator, Sequence
from typing import Any

from search.objectives import Floats
from search.report.analysis import Analysis
from search.runs.rows import columns
from simulators.inputs.csv_text import csv_of_cells

FRONTS = ("front", "closed_form_front", "simulated_front")
HARDWARE = ("variant", "hardware", "area_mm2")


def csv_of(report: Analysis) -> str:
    """Every point of every run and its fronts: a search's in order of evaluation, a co-design's by variant."""
    objectives = list(dict.fromkeys(name for run in report.runs for name in run.experiment.objectives))
    names = [name for name in columns(objectives) if name != "dominated_on_test_by"]  # its solutions are of one run
    rows = (row for i in range(len(report.runs)) for row in _rows(report, i, names))
    return csv_of_cells(rows, ["run", "evaluation", "feasible", *FRONTS, *HARDWARE, *names])


def _rows(report: Analysis, number: int, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """One run's rows; `names` are the columns behind those of the hardware."""
    run, compared = report.runs[number], report.closed_form[number]
    points, variants = run.points, [variant.name for variant in run.hardware]
    solution = {position: f"{i:03d}" for i, position in enumerate(points.front.tolist())}
    positions, disagreement = compared or ([], None)
    closed = {positions[i] for i in disagreement.closed_form_front} if disagreement else set()
    simulated = {positions[i] for i in disagreement.simulated_front} if disagreement else set()
    cells: dict[str, list[Any]] = {name: _cells(values) for name, values in points.values.items()}
    candidates = points.candidate.tolist()
    cells |= {
        "cycles": points.cycles.tolist(),
        "beacon": [points.beacon[c] for c in candidates],
        "bits": [points.bits[c] for c in candidates],
    }
    empty = [""] * len(points)  # a plugin's objective that this run has not
    figures = zip(*(cells.get(name, empty) for name in names), strict=True)
    points_of = zip(points.variant.tolist(), points.feasible.tolist(), cells["area_mm2"], figures, strict=True)
    for i, (variant, feasible, area, values) in enumerate(points_of):
        order = "" if run.is_codesign else i + 1
        on = (int(i in closed), int(i in simulated)) if disagreement else ("", "")
        hardware = variant, variants[variant], area
        yield run.label, order, int(feasible), solution.get(i, ""), *on, *hardware, *values


def _cells(values: Floats) -> list[float | str]:
    return ["" if x != x else x for x in values.tolist()]
