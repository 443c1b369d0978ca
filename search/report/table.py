"""All points of a report as CSV."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from search.report.analysis import Analysis
from search.runs.search_outputs import COLUMNS

FRONTS = ("front", "closed_form_front", "simulated_front")
HARDWARE = ("variant", "hardware", "area_mm2")


def csv_of(report: Analysis) -> str:
    """Every point of every run and its fronts: a search's in order of evaluation, a co-design's by variant."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", "evaluation", "feasible", *FRONTS, *HARDWARE, *COLUMNS])
    for i in range(len(report.runs)):
        writer.writerows(_rows(report, i))
    return text.getvalue()


def _rows(report: Analysis, number: int) -> Iterator[tuple[Any, ...]]:
    """Of one run."""
    run, compared = report.runs[number], report.closed_form[number]
    points, variants = run.points, [variant.name for variant in run.hardware]
    solution = {position: f"{i:03d}" for i, position in enumerate(points.front.tolist())}
    positions, found = compared or ([], None)
    closed = {positions[i] for i in found.closed_form_front} if found else set()
    simulated = {positions[i] for i in found.simulated_front} if found else set()
    columns: dict[str, list[Any]] = {name: _cells(values) for name, values in points.figures.items()}
    candidates = points.candidate.tolist()
    columns |= {
        "cycles": points.cycles.tolist(),
        "beacon": [points.beacon[c] for c in candidates],
        "bits": [points.bits[c] for c in candidates],
    }
    figures = zip(*(columns[name] for name in COLUMNS), strict=True)
    points_of = zip(points.variant.tolist(), points.feasible.tolist(), columns["area_mm2"], figures, strict=True)
    for i, (variant, feasible, area, values) in enumerate(points_of):
        order = "" if run.is_codesign else i + 1
        on = (int(i in closed), int(i in simulated)) if found else ("", "")
        hardware = variant, variants[variant], area
        yield run.label, order, int(feasible), solution.get(i, ""), *on, *hardware, *values


def _cells(values: np.ndarray) -> list[float | str]:
    return ["" if x != x else x for x in values.tolist()]
