"""Whom each cycle is charged to: every cycle of the makespan belongs to exactly one layer and one kind.

Walk the tasks of compute servers in the order in which they start. Each covers the time from where the ones before it
ended to its own end. As far as it was running then, the cycles are its layer's, by its kind: `compute`, or the
overhead that it is. The idle cycles before its start are its layer's too, and each is charged to the kind of the task
that was running then on the chain of tasks that held it up: the one that bound its start, the one that bound that
one's start, and so on. After the last compute task the chain of the task that ends last is charged, to that task's
layer.

The *binder* of a task is the first of its dependencies, in order, that ended in the cycle it started; else the task
before it on its server, which then ended in that cycle. One of the two always holds, except at cycle 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.machine import FlatTask, Ints, Machine


def charge(tasks: Sequence[FlatTask], start: Sequence[int], end: Sequence[int], machine: Machine, layers: int) -> Ints:
    """Cycles by (layer, kind) of a run. Written for clarity; the Numba engine does the same as it goes."""
    charged = np.zeros((layers, len(machine.kinds)), np.int64)
    order = sorted(range(len(tasks)), key=lambda u: (start[u], tasks[u].queue))
    before_on_server: dict[int, int] = {}
    last_on_server: dict[int, int] = {}
    for u in order:
        server = machine.queues[tasks[u].queue].server
        before_on_server[u] = last_on_server.get(server, -1)
        last_on_server[server] = u

    def binder(u: int) -> int:
        return next((d for d in tasks[u].after if end[d] == start[u]), before_on_server[u])

    def charge_gap(since: int, until: int, running: int, layer: int) -> None:
        while until > since:
            begin = max(start[running], since)
            charged[layer, tasks[running].kind] += until - begin
            until, running = begin, binder(running)

    covered = 0
    for u in order:
        if machine.compute_servers[machine.queues[tasks[u].queue].server]:
            if start[u] > covered:
                charge_gap(covered, start[u], binder(u), tasks[u].layer)
            charged[tasks[u].layer, tasks[u].kind] += max(0, end[u] - max(start[u], covered))
            covered = max(covered, end[u])
    if tasks:
        last = max(range(len(tasks)), key=lambda u: (end[u], u))
        charge_gap(covered, end[last], last, tasks[last].layer)
    return charged
