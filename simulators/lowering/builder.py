"""Makes a segment of named steps: what they depend on is found in `segment_shape.py`, the rest is put in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from simulators.engine.machine import Machine
from simulators.inputs.errors import LoweringError
from simulators.lowering.segments import AheadTask, LayerWork, Run, Segment, add_traffic
from simulators.lowering.templates import Part, names_of, shape_of

LONG = 24
"""Runs that repeat so often within a period are fast-forwarded by themselves where that pays."""

RECURS = 11
"""Periods that it takes, about, until one is like one before."""

BLOCK_COST = 64
"""What a block costs, in tasks: 2 µs or so, measured over the trials of `benchmarks/sweep.py`."""


class SegmentBuilder:
    """Collects a segment's blocks.

    What depends on what is found once for all segments whose steps have the same names in the same order, as the same
    layer's on another array or at other bits have; their service times and traffic are put in.
    """

    def __init__(self, machine: Machine, works: Sequence[LayerWork], earlier_roles: Iterable[str] = ()):
        """`earlier_roles`: what steps may wait for though only segments before this one have such steps."""
        self._machine = machine
        self._earlier_roles = frozenset(earlier_roles)
        self.works = tuple(works)
        self._parts: list[Part] = []
        self._order: list[int] = []

    def emit(self, periods: int, runs: Iterable[Run], last: Iterable[Run] | None = None) -> None:
        """Add periods, all alike; the last may differ in service times and traffic."""
        steady, ending = _nonempty(runs), None if last is None else _nonempty(last)
        if ending is not None and names_of(steady) != names_of(ending):
            raise LoweringError("the last period must have the steps and dependencies of the others")
        alike = periods - (ending is not None)
        self._count(steady, alike)
        self._count(ending or [], 1)
        if _blocks_of_their_own(periods, steady):
            self._order += self._add([Part(count, [(1, steps)]) for count, steps in steady]) * alike
            self._order += self._add([Part(count, [(1, steps)]) for count, steps in ending or []])
        else:
            self._order += self._add([Part(periods, steady, ending)])

    def segment(self) -> Segment:
        """What was emitted. Raises LoweringError for a defect of the lowering."""
        shape = shape_of(self._machine, self._parts, self._order, self._earlier_roles)
        steps = [step for part in self._parts for step in part.steps]
        service = np.array([step.service for step in steps], np.int64)[shape.source]
        kind = np.array([step.kind for step in steps], np.int64)[shape.source]
        ahead = tuple([AheadTask(int(service[j]), int(kind[j]), labels) for j, labels in shape.ahead])
        return Segment(
            self.works, shape.whole.timed(service, kind), shape.waits, ahead, shape.ahead_whole, shape.exports,
            shape.alone.timed(service, kind), shape.behind,
        )  # fmt: skip

    def _add(self, parts: list[Part]) -> list[int]:
        """Their numbers."""
        self._parts += parts
        return list(range(len(self._parts) - len(parts), len(self._parts)))

    def _count(self, runs: Sequence[Run], times: int) -> None:
        """Add the traffic of so many periods."""
        for count, steps in runs:
            for step in steps:
                add_traffic(self.works, step.moved, count * times)


def _nonempty(runs: Iterable[Run]) -> list[Run]:
    return [(count, steps) for count, steps in runs if count > 0]


def _blocks_of_their_own(periods: int, runs: Sequence[Run]) -> bool:
    """Whether a period's runs had better be blocks of their own, which recur each by itself: a few long periods hardly
    recur before they end, and a block costs more than its tasks."""
    counts = [count for count, _ in runs]
    return max(counts, default=0) >= LONG and BLOCK_COST * periods < min(periods, RECURS) * sum(counts)
