"""Whom each cycle is charged to: every cycle of the makespan belongs to exactly one segment and one kind.

Walk the tasks of compute servers in the order in which they start. Each covers the time from where the ones before it
ended to its own end. As far as it was running then, the cycles are its segment's, by its kind: `compute`, or the
overhead that it is. The idle cycles before its start are its segment's too, and each is charged to the kind of the task
that was running then on the chain of tasks that held it up: the one that bound its start, the one that bound that
one's start, and so on. When all of a segment is complete, the idle cycles until then are the segment's: the chain of
the task that ended last is charged. So what comes after a layer's last computation, draining and storing its results,
is that layer's.

The *binder* of a task is the first of its dependencies, in order, that ended in the cycle it started; else the task
before it on its server, which then ended in that cycle. One of the two holds, except at cycle 0 and for a task that
waits for a barrier, before which all is charged already.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.engine.machine import Machine
from simulators.engine.program import FlatTask, Ints


def charge(tasks: Sequence[FlatTask], start: Sequence[int], end: Sequence[int], machine: Machine) -> Ints:
    """Cycles by (segment, kind) of a run. Written for clarity; the Numba engine does the same as it goes.

    Tasks of compute servers wait for the segments before theirs to be complete (see `Machine.prefetch_queue`).
    """
    segments = 1 + max((task.segment for task in tasks), default=0)
    charged = np.zeros((segments, len(machine.kinds)), np.int64)
    order = sorted(range(len(tasks)), key=lambda u: (start[u], tasks[u].queue))
    before_on_server: dict[int, int] = {}
    last_on_server: dict[int, int] = {}
    for u in order:
        server = machine.queues[tasks[u].queue].server
        before_on_server[u] = last_on_server.get(server, -1)
        last_on_server[server] = u

    def binder(u: int) -> int:
        return next((d for d in tasks[u].after if end[d] == start[u]), before_on_server[u])

    def charge_gap(since: int, until: int, running: int, segment: int) -> None:
        while until > since:
            begin = max(start[running], since)
            charged[segment, tasks[running].kind] += until - begin
            until, running = begin, binder(running)

    covered = 0
    for segment in range(segments):
        for u in order:
            if tasks[u].segment == segment and machine.compute_servers[machine.queues[tasks[u].queue].server]:
                if start[u] > covered:
                    charge_gap(covered, start[u], binder(u), segment)
                charged[segment, tasks[u].kind] += max(0, end[u] - max(start[u], covered))
                covered = max(covered, end[u])
        of_segment = [u for u in range(len(tasks)) if tasks[u].segment == segment]
        if of_segment:
            last = max(of_segment, key=lambda u: (end[u], u))
            charge_gap(covered, end[last], last, segment)
            covered = max(covered, end[last])
    return charged
