"""What each task of a segment depends on, from the names of its steps: found once for all of the same names."""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, islice, pairwise
from threading import Lock

import numpy as np

from simulators.engine.machine import BARRIER, RELATIVE, Ints, Machine, Program
from simulators.inputs.errors import LoweringError
from simulators.lowering.segments import EVERYTHING_BEFORE, KEPT, Label, Run, Step


@dataclass(frozen=True)
class Part:
    """Periods that are alike, or all but the last, which has other service times and traffic."""

    periods: int
    runs: list[Run]
    last: list[Run] | None = None

    @property
    def steps(self) -> list[Step]:
        """All that are written down: a period's, and the last one's."""
        return [step for runs in (self.runs, self.last or ()) for _, steps in runs for step in steps]

    @cached_property
    def names(self) -> tuple[object, ...]:
        """Of a period's steps."""
        return names_of(self.runs)


def names_of(runs: Sequence[Run]) -> tuple[object, ...]:
    """All of their steps but service times, kinds and traffic."""
    return tuple([(count, tuple([(step.roles, step.queue, step.after) for step in steps])) for count, steps in runs])


@dataclass(frozen=True)
class Shape:
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


_shapes: OrderedDict[tuple[object, ...], Shape] = OrderedDict()
_shapes_lock = Lock()
SHAPES = 2048
"""How many are kept, of some ten KiB each; a network's layers have some hundred."""


def shape_of(
    machine: Machine, parts: Sequence[Part], order: Sequence[int], earlier_roles: frozenset[str] = frozenset()
) -> Shape:
    """The shape of parts that follow each other in an order, from the cache where it is known. Raises LoweringError for
    a dependency on a role that neither its steps nor `earlier_roles` have."""
    key = (machine, tuple(order), earlier_roles, *[(part.periods, part.names, part.last is None) for part in parts])
    with _shapes_lock:
        known = _shapes.get(key)
        if known is not None:
            _shapes.move_to_end(key)
            return known
    maker = _ShapeMaker(machine)
    begins = [0, *accumulate(len(part.steps) for part in parts)]
    for number in order:
        maker.emit(parts[number], begins[number])
    made = maker.shape(earlier_roles)
    with _shapes_lock:
        _shapes[key] = made
        if len(_shapes) > SHAPES:
            _shapes.popitem(last=False)
    return made


