"""Makes a segment of named steps: dependencies by role become offsets in arrays of tasks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from simulators.machine import BARRIER, RELATIVE, Ints, Machine, Program
from simulators.segments import EVERYTHING_BEFORE, KEPT, AheadTask, Label, LayerWork, Run, Segment, Step


class SegmentBuilder:
    """Collects a segment's blocks.

    What depends on what is found once for all segments whose steps have the same names in the same order, as the same
    layer's on another array or at other bits have; their service times and traffic are put in.
    """

    def __init__(self, machine: Machine, works: Sequence[LayerWork]):
        self._machine = machine
        self.works = tuple(works)
        self._emitted: list[_Emitted] = []

    def emit(self, periods: int, runs: Iterable[Run], last: Iterable[Run] | None = None) -> None:
        """Add periods, all alike; the last may differ in service times and traffic."""
        emitted = _Emitted(periods, _nonempty(runs), None if last is None else _nonempty(last))
        closed = emitted.last is not None
        if closed and emitted.names[1] != emitted.names[2]:
            raise ValueError("the last period must have the steps and dependencies of the others")
        self._count(emitted.runs, periods - closed)
        if emitted.last is not None:
            self._count(emitted.last, 1)
        self._emitted.append(emitted)

    def segment(self) -> Segment:
        """What was emitted. Raises ValueError for a defect of the lowering."""
        shape = _shape(self._machine, tuple(emitted.names for emitted in self._emitted), self._emitted)
        steps = [step for emitted in self._emitted for step in emitted.steps]
        service = np.array([step.service for step in steps], np.int64)[shape.source]
        kind = np.array([step.kind for step in steps], np.int64)[shape.source]
        ahead = tuple(AheadTask(int(service[j]), int(kind[j]), labels) for j, labels in shape.ahead)
        return Segment(
            self.works, shape.whole.timed(service, kind), shape.waits, ahead, shape.ahead_whole, shape.exports,
            shape.alone.timed(service, kind), shape.behind,
        )  # fmt: skip

    def _count(self, runs: Sequence[Run], times: int) -> None:
        """Add the traffic of so many periods."""
        for count, steps in runs:
            for step in steps:
                for owner, level, bits in step.moved:
                    traffic = self.works[owner].bits
                    traffic[level] = traffic.get(level, 0) + bits * count * times


def _nonempty(runs: Iterable[Run]) -> list[Run]:
    return [(count, steps) for count, steps in runs if count > 0]


@dataclass(frozen=True)
class _Emitted:
    """What was emitted at once."""

    periods: int
    runs: list[Run]
    last: list[Run] | None

    @property
    def steps(self) -> list[Step]:
        """All that are written down: a period's, and the last one's."""
        return [step for runs in (self.runs, self.last or ()) for _, steps in runs for step in steps]

    @cached_property
    def names(self) -> _Names:
        """All but service times, kinds and traffic."""
        return self.periods, _names(self.runs), None if self.last is None else _names(self.last)


_Names = tuple[int, tuple[object, ...], tuple[object, ...] | None]


def _names(runs: Sequence[Run]) -> tuple[object, ...]:
    return tuple((count, tuple([(step.roles, step.queue, step.after) for step in steps])) for count, steps in runs)


@dataclass(frozen=True)
class _Shape:
    """A segment without service times and kinds."""

    whole: Program
    alone: Program
    source: Ints
    """(T,) position of each stored task's step among all that were written down."""
    waits: dict[int, tuple[Label, ...]]
    ahead: tuple[tuple[int, tuple[Label, ...]], ...]
    """Stored task and what it waits for, of each that may run ahead."""
    ahead_whole: bool
    exports: dict[str, tuple[tuple[int, int], ...]]
    behind: dict[tuple[tuple[Label, ...], ...], Program] = field(default_factory=dict)
    """See `Segment`."""


_shapes: OrderedDict[tuple[Machine, tuple[_Names, ...]], _Shape] = OrderedDict()
SHAPES = 512
"""How many are kept, of some hundred KiB each; a network's layers have some hundred."""


