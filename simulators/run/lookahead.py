"""What of the segments behind one may start before it is complete, as weights are prefetched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.engine.program import Program
from simulators.lowering.segments import Label, PrefetchTask, Segment

LOOKAHEADS = 4
"""Lookaheads for which a template keeps what depends on what."""


def lookahead(segment: Segment, behind: tuple[PrefetchTask, ...] = ()) -> tuple[PrefetchTask, ...]:
    """What may be started of a segment and of what is `behind` it, before the segments before it are complete. Roles
    are those of the segments before it, as `behind`'s are of it and those."""
    if not segment.all_prefetchable:
        return segment.prefetchable
    tasks = list(segment.prefetchable)
    for task in behind:
        passed = [len(segment.last_steps.get(role, ())) for role, _ in task.after]
        if any(back <= steps for (_, back), steps in zip(task.after, passed, strict=True)):
            break  # it waits for this segment
        after = tuple((role, back - steps) for (role, back), steps in zip(task.after, passed, strict=True))
        tasks.append(task._replace(after=after))
    return tuple(tasks)


def program_with_lookahead(segment: Segment, queue: int | None, tasks: Sequence[PrefetchTask]) -> Program:
    """A segment's program, and behind it the tasks of the queue that runs ahead which may be started meanwhile."""
    program = segment.program
    if not tasks:
        return program
    waits = tuple([task.after for task in tasks])
    longer = segment.with_lookahead.get(waits)
    if longer is None:
        if len(segment.with_lookahead) >= LOOKAHEADS:
            segment.with_lookahead.clear()
        longer = segment.with_lookahead[waits] = _lengthened(segment, queue, waits)
    return longer.timed(
        np.concatenate([program.service, np.array([task.cycles for task in tasks], np.int64)]),
        np.concatenate([program.kind, np.array([task.kind for task in tasks], np.int64)]),
    )


def _lengthened(segment: Segment, queue: int | None, waits: Sequence[tuple[Label, ...]]) -> Program:
    """A segment's program with one more block: a task for each of `waits`, with some service time and kind."""
    p = segment.program
    counts, places = [], []
    for after in waits:
        steps = [segment.last_steps.get(role, ())[back - 1 : back] for role, back in after]
        ours = [step[0] for step in steps if step]  # others are complete
        counts.append(len(ours))
        places += ours
    blocks, offsets = np.array(places, np.int64).reshape(-1, 2).T
    one = np.ones(len(waits), np.int64)
    return Program.of(
        np.append(p.repeat, 1), np.append(p.first_task, p.first_task[-1] + len(waits)), np.append(p.segment, 1),
        (np.concatenate([p.queue, np.full(len(waits), queue, np.int64)]), np.concatenate([p.service, one]),
         np.concatenate([p.kind, one])),
        (np.concatenate([p.first_dependency, p.first_dependency[-1] + np.cumsum(counts)]),
         np.concatenate([p.dependency_block, blocks]), np.concatenate([p.dependency_offset, offsets])),
    )  # fmt: skip
