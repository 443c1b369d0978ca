"""Points of a co-design: candidates on variants of hardware, and which of them no other dominates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.sites.candidate import name_of
from search.codesign.dominance import non_dominated
from search.evaluation.evaluator import Quality
from search.settings.experiment import Experiment
from search.space.genome import Bits
from search.space.hardware_variants import Hardware
from simulators.engine.program import Ints

Floats = NDArray[np.float64]

NOT_OFFERED = "bits that the hardware does not offer"
OVER_MEMORY = "over the memory limit"
OVER_ERROR = "over the error limit"
SET_ASIDE = "set aside: evaluating its error killed workers"

_KEY = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+\b")


def front_of_each(values: Floats, variant: Ints, variants: int, feasible: NDArray[np.bool_]) -> list[Ints]:
    """By variant, positions, rising, of the feasible points that no other feasible one of it dominates. `values`
    (P, objectives) are minimised; `variant` (P,) is sorted."""
    bounds = np.searchsorted(variant, np.arange(variants + 1))
    fronts = []
    for first, last in pairwise(bounds.tolist()):
        rows = first + np.flatnonzero(feasible[first:last])
        fronts.append(rows[non_dominated(values[rows])])
    return fronts


def kind_of(message: str) -> str:
    """What reasons are counted by: the key of the spec that a simulator's message names, or the message."""
    key = _KEY.search(message)
    return f"hardware too small: {key[0]}" if key else message


@dataclass(frozen=True)
class CoDesign:
    """P points of N candidates on V variants, sorted by variant."""

    experiment: Experiment
    folder: Path
    hardware: Hardware
    candidates: tuple[Bits, ...]
    qualities: tuple[Quality | None, ...]
    """By candidate; None where it was not evaluated."""
    memory_mib: Floats
    """(N,)"""
    error_limit: float | None
    """Largest feasible error in percent."""
    variant: Ints
    """(P,)"""
    candidate: Ints
    """(P,)"""
    cycles: Ints
    """(P,)"""
    energy_uj: Floats
    """(P,)"""
    left_out: Mapping[int, Mapping[str, int]]
    """By variant: reason → how many candidates it could not take."""
    evaluated: int
    """Model evaluations that this process computed."""
    model: Any

    @cached_property
    def area_mm2(self) -> Floats:
        """(V,), NaN where there are no figures."""
        return np.array([np.nan if v.area_mm2 is None else v.area_mm2 for v in self.hardware])

    @cached_property
    def latency_ms(self) -> Floats:
        """(P,)"""
        frequency = np.array([v.arch.frequency_mhz for v in self.hardware])
        return self.cycles / frequency[self.variant] / 1e3

    @cached_property
    def error(self) -> Floats:
        """(N,) percent, NaN where it was not evaluated."""
        return np.array([np.nan if q is None else q.error for q in self.qualities])

    @cached_property
    def values(self) -> Floats:
        """(P, objectives), all minimised."""
        columns = {
            "error": lambda: self.error[self.candidate],
            "latency": lambda: self.latency_ms,
            "energy": lambda: self.energy_uj,
            "memory": lambda: self.memory_mib[self.candidate],
            "area": lambda: self.area_mm2[self.variant],
        }
        return np.stack([columns[name]() for name in self.experiment.objectives], axis=1)

    @cached_property
    def fronts(self) -> list[Ints]:
        """By variant, the feasible points that no other of it dominates, by rising first objective."""
        feasible = np.ones(len(self.variant), bool)
        if self.error_limit is not None:
            feasible &= self.error[self.candidate] <= self.error_limit
        fronts = front_of_each(self.values, self.variant, len(self.hardware), feasible)
        return [self._ordered(rows) for rows in fronts]

    @cached_property
    def front(self) -> Ints:
        """The points that none dominates, of any variant, by rising first objective."""
        rows = np.concatenate([np.zeros(0, np.int64), *self.fronts])
        return self._ordered(rows[non_dominated(self.values[rows])])

    def reasons(self) -> dict[str, int]:
        """Over all variants: kind of reason → how many points were left out, the most first."""
        counts: Counter[str] = Counter()
        for of_variant in self.left_out.values():
            for message, count in of_variant.items():
                counts[kind_of(message)] += count
        return dict(counts.most_common())

    def describe(self, row: int) -> dict[str, Any]:
        """A point as a flat row; units in the names, error rates in percent."""
        candidate, variant = int(self.candidate[row]), self.hardware.variants[self.variant[row]]
        quality = self.qualities[candidate]
        return {
            "variant": variant.number,
            "hardware": variant.name,
            "error": None if quality is None else round(quality.error, 4),
            "error_plain": None if quality is None else round(quality.error_plain, 4),
            "latency_ms": float(self.latency_ms[row]),
            "energy_uj": float(self.energy_uj[row]),
            "area_mm2": variant.area_mm2,
            "memory_mib": round(float(self.memory_mib[candidate]), 4),
            "cycles": int(self.cycles[row]),
            "bits": name_of(self.candidates[candidate]),
        }

    def _ordered(self, rows: Ints) -> Ints:
        keys: Sequence[Any] = [self.candidate[rows], self.variant[rows], *self.values[rows].T[::-1]]
        return rows[np.lexsort(keys)]
