"""Points of a co-design: candidates on variants of hardware, and which of them no other dominates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant.sites.candidate import Bits, name_of
from search.evaluation.model import Model
from search.evaluation.quality import Cost, Quality, Unknown
from search.held_out.front_check import FrontCheck
from search.objectives import Floats, Objective, PointFigures
from search.objectives.columns import WORST
from search.objectives.dominance import non_dominated
from search.objectives.objective import minimised_values
from search.objectives.registry import columns_of
from search.runs.rows import objective_rows
from search.settings.experiment import Experiment
from search.space.hardware_variants import Hardware
from simulators.engine.program import Ints
from simulators.inputs.errors import InputError

NOT_OFFERED = "bits that the hardware does not offer"
OVER_MEMORY = "over the memory limit"
OVER_ERROR = "over the error limit"
WHY_UNKNOWN = {
    Unknown.KILLED: "set aside: evaluating its error killed workers",
    Unknown.NO_NUMBER: Unknown.NO_NUMBER.value,
}

_KEY = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+\b")


def front_of_each(values: Floats, variant: Ints, variants: int, feasible: NDArray[np.bool_]) -> list[Ints]:
    """Positions, rising, of the feasible points of each variant that no other feasible one of it dominates. `values`
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


class SentFigures(NamedTuple):
    """What P points cost by what they send, over the utterances of the error."""

    latency_ms: Floats
    """(P,) Mean of an utterance."""
    latency_worst_ms: Floats
    """(P,) The largest of an utterance."""
    energy_worst_uj: Floats
    """(P,) The largest of an utterance."""

    @classmethod
    def of(cls, costs: Sequence[Cost]) -> SentFigures | None:
        """The figures of some costs; None where they do not depend on what is sent."""
        if not costs or costs[0].latency_worst_ms is None:
            return None
        return cls(*(np.array([getattr(cost, name) for cost in costs], np.float64) for name in cls._fields))


@dataclass(frozen=True)
class CoDesign:
    """P points of N candidates on V variants, sorted by variant."""

    experiment: Experiment
    folder: Path
    hardware: Hardware
    candidates: tuple[Bits, ...]
    """(N,)"""
    qualities: tuple[Quality | None, ...]
    """(N,); None where a candidate was not evaluated."""
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
    """For each variant, how many candidates it could not take, by reason."""
    evaluated: int
    """Model evaluations that this process computed."""
    model: Model
    check: FrontCheck | None = None
    """The joint front held against test and all of dev."""
    sent: SentFigures | None = None
    """What points cost by what they send; cycles and energy are means over utterances then."""

    @cached_property
    def area_mm2(self) -> Floats:
        """(V,), NaN where there are no figures."""
        return np.array([np.nan if v.area_mm2 is None else v.area_mm2 for v in self.hardware])

    @cached_property
    def latency_ms(self) -> Floats:
        """(P,)"""
        if self.sent is not None:
            return self.sent.latency_ms
        frequency_mhz = np.array([v.arch.frequency_mhz for v in self.hardware])
        latency: Floats = self.cycles / frequency_mhz[self.variant] / 1e3
        return latency

    @cached_property
    def error(self) -> Floats:
        """(N,) percent, NaN where it was not evaluated."""
        return np.array([np.nan if q is None else q.error for q in self.qualities])

    @cached_property
    def error_plain(self) -> Floats:
        """(N,) percent over all speakers, NaN where it was not evaluated."""
        return np.array([np.nan if q is None else q.error_plain for q in self.qualities])

    def figures(self, rows: Ints | slice = slice(None)) -> PointFigures:
        """All that is known of some points, or of all, (P,). MOHAQ's closed forms know no variants of hardware."""
        candidate, variant = self.candidate[rows], self.variant[rows]
        unknown = np.broadcast_to(np.nan, len(candidate))
        return PointFigures(
            error=self.error[candidate],
            error_plain=self.error_plain[candidate],
            cycles=self.cycles[rows].astype(np.float64),
            latency_ms=self.latency_ms[rows],
            energy_uj=self.energy_uj[rows],
            dram_energy_uj=unknown,
            memory_mib=self.memory_mib[candidate],
            area_mm2=self.area_mm2[variant],
            mohaq_speedup=unknown,
            mohaq_energy_uj=unknown,
        )

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self.experiment.resolved_objectives

    @cached_property
    def columns(self) -> tuple[Objective, ...]:
        """What files have columns of."""
        return columns_of(self.experiment.objectives, of_variants=True)

    @cached_property
    def values(self) -> Floats:
        """(P, objectives), all minimised. Raises InputError for an objective that gives no number."""
        values = minimised_values(self.objectives, self.figures())
        for objective, column in zip(self.objectives, values.T, strict=True):
            if not np.isfinite(column).all():
                wrong = column[~np.isfinite(column)][0]
                raise InputError(f"objective {objective.name}: {wrong} for a point within all limits: not a number")
        return values

    @cached_property
    def fronts(self) -> list[Ints]:
        """The feasible points of each variant that no other of it dominates, by rising first objective."""
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

    @property
    def worst(self) -> dict[str, Floats]:
        """(P,) The worst utterance's figures by column, where costs are means over several."""
        return {} if self.sent is None else {name: getattr(self.sent, name) for name in WORST}

    def reasons(self) -> dict[str, int]:
        """Over all variants: kind of reason → how many points were left out, the most first."""
        counts: Counter[str] = Counter()
        for of_variant in self.left_out.values():
            for message, count in of_variant.items():
                counts[kind_of(message)] += count
        return dict(counts.most_common())

    def describe(self, rows: Ints) -> list[dict[str, Any]]:
        """Points as flat rows; units in the names, error rates in percent."""
        values = objective_rows(self.columns, self.figures(rows))
        return [
            {
                "variant": int(self.variant[row]),
                "hardware": self.hardware.variants[self.variant[row]].name,
                **of_objectives,
                "cycles": int(self.cycles[row]),
                "bits": name_of(self.candidates[self.candidate[row]]),
                **{name: float(values[row]) for name, values in self.worst.items()},
            }
            for row, of_objectives in zip(rows.tolist(), values, strict=True)
        ]

    def _ordered(self, rows: Ints) -> Ints:
        keys: Sequence[Any] = [self.candidate[rows], self.variant[rows], *self.values[rows].T[::-1]]
        return rows[np.lexsort(keys)]
