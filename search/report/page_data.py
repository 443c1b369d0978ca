"""What the page's scripts draw, as JSON. Of a run's points those that are shown; positions are among these."""

from typing import Any

import numpy as np

from search.report.analysis import Analysis
from search.report.closed_form import Disagreement
from search.report.data import Detail, ReportedRun
from search.report.figures import MAXIMISED, METRIC_OF, METRICS
from search.report.hypervolume import REFERENCE
from search.report.points import BY_CANDIDATE, BY_POINT, Shown
from search.report.variants import ComparedVariant, keys_of, settings_of
from simulators.views.report_plot import COLOUR_OF, COMPUTE_COLOUR

DIGITS = 7
"""Of a point's figures."""


def page_data(report: Analysis) -> dict[str, Any]:
    """Everything."""
    keys = keys_of(report.runs)
    return {
        "metrics": METRICS,
        "keys": keys,
        "objectives": [METRIC_OF[o] for o in report.runs[0].experiment.objectives],
        "stallColours": {"computing": COMPUTE_COLOUR, **COLOUR_OF},
        "hypervolume": {
            "objectives": report.objectives,
            "factor": REFERENCE,
            "reference": _reference(report),
        },
        "runs": [_run_data(report, i, keys) for i in range(len(report.runs))],
    }


def _reference(report: Analysis) -> dict[str, float]:
    """The hypervolume's reference point, by figure."""
    if report.bounds is None:
        return {}
    point = zip(report.objectives, report.bounds.reference.tolist(), strict=True)
    return {METRICS[METRIC_OF[o]]: -x if o in MAXIMISED else x for o, x in point}


def _run_data(report: Analysis, number: int, keys: list[str]) -> dict[str, Any]:
    run, shown = report.runs[number], report.shown[number]
    e, others = run.experiment, shown.others
    grown = report.growth[number] if report.growth else None
    beacons = sorted({*run.points.beacon, *(detail.row["beacon"] for detail in run.baselines)})
    return {
        "label": run.label,
        "folder": str(run.folder),
        "name": e.name,
        "model": e.model,
        "arch": f"{len(run.hardware)} variants" if run.is_codesign else " ".join([e.arch, *e.set]),
        "isCodesign": run.is_codesign,
        "objectives": [METRIC_OF[o] for o in e.objectives],
        "objectiveNames": list(e.objectives),
        "steps": e.steps,
        "generations": None if run.is_codesign and e.candidates is not None else e.generations,
        "seed": e.seed,
        "errorLimit": run.error_limit,
        "memoryLimit": e.constraints.memory_mib,
        "total": len(run.points),
        "allCandidates": len(run.points.bits),
        "feasible": int(run.points.feasible.sum()),
        "others": {"shown": others[0], "total": others[1]},
        "variants": [_variant_data(variant, keys) for variant in report.variants[number]],
        **_points_data(shown),
        "front": _front_data(run, shown),
        "baselines": [_detail_data(detail) for detail in run.baselines],
        "commands": {
            "evaluate": {beacon: run.commands.evaluate_with(beacon) for beacon in beacons},
            "trace": run.commands.trace,
            "simulate": run.commands.simulate,
        },
        "growth": None if grown is None else {"evaluations": grown.evaluations, "shares": grown.shares},
        "closedForm": _closed_form_data(report.closed_form[number], shown),
    }


def _points_data(shown: Shown) -> dict[str, Any]:
    """The shown points' columns, and those of their candidates."""
    points, rows = shown.points, shown.positions
    candidates, first, candidate = np.unique(points.candidate[rows], return_index=True, return_inverse=True)
    return {
        "candidates": {
            "bits": [points.bits[c] for c in candidates],
            "beacon": [points.beacon[c] for c in candidates],
            **{name: _numbers(points.figures[name][rows][first]) for name in BY_CANDIDATE},
        },
        "points": {
            "variant": points.variant[rows].tolist(),
            "candidate": candidate.tolist(),
            "cycles": points.cycles[rows].tolist(),
            "feasible": points.feasible[rows].astype(int).tolist(),
            "onAFront": shown.on_a_front[rows].astype(int).tolist(),
            **{name: _numbers(points.figures[name][rows]) for name in BY_POINT},
        },
    }


def _front_data(run: ReportedRun, shown: Shown) -> list[dict[str, Any]]:
    """By solution: where it is, and its layers where they were simulated."""
    at = np.searchsorted(shown.positions, run.points.front).tolist()
    return [
        {"solution": f"{i:03d}", **(_detail_data(run.details[i]) if i in run.details else {}), "at": at[i]}
        for i in range(len(at))
    ]


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


def _variant_data(compared: ComparedVariant, keys: list[str]) -> dict[str, Any]:
    variant = compared.variant
    return {
        "name": variant.name,
        "short": compared.short,
        "changes": dict(variant.changes),
        "area_mm2": variant.area_mm2,
        "settings": settings_of(variant, keys),
        "joint": compared.joint,
        "own": compared.own,
        "hypervolume": compared.hypervolume,
    }


def _closed_form_data(compared: tuple[list[int], Disagreement] | None, shown: Shown) -> dict[str, Any] | None:
    if compared is None:
        return None
    found = compared[1]
    # A closed form is a search's, on one piece of hardware.
    positions = np.searchsorted(shown.positions, compared[0]).tolist()
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


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if x != x else float(f"{x:.{DIGITS}g}") for x in values.tolist()]
