"""All of the package's Numba kernels. They stand in one module because a cached kernel does not notice an edit in
another.

Compiled code is cached beside the module, or in the user's cache folder; where neither can be written, it is compiled
anew in each process. `NUMBA_DISABLE_JIT=1` runs the same code as Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Ints = NDArray[np.int64]

FINISHED, DEADLOCK, TOO_SMALL = 0, 1, 2
"""What `run_program` returns: all tasks ran; none can start; a block did not recur within the space it was given."""


def compiled(function: _Function) -> _Function:
    """Numba's nopython mode, cached where there is a writable place for it."""
    try:
        return numba.njit(cache=True, nogil=True)(function)  # type: ignore[return-value]
    except RuntimeError:  # "no locator available": a read-only installation and no writable home
        return numba.njit(nogil=True)(function)  # type: ignore[return-value]


@compiled
def run_program(
    server_of: _Ints,
    is_compute: _Ints,
    repeat: _Ints,
    first_task: _Ints,
    layer: _Ints,
    queue: _Ints,
    service: _Ints,
    kind: _Ints,
    first_dep: _Ints,
    dep_block: _Ints,
    dep_offset: _Ints,
    reach: _Ints,
    margin: _Ints,
    space: int,
    forward: bool,
    start: _Ints,
    end: _Ints,
    charged: _Ints,
    result: _Ints,
) -> int:
    """Run a program: take, again and again, the queue head with the earliest possible start, ties by priority.

    Service times are at least one cycle, so no task that is started later can make a head ready at or before that
    time: the order of starts is exact and no event heap is needed.

    With `forward`, blocks that repeat are fast-forwarded. Just before its first task starts, the state relative to
    that moment is compared with one of an earlier period (Brent's schedule): heads of queues, when servers are free,
    when recent tasks end, and what an attribution could still look at. Once equal, all that follows is equal too,
    shifted in time, so whole periods are left out of the block and their cycles are added. Times of tasks after that
    are relative; `result` holds what has to be added.

    server_of (Q,) by queue; is_compute (S,) by server; then the program's arrays (see `machine.Program`); reach (B,)
    longest relative dependency of a block; margin (B,) periods at a block's end that later blocks depend on; space:
    how many periods of a block `start` and `end` have room for, which are Σ min(repeat, space + margin)·period long,
    `end` filled with -1; charged (layers, kinds) is added to; result (3 + Q,): makespan, cycles left out, tasks
    started, and after a deadlock the unrolled index at which each queue stands.
    """
    blocks, queues, servers, kinds = len(repeat), len(server_of), len(is_compute), charged.shape[1]
    length = np.empty(blocks, np.int64)  # periods of the block in `start` and `end`
    left = np.empty(blocks, np.int64)  # periods of the block, less those left out
    base = np.empty(blocks + 1, np.int64)  # where a block begins in `start` and `end`
    base[0] = 0
    for b in range(blocks):
        left[b] = repeat[b]
        length[b] = min(repeat[b], space + margin[b])
        base[b + 1] = base[b] + length[b] * (first_task[b + 1] - first_task[b])
    binder = np.empty(base[blocks], np.int64)
    kind_of = np.empty(base[blocks], np.int64)

    following = np.full(len(queue), -1, np.int64)  # next task of the same queue in the period
    first_of = np.full((blocks, queues), -1, np.int64)
    for b in range(blocks):
        last_of = np.full(queues, -1, np.int64)
        for j in range(first_task[b], first_task[b + 1]):
            q = queue[j]
            if last_of[q] < 0:
                first_of[b, q] = j
            else:
                following[last_of[q]] = j
            last_of[q] = j

    # Each queue's head: block (== blocks: nothing left), period, stored task, unrolled index, cycle it is ready or -1.
    head_block = np.zeros(queues, np.int64)
    head_period = np.zeros(queues, np.int64)
    head_task = np.empty(queues, np.int64)
    head_index = np.zeros(queues, np.int64)
    ready = np.full(queues, -1, np.int64)
    for q in range(queues):
        b = 0
        while b < blocks and first_of[b, q] < 0:
            b += 1
        head_block[q] = b
        if b < blocks:
            head_task[q] = first_of[b, q]
            head_index[q] = base[b] + head_task[q] - first_task[b]

    latest_end = np.zeros(blocks, np.int64)  # of what was started of each block
    free = np.zeros(servers, np.int64)
    last_on = np.full(servers, -1, np.int64)
    covered = 0
    last_end, last_index, last_layer = 0, -1, 0
    skipped, started = 0, 0

    # The saved state of Brent's schedule.
    saved_block, saved_power = -1, 1
    saved_time = saved_covered = saved_period = 0
    saved_head_block = np.zeros(queues, np.int64)
    saved_head_period = np.zeros(queues, np.int64)
    saved_head_task = np.zeros(queues, np.int64)
    saved_free = np.zeros(servers, np.int64)
    saved_last_on = np.zeros(servers, np.int64)
    saved_charged = np.zeros(kinds, np.int64)

    while True:
        best, best_time = -1, 0
        unfinished = False
        for q in range(queues):
            b = head_block[q]
            if b == blocks:
                continue
            unfinished = True
            if ready[q] < 0:
                j, latest = head_task[q], 0
                for d in range(first_dep[j], first_dep[j + 1]):
                    if dep_block[d] < 0:
                        ended = end[head_index[q] - dep_offset[d]]
                    else:
                        ended = end[base[dep_block[d] + 1] - dep_offset[d]]
                    if ended < 0:
                        latest = -1
                        break
                    latest = max(latest, ended)
                if latest < 0:
                    continue
                ready[q] = latest
            time = max(ready[q], free[server_of[q]])
            if best < 0 or time < best_time:
                best, best_time = q, time
        if best < 0:
            if unfinished:
                for q in range(queues):
                    result[3 + q] = head_index[q] if head_block[q] < blocks else -1
                return DEADLOCK
            break

        b, j, u = head_block[best], head_task[best], head_index[best]
        period = first_task[b + 1] - first_task[b]

        if forward and j == first_task[b] and head_period[best] > 0 and repeat[b] > 4 and left[b] == repeat[b]:
            shift = head_period[best] - saved_period
            same = saved_block == b and best_time - covered == saved_time - saved_covered
            furthest, lowest, highest = 0, u, u
            if same:
                for q in range(queues):
                    if head_block[q] == b:
                        same = (
                            same
                            and saved_head_block[q] == b
                            and saved_head_task[q] == head_task[q]
                            and (head_period[q] - saved_head_period[q] == shift)
                        )
                        furthest = max(furthest, head_period[q])
                        lowest = min(lowest, head_index[q])
                        highest = max(highest, head_index[q])
                    elif head_block[q] < b:
                        same = False
                    elif head_block[q] == blocks:
                        same = same and saved_head_block[q] == blocks
                    else:  # ahead of this block: must stand still, held up by what is to come
                        same = (
                            same
                            and ready[q] < 0
                            and saved_head_block[q] == head_block[q]
                            and (saved_head_task[q] == head_task[q] and saved_head_period[q] == head_period[q])
                        )
                for s in range(servers):
                    same = same and max(free[s] - best_time, -1) == max(saved_free[s] - saved_time, -1)
                    if free[s] >= best_time:
                        same = same and last_on[s] - saved_last_on[s] == shift * period
            lowest -= reach[b]
            moved = shift * period
            if same:  # what ends from now on matters to dependencies, what ended after `covered` to chains of binders
                past = min(covered, best_time - 1)
                for c in range(b):
                    same = same and latest_end[c] <= past
                v = base[b]
                while v < lowest and end[v] <= past:
                    v += 1
                lowest = min(lowest, v)
            if same and lowest - moved >= base[b]:
                v = lowest
                while same and v < highest:
                    w = first_task[b] + (v - base[b]) % period
                    if v < head_index[queue[w]] or head_block[queue[w]] > b:
                        was = v - moved
                        same = max(end[v] - best_time, -1) == max(end[was] - saved_time, -1)
                        if same and end[v] > covered:
                            same = start[v] - best_time == start[was] - saved_time and binder[v] - binder[was] == moved
                    v += 1
                if same:
                    times = (left[b] - margin[b] - 1 - furthest) // shift
                    if times >= 1:
                        left[b] -= times * shift
                        if left[b] > length[b]:
                            return TOO_SMALL
                        skipped += times * (best_time - saved_time)
                        for k in range(kinds):
                            charged[layer[b], k] += times * (charged[layer[b], k] - saved_charged[k])
                        # What queues ahead of this block have started moves down with the blocks that they are in.
                        old_end = base[b + 1]
                        delta = (length[b] - left[b]) * period
                        length[b] = left[b]
                        top = old_end
                        for q in range(queues):
                            if head_block[q] > b:
                                top = max(top, base[blocks] if head_block[q] == blocks else head_index[q])
                        if delta > 0:
                            for v in range(old_end, top):
                                start[v - delta], end[v - delta] = start[v], end[v]
                                binder[v - delta], kind_of[v - delta] = binder[v], kind_of[v]
                                if binder[v] >= old_end:
                                    binder[v - delta] -= delta
                            for v in range(top - delta, top):
                                end[v] = -1
                            for s in range(servers):
                                if last_on[s] >= old_end:
                                    last_on[s] -= delta
                            if last_index >= old_end:
                                last_index -= delta
                            for q in range(queues):
                                if b < head_block[q] < blocks:
                                    head_index[q] -= delta
                            for c in range(b + 1, blocks + 1):
                                base[c] -= delta
            if left[b] == repeat[b] and (saved_block != b or head_period[best] >= 2 * saved_power):
                saved_power = head_period[best]
                saved_block, saved_period, saved_time, saved_covered = b, head_period[best], best_time, covered
                saved_head_block[:] = head_block
                saved_head_period[:] = head_period
                saved_head_task[:] = head_task
                saved_free[:] = free
                saved_last_on[:] = last_on
                saved_charged[:] = charged[layer[b]]

        if left[b] > length[b] and head_period[best] >= length[b] - max(margin[b], 1):
            return TOO_SMALL

        # Start it.
        server = server_of[best]
        finish = best_time + service[j]
        start[u], end[u], kind_of[u] = best_time, finish, kind[j]
        bound = -1
        if best_time > 0:
            for d in range(first_dep[j], first_dep[j + 1]):
                v = u - dep_offset[d] if dep_block[d] < 0 else base[dep_block[d] + 1] - dep_offset[d]
                if end[v] == best_time:
                    bound = v
                    break
            if bound < 0:
                bound = last_on[server]
        binder[u] = bound
        free[server], last_on[server] = finish, u
        latest_end[b] = max(latest_end[b], finish)
        started += 1
        if finish > last_end or (finish == last_end and u > last_index):
            last_end, last_index, last_layer = finish, u, layer[b]
        if is_compute[server]:
            until, running = best_time, bound
            while until > covered:
                begin = max(start[running], covered)
                charged[layer[b], kind_of[running]] += until - begin
                until, running = begin, binder[running]
            if finish > covered:
                charged[layer[b], kind[j]] += finish - max(best_time, covered)
                covered = finish

        # The queue's next head.
        ready[best] = -1
        if following[j] >= 0:
            head_task[best] = following[j]
            head_index[best] = u + following[j] - j
        else:
            head_period[best] += 1
            if head_period[best] == left[b]:
                head_period[best] = 0
                b += 1
                while b < blocks and first_of[b, best] < 0:
                    b += 1
                head_block[best] = b
            if b < blocks:
                head_task[best] = first_of[b, best]
                head_index[best] = (
                    base[b]
                    + head_period[best] * (first_task[b + 1] - first_task[b])
                    + (head_task[best] - first_task[b])
                )

    until, running = last_end, last_index
    while until > covered:
        begin = max(start[running], covered)
        charged[last_layer, kind_of[running]] += until - begin
        until, running = begin, binder[running]
    result[0], result[1], result[2] = last_end + skipped, skipped, started
    return FINISHED
