"""The engine's Numba kernels. They stand in one module because a cached kernel does not notice an edit in another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.jit import compiled, uncounted

_Ints = NDArray[np.int64]

FINISHED, DEADLOCK, TOO_SMALL, TOO_LONG, TOO_LARGE = range(5)
"""What a run returns: all tasks ran; none can start; a block did not recur within the space it was given; cycles, or
tasks at a time, are more than can be counted or held."""

RELATIVE, BARRIER = -1, -2
"""In `dependency_block`, in place of a block; `machine.py` says what they mean."""

NOT_STARTED = np.iinfo(np.int64).min
"""In `end`. Times of tasks that were started may be negative once periods were left out."""

NEVER = np.iinfo(np.int64).max
"""When a queue's head can start that waits for what has not started, or that of a queue with nothing left."""

FOR_NOTHING, FOR_A_BARRIER = -1, -2
"""What a queue's head waits for, in place of the task that has to start first."""

BLOCK, PERIOD, TASK, INDEX, READY = range(5)
"""Rows of `heads`: block (== blocks: nothing left), period, stored task, unrolled index, cycle it is ready or -1."""

SAVED_BLOCK, SAVED_PERIOD, SAVED_TIME, SAVED_COVERED = range(4)
"""Places in `Saved.scalars`."""

CYCLES, SKIPPED, STARTED, AHEAD, AHEAD_LEFT, HEADS = range(6)
"""Places in `result`; after a deadlock each queue's head follows."""


class Tasks(NamedTuple):
    """A program's arrays, as `machine.Program` describes them."""

    repeat: _Ints
    first_task: _Ints
    segment: _Ints
    queue: _Ints
    service: _Ints
    kind: _Ints
    first_dependency: _Ints
    dependency_block: _Ints
    dependency_offset: _Ints
    reach: _Ints
    margin: _Ints


class Run(NamedTuple):
    """What changes in a run. `start`, `end`, `binder` and `kind` hold `length[b]` periods of every block."""

    left: _Ints
    """(B,) periods of the block, less those left out."""
    length: _Ints
    base: _Ints
    """(B + 1,) where a block begins."""
    latest: _Ints
    """(B, S) latest end of what was started of a block on a server."""
    waiting: _Ints
    """(B,) tasks of a block that have not started."""
    start: _Ints
    end: _Ints
    binder: _Ints
    kind: _Ints
    following: _Ints
    """(T,) next task of the same queue in the period, or -1."""
    first_of: _Ints
    """(B, Q) a queue's first task in a block, or -1."""
    heads: _Ints
    """(5, Q)"""
    free: _Ints
    """(S,) when a server is free."""
    last_on: _Ints
    """(S,) what started last on a server."""
    last_own: _Ints
    """(S,) the same, without the lookahead."""


class Saved(NamedTuple):
    """A state to compare with: Brent's schedule."""

    scalars: _Ints
    """By the SAVED_ places: block (-1: nothing saved), period, time, cycles covered by attribution."""
    heads: _Ints
    free: _Ints
    last_on: _Ints
    charged: _Ints


