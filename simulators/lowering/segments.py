"""What every platform's lowering is written with: named steps and the segments that are made of them.

A *segment* is a layer, or a product with the elementwise layer that runs behind it. It does not know its neighbours:
what it depends on in earlier segments is either all of them (EVERYTHING_BEFORE), or, for tasks that run ahead, what a
role's last steps were, whichever segment they are of. So a segment is made once for a layer's shape and bits, and
reused in every network that holds it.

A step has *roles*, under which others depend on it: `(role, back)` is the step of that role `back` before, counted
back from the step that depends on it. A load that reuses a half of a buffer depends on `("weights free", 2)`, in a
layer's first tile and in its hundredth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulators.engine.machine import Program

Label = tuple[str, int]
EVERYTHING_BEFORE: Label = ("everything before", 0)
"""All tasks of the segments before are complete."""
FORMS = 4
"""Lookaheads for which a segment's form keeps what depends on what."""
KEPT = 32
"""Steps of each role that what comes later can refer to."""


Moved = tuple[tuple[int, str, int], ...]
"""(layer of the segment, level_direction, bits), added to that layer's traffic; `busy_cycles` counts cycles in the same
way."""


class Step(NamedTuple):
    """A task with its names: what it is, when it may start, and what it moves."""

    roles: tuple[str, ...]
    queue: int
    service: int
    kind: int
    after: tuple[Label, ...] = ()
    moved: Moved = ()


Run = tuple[int, list[Step]]
"""Steps, and how often they follow each other within a period."""


@dataclass
class LayerWork:
    """What a layer does, apart from timing."""

    work: int
    """Multiply-accumulates of a product, operations of an elementwise layer."""
    peak_per_cycle: float
    """Most of that work that the hardware can do in a cycle, at this precision."""
    own_kind: int
    """Kind of the tasks that are this layer's own work."""
    busy_cycles: int = 0
    """Cycles in which the layer's own compute unit works on it, overlapped or not."""
    bits: dict[str, int] = field(default_factory=dict)
    """Traffic by `level_direction`, such as `dram_read`."""
    energy_pj: dict[str, float] = field(default_factory=dict)
    """By component, without what depends on time."""


def add_traffic(works: Sequence[LayerWork], moved: Moved, times: int) -> None:
    """Add what a task moves, so many times, to the layers' traffic."""
    for owner, level, bits in moved:
        traffic = works[owner].bits
        traffic[level] = traffic.get(level, 0) + bits * times


class AheadTask(NamedTuple):
    """A task that may start before the segments before its own are complete."""

    service: int
    kind: int
    after: tuple[Label, ...]
    """Roles of earlier segments; back counts from their end."""


@dataclass(frozen=True)
class Segment:
    """A layer, or several that run together, as tasks."""

    works: tuple[LayerWork, ...]
    """One a layer."""
    program: Program
    """Without what ahead tasks depend on in earlier segments."""
    ahead_tasks: dict[int, tuple[Label, ...]]
    """Stored task → roles of earlier segments that it waits for."""
    ahead: tuple[AheadTask, ...]
    """In order, up to the first that waits for a barrier."""
    ahead_whole: bool
    """Whether no other task of the queue that runs ahead is left in this segment."""
    exports: dict[str, tuple[tuple[int, int], ...]]
    """Role → (block, offset before its end) of its last steps, the last first."""
    alone: Program
    """The program with everything before complete."""
    behind: dict[tuple[tuple[Label, ...], ...], Program] = field(default_factory=dict, compare=False, repr=False)
    """By what the tasks of a lookahead wait for, `alone` with them behind it, but for service times and kinds: kept for
    all segments of the same form."""