class _ShapeMaker:
    """Finds what each task depends on."""

    def __init__(self, machine: Machine):
        self._machine = machine
        self._blocks: list[_Block] = []
        self._sources: list[Ints] = []
        self._placed: dict[tuple[object, ...], _Placed] = {}
        self._history: list[_Past] = []
        self._ahead_roles: set[str] = set()  # of the queue that runs ahead, which is in order with itself anyway

    def emit(self, part: Part, begin: int) -> None:
        """Add a part, whose steps stand from `begin` on among all that were written down."""
        placed = self._placed.get(part.names)
        if placed is None:
            placed = self._placed[part.names] = _Placed(_Period(part.runs))
            for step in placed.period.steps:
                if step.queue == self._machine.ahead:
                    self._ahead_roles.update(step.roles)
        periods, closed = part.periods, part.last is not None
        written = min(periods, placed.history)
        steady = periods - written - (closed and periods > written)
        # Relative dependencies do not reach across a block that repeats (see `Program.check`).
        repeats = [1] * written + ([1] * steady if steady <= placed.history else [steady])
        if sum(repeats) < periods:
            repeats.append(1)
        first_block, done = len(self._blocks), 0
        for repeat in repeats:
            last = closed and done + repeat == periods
            self._blocks.append(self._block(placed, repeat, done))
            self._sources.append(placed.period.index + begin + (len(placed.period.steps) if last else 0))
            done += repeat
        ends = [end * len(placed.period.index) for end in accumulate(repeats)]
        self._history.append(_Past(placed, periods, first_block, ends))

    def shape(self, earlier_roles: frozenset[str]) -> Shape:
        """What was emitted. Raises LoweringError for a defect of the lowering."""
        self._check_roles(earlier_roles)
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
        roles = dict.fromkeys(role for past in self._history for role in past.placed.of_role)
        exports = {role: tuple(islice(self._last(role), KEPT)) for role in roles if role not in self._ahead_roles}
        return Shape(whole, alone, np.concatenate(self._sources), waits, ahead, ahead_whole, exports)

    def _check_roles(self, earlier_roles: frozenset[str]) -> None:
        """A step that waits for a role that no step has would wait for nothing: an unlimited buffer."""
        steps = [step for past in self._history for step in past.placed.period.steps]
        known = earlier_roles | {role for step in steps for role in step.roles}
        for step in steps:
            for role, _ in step.after:
                if role not in known and role != EVERYTHING_BEFORE[0]:
                    near = difflib.get_close_matches(role, known, 1)
                    hint = f"did you mean {near[0]!r}?" if near else f"the roles are {', '.join(sorted(known))}"
                    raise LoweringError(f"step {step.roles}: it waits for {role!r}, which no step is; {hint}")

    def _last(self, role: str) -> Iterator[tuple[int, int]]:
        """Places of the last steps of a role, the last first."""
        for past in reversed(self._history):
            places = past.placed.of_role.get(role)
            if places is None:
                continue
            for period in range(past.periods - 1, -1, -1):
                for place in reversed(places):
                    yield past.place(period * len(past.placed.period.index) + int(place))

    def _block(self, placed: _Placed, repeat: int, first_period: int) -> _Block:
        """The periods from `first_period` on, with what they depend on."""
        there = (placed.occurrence + first_period * placed.per_period >= 0) & (placed.per_period > 0)
        block = np.where(there, RELATIVE, BARRIER)
        offset = np.where(there, placed.offset, 0)
        keep = there | placed.barrier
        external: dict[int, list[Label]] = {}
        for d in np.flatnonzero(~keep).tolist():
            role = placed.period.roles[placed.role[d]] if placed.role[d] >= 0 else placed.absent[d]
            back = -int(placed.occurrence[d] + first_period * placed.per_period[d])
            found = self._place(role, back)
            if isinstance(found, tuple):
                block[d], offset[d] = found
                keep[d] = True
            else:
                external.setdefault(int(placed.task[d]), []).append((role, back - found))
        counts = np.bincount(placed.task[keep], minlength=len(placed.period.queue))
        return _Block(placed.period, repeat, counts, block[keep], offset[keep], external)

    def _place(self, role: str, back: int) -> tuple[int, int] | int:
        """(block, offset before its end) of the step of a role, `back` before the end of what was emitted; or how many
        of it there are, where they are fewer."""
        count = 0
        for past in reversed(self._history):
            places = past.placed.of_role.get(role)
            if places is None:
                continue
            there = past.periods * len(places)
            if back <= count + there:
                period, which = divmod(there - (back - count), len(places))
                return past.place(period * len(past.placed.period.index) + int(places[which]))
            count += there
        return count

    def _ahead(self, whole: Program) -> tuple[tuple[tuple[int, tuple[Label, ...]], ...], bool]:
        """What may start before the segments before are complete. Raises LoweringError where it is what must not."""
        gates = _Gates(whole, self._machine.ahead)
        for q in np.unique(whole.queue).tolist():
            if q != self._machine.ahead and not gates.holds(gates.first(q)):
                raise LoweringError(f"queue {self._machine.queues[q].name}: its first task waits for no barrier")
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
        self.roles = list(dict.fromkeys(role for step in steps for role in step.roles))


class _Placed:
    """A period's dependencies, D of them, resolved within its own periods."""

    def __init__(self, period: _Period):
        self.period = period
        steps, index = period.steps, period.index
        number = {role: r for r, role in enumerate(period.roles)}
        self.places = [np.flatnonzero(np.array([role in step.roles for step in steps])[index]) for role in period.roles]
        """By role, the positions of its steps in a period."""
        self.of_role = dict(zip(period.roles, self.places, strict=True))
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
class _Past:
    """Where periods that were emitted lie."""

    placed: _Placed
    periods: int
    first_block: int
    ends: list[int]
    """By block, tasks up to its end."""

    def place(self, task: int) -> tuple[int, int]:
        """(block, offset before its end) of a task, counted from the first period."""
        block = bisect_right(self.ends, task)
        return self.first_block + block, self.ends[block] - task


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
    """The blocks of one segment as a program, all service times one."""
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
        service=np.ones(sum(lengths), np.int64),
        kind=np.zeros(sum(lengths), np.int64),
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
