"""A report of searches as one HTML file that needs no network: the front by any two figures, what is known of a
solution, how the front grew, and where MOHAQ's closed form and the simulator disagree.

The page holds its data as JSON, plotly.js and `page.js`, which draws.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from search.evaluation import Model
from search.outputs import COLUMNS
from search.report.closed_form import Disagreement, disagreement
from search.report.data import MAXIMISED, METRIC_OF, METRICS, Detail, ReportedRun, evaluate_of, gather
from search.report.hypervolume import REFERENCE, Bounds, Growth, growth
from search.report.picture import draw_report
from simulators.errors import InputError
from simulators.files import write_whole
from simulators.plot import COLOUR_OF, COMPUTE_COLOUR

OWN_FILES = ("pareto.csv", "pareto.json", "pareto.png", "run.yaml", "state.json", "ledger.sqlite")
"""Names in a run's folder that no report may take."""


@dataclass(frozen=True)
class SearchReport:
    """Several runs and what was computed of them."""

    runs: tuple[ReportedRun, ...]
    objectives: tuple[str, ...]
    """Those that all runs have, in the first one's order: of the hypervolume."""
    reference: dict[str, float]
    """The hypervolume's reference point, by objective; empty where there is no objective or candidate in common."""
    growth: tuple[Growth, ...]
    """By run; empty as `reference` is."""
    closed_form: tuple[tuple[list[int], Disagreement] | None, ...]
    """By run: positions in `visited` of the candidates compared, and the comparison; None where there are no two."""


def make_report(folders: Sequence[Path], models: Mapping[Path, Model] | None = None) -> SearchReport:
    """Read, check and analyse runs. Raises InputError: see `search.report.data.gather`."""
    runs = gather(folders, models)
    objectives = tuple(o for o in runs[0].experiment.objectives if all(o in r.experiment.objectives for r in runs))
    reference, grown = _hypervolume(runs, objectives)
    return SearchReport(tuple(runs), objectives, reference, grown, tuple(_closed_form(run) for run in runs))


def write_report(
    folders: Sequence[Path],
    page: Path,
    png: Path | None = None,
    table: Path | None = None,
    models: Mapping[Path, Model] | None = None,
) -> SearchReport:
    """Write the page, and the picture (PNG) and the table of all candidates (CSV) where they are asked for.

    Raises InputError also for a file that cannot be written or that is the run's own.
    """
    for target in (page, png, table):
        if target is not None:
            _check_target(target, folders)
    report = make_report(folders, models)
    contents = [(page, page_of(report).encode())]
    contents += [(png, draw_report(report.runs, report.growth, report.objectives))] if png else []
    contents += [(table, csv_of(report).encode())] if table else []
    for target, content in contents:
        try:
            write_whole(target, content)
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {error.strerror}") from None
    return report


def page_of(report: SearchReport) -> str:
    """The HTML."""
    from plotly.offline import get_plotlyjs

    package = files("search.report")
    data = json.dumps(page_data(report), allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "@TITLE@": escape(f"mohaq report: {', '.join(run.label for run in report.runs)}"),
        "@PLOTLY@": get_plotlyjs(),
        "@DATA@": data,
        "@SCRIPT@": package.joinpath("page.js").read_text(encoding="utf-8"),
    }
    template = package.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub("|".join(parts), lambda match: parts[match[0]], template)


def csv_of(report: SearchReport) -> str:
    """All candidates of all runs, in order of evaluation, and on which fronts they are."""
    text = io.StringIO()
    fronts = ["front", "closed_form_front", "simulated_front"]
    writer = csv.DictWriter(text, ["run", "evaluation", "feasible", *fronts, *COLUMNS], lineterminator="\n")
    writer.writeheader()
    for run, compared in zip(report.runs, report.closed_form, strict=True):
        names = {detail.row["bits"]: detail.row["solution"] for detail in run.front}
        positions, found = compared or ([], None)
        closed = {positions[i] for i in found.closed_form_front} if found else set()
        simulated = {positions[i] for i in found.simulated_front} if found else set()
        for i, row in enumerate(run.visited):
            on = {"closed_form_front": int(i in closed), "simulated_front": int(i in simulated)} if found else {}
            writer.writerow({"run": run.label, "evaluation": i + 1, **row, "feasible": int(row["feasible"]),
                             "front": names.get(row["bits"], ""), **on})  # fmt: skip
    return text.getvalue()