def link(segments: Sequence[Segment]) -> Program:
    """All segments as one program, for the reference engine and for whoever looks at every task."""
    history: dict[str, list[tuple[int, int]]] = {}
    tasks_before = blocks_before = 0
    counts, targets, offsets, margins = [], [], [], []
    for segment in segments:
        p = segment.program
        per_task = np.diff(p.first_dependency).tolist()
        inner = np.where(p.dependency_block >= 0, p.dependency_block + blocks_before, p.dependency_block).tolist()
        outer = p.dependency_offset.tolist()
        for task in sorted(segment.ahead_tasks, reverse=True):
            for role, back in reversed(segment.ahead_tasks[task]):
                known = history.get(role, [])
                if back <= len(known):
                    at = int(p.first_dependency[task])
                    inner.insert(at, known[back - 1][0])
                    outer.insert(at, known[back - 1][1])
                    per_task[task] += 1
        counts += per_task
        targets += inner
        offsets += outer
        margins.append(p.margin)
        for role, places in segment.exports.items():
            moved = [(block + blocks_before, offset) for block, offset in places]
            history[role] = [*moved, *history.get(role, [])][:KEPT]
        tasks_before += len(p.queue)
        blocks_before += len(p.repeat)
    programs = [segment.program for segment in segments]
    lengths = np.concatenate([p.lengths for p in programs])
    return Program(
        repeat=np.concatenate([p.repeat for p in programs]),
        first_task=np.concatenate([[0], np.cumsum(lengths)]),
        segment=np.concatenate([np.full(len(p.repeat), s, np.int64) for s, p in enumerate(programs)]),
        queue=np.concatenate([p.queue for p in programs]),
        service=np.concatenate([p.service for p in programs]),
        kind=np.concatenate([p.kind for p in programs]),
        first_dependency=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        dependency_block=np.array(targets, np.int64),
        dependency_offset=np.array(offsets, np.int64),
        reach=np.concatenate([p.reach for p in programs]),
        margin=np.concatenate(margins),
    )


def lookahead(segment: Segment, behind: tuple[AheadTask, ...] = ()) -> tuple[AheadTask, ...]:
    """What may be started of a segment and of what is `behind` it, before the segments before it are complete. Roles
    are those of the segments before it, as `behind`'s are of it and those."""
    if not segment.ahead_whole:
        return segment.ahead
    tasks = list(segment.ahead)
    for task in behind:
        passed = [len(segment.exports.get(role, ())) for role, _ in task.after]
        if any(back <= n for (_, back), n in zip(task.after, passed, strict=True)):
            break  # it waits for this segment
        after = tuple((role, back - n) for (role, back), n in zip(task.after, passed, strict=True))
        tasks.append(task._replace(after=after))
    return tuple(tasks)


def with_lookahead(segment: Segment, queue: int | None, tasks: Sequence[AheadTask]) -> Program:
    """A segment's program, everything before it complete, and behind it the tasks that may run ahead."""
    p = segment.alone
    if not tasks:
        return p
    waits = tuple([task.after for task in tasks])
    form = segment.behind.get(waits)
    if form is None:
        if len(segment.behind) >= FORMS:
            segment.behind.clear()
        form = segment.behind[waits] = _with_behind(segment, queue, waits)
    service = np.concatenate([p.service, np.array([t.service for t in tasks], np.int64)])
    kind = np.concatenate([p.kind, np.array([t.kind for t in tasks], np.int64)])
    return form.timed(service, kind)


def _with_behind(segment: Segment, queue: int | None, waits: Sequence[tuple[Label, ...]]) -> Program:
    """The form of `with_lookahead`: what depends on what, with some service times and kinds."""
    p = segment.alone
    margin = p.margin.copy()
    counts, targets, offsets = [], [], []
    for after in waits:
        known = [segment.exports.get(role, ())[back - 1 : back] for role, back in after]
        places = [places[0] for places in known if places]  # others are complete
        counts.append(len(places))
        for block, offset in places:
            targets.append(block)
            offsets.append(offset)
            margin[block] = max(margin[block], -(-offset // int(p.lengths[block])))
    one = np.ones(len(waits), np.int64)
    return Program(
        repeat=np.append(p.repeat, 1),
        first_task=np.append(p.first_task, p.first_task[-1] + len(waits)),
        segment=np.append(p.segment, 1),
        queue=np.concatenate([p.queue, np.full(len(waits), queue, np.int64)]),
        service=np.concatenate([p.service, one]),
        kind=np.concatenate([p.kind, one]),
        first_dependency=np.concatenate([p.first_dependency, p.first_dependency[-1] + np.cumsum(counts)]),
        dependency_block=np.concatenate([p.dependency_block, np.array(targets, np.int64)]),
        dependency_offset=np.concatenate([p.dependency_offset, np.array(offsets, np.int64)]),
        reach=np.append(p.reach, 0),
        margin=np.append(margin, 0),
    )