def _shape(machine: Machine, names: tuple[_Names, ...], emitted: Sequence[_Emitted]) -> _Shape:
    """The shape of what was emitted, from the cache where it is known."""
    key = (machine, names)
    known = _shapes.get(key)
    if known is None:
        maker = _ShapeMaker(machine)
        for part in emitted:
            maker.emit(part)
        known = _shapes[key] = maker.shape()
        if len(_shapes) > SHAPES:
            _shapes.popitem(last=False)
    _shapes.move_to_end(key)
    return known


class _ShapeMaker:
    """Finds what each task depends on."""

    def __init__(self, machine: Machine):
        self._machine = machine
        self._blocks: list[_Block] = []
        self._sources: list[Ints] = []
        self._written = 0
        self._history: dict[str, list[tuple[int, int]]] = {}  # role → (block, offset before its end), the last first
        self._ahead_roles: set[str] = set()  # of the queue that runs ahead, which is in order with itself anyway

    def emit(self, emitted: _Emitted) -> None:
        """Add what was emitted."""
        periods = emitted.periods
        period = _Period(emitted.runs)
        closing = _Period(emitted.last) if emitted.last is not None else None

        placed = _Placed(period)
        written = min(periods, placed.history)
        steady = periods - written - (closing is not None and periods > written)
        # Relative dependencies do not reach across a block that repeats (see `Program.check`).
        repeats = [1] * written + ([1] * steady if steady <= placed.history else [steady])
        if sum(repeats) < periods:
            repeats.append(1)
        first_block, done = len(self._blocks), 0
        for repeat in repeats:
            services = closing if closing is not None and done + repeat == periods else period
            self._blocks.append(self._block(placed, services, repeat, done))
            self._sources.append(services.index + self._written + (len(period.steps) if services is closing else 0))
            done += repeat
        self._remember(placed, first_block, repeats, periods)
        self._written += len(emitted.steps)

    def shape(self) -> _Shape:
        """What was emitted. Raises ValueError for a defect of the lowering."""
        whole = _join(self._blocks)
        ahead, ahead_whole = self._ahead(whole)
        barrier = whole.dependency_block == BARRIER
        kept = np.concatenate([[0], np.cumsum(~barrier)])
        alone = replace(
            whole,
            first_dependency=kept[whole.first_dependency],
            dependency_block=whole.dependency_block[~barrier],
            dependency_offset=whole.dependency_offset[~barrier],
        )
        waits: dict[int, tuple[Label, ...]] = {}
        for b, block in enumerate(self._blocks):
            for task, labels in block.external.items():
                if block.period.queue[task] == self._machine.ahead:
                    waits[int(whole.first_task[b]) + task] = tuple(labels)
        exports = {role: tuple(places) for role, places in self._history.items() if role not in self._ahead_roles}
        return _Shape(whole, alone, np.concatenate(self._sources), waits, ahead, ahead_whole, exports)

    def _block(self, placed: _Placed, services: _Period, repeat: int, first_period: int) -> _Block:
        """The periods from `first_period` on, with what they depend on."""
        there = (placed.occurrence + first_period * placed.per_period >= 0) & (placed.per_period > 0)
        block = np.where(there, RELATIVE, BARRIER)
        offset = np.where(there, placed.offset, 0)
        keep = there | placed.barrier
        external: dict[int, list[Label]] = {}
        for d in np.flatnonzero(~keep).tolist():
            role = placed.period.roles[placed.role[d]] if placed.role[d] >= 0 else placed.absent[d]
            back = -int(placed.occurrence[d] + first_period * placed.per_period[d])
            known = self._history.get(role, [])
            if back <= len(known):
                block[d], offset[d] = known[back - 1]
                keep[d] = True
            elif len(known) == KEPT:
                raise ValueError(f"({role}, {back}) is farther back than {KEPT} steps")
            else:
                external.setdefault(int(placed.task[d]), []).append((role, back - len(known)))
        counts = np.bincount(placed.task[keep], minlength=len(services.queue))
        return _Block(services, repeat, counts, block[keep], offset[keep], external)

    def _remember(self, placed: _Placed, first_block: int, repeats: Sequence[int], periods: int) -> None:
        """Keep the last steps of each role."""
        period = placed.period
        length = len(period.queue)
        ends = np.cumsum(repeats)
        for step in period.steps:
            if step.queue == self._machine.ahead:
                self._ahead_roles.update(step.roles)
        for r, role in enumerate(period.roles):
            count = len(placed.places[r])
            known = self._history.get(role, [])
            new = []
            for t in range(periods * count - 1, max(-1, periods * count - 1 - KEPT), -1):
                u = t // count * length + int(placed.places[r][t % count])
                of = int(np.searchsorted(ends * length, u, side="right"))
                new.append((first_block + of, int(ends[of]) * length - u))
            self._history[role] = [*new, *known][:KEPT]

    def _ahead(self, whole: Program) -> tuple[tuple[tuple[int, tuple[Label, ...]], ...], bool]:
        """What may start before the segments before are complete. Raises ValueError where it is what must not."""
        gates = _Gates(whole, self._machine.ahead)
        for q in np.unique(whole.queue).tolist():
            if q != self._machine.ahead and not gates.holds(gates.first(q)):
                raise ValueError(f"queue {self._machine.queues[q].name}: its first task waits for no barrier")
        ahead: list[tuple[int, tuple[Label, ...]]] = []
        for b in range(len(whole.repeat)):
            first = int(whole.first_task[b])
            mine = np.flatnonzero(whole.queue[first : int(whole.first_task[b + 1])] == self._machine.ahead).tolist()
            for period in range(int(whole.repeat[b]) if mine else 0):
                for j in mine:
                    if gates.holds(int(gates.begin[b]) + period * int(whole.lengths[b]) + j):
                        return tuple(ahead), False
                    labels = tuple(self._blocks[b].external.get(j, ()))
                    ahead.append((first + j, labels))
        return tuple(ahead), True


