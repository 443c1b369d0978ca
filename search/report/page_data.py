"""What the page's scripts draw, as JSON. Of a run's points those that are shown; positions are among these."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from search.codesign.technologies import technologies_of
from search.objectives import Floats, Objective
from search.objectives.built_in import AREA, ENERGY, LATENCY
from search.report.analysis import Analysis
from search.report.closed_form import Disagreement
from search.report.data import Detail, ReportedRun
from search.report.hypervolume import REFERENCE
from search.report.points import Points, Shown, shown_objectives
from search.report.policies import PolicyMatrix
from search.report.survey import surveyed
from search.report.variants import ComparedVariant, keys_of, settings_of
from simulators.engine.program import Ints
from simulators.views.stall_colours import COMPUTE_COLOUR, stall_colour
from simulators.views.survey import CONTEXT, FLEXIBILITY

DIGITS = 7
"""Significant digits of a point's figures."""


def page_data(report: Analysis) -> dict[str, Any]:
    """All that the page shows."""
    keys = keys_of(report.runs)
    shown = shown_objectives([name for run in report.runs for name in run.experiment.objectives])
    return {
        "metrics": {objective.column: objective.axis for objective in shown},
        "readings": {objective.column: objective.reading for objective in shown},
        "best": [_best(objective) for objective in shown if _has_best(objective, report)],
        "keys": keys,
        "objectives": [objective.column for objective in report.runs[0].objectives],
        "computeColour": COMPUTE_COLOUR,
        "stallColours": {cause: stall_colour(cause) for cause in _causes(report)},
        "hypervolume": {
            "objectives": [objective.name for objective in report.objectives],
            "factor": REFERENCE,
            "reference": _reference(report),
        },
        "survey": _survey_data(report),
        "technologies": technologies_of(
            [objective for run in report.runs for objective in run.objectives],
            [variant for run in report.runs for variant in run.hardware],
        ),
        "runs": [_run_data(report, i, shown, keys) for i in range(len(report.runs))],
        "policies": [_matrix_data(report, matrix) for matrix in report.policies],
    }


def _causes(report: Analysis) -> list[str]:
    """What the cycles of any solution that is shown layer by layer went on."""
    details = (detail for run in report.runs for detail in (*run.details.values(), *run.baselines))
    return sorted({cause for detail in details for layer in detail.report.layers for cause in layer.stall_cycles})


def _matrix_data(report: Analysis, matrix: PolicyMatrix) -> dict[str, Any]:
    experiments = [report.runs[run].experiment for run in matrix.runs]
    names = [e.arch for e in experiments]
    return {
        "runs": matrix.runs,
        "hardware": names if len({*names}) == len(names) else [" ".join([e.arch, *e.set]) for e in experiments],
        "policies": [
            {
                "run": costed.run,
                "error": costed.policy.error,
                "bits": costed.policy.bits,
                "latency_ms": costed.latency_ms,
                "energy_uj": costed.energy_uj,
                "kinds": {
                    kind: {"layers": of.layers, "weights": of.weight_bits, "activations": of.activation_bits}
                    for kind, of in costed.kinds.items()
                },
                "layers": [
                    {
                        "name": of.name,
                        "kind": of.kind,
                        "weights": of.weight_bits,
                        "activations": of.activation_bits,
                        "macs_per_byte": of.intensity,
                    }
                    for of in costed.layers
                ],
            }
            for costed in matrix.policies
        ],
    }


def _has_best(objective: Objective, report: Analysis) -> bool:
    """Whether the table of variants has a column of each variant's best value: of a cost that differs by hardware."""
    wanted = objective in (LATENCY, ENERGY) or any(objective in run.objectives for run in report.runs)
    return wanted and objective != AREA and not objective.of_candidate


def _best(objective: Objective) -> dict[str, Any]:
    return {"metric": objective.column, "unit": objective.heading, "maximised": objective.maximised}


def _survey_data(report: Analysis) -> dict[str, Any]:
    solutions = [asdict(solution) for solution in surveyed(report.runs)]
    return {"solutions": solutions, "flexibility": FLEXIBILITY, "context": CONTEXT}