def page_data(report: SearchReport) -> dict[str, Any]:
    """What `page.js` draws."""
    return {
        "metrics": METRICS,
        "objectives": [METRIC_OF[o] for o in report.runs[0].experiment.objectives],
        "stallColours": {"computing": COMPUTE_COLOUR, **COLOUR_OF},
        "hypervolume": {
            "objectives": report.objectives,
            "factor": REFERENCE,
            "reference": {METRICS[METRIC_OF[o]]: x for o, x in report.reference.items()},
        },
        "runs": [
            _run_data(run, report.growth[i] if report.growth else None, report.closed_form[i])
            for i, run in enumerate(report.runs)
        ],
    }


def _run_data(
    run: ReportedRun, growth: Growth | None, compared: tuple[list[int], Disagreement] | None
) -> dict[str, Any]:
    e = run.experiment
    columns = {name: [row[name] for row in run.visited] for name in (*METRICS, "cycles", "bits", "beacon", "feasible")}
    beacons = sorted({row["beacon"] for row in run.visited} | {d.row["beacon"] for d in run.baselines})
    commands = {b: evaluate_of(run.evaluate_command, run.folder, e, b) for b in beacons}
    return {
        "label": run.label,
        "folder": str(run.folder),
        "name": e.name,
        "model": e.model,
        "arch": " ".join([e.arch, *e.set]),
        "objectives": list(e.objectives),
        "steps": e.steps,
        "generations": e.generations,
        "seed": e.seed,
        "errorLimit": run.error_limit,
        "memoryLimit": e.constraints.memory_mib,
        "visited": columns,
        "front": [_detail_data(detail) for detail in run.front],
        "baselines": [_detail_data(detail) for detail in run.baselines],
        "commands": {"evaluate": commands, "trace": run.trace_command, "simulate": run.simulate_options},
        "growth": None if growth is None else {"evaluations": growth.evaluations, "shares": growth.shares},
        "closedForm": _closed_form_data(compared),
    }


def _detail_data(detail: Detail) -> dict[str, Any]:
    return {
        **detail.row,
        "commands": detail.commands,
        "layers": [
            {"name": x.name, "cycles": x.cycles, "compute": x.compute_cycles, "stalls": x.stall_cycles,
             "energy": {part: float(f"{uj:.6g}") for part, uj in x.energy_uj.items()},
             "utilisation": round(x.utilisation, 4)}
            for x in detail.report.layers
        ],
    }  # fmt: skip


def _closed_form_data(compared: tuple[list[int], Disagreement] | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    positions, found = compared
    return {
        "candidates": positions,
        "closedFormFront": [positions[i] for i in found.closed_form_front],
        "simulatedFront": [positions[i] for i in found.simulated_front],
        "misses": [
            {"position": positions[m.position], "better": positions[m.better], "excessMs": m.excess_ms,
             "excessPercent": m.excess_percent}
            for m in found.misses
        ],
        "rankCorrelation": found.rank_correlation,
    }  # fmt: skip


def _hypervolume(runs: Sequence[ReportedRun], objectives: Sequence[str]) -> tuple[dict[str, float], tuple[Growth, ...]]:
    signs = np.array([-1.0 if o in MAXIMISED else 1.0 for o in objectives])
    points, counted = [], []
    for run in runs:
        # What the memory limit screened out was not evaluated.
        rows = [row for row in run.visited if row["error"] is not None or "error" not in run.experiment.objectives]
        values = [[row[METRIC_OF[o]] for o in objectives] for row in rows]
        points.append(signs * np.array(values, dtype=float).reshape(len(rows), len(objectives)))
        counted.append([bool(row["feasible"]) for row in rows])
    feasible = np.concatenate([p[c] for p, c in zip(points, counted, strict=True)])
    if not objectives or not len(feasible):
        return {}, ()
    bounds = Bounds.around(feasible)
    reference = dict(zip(objectives, (signs * bounds.reference).tolist(), strict=True))
    return reference, tuple(Growth(*growth(p, c, bounds)) for p, c in zip(points, counted, strict=True))


def _closed_form(run: ReportedRun) -> tuple[list[int], Disagreement] | None:
    """Of the feasible candidates whose error and closed form are known."""
    names = ("error", "mohaq_speedup", "latency_ms")
    known = [i for i, row in enumerate(run.visited) if row["feasible"] and all(row[name] is not None for name in names)]
    if len(known) < 2:
        return None
    error, speedup, latency = (np.array([run.visited[i][name] for i in known], dtype=float) for name in names)
    return known, disagreement(error, speedup, latency)


def _check_target(target: Path, folders: Sequence[Path]) -> None:
    own = target.name in OWN_FILES and any(target.resolve().parent == folder.resolve() for folder in folders)
    if own:
        raise InputError(f"{target}: the run's own file: the report needs another name")
    if target.is_dir() or not target.parent.is_dir():
        raise InputError(f"{target}: cannot be written: {'it is a folder' if target.is_dir() else 'no such folder'}")
