"""What of the segments behind one may start before it is complete, as weights are prefetched."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.engine.program import Program
from simulators.lowering.bounded import bounded
from simulators.lowering.segments import Label, PrefetchTask, Segment, Template

MOST_TASKS = 1 << 19
"""Stored tasks of all programs with a lookahead that are kept, of some hundred bytes each: without them a candidate
that is new to Bit Fusion takes 1.3 times as long (`benchmarks/caches.py`)."""


def lookahead(segment: Segment, behind: tuple[PrefetchTask, ...] = ()) -> tuple[PrefetchTask, ...]:
    """What may be started of a segment and of what is `behind` it, before the segments before it are complete. Roles
    are those of the segments before it, as `behind`'s are of it and those."""
    if not segment.template.all_prefetchable:
        return segment.prefetchable
    tasks, last_steps = list(segment.prefetchable), segment.template.last_steps
    for task in behind:
        passed = [len(last_steps.get(role, ())) for role, _ in task.after]
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
    longer = _lengthened(segment.template, queue, tuple([task.after for task in tasks]))
    return longer.timed(
        np.concatenate([program.service, np.array([task.cycles for task in tasks], np.int64)]),
        np.concatenate([program.kind, np.array([task.kind for task in tasks], np.int64)]),
    )


@bounded(lambda program: len(program.queue), MOST_TASKS)
def _lengthened(template: Template, queue: int | None, waits: tuple[tuple[Label, ...], ...]) -> Program:
    """A template's program with one more block: a task for each of `waits`, with some service time and kind."""
    p = template.program
    counts, places = [], []
    for after in waits:
        steps = [template.last_steps.get(role, ())[back - 1 : back] for role, back in after]
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
