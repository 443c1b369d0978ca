"""What a co-design leaves in its folder.

sweep.csv, sweep.json  the joint front: hardware, bits, objectives and figures of each point; and the counts
fronts.csv             the front of each variant by itself
variants.csv           each variant: what was changed, area, the best of its front, what it could not run
points.npz             every point: see `ARRAYS`
sweep.png              the joint front, and the variants' own
run.yaml               the experiment with every default, digests and versions, and the command
"""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from quant.sites.candidate import name_of
from search.codesign.checked_sweep import front_cells
from search.codesign.design_points import CoDesign
from search.codesign.sweep_plot import draw_sweep
from search.codesign.technologies import technologies_of
from search.objectives.registry import other_than_built_in
from search.runs.identity import Identity
from search.runs.run_folder import CODESIGN
from search.runs.search_outputs import record_of
from simulators.engine.program import Ints
from simulators.inputs.csv_text import csv_of
from simulators.inputs.files import write_whole

POINTS_FILE = "points.npz"

ARRAYS = (
    "variant", "candidate", "cycles", "latency_ms", "energy_uj",  # by point
    "variants", "area_mm2",  # by variant
    "candidates", "error", "error_plain", "memory_mib",  # by candidate
    "front",  # positions of the joint front's points
)  # fmt: skip
"""Arrays of `points.npz`; a plugin's objective has one more by point, named as its column, and candidates with
thresholds have the worst utterance's latency and energy (`search.objectives.columns`)."""
BEST = ("error", "latency", "energy")
"""Objectives of which each variant's best is listed, besides those of plugins."""


def results_of(result: CoDesign) -> dict[str, Any]:
    """The joint front, the variants and the counts."""
    front = [row | cells for row, cells in zip(result.describe(result.front), front_cells(result), strict=True)]
    return {
        "experiment": result.experiment.to_dict(),
        "error_limit": result.error_limit,
        "variants": len(result.hardware),
        "repeated_variants": result.hardware.repeated,
        "candidates": len(result.candidates),
        "points": len(result.variant),
        "left_out": result.reasons(),
        "technologies": technologies_of(result.objectives, result.hardware),
        "held_out": None if result.check is None else result.check.about(),
        "front": [{"solution": f"{i:03d}", **row} for i, row in enumerate(front)],
        "hardware": _variants(result),
    }


def write_sweep(result: CoDesign, identity: Identity, command: str = "sweep") -> None:
    """Write everything, each file whole or not at all, the results last."""
    folder, fronts = result.folder, result.describe(np.concatenate([np.zeros(0, np.int64), *result.fronts]))
    with ThreadPoolExecutor(1) as beside:  # a million points take a second to compress, and leave Python to others
        points = beside.submit(_points, result)
        content, picture = results_of(result), draw_sweep(result)
    write_whole(folder / POINTS_FILE, points.result())
    write_whole(folder / "fronts.csv", _csv(fronts).encode())
    write_whole(folder / "variants.csv", _csv([_flat(row) for row in content["hardware"]]).encode())
    write_whole(folder / "sweep.png", picture)
    write_whole(folder / "run.yaml", record_of(identity, command).encode())
    write_whole(folder / "sweep.csv", _csv(content["front"]).encode())
    write_whole(folder / CODESIGN.results_file, (json.dumps(content, indent=1) + "\n").encode())


def _variants(result: CoDesign) -> list[dict[str, Any]]:
    """A row a variant. Points on the joint front say how often it is worth its area."""
    joint = np.bincount(result.variant[result.front], minlength=len(result.hardware)).tolist()
    points = np.bincount(result.variant, minlength=len(result.hardware)).tolist()
    return [
        {
            "variant": variant.number,
            "hardware": variant.name,
            "arch": variant.arch.name,
            "changes": dict(variant.changes),
            "area_mm2": variant.area_mm2,
            "points": points[variant.number],
            "front": len(front),
            "joint_front": joint[variant.number],
            **_best(result, front),
            "left_out": dict(result.left_out.get(variant.number, {})),
        }
        for variant, front in zip(result.hardware, result.fronts, strict=True)
    ]


def _best(result: CoDesign, front: Ints) -> dict[str, float | None]:
    """The best value of each objective among some points."""
    shown = {*BEST, *(objective.name for objective in other_than_built_in(result.experiment.objectives))}
    figures, best = result.figures(front), {}
    for objective in (objective for objective in result.columns if objective.name in shown):
        values = objective.values(figures)
        known = values[~np.isnan(values)]
        value = None if not len(known) else float(known.max() if objective.maximised else known.min())
        name = f"{'highest' if objective.maximised else 'lowest'}_{objective.column}"
        best[name] = value if value is None or objective.digits is None else round(value, objective.digits)
    return best


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    reasons = "; ".join(f"{count}: {reason}" for reason, count in row["left_out"].items())
    kept = {name: value for name, value in row.items() if name != "changes"}  # they are in the hardware's name
    return kept | {"left_out": sum(row["left_out"].values()), "reasons": reasons}


def _points(result: CoDesign) -> bytes:
    arrays: dict[str, Any] = {
        "variant": result.variant.astype(np.int32),
        "candidate": result.candidate.astype(np.int32),
        "cycles": result.cycles,
        "latency_ms": result.latency_ms,
        "energy_uj": result.energy_uj,
        "variants": np.array([variant.name for variant in result.hardware]),
        "area_mm2": result.area_mm2,
        "candidates": np.array([name_of(bits) for bits in result.candidates]),
        "error": result.error,
        "error_plain": result.error_plain,
        "memory_mib": result.memory_mib,
        "front": result.front,
    }
    others = other_than_built_in(result.experiment.objectives)
    if others:
        figures = result.figures()
        arrays |= {objective.column: objective.values(figures) for objective in others}
    arrays |= result.worst
    content = io.BytesIO()
    names = (*ARRAYS, *(objective.column for objective in others), *result.worst)
    np.savez_compressed(content, allow_pickle=False, **{name: arrays[name] for name in names})
    return content.getvalue()


def _csv(rows: list[dict[str, Any]]) -> str:
    return csv_of(rows, list(rows[0]) if rows else [])
