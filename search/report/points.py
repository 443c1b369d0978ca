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
from search.objectives import Floats, Objective
from search.objectives.figures import OF_CANDIDATE, OF_HARDWARE
from search.objectives.registry import BUILT_IN, columns_of, objectives_named
from search.report.held_out_figures import NUMBERS, TEST_FIGURES
from simulators.engine.program import Ints
from simulators.inputs.arrays import Expected

Bools = NDArray[np.bool_]


def shown_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives that a report has figures of: mohaq's own, and those of these names that plugins bring; then the
    errors on test."""
    return (*objectives_named(dict.fromkeys((*BUILT_IN, *names))), *TEST_FIGURES)


def points_arrays(names: Sequence[str]) -> dict[str, Expected]:
    """The arrays of a co-design's `points.npz` that a report reads; `names` are those of its objectives."""
    arrays = {
        "variant": Expected("iu", "points"), "candidate": Expected("iu", "points"), "cycles": Expected("i", "points"),
        "candidates": Expected("U", "candidates"), "front": Expected("iu", "front"),
    }  # fmt: skip
    for objective in columns_of(names, of_variants=True):
        column = objective.column
        axis = "candidates" if column in OF_CANDIDATE else "variants" if column in OF_HARDWARE else "points"
        arrays[column] = Expected("fiu", axis)
    return arrays


@dataclass(frozen=True)
class Points:
    """P points: N candidates on V variants of hardware. Values are in the units of their objectives, NaN where one is
    not known."""

    variant: Ints
    """(P,)"""
    candidate: Ints
    """(P,)"""
    cycles: Ints
    """(P,)"""
    feasible: Bools
    """(P,) Whether a point keeps all limits."""
    values: Mapping[str, Floats]
    """Values (P,) of each objective's column, and of `error_original`."""
    bits: Sequence[str]
    """(N,) Names of candidates."""
    beacon: Sequence[str]
    """(N,) The beacon whose parameters a candidate has; empty: the original ones."""
    front: Ints
    """Positions of the run's front, in its order."""

    @classmethod
    def of_rows(
        cls, rows: Sequence[Mapping[str, Any]], front: Sequence[str], area_mm2: float | None, names: Sequence[str]
    ) -> Self:
        """The points of a search: rows of `search.runs.rows` with `feasible`, the bits of its front, and the names of
        its objectives."""
        at = {row["bits"]: i for i, row in enumerate(rows)}
        columns = [objective.column for objective in shown_objectives(names)]
        names_of_values = dict.fromkeys((*columns, "error_original", *NUMBERS))
        values = {column: _column([row.get(column) for row in rows]) for column in names_of_values}
        values["area_mm2"] = _column([area_mm2] * len(rows))
        return cls(
            variant=np.zeros(len(rows), np.int64),
            candidate=np.arange(len(rows)),
            cycles=np.array([row["cycles"] for row in rows], np.int64),
            feasible=np.array([bool(row["feasible"]) for row in rows], bool),
            values=values,
            bits=tuple(row["bits"] for row in rows),
            beacon=tuple(row["beacon"] for row in rows),
            front=np.array([at[bits] for bits in front], np.int64),
        )

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Any], names: Sequence[str]) -> Self:
        """The points of a co-design, as its `points.npz` holds them, and the names of its objectives: nothing that is
        over a limit is in there."""
        variant, candidate = (arrays[name].astype(np.int64) for name in ("variant", "candidate"))
        unknown = np.full(len(variant), np.nan)
        values = dict.fromkeys(("error_original", *NUMBERS), unknown)
        for column in (objective.column for objective in shown_objectives(names)):
            if column not in arrays:
                values[column] = unknown
            elif column in OF_CANDIDATE:
                values[column] = arrays[column][candidate]
            else:
                values[column] = arrays[column][variant] if column in OF_HARDWARE else arrays[column]
        bits = [str(text) for text in arrays["candidates"]]
        return cls(
            variant=variant,
            candidate=candidate,
            cycles=arrays["cycles"],
            feasible=np.ones(len(variant), bool),
            values=values,
            bits=bits,
            beacon=[""] * len(bits),
            front=arrays["front"].astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.variant)

    def minimised(self, objectives: Sequence[Objective]) -> Floats:
        """(P, objectives): smaller is better in every column."""
        columns = [objective.minimised(self.values[objective.column]) for objective in objectives]
        return np.stack(columns, axis=1) if columns else np.empty((len(self), 0))

    def known(self, objectives: Sequence[Objective]) -> Bools:
        """(P,) Whether all of these are known: what the memory limit screened out was not evaluated."""
        return np.array(~np.isnan(self.minimised(objectives)).any(axis=1))

    def own_fronts(self, objectives: Sequence[Objective], variants: int) -> list[Ints]:
        """Positions, for each variant, of the feasible points that no other point of that variant dominates."""
        return front_of_each(self.minimised(objectives), self.variant, variants, self.feasible & self.known(objectives))


@dataclass(frozen=True)
class Shown:
    """Which of a run's points a page shows: all of its fronts, and the others or an evenly drawn part of them."""

    points: Points
    own_fronts: Sequence[Ints]
    """Positions of each variant's own front."""
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
        """Positions of the points that are shown, rising."""
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
