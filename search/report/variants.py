"""A run's variants of hardware side by side: what differs, and what each has to offer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.codesign.sweep_display import short_names
from search.objectives import Objective
from search.report.data import ReportedRun
from search.report.hypervolume import Bounds, share
from search.space.hardware_variants import Variant
from simulators.engine.program import Ints


@dataclass(frozen=True)
class ComparedVariant:
    """A variant and the fronts that it is on."""

    variant: Variant
    short: str
    """What it has not in common with the run's other variants."""
    joint: int
    """Points on the run's front."""
    own: int
    """Points on its own."""
    hypervolume: float | None
    """Share of its own front, as in `search.report.hypervolume`; None where runs have no objectives in common."""


def compare_variants(
    run: ReportedRun, own_fronts: Sequence[Ints], objectives: Sequence[Objective], bounds: Bounds | None
) -> list[ComparedVariant]:
    """A run's variants by number. `bounds` are those of the report's hypervolumes."""
    points = run.points
    joint = np.bincount(points.variant[points.front], minlength=len(run.hardware)).tolist()
    rows = [{"arch": v.arch.name, "changes": dict(v.changes)} for v in run.hardware]
    values = points.minimised(objectives)
    return [
        ComparedVariant(
            variant, short, joint[variant.number], len(own), None if bounds is None else share(values[own], bounds)
        )
        for variant, short, own in zip(run.hardware, short_names(rows), own_fronts, strict=True)
    ]


def keys_of(runs: Sequence[ReportedRun]) -> list[str]:
    """The spec's keys that any variant changes, in the order of their appearance."""
    return list(dict.fromkeys(key for run in runs for variant in run.hardware for key in variant.changes))


def settings_of(variant: Variant, keys: Sequence[str]) -> dict[str, Any]:
    """The values of a variant's spec, whether it changes them or not; a key that it has not is left out."""
    spec = variant.arch.spec.model_dump(mode="json")
    settings = {}
    for key in keys:
        value: Any = spec
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            settings[key] = value
    return settings
