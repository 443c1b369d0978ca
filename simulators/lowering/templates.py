"""What each task of a segment depends on, from the names of its steps: found once for all of the same names."""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from operator import index
from typing import NamedTuple

import numpy as np

from simulators.engine.machine import Machine
from simulators.engine.program import BARRIER, RELATIVE, Ints, Program
from simulators.inputs.errors import LoweringError
from simulators.lowering.bounded import bounded
from simulators.lowering.dependencies import Period, PeriodNames, StepNames, period_of
from simulators.lowering.gates import Gates
from simulators.lowering.segments import EVERYTHING_BEFORE, KEPT, Label, Places, Template


class Periods(NamedTuple):
    """Periods of steps with the same names."""

    periods: int
    """Number of periods."""
    names: PeriodNames
    closed: bool
    """Whether the last one's steps are written down for themselves: they have other service times and traffic."""
    each: bool = False
    """Whether steps are written down as often as they follow each other within the one period that there is: each time
    with other service times and traffic."""

    @property
    def steps(self) -> int:
        """Number of steps that are written down."""
        if self.each:
            return sum(count * len(steps) for count, steps in self.names)
        return sum(len(steps) for _, steps in self.names) * (2 if self.closed else 1)


MOST_TASKS = 1 << 19
"""Stored tasks of all templates that are kept, of a few hundred bytes each. A network's layers have some hundred
templates of some hundred tasks, those of a delta network some of many thousand each. Without them a candidate that is
new to SiLago takes three times as long (`benchmarks/caches.py`, as the other ratios)."""


@bounded(lambda template: len(template.source), MOST_TASKS)
def template_of(
    machine: Machine, parts: tuple[Periods, ...], order: tuple[int, ...], earlier_roles: frozenset[str] = frozenset()
) -> Template:
    """The template of parts that follow each other in an order, by their numbers. Raises LoweringError for a dependency
    on a role that neither its steps nor `earlier_roles` have, and for computation that runs ahead."""
    maker = _TemplateMaker(machine)
    periods = [period_of(part.names) for part in parts]
    begins = [0, *accumulate(part.steps for part in parts)]
    for number in order:
        maker.emit(parts[number], periods[number], begins[number])
    return maker.template(earlier_roles)


