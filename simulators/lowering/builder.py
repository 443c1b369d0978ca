"""Makes a segment of named steps: what they depend on is found in `templates.py`, the rest is put in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import index

import numpy as np

from simulators.engine.machine import Machine
from simulators.engine.program import Ints
from simulators.inputs.errors import LoweringError
from simulators.lowering.segments import LayerWork, Repetition, Segment, Step, count_step
from simulators.lowering.templates import Part, Template, names_of, template_of

LONG = 24
"""Steps that repeat so often within a period are fast-forwarded by themselves where that pays."""

RECURS = 11
"""Periods that it takes, about, until one is like one before."""

BLOCK_COST = 64
"""What a block costs, in tasks: 2 µs or so, measured over the trials of `benchmarks/sweep.py`."""


class SegmentBuilder:
    """Collects a segment's periods.

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

    def emit(self, periods: int, steps: Iterable[Repetition], last: Iterable[Repetition] | None = None) -> None:
        """Add periods, all alike; the last may differ in service times and traffic. Raises LoweringError."""
        steady, ending = _nonempty(steps), None if last is None else _nonempty(last)
        if ending is not None and names_of(steady) != names_of(ending):
            raise LoweringError("the last period must have the steps and dependencies of the others")
        alike = periods - (ending is not None)
        self._count(steady, alike)
        self._count(ending or [], 1)
        if _blocks_of_their_own(periods, steady):
            self._order += self._add([Part(count, [(1, alone)]) for count, alone in steady]) * alike
            self._order += self._add([Part(count, [(1, alone)]) for count, alone in ending or []])
        else:
            self._order += self._add([Part(periods, steady, ending)])

    def segment(self) -> Segment:
        """The periods as a segment. Raises LoweringError for a defect of the lowering."""
        template, cycles, kind = self.template()
        for step in (step for part in self._parts for step in part.steps):
            if step.cycles < 1:
                raise LoweringError(f"step {step.roles}: {step.cycles} cycles: a task takes at least one")
        return template.segment(self.works, cycles, kind)

    def template(self) -> tuple[Template, Ints, Ints]:
        """What depends on what, and service times in cycles and kinds of the T stored tasks, (T,) each."""
        template = template_of(self._machine, self._parts, self._order, self._earlier_roles)
        steps = [step for part in self._parts for step in part.steps]
        cycles, kind = np.array([(step.cycles, step.kind) for step in steps], np.int64).T[:, template.source]
        return template, cycles, kind

    def _add(self, parts: list[Part]) -> list[int]:
        """Keep parts; their numbers."""
        self._parts += parts
        return list(range(len(self._parts) - len(parts), len(self._parts)))

    def _count(self, repetitions: Sequence[Repetition], periods: int) -> None:
        """Add what so many periods do to the layers. Raises LoweringError for a step that cannot be."""
        for count, steps in repetitions:
            for step in steps:
                try:
                    self._check(step)
                    count_step(self.works, step.cycles, step.moved, step.works_on, count * periods)
                except TypeError as error:
                    raise LoweringError(f"step {step.roles}: {error}") from None

    def _check(self, step: Step) -> None:
        """Raise LoweringError for a step that the machine or the segment has no place for, TypeError for a float."""
        index(step.cycles)
        if not 0 <= index(step.queue) < len(self._machine.queues):
            raise LoweringError(f"step {step.roles}: queue {step.queue}: there are {len(self._machine.queues)}, from 0")
        if not 0 <= index(step.kind) < len(self._machine.kinds):
            raise LoweringError(f"step {step.roles}: kind {step.kind}: there are {len(self._machine.kinds)}, from 0")
        for layer, level, bits in step.moved:
            if index(bits) < 0:
                raise LoweringError(f"step {step.roles}: {bits} bits of {level}")
            self._check_layer(step, layer)
        if step.works_on is not None:
            self._check_layer(step, step.works_on)

    def _check_layer(self, step: Step, layer: int) -> None:
        if not 0 <= index(layer) < len(self.works):
            raise LoweringError(f"step {step.roles}: layer {layer}: the segment has {len(self.works)}, from 0")


def _nonempty(repetitions: Iterable[Repetition]) -> list[Repetition]:
    return [(count, steps) for count, steps in repetitions if count > 0]


def _blocks_of_their_own(periods: int, repetitions: Sequence[Repetition]) -> bool:
    """Whether what repeats within a period had better be a block of its own, which recurs by itself: a few long periods
    hardly recur before they end, and a block costs more than its tasks."""
    counts = [count for count, _ in repetitions]
    return max(counts, default=0) >= LONG and BLOCK_COST * periods < min(periods, RECURS) * sum(counts)