@compiled
def run_program(
    server_of: _Ints,
    is_compute: NDArray[np.bool_],
    tasks: Tasks,
    own: int,
    ahead_queue: int,
    ahead: int,
    ahead_left: int,
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

    The first `own` blocks are run to their end; the others are a lookahead, of which as much is started as fits before
    that. At the beginning the first `ahead` tasks of `ahead_queue` have been started, and the last of them still takes
    `ahead_left` cycles.

    With `forward`, blocks that repeat are fast-forwarded. Just before its first task starts, the state relative to
    that moment is compared with one of an earlier period (Brent's schedule). Once equal, all that follows is equal
    too, shifted in time, so whole periods are left out of the block and their cycles are added. Times of tasks after
    that are relative; `result` holds what has to be added.

    server_of (Q,) by queue; is_compute (S,) by server; space: how many periods of a block `start` and `end` have room
    for, which are Σ min(repeat, space + margin)·period long, `end` filled with NOT_STARTED; charged (kinds,) is added
    to, and means something for one segment only: what a barrier released has no binder; result (HEADS + Q,): cycles,
    cycles left out, tasks started, how many of the lookahead were started and what the last of them still takes, and
    after a deadlock the unrolled index at which each queue stands, or -1.
    """
    run, saved = _prepare(server_of, len(is_compute), tasks, space, start, end, len(charged))
    blocks, queues, servers = len(tasks.repeat), len(server_of), len(is_compute)
    # The loop works on plain variables: reading a tuple's arrays counts references to them, at every task.
    repeat, first_task, segment, service, kind = (
        tasks.repeat,
        tasks.first_task,
        tasks.segment,
        tasks.service,
        tasks.kind,
    )
    first_dependency, dependency_block = tasks.first_dependency, tasks.dependency_block
    dependency_offset, margin = tasks.dependency_offset, tasks.margin
    left, length, base, latest, waiting = run.left, run.length, run.base, run.latest, run.waiting
    binder, kind_of, following, first_of = run.binder, run.kind, run.following, run.first_of
    free, last_on, last_own = run.free, run.last_on, run.last_own
    head_block, head_period, head_task = run.heads[BLOCK], run.heads[PERIOD], run.heads[TASK]
    head_index, head_ready = run.heads[INDEX], run.heads[READY]
    saved_at = saved.scalars
    covered, started = 0, 0
    oldest, completion = 0, 0  # the first block that has tasks left, and the latest end before it
    completed = np.full(segment[-1] + 1, NOT_STARTED, np.int64)  # by segment, when all before it are complete
    completed[0] = 0
    u = 0  # what started last, and with it what waits for it is looked at; at first all heads are
    possible = np.full(queues, NEVER, np.int64)  # when a head can start
    waits_for = np.where(head_block < blocks, u, FOR_NOTHING)
    released_by = np.full(queues, -1, np.int64)  # the last to end of what a head waited for
    working = 0  # queues that have tasks of the segment left
    for q in range(queues):
        working += head_block[q] < own

    while True:
        for q in range(queues):
            if waits_for[q] != u:
                continue
            b, j, ready, latest_end = head_block[q], head_task[q], 0, NOT_STARTED
            waits_for[q] = FOR_NOTHING
            for d in range(first_dependency[j], first_dependency[j + 1]):
                if dependency_block[d] == BARRIER:
                    ended = completed[segment[b]]
                    if ended == NOT_STARTED:
                        waits_for[q] = FOR_A_BARRIER
                        break
                else:
                    v = head_index[q] - dependency_offset[d] if dependency_block[d] == RELATIVE else (
                        base[dependency_block[d] + 1] - dependency_offset[d]
                    )  # fmt: skip
                    ended = end[v]
                    if ended == NOT_STARTED:
                        waits_for[q] = v
                        break
                    if ended > latest_end:
                        latest_end, released_by[q] = ended, v
                ready = max(ready, ended)
            if waits_for[q] == FOR_NOTHING:
                head_ready[q] = ready
                possible[q] = max(ready, free[server_of[q]])

        # The head that can start first.
        best, best_time = -1, NEVER
        for q in range(queues):
            if possible[q] < best_time:
                best, best_time = q, possible[q]
        if ahead > 0:
            best, best_time = ahead_queue, 0
        elif working == 0 and (best < 0 or best_time >= _latest_of(latest, 0, own)):
            break
        if best < 0:
            for q in range(queues):
                result[HEADS + q] = head_index[q] if head_block[q] < blocks else -1
            return DEADLOCK

        b, j = head_block[best], head_task[best]
        if forward and j == first_task[b] and head_period[best] > 0 and repeat[b] > 4 and left[b] == repeat[b]:
            times = 0
            if saved_at[SAVED_BLOCK] == b and best_time - covered == saved_at[SAVED_TIME] - saved_at[SAVED_COVERED]:
                times = _recurrences(run, saved, tasks, server_of, best, best_time, covered)
            if times > 0:
                left[b] -= times * (head_period[best] - saved_at[SAVED_PERIOD])
                if left[b] > length[b]:
                    return TOO_SMALL
                cycles = times * (best_time - saved_at[SAVED_TIME])
                result[SKIPPED] += cycles
                for k in range(len(charged)):
                    charged[k] += times * (charged[k] - saved.charged[k])
                _leave_out(run, tasks, b, best_time, cycles)
                # Places and times of what is not of the block have changed: what waits is looked at once this starts.
                for q in range(queues):
                    if waits_for[q] != FOR_NOTHING:
                        waits_for[q] = head_index[best]
                    elif possible[q] != NEVER:
                        possible[q] = max(head_ready[q], free[server_of[q]])
            elif saved_at[SAVED_BLOCK] != b or head_period[best] >= 2 * saved_at[SAVED_PERIOD]:
                _save(run, saved, b, best, best_time, covered, charged)
        if left[b] > length[b] and head_period[best] >= length[b] - max(margin[b], 1):
            return TOO_SMALL

        # Start it.
        u, server = head_index[best], server_of[best]
        finish, bound = best_time + service[j], -1
        if ahead > 0:  # it was started before
            ahead -= 1
            finish = ahead_left if ahead == 0 else 0
        else:
            started += 1
        if best_time > 0:
            bound = released_by[best]
            if bound < 0 or end[bound] != best_time:
                bound = last_on[server]
        start[u], end[u], kind_of[u], binder[u] = best_time, finish, kind[j], bound
        free[server], last_on[server] = finish, u
        for q in range(queues):
            if server_of[q] == server:
                possible[q] = max(possible[q], finish)
        latest[b, server] = max(latest[b, server], finish)
        waiting[b] -= 1
        while oldest < blocks and waiting[oldest] == 0:
            completion = max(completion, _latest_of(latest, oldest, oldest + 1))
            oldest += 1
            if oldest < blocks and segment[oldest] > segment[oldest - 1]:
                completed[segment[oldest]] = completion
                for q in range(queues):
                    if waits_for[q] == FOR_A_BARRIER:
                        waits_for[q] = u
        if b < own:
            last_own[server] = u
        if is_compute[server]:
            until, running = best_time, bound
            while until > covered and running >= 0:
                begin = max(start[running], covered)
                charged[kind_of[running]] += until - begin
                until, running = begin, binder[running]
            if finish > covered:
                charged[kind[j]] += finish - max(best_time, covered)
                covered = finish

        # The queue's next head.
        head_ready[best], possible[best], released_by[best], waits_for[best] = -1, NEVER, -1, u
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
                working -= head_block[best] < own <= b
                head_block[best] = b
            if b < blocks:
                head_task[best] = first_of[b, best]
                head_index[best] = (
                    base[b] + head_period[best] * (first_task[b + 1] - first_task[b])
                    + first_of[b, best] - first_task[b]
                )  # fmt: skip
            else:
                waits_for[best] = FOR_NOTHING

    last = -1
    for s in range(servers):
        u = last_own[s]
        if u >= 0 and (last < 0 or end[u] > end[last] or (end[u] == end[last] and u > last)):
            last = u
    done = max(0, end[last]) if last >= 0 else 0
    until, running = done, last
    while until > covered and running >= 0:
        begin = max(start[running], covered)
        charged[kind_of[running]] += until - begin
        until, running = begin, binder[running]
    result[CYCLES], result[STARTED] = done + result[SKIPPED], started
    last_ahead = -1
    for v in range(base[own], base[blocks]):
        if end[v] != NOT_STARTED:
            last_ahead = v
            result[AHEAD] += 1
    result[AHEAD_LEFT] = max(0, end[last_ahead] - done) if last_ahead >= 0 else 0
    return FINISHED


@uncounted
def _latest_of(latest: _Ints, first: int, last: int) -> int:
    """The latest end of what was started of blocks `first` up to `last`, without it."""
    found = NOT_STARTED
    for b in range(first, last):
        for s in range(latest.shape[1]):
            found = max(found, latest[b, s])
    return found


@compiled
def run_passage(
    server_of: _Ints,
    is_compute: NDArray[np.bool_],
    tasks: Tasks,
    own: int,
    ahead_queue: int,
    ahead: int,
    ahead_left: int,
    space: int,
    most_cycles: float,
    most_tasks: int,
    charged: _Ints,
    result: _Ints,
) -> int:
    """`run_program` with fast-forwarding, for whoever does not ask when a task starts. Service times that add up to
    more than `most_cycles` are TOO_LONG, and room for more than `most_tasks` is TOO_LARGE: `result` then says how much.
    """
    cycles, room = 0.0, 0
    for b in range(len(tasks.repeat)):
        once = 0.0
        for j in range(tasks.first_task[b], tasks.first_task[b + 1]):
            once += tasks.service[j]
        cycles += tasks.repeat[b] * once
        room += min(tasks.repeat[b], space + tasks.margin[b]) * (tasks.first_task[b + 1] - tasks.first_task[b])
    if cycles > most_cycles:
        return TOO_LONG
    if room > most_tasks:
        result[0] = room
        return TOO_LARGE
    start, end = np.empty(room, np.int64), np.full(room, NOT_STARTED, np.int64)
    return run_program(
        server_of, is_compute, tasks, own, ahead_queue, ahead, ahead_left, space, True, start, end, charged, result
    )


@compiled
def _prepare(
    server_of: _Ints, servers: int, tasks: Tasks, space: int, start: _Ints, end: _Ints, kinds: int
) -> tuple[Run, Saved]:
    """The state before anything has started."""
    blocks, queues = len(tasks.repeat), len(server_of)
    length = np.empty(blocks, np.int64)
    base = np.zeros(blocks + 1, np.int64)
    waiting = np.empty(blocks, np.int64)
    for b in range(blocks):
        period = tasks.first_task[b + 1] - tasks.first_task[b]
        length[b] = min(tasks.repeat[b], space + tasks.margin[b])
        base[b + 1] = base[b] + length[b] * period
        waiting[b] = tasks.repeat[b] * period

    following = np.full(len(tasks.queue), -1, np.int64)
    first_of = np.full((blocks, queues), -1, np.int64)
    last_of = np.empty(queues, np.int64)
    for b in range(blocks):
        last_of[:] = -1
        for j in range(tasks.first_task[b], tasks.first_task[b + 1]):
            q = tasks.queue[j]
            if last_of[q] < 0:
                first_of[b, q] = j
            else:
                following[last_of[q]] = j
            last_of[q] = j

    heads = np.zeros((5, queues), np.int64)
    for q in range(queues):
        b = 0
        while b < blocks and first_of[b, q] < 0:
            b += 1
        heads[BLOCK, q] = b
        heads[READY, q] = -1
        if b < blocks:
            heads[TASK, q] = first_of[b, q]
            heads[INDEX, q] = base[b] + first_of[b, q] - tasks.first_task[b]

    run = Run(
        tasks.repeat.copy(), length, base, np.zeros((blocks, servers), np.int64), waiting, start, end,
        np.empty(base[blocks], np.int64), np.empty(base[blocks], np.int64), following, first_of, heads,
        np.zeros(servers, np.int64), np.full(servers, -1, np.int64), np.full(servers, -1, np.int64),
    )  # fmt: skip
    saved = Saved(
        np.array([-1, 0, 0, 0]), heads.copy(), np.zeros(servers, np.int64), np.full(servers, -1, np.int64),
        np.zeros(kinds, np.int64),
    )  # fmt: skip
    return run, saved


@uncounted
def _save(run: Run, saved: Saved, b: int, queue: int, time: int, covered: int, charged: _Ints) -> None:
    """Remember the state at the start of a block's period."""
    saved.scalars[SAVED_BLOCK], saved.scalars[SAVED_PERIOD] = b, run.heads[PERIOD, queue]
    saved.scalars[SAVED_TIME], saved.scalars[SAVED_COVERED] = time, covered
    # Element by element: a few numbers are copied faster so than as arrays.
    for row in range(saved.heads.shape[0]):
        for q in range(saved.heads.shape[1]):
            saved.heads[row, q] = run.heads[row, q]
    for s in range(len(saved.free)):
        saved.free[s], saved.last_on[s] = run.free[s], run.last_on[s]
    for kind in range(len(charged)):
        saved.charged[kind] = charged[kind]


@uncounted
def _in_flight(run: Run, server_of: _Ints, saved: Saved, b: int, s: int, now: int, covered: int) -> bool:
    """Whether a server is busy, through the periods of block b, with one task of another block and nothing else."""
    u = run.last_on[s]
    if u < 0 or run.base[b] <= u < run.base[b + 1] or run.end[u] <= now or u != saved.last_on[s]:
        return False
    if run.start[u] > min(covered, saved.scalars[SAVED_COVERED]):
        return False
    idle = True
    for q in range(len(server_of)):
        idle = idle and (server_of[q] != s or run.heads[BLOCK, q] > b)
    return idle


@uncounted
def _recurrences(run: Run, saved: Saved, tasks: Tasks, server_of: _Ints, best: int, now: int, covered: int) -> int:
    """How many times the periods since the saved state can be left out of the block whose first task is to start; 0 if
    the state is not the saved one, which must be of the same block and as far from what is covered.

    Compared, relative to the time: heads of queues, when servers are free, when recent tasks end, and what an
    attribution could still look at.
    """
    heads, free, last_on, base, latest = run.heads, run.free, run.last_on, run.base, run.latest
    start, end, binder, queue, first_task = run.start, run.end, run.binder, tasks.queue, tasks.first_task
    saved_heads, saved_free, saved_last_on = saved.heads, saved.free, saved.last_on
    b = heads[BLOCK, best]
    then = saved.scalars[SAVED_TIME]
    blocks, servers = len(tasks.repeat), len(free)
    period = first_task[b + 1] - first_task[b]
    shift = heads[PERIOD, best] - saved.scalars[SAVED_PERIOD]
    furthest, lowest, highest = 0, heads[INDEX, best], heads[INDEX, best]
    for q in range(len(server_of)):
        of = heads[BLOCK, q]
        if of < b or of != saved_heads[BLOCK, q]:
            return 0
        if of == b:
            if saved_heads[TASK, q] != heads[TASK, q] or heads[PERIOD, q] - saved_heads[PERIOD, q] != shift:
                return 0
            furthest = max(furthest, heads[PERIOD, q])
            lowest = min(lowest, heads[INDEX, q])
            highest = max(highest, heads[INDEX, q])
        elif of < blocks and (  # ahead of this block: must stand still, held up by what is to come
            heads[READY, q] >= 0 or saved_heads[TASK, q] != heads[TASK, q] or saved_heads[PERIOD, q] != heads[PERIOD, q]
        ):
            return 0
    # What ends from now on matters to dependencies, what ended after `covered` to chains of binders.
    past = min(covered, now - 1)
    for s in range(servers):
        if _in_flight(run, server_of, saved, b, s, now, covered):
            continue
        if max(free[s] - now, -1) != max(saved_free[s] - then, -1):
            return 0
        if free[s] >= now and last_on[s] - saved_last_on[s] != shift * period:
            return 0
        for c in range(b):
            if latest[c, s] > past:
                return 0
    lowest -= tasks.reach[b]
    v = base[b]
    while v < lowest and end[v] <= past:
        v += 1
    lowest = min(lowest, v)
    moved = shift * period
    if lowest - moved < base[b]:
        return 0
    for v in range(lowest, highest):
        q = queue[first_task[b] + (v - base[b]) % period]
        if v < heads[INDEX, q] or heads[BLOCK, q] > b:
            was = v - moved
            if max(end[v] - now, -1) != max(end[was] - then, -1):
                return 0
            if end[v] > covered and (start[v] - now != start[was] - then or binder[v] - binder[was] != moved):
                return 0
    return max(0, (run.left[b] - tasks.margin[b] - 1 - furthest) // shift)


@uncounted
def _leave_out(run: Run, tasks: Tasks, b: int, now: int, cycles: int) -> None:
    """Shorten a block to the periods that are left, as `cycles` cycles pass.

    What queues ahead of it have started moves down with the blocks that they are in. What is in flight and not of the
    block has that much less to go.
    """
    blocks, servers = len(tasks.repeat), len(run.free)
    for s in range(servers):
        u = run.last_on[s]
        if u >= 0 and not run.base[b] <= u < run.base[b + 1] and run.end[u] > now:
            c = 0
            while run.base[c + 1] <= u:
                c += 1
            run.start[u] -= cycles
            run.end[u] -= cycles
            run.free[s] -= cycles
            run.latest[c, s] -= cycles
    period = tasks.first_task[b + 1] - tasks.first_task[b]
    old_end = run.base[b + 1]
    delta = (run.length[b] - run.left[b]) * period
    run.waiting[b] -= (tasks.repeat[b] - run.left[b]) * period
    run.length[b] = run.left[b]
    if delta == 0:
        return
    top = old_end
    for q in range(run.heads.shape[1]):
        if run.heads[BLOCK, q] > b:
            top = max(top, run.base[blocks] if run.heads[BLOCK, q] == blocks else run.heads[INDEX, q])
    for v in range(old_end, top):
        run.start[v - delta], run.end[v - delta] = run.start[v], run.end[v]
        run.binder[v - delta], run.kind[v - delta] = run.binder[v], run.kind[v]
        if run.binder[v] >= old_end:
            run.binder[v - delta] -= delta
    for v in range(top - delta, top):
        run.end[v] = NOT_STARTED
    for s in range(servers):
        if run.last_on[s] >= old_end:
            run.last_on[s] -= delta
        if run.last_own[s] >= old_end:
            run.last_own[s] -= delta
    for q in range(run.heads.shape[1]):
        if b < run.heads[BLOCK, q] < blocks:
            run.heads[INDEX, q] -= delta
    for c in range(b + 1, blocks + 1):
        run.base[c] -= delta