class _TemplateMaker:
    """Finds what each task depends on."""

    def __init__(self, machine: Machine):
        self._machine = machine
        self._blocks: list[_Block] = []
        self._sources: list[Ints] = []
        self._history: list[_Past] = []
        self._history_of: dict[str, list[_Past]] = {}  # of those that have steps of a role

    def emit(self, part: Periods, period: Period, begin: int) -> None:
        """Add a part, of which this is a period, and whose steps stand from `begin` on among all that were written
        down."""
        periods = part.periods
        written = min(periods, period.history)
        steady = periods - written - (part.closed and periods > written)
        # Relative dependencies do not reach across a block that repeats.
        repeats = [1] * written + ([1] * steady if steady <= period.history else [steady])
        if sum(repeats) < periods:
            repeats.append(1)
        first_block, done = len(self._blocks), 0
        for repeat in repeats:
            last = part.closed and done + repeat == periods
            self._blocks.append(self._block(period, repeat, done))
            written_down = np.arange(len(period.index)) if part.each else period.index
            self._sources.append(written_down + begin + (len(period.steps) if last else 0))
            done += repeat
        ends = [end * len(period.index) for end in accumulate(repeats)]
        past = _Past(period, periods, first_block, ends)
        self._history.append(past)
        for role in period.roles:
            self._history_of.setdefault(role, []).append(past)

    def template(self, earlier_roles: frozenset[str]) -> Template:
        """What was emitted. Raises LoweringError for a defect of the lowering."""
        steps = [step for period in dict.fromkeys(past.period for past in self._history) for step in period.steps]
        self._check(steps, earlier_roles)
        whole, prefetch_queue = _join(self._blocks), self._machine.prefetch_queue
        prefetchable, all_prefetchable = self._prefetchable(whole)
        waits: dict[int, tuple[Label, ...]] = {}
        for b, block in enumerate(self._blocks):
            for task, labels in block.external.items():
                if block.period.queue[task] == prefetch_queue:
                    waits[int(whole.first_task[b]) + task] = tuple(labels)
        last_steps: dict[str, Places] = {}  # nothing refers to them where nothing runs ahead
        if prefetch_queue is not None:
            # The queue that runs ahead is in order with itself anyway.
            its_own = {role for roles, queue, _ in steps if queue == prefetch_queue for role in roles}
            others = [role for role in self._history_of if role not in its_own]
            last_steps = {role: tuple(islice(self._last(role), KEPT)) for role in others}
        return Template(whole, np.concatenate(self._sources), waits, prefetchable, all_prefetchable, last_steps)

    def _check(self, steps: Sequence[StepNames], earlier_roles: frozenset[str]) -> None:
        """Raise LoweringError for a queue that there is not, and for a step that waits for a role that no step has: it
        would wait for nothing, as for an unlimited buffer."""
        queues = len(self._machine.queues)
        roles = earlier_roles | {role for its_roles, _, _ in steps for role in its_roles}
        for its_roles, queue, after in steps:
            if not 0 <= index(queue) < queues:
                raise LoweringError(f"step {its_roles}: queue {queue}: there are {queues}, from 0")
            for role, back in after:
                if back < 1 and role != EVERYTHING_BEFORE[0]:
                    raise LoweringError(f"step {its_roles}: it waits for ({role!r}, {back}): the last before it is 1")
                if role not in roles and role != EVERYTHING_BEFORE[0]:
                    near = difflib.get_close_matches(role, roles, 1)
                    hint = f"did you mean {near[0]!r}?" if near else f"the roles are {', '.join(sorted(roles))}"
                    raise LoweringError(f"step {its_roles}: it waits for {role!r}, which no step is; {hint}")

    def _last(self, role: str) -> Iterator[tuple[int, int]]:
        """Places of the last steps of a role, the last first."""
        for past in reversed(self._history_of.get(role, ())):
            positions = past.period.of_role[role]
            for number in range(past.periods - 1, -1, -1):
                for position in reversed(positions):
                    yield past.place(number * len(past.period.index) + int(position))

    def _block(self, period: Period, repeat: int, first_period: int) -> _Block:
        """The periods from `first_period` on, with what they depend on."""
        there = (period.occurrence + first_period * period.per_period >= 0) & (period.per_period > 0)
        block = np.where(there, RELATIVE, BARRIER)
        offset = np.where(there, period.offset, 0)
        keep = there | period.barrier
        external: dict[int, list[Label]] = {}
        places: dict[Label, tuple[int, int] | int] = {}  # many steps wait for one
        runs_ahead = self._machine.prefetch_queue is not None
        for d in np.flatnonzero(~keep).tolist() if runs_ahead or self._history else ():
            role = period.roles[period.role[d]] if period.role[d] >= 0 else period.absent[d]
            back = -int(period.occurrence[d] + first_period * period.per_period[d])
            if not runs_ahead and role not in self._history_of:
                continue  # of segments before, which are complete
            place = places.get((role, back))
            if place is None:
                place = places[role, back] = self._place(role, back)
            if isinstance(place, tuple):
                block[d], offset[d] = place
                keep[d] = True
            else:
                external.setdefault(int(period.task[d]), []).append((role, back - place))
        counts = np.bincount(period.task[keep], minlength=len(period.queue))
        return _Block(period, repeat, counts, block[keep], offset[keep], external)

    def _place(self, role: str, back: int) -> tuple[int, int] | int:
        """(block, offset before its end) of the step of a role, `back` before the end of what was emitted; or how many
        of it there are, where they are fewer."""
        count = 0
        for past in reversed(self._history_of.get(role, ())):
            positions = past.period.of_role[role]
            there = past.periods * len(positions)
            if back <= count + there:
                number, which = divmod(there - (back - count), len(positions))
                return past.place(number * len(past.period.index) + int(positions[which]))
            count += there
        return count

    def _prefetchable(self, whole: Program) -> tuple[tuple[tuple[int, tuple[Label, ...]], ...], bool]:
        """What may start before the segments before are complete, and whether that is all of its queue. Raises
        LoweringError where it is what must not."""
        prefetch_queue = self._machine.prefetch_queue
        gates = Gates(whole, prefetch_queue)
        for q, first in gates.firsts:
            if q != prefetch_queue and not gates.holds(first):
                raise LoweringError(f"queue {self._machine.queues[q].name}: its first task waits for no barrier")
        ahead: list[tuple[int, tuple[Label, ...]]] = []
        for b in range(len(whole.repeat)):
            first = int(whole.first_task[b])
            mine = np.flatnonzero(whole.queue[first : int(whole.first_task[b + 1])] == prefetch_queue).tolist()
            for period in range(int(whole.repeat[b]) if mine else 0):
                for j in mine:
                    if gates.holds(int(gates.begin[b]) + period * int(gates.lengths[b]) + j):
                        return tuple(ahead), False
                    ahead.append((first + j, tuple(self._blocks[b].external.get(j, ()))))
        return tuple(ahead), True


@dataclass(frozen=True)
class _Past:
    """Where periods that were emitted lie."""

    period: Period
    periods: int
    first_block: int
    ends: list[int]
    """Number of tasks up to the end of each block."""

    def place(self, task: int) -> tuple[int, int]:
        """(block, offset before its end) of a task, counted from the first period."""
        block = bisect_right(self.ends, task)
        return self.first_block + block, self.ends[block] - task


@dataclass(frozen=True)
class _Block:
    period: Period
    repeat: int
    dependencies: Ints
    """Number of dependencies of each task."""
    dependency_block: Ints
    dependency_offset: Ints
    external: dict[int, list[Label]]
    """What each position in the period waits for that is not of this segment."""


def _join(blocks: Sequence[_Block]) -> Program:
    """The blocks of one segment as a program, all service times one cycle."""
    lengths = [len(block.period.queue) for block in blocks]
    return Program.of(
        np.array([block.repeat for block in blocks], np.int64), np.cumsum([0, *lengths]),
        np.zeros(len(blocks), np.int64),
        (np.concatenate([block.period.queue for block in blocks]), np.ones(sum(lengths), np.int64),
         np.zeros(sum(lengths), np.int64)),
        (np.concatenate([[0], *(block.dependencies for block in blocks)]).cumsum(),
         np.concatenate([block.dependency_block for block in blocks]),
         np.concatenate([block.dependency_offset for block in blocks])),
    )  # fmt: skip