def _reference(report: Analysis) -> dict[str, float]:
    """The hypervolume's reference point, by objective."""
    if report.bounds is None:
        return {}
    values = zip(report.objectives, report.bounds.reference, strict=True)
    return {objective.axis: float(objective.minimised(value)) for objective, value in values}


def _run_data(report: Analysis, number: int, objectives: Sequence[Objective], keys: list[str]) -> dict[str, Any]:
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
        "objectives": [objective.column for objective in run.objectives],
        "objectiveNames": list(e.objectives),
        "steps": e.steps,
        "generations": None if run.is_codesign and e.candidates is not None else e.generations,
        "seed": e.seed,
        "errorLimit": run.error_limit,
        "luck": run.luck,
        "retraining": run.retraining,
        "memoryLimit": e.constraints.memory_mib,
        "budget": run.budget.said,
        "total": len(run.points),
        "allCandidates": len(run.points.bits),
        "feasible": int(run.points.feasible.sum()),
        "others": {"shown": others[0], "total": others[1]},
        "variants": [_variant_data(variant, keys) for variant in report.variants[number]],
        **_points_data(shown, objectives),
        "front": _front_data(run, shown),
        "baselines": [{**_detail_data(detail), "feasible": run.keeps(detail.row)} for detail in run.baselines],
        "commands": {
            "evaluate": {beacon: run.commands.evaluate_with(beacon) for beacon in beacons},
            "trace": run.commands.trace,
            "simulate": run.commands.simulate,
        },
        "growth": None if grown is None else {"evaluations": grown.evaluations, "shares": grown.shares},
        "closedForm": _closed_form_data(report.closed_form[number], shown),
    }


def _points_data(shown: Shown, objectives: Sequence[Objective]) -> dict[str, Any]:
    """The shown points' columns, and those of their candidates. Area is the variants'."""
    points, rows = shown.points, shown.positions
    candidates, first, candidate = np.unique(points.candidate[rows], return_index=True, return_inverse=True)
    by_candidate = [objective for objective in objectives if objective.of_candidate]
    by_point = [objective for objective in objectives if not objective.of_candidate and objective != AREA]
    return {
        "candidates": {
            "bits": [points.bits[c] for c in candidates],
            "beacon": [points.beacon[c] for c in candidates],
            **_columns(points, by_candidate, rows[first]),
        },
        "points": {
            "variant": points.variant[rows].tolist(),
            "candidate": candidate.tolist(),
            "cycles": points.cycles[rows].tolist(),
            "feasible": points.feasible[rows].astype(int).tolist(),
            "onAFront": shown.on_a_front[rows].astype(int).tolist(),
            **_columns(points, by_point, rows),
        },
    }


def _columns(points: Points, objectives: Sequence[Objective], rows: Ints) -> dict[str, list[float | None]]:
    """For each objective's column, its values at some points; unknown where a run has not that objective."""
    unknown = np.full(len(points), np.nan)
    return {o.column: _numbers(points.values.get(o.column, unknown)[rows]) for o in objectives}


def _front_data(run: ReportedRun, shown: Shown) -> list[dict[str, Any]]:
    """For each solution, where it is, and its layers where they were simulated."""
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
    disagreement = compared[1]
    # A closed form is a search's, on one piece of hardware.
    positions = np.searchsorted(shown.positions, compared[0]).tolist()
    return {
        "candidates": positions,
        "closedFormFront": [positions[i] for i in disagreement.closed_form_front],
        "simulatedFront": [positions[i] for i in disagreement.simulated_front],
        "misses": [
            {"position": positions[m.position], "better": positions[m.better], "excessMs": m.excess_ms,
             "excessPercent": m.excess_percent}
            for m in disagreement.misses
        ],
        "rankCorrelation": disagreement.rank_correlation,
    }  # fmt: skip


def _numbers(values: Floats) -> list[float | None]:
    return [None if x != x else float(f"{x:.{DIGITS}g}") for x in values.tolist()]
