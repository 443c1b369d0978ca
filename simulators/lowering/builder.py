"""Makes a segment of named steps: what they depend on is found in `templates.py`, the rest is put in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf
from operator import index

import numpy as np

from simulators.engine.machine import MAX_CYCLES, Machine, Uncountable
from simulators.engine.program import Ints
from simulators.inputs.errors import LoweringError
from simulators.lowering.dependencies import StepNames, names_of
from simulators.lowering.segments import LayerWork, Repetition, Segment, Step, Template, count_step
from simulators.lowering.templates import Periods, template_of

ALIKE = 4
"""Periods that are alike in a row, on average, from which on they are written down once: of others all together are a
period of their own, whose template all have whose steps have the same names, whatever these take."""

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
        """`earlier_roles`: what steps may wait for though only segments before this one have such steps. Raises
        LoweringError for layers with one kind of work."""
        self._machine = machine
        self._kinds = len(machine.kinds)
        self._earlier_roles = frozenset(earlier_roles)
        self.works = tuple(works)
        own = [work.own_kind for work in works]
        for work in works:
            if not 0 <= index(work.own_kind) < self._kinds:
                raise LoweringError(f"own_kind: {work.own_kind}: the machine has {self._kinds} kinds, from 0")
            if not 0 < work.peak_per_cycle < inf:
                raise LoweringError("peak_per_cycle: a layer's unit does some work in a cycle")
        if len(own) > 1 and len(set(own)) < len(own):
            raise LoweringError("two layers of a segment have one kind of work: whose cycles are whose cannot be told")
        self._steps: list[Step] = []  # of all parts, as they were written down
        self._parts: list[Periods] = []
        self._order: list[int] = []

    def emit(self, periods: int, steps: Iterable[Repetition], last: Iterable[Repetition] | None = None) -> None:
        """Add periods, all alike; the last may differ in service times and traffic. Raises LoweringError."""
        if index(periods) < (last is not None):
            raise LoweringError(f"{periods} periods: there are at least {int(last is not None)}")
        steady, ending = _nonempty(steps), None if last is None else _nonempty(last)
        if ending is not None and names_of(steady) != names_of(ending):
            raise LoweringError("the last period must have the steps and dependencies of the others")
        alike = periods - (ending is not None)
        self._count(steady, alike)
        self._count(ending or [], 1)
        if _blocks_of_their_own(periods, steady):
            self._order += [self._add(count, [(1, alone)]) for count, alone in steady] * alike
            self._order += [self._add(count, [(1, alone)]) for count, alone in ending or []]
        else:
            self._order.append(self._add(periods, steady, ending))

    def emit_in_turn(self, runs: Sequence[tuple[int, list[Step]]]) -> None:
        """Add periods that differ in service times and traffic, or in their steps: how many follow each other that are
        alike, and their steps, which are the same list where they are again those of an earlier run. Raises
        LoweringError."""
        if sum(count for count, _ in runs) >= ALIKE * len(runs):
            for count, steps in runs:
                self.emit(count, [(1, steps)])
            return
        times = Counter[int]()
        for count, steps in runs:
            times[id(steps)] += count
        names: dict[int, tuple[StepNames, ...]] = {}
        for steps in {id(steps): steps for _, steps in runs}.values():
            self._count([(1, steps)], times[id(steps)])
            names[id(steps)] = names_of([(1, steps)])[0][1]
        in_turn: list[tuple[int, tuple[StepNames, ...]]] = []
        for count, steps in runs:  # a template is found again where the names are the same, whatever their steps take
            self._steps += steps * count
            alike = in_turn.pop()[0] if in_turn and in_turn[-1][1] == names[id(steps)] else 0
            in_turn.append((alike + count, names[id(steps)]))
        self._parts.append(Periods(1, tuple(in_turn), closed=False, each=True))
        self._order.append(len(self._parts) - 1)

    def segment(self) -> Segment:
        """The periods as a segment. Raises LoweringError for a defect of the lowering."""
        template, cycles, kind = self.template()
        for work in self.works:
            if float in map(type, (work.busy_cycles, *work.bits.values())):
                for step in self._steps:
                    self._check(step)
        return template.segment(self.works, cycles, kind)

    def template(self) -> tuple[Template, Ints, Ints]:
        """What depends on what, and service times in cycles and kinds of the T stored tasks, (T,) each. Raises
        LoweringError for a defect of the lowering."""
        if not any(part.periods for part in self._parts) or not self._steps:
            raise LoweringError("a segment without a task")
        cycles = [step.cycles for step in self._steps]
        kinds = [step.kind for step in self._steps]
        within = min(cycles) >= 1 and max(cycles) <= MAX_CYCLES and min(kinds) >= 0 and max(kinds) < self._kinds
        if not within or {*map(type, cycles), *map(type, kinds)} != {int}:
            for step in self._steps:
                self._check(step)
        template = template_of(self._machine, tuple(self._parts), tuple(self._order), self._earlier_roles)
        return template, np.array(cycles, np.int64)[template.source], np.array(kinds, np.int64)[template.source]

    def _add(self, periods: int, steps: Sequence[Repetition], last: Sequence[Repetition] | None = None) -> int:
        """Keep periods as a part of the segment; its number."""
        self._steps += [step for repetitions in (steps, last or ()) for _, several in repetitions for step in several]
        self._parts.append(Periods(periods, names_of(steps), last is not None))
        return len(self._parts) - 1

    def _count(self, repetitions: Sequence[Repetition], periods: int) -> None:
        """Add what so many periods do to the layers. Raises LoweringError for a step that cannot be."""
        for count, steps in repetitions:
            for step in steps:
                try:
                    count_step(self.works, step.cycles, step.moved, step.works_on, count * periods)
                except (IndexError, TypeError, ValueError):
                    self._check(step)
                    raise

    def _check(self, step: Step) -> None:
        """Raise LoweringError for a step that the machine or the segment has no place for, Uncountable for one that
        takes longer than can be counted."""
        try:
            problem = self._problem(step)
        except TypeError as error:  # a float
            problem = str(error)
        if problem:
            raise LoweringError(f"step {step.roles}: {problem}")
        if step.cycles > MAX_CYCLES:
            raise Uncountable(f"a task of {step.cycles:.3g} cycles: at most 2^60 can be counted exactly")

    def _problem(self, step: Step) -> str:
        """What is wrong with a step, or nothing."""
        kinds, layers = self._kinds, len(self.works)
        if index(step.cycles) < 1:
            return f"{step.cycles} cycles: a task takes at least one"
        if not 0 <= index(step.kind) < kinds:
            return f"kind {step.kind}: there are {kinds}, from 0"
        for layer, level, bits in step.moved:
            if index(bits) < 0:
                return f"{bits} bits of {level}"
            if not 0 <= index(layer) < layers:
                return f"layer {layer}: the segment has {layers}, from 0"
        if step.works_on is not None and not 0 <= index(step.works_on) < layers:
            return f"layer {step.works_on}: the segment has {layers}, from 0"
        return ""


def _nonempty(repetitions: Iterable[Repetition]) -> list[Repetition]:
    return [(count, steps) for count, steps in repetitions if count > 0]


def _blocks_of_their_own(periods: int, repetitions: Sequence[Repetition]) -> bool:
    """Whether what repeats within a period had better be a block of its own, which recurs by itself: a few long periods
    hardly recur before they end, and a block costs more than its tasks."""
    counts = [count for count, _ in repetitions]
    return max(counts, default=0) >= LONG and BLOCK_COST * periods < min(periods, RECURS) * sum(counts)