class _Period:
    """One period's steps as arrays."""

    def __init__(self, runs: Iterable[Run]):
        self.runs = list(runs)
        steps = [step for _, steps in self.runs for step in steps]
        begins = np.cumsum([0, *(len(steps) for _, steps in self.runs)]).tolist()
        self.index: Ints = np.concatenate(
            [np.tile(np.arange(a, b), count) for (count, _), (a, b) in zip(self.runs, pairwise(begins), strict=True)]
        )
        self.steps = steps
        self.queue = np.array([step.queue for step in steps], np.int64)[self.index]
        self.service = np.array([step.service for step in steps], np.int64)[self.index]
        self.kind = np.array([step.kind for step in steps], np.int64)[self.index]
        self.roles = list(dict.fromkeys(role for step in steps for role in step.roles))


class _Placed:
    """A period's dependencies, D of them, resolved within its own periods."""

    def __init__(self, period: _Period):
        self.period = period
        steps, index = period.steps, period.index
        number = {role: r for r, role in enumerate(period.roles)}
        self.places = [np.flatnonzero(np.array([role in step.roles for step in steps])[index]) for role in period.roles]
        """By role, the positions of its steps in a period."""
        labels = [label for step in steps for label in step.after]
        counts = np.array([len(step.after) for step in steps])
        first = np.concatenate([[0], np.cumsum(counts)])
        per_task = counts[index]
        self.task: Ints = np.repeat(np.arange(len(index)), per_task)
        """(D,) position of the task that depends."""
        before = np.concatenate([[0], np.cumsum(per_task)])[:-1]
        which = np.arange(len(self.task)) - before[self.task] + first[index][self.task]
        self.role: Ints = np.array([number.get(role, -1) for role, _ in labels], np.int64)[which]
        """(D,) -1: a role of something earlier."""
        self.barrier = np.array([label == EVERYTHING_BEFORE for label in labels], bool)[which]
        self.absent = {d: labels[which[d]][0] for d in np.flatnonzero((self.role < 0) & ~self.barrier).tolist()}
        back = np.array([b for _, b in labels], np.int64)[which]
        self.per_period = np.zeros(len(which), np.int64)
        """(D,) how many steps of the role a period has."""
        self.occurrence = -back
        """(D,) which step of the role is meant in the first period, counted from 0; those before have negative
        numbers."""
        self.offset = np.zeros(len(which), np.int64)
        """(D,) tasks back, where the role is of the same periods."""
        self.history = 0
        """Periods at the beginning that lack some dependency."""
        for r, places in enumerate(self.places):
            of = np.flatnonzero(self.role == r)
            if not len(of):
                continue
            n = len(places)
            t = np.searchsorted(places, self.task[of]) - back[of]
            self.per_period[of], self.occurrence[of] = n, t
            self.offset[of] = self.task[of] - (t // n * len(index) + places[t % n])
            self.history = max(self.history, int(-(t.min() // n)))


@dataclass(frozen=True)
class _Block:
    period: _Period
    repeat: int
    dependencies: Ints
    """By task, how many."""
    dependency_block: Ints
    dependency_offset: Ints
    external: dict[int, list[Label]]
    """By position in the period: what is not of this segment."""


def _join(blocks: Sequence[_Block]) -> Program:
    """The blocks of one segment as a program."""
    lengths = [len(block.period.queue) for block in blocks]
    begin = np.cumsum([0, *(n * block.repeat for n, block in zip(lengths, blocks, strict=True))])
    reach = []
    behind = [0] * len(blocks)
    for b, block in enumerate(blocks):
        relative = block.dependency_block == RELATIVE
        reach.append(int(block.dependency_offset[relative].max(initial=0)))
        task = np.repeat(np.arange(lengths[b]), block.dependencies)
        lowest = int((task - block.dependency_offset)[relative].min(initial=0)) + int(begin[b])
        for c in range(b - 1, -1, -1):
            if lowest >= begin[c + 1]:
                break
            behind[c] = max(behind[c], int(begin[c + 1]) - lowest)
        for c in np.unique(block.dependency_block[block.dependency_block >= 0]).tolist():
            behind[c] = max(behind[c], int(block.dependency_offset[block.dependency_block == c].max()))
    return Program(
        repeat=np.array([block.repeat for block in blocks], np.int64),
        first_task=np.cumsum([0, *lengths]),
        segment=np.zeros(len(blocks), np.int64),
        queue=np.concatenate([block.period.queue for block in blocks]),
        service=np.concatenate([block.period.service for block in blocks]),
        kind=np.concatenate([block.period.kind for block in blocks]),
        first_dependency=np.concatenate([[0], *(block.dependencies for block in blocks)]).cumsum(),
        dependency_block=np.concatenate([block.dependency_block for block in blocks]),
        dependency_offset=np.concatenate([block.dependency_offset for block in blocks]),
        reach=np.array(reach, np.int64),
        margin=np.array([-(-far // n) for far, n in zip(behind, lengths, strict=True)], np.int64),
    )


class _Gates:
    """Which tasks of a segment wait, directly or not, for the segments before it."""

    def __init__(self, program: Program, ahead: int | None):
        self.program = program
        self.ahead = ahead
        self.begin = np.concatenate([[0], np.cumsum(program.repeat * program.lengths)])

    def first(self, queue: int) -> int:
        """Unrolled index of a queue's first task."""
        j = int(np.argmax(self.program.queue == queue))
        b = int(np.searchsorted(self.program.first_task, j, side="right")) - 1
        return int(self.begin[b]) + j - int(self.program.first_task[b])

    def holds(self, u: int) -> bool:
        """Whether the task with unrolled index u waits. Tasks behind the first of a queue that does not run ahead do if
        that one does."""
        p = self.program
        j = self._place(u)
        for d in range(int(p.first_dependency[j]), int(p.first_dependency[j + 1])):
            block, offset = int(p.dependency_block[d]), int(p.dependency_offset[d])
            if block == BARRIER:
                return True
            v = u - offset if block == RELATIVE else int(self.begin[block + 1]) - offset
            queue = int(p.queue[self._place(v)])
            if queue != self.ahead and (v > self.first(queue) or self.holds(v)):
                return True
        return False

    def _place(self, u: int) -> int:
        """The stored task."""
        p = self.program
        b = int(np.searchsorted(self.begin, u, side="right")) - 1
        return int(p.first_task[b]) + (u - int(self.begin[b])) % int(p.lengths[b])
