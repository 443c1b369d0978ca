"""Points as columns, whether a search looked at them on one piece of hardware or a sweep on many, and which of them a
page can show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from search.codesign.design_points import front_of_each
from search.report.figures import MAXIMISED, METRIC_OF, METRICS
from simulators.engine.program import Ints

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BY_CANDIDATE = ("error", "error_plain", "memory_mib", "mohaq_speedup", "mohaq_energy_uj")
"""The figures that hardware variants of one platform have in common."""
BY_POINT = ("latency_ms", "energy_uj")


@dataclass(frozen=True)
class Points:
    """P points: N candidates on V variants of hardware. Figures are in the units of METRICS, NaN where unknown."""

    variant: Ints
    """(P,)"""
    candidate: Ints
    """(P,)"""
    cycles: Ints
    """(P,)"""
    feasible: Bools
    """(P,)"""
    figures: Mapping[str, Floats]
    """Each of METRICS, and `error_original`: (P,)"""
    bits: Sequence[str]
    """(N,)"""
    beacon: Sequence[str]
    """(N,); empty: the original parameters."""
    front: Ints
    """Positions of the run's front, in its order."""

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]], front: Sequence[str], area_mm2: float | None) -> Self:
        """Of a search's candidates, rows of `search.runs.search_outputs.describe` with `feasible`, and the bits of its
        front."""
        at = {row["bits"]: i for i, row in enumerate(rows)}
        figures = {name: _column([row.get(name) for row in rows]) for name in (*METRICS, "error_original")}
        figures["area_mm2"] = _column([area_mm2] * len(rows))
        return cls(
            variant=np.zeros(len(rows), np.int64),
            candidate=np.arange(len(rows)),
            cycles=np.array([row["cycles"] for row in rows], np.int64),
            feasible=np.array([bool(row["feasible"]) for row in rows], bool),
            figures=figures,
            bits=tuple(row["bits"] for row in rows),
            beacon=tuple(row["beacon"] for row in rows),
            front=np.array([at[bits] for bits in front], np.int64),
        )

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any]) -> Self:
        """Of a co-design, as its `points.npz` holds it: nothing that is over a limit is in there."""
        variant, candidate = (arrays[name].astype(np.int64) for name in ("variant", "candidate"))
        count = len(variant)
        unknown = np.full(count, np.nan)
        known = {
            **{name: arrays[name][candidate] for name in ("error", "error_plain", "memory_mib")},
            **{name: arrays[name] for name in BY_POINT},
            "area_mm2": arrays["area_mm2"][variant],
        }
        bits = [str(text) for text in arrays["candidates"]]
        return cls(
            variant=variant,
            candidate=candidate,
            cycles=arrays["cycles"],
            feasible=np.ones(count, bool),
            figures={name: known.get(name, unknown) for name in (*METRICS, "error_original")},
            bits=bits,
            beacon=[""] * len(bits),
            front=arrays["front"].astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.variant)

    def minimised(self, objectives: Sequence[str]) -> Floats:
        """(P, objectives): what is maximised has its sign changed."""
        columns = [self.figures[METRIC_OF[o]] * (-1.0 if o in MAXIMISED else 1.0) for o in objectives]
        return np.stack(columns, axis=1) if columns else np.empty((len(self), 0))

    def known(self, objectives: Sequence[str]) -> Bools:
        """(P,) Whether all of these were found: what the memory limit screened out was not evaluated."""
        return np.array(~np.isnan(self.minimised(objectives)).any(axis=1))

    def own_fronts(self, objectives: Sequence[str], variants: int) -> list[Ints]:
        """By variant, positions of the feasible points that no other point of that variant dominates."""
        return front_of_each(self.minimised(objectives), self.variant, variants, self.feasible & self.known(objectives))


@dataclass(frozen=True)
class Shown:
    """Which of a run's points a page shows: all of its fronts, and the others or an evenly drawn part of them."""

    points: Points
    own_fronts: Sequence[Ints]
    most_others: int
    """Points on no front that are shown."""

    @cached_property
    def on_a_front(self) -> Bools:
        """(P,) Whether a point is on the run's front or on its variant's own."""
        marked = np.zeros(len(self.points), bool)
        marked[np.concatenate([self.points.front, *self.own_fronts])] = True
        return marked

    @cached_property
    def positions(self) -> Ints:
        """Rising."""
        others = np.flatnonzero(~self.on_a_front)
        if len(others) > self.most_others:
            others = others[np.arange(self.most_others) * len(others) // self.most_others]
        return np.sort(np.concatenate([np.flatnonzero(self.on_a_front), others]))

    @property
    def others(self) -> tuple[int, int]:
        """Points on no front: how many are shown, of how many."""
        on_fronts = int(self.on_a_front.sum())
        return len(self.positions) - on_fronts, len(self.points) - on_fronts


def _column(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if x is None else x for x in values], float)
