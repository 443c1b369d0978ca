"""The fast engine's Numba kernels. They stand in one module because a cached kernel does not notice an edit in another.

A run takes, again and again, the queue head with the earliest possible start, ties by priority. Service times are at
least one cycle, so no task that is started later can make a head ready at or before that time: the order of starts is
exact, and no event heap is needed. Heads stand in a tournament, of which the winner is known and a change costs at most
one match a round; a match has all that decides it side by side, so a round costs one access to memory. Heads that wait
are listed by what they wait for: a step's time hardly depends on how many queues and servers there are. The phases of a
step are functions of their own, which are inlined.

Blocks that repeat are fast-forwarded. Just before a period's first task starts, the state relative to that moment is
compared with one of an earlier period (Brent's schedule). Once equal, all that follows is equal too, shifted in time,
so whole periods are left out of the block and their cycles are added. Times of tasks after that are relative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.jit import compiled, inlined, uncounted

Ints = NDArray[np.int64]

FINISHED, DEADLOCK, TOO_SMALL, TOO_LONG, TOO_LARGE = range(5)
"""How a run ends: all tasks ran; none can start; a block did not recur within the space that it was given; cycles, or
tasks at a time, are more than can be counted or held."""

RELATIVE, BARRIER = -1, -2
"""In `dependency_block`, in place of a block: the offset counts back from the task itself; every task of the segments
before must be complete, and the offset means nothing."""

NOT_STARTED, NEVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""Ends of tasks that have not started (others may be negative once periods were left out); and when a queue's head can
start that waits for what has not started, or that of a queue with nothing left."""

FOR_NOTHING, FOR_A_BARRIER, FOR_A_LOOK = -1, -2, -3
"""What a queue's head waits for, in place of the task that has to start first."""

LEFT, LENGTH, WAITING = range(3)
"""Rows of `State.blocks`: periods of a block, less those left out; periods that there is room for; tasks that have not
started."""

START, END, BINDER, KIND, FIRST_WAITING, WRITTEN = range(6)
"""Columns of `State.written`: cycles in which a task starts and ends; the task that bound its start, or -1 (see
`attribution.py`); its kind; the first queue whose head waits for it, or -1. And how many columns there are."""

(
    BLOCK, PERIOD, TASK, INDEX, READY, WAITS_FOR, RELEASED_BY, NEXT_WAITING, SEEN, SEEN_READY, HEAD_ROWS
) = range(11)  # fmt: skip
"""Columns of `State.heads`, of a queue's next task: its block (the number of blocks: nothing is left), period, stored
task and unrolled index; the cycle in which it is ready, or -1; the task that has to start before it is looked at
again, or FOR_…; the last to end of what it waited for, or -1; the next queue whose head waits for the same, or -1; how
many of what it waits for have started, and the cycle in which these, and a barrier, are over. And how many columns
there are."""
FREE, LAST, LAST_OWN = range(3)
"""Columns of `State.servers`: the cycle in which a server is free; the task that started last on it, of all and of the
segment's own blocks, or -1."""

(
    COVERED, SKIPPED, OLDEST, WORKING, SAVED_BLOCK, SAVED_PERIOD, SAVED_TIME, TO_LOOK_AT, AT_BARRIER,
    FIRST_ROUND, SCALARS
) = range(11)  # fmt: skip
"""Places in `State.scalars`: cycles that are charged; cycles that were left out; the first block that
has tasks left; queues that have tasks of the segment's own blocks left; the block, or -1, the period and the time of
the state that was saved; the first queues, or -1, whose heads are to be looked at and wait for a barrier; and the first
match of the tournament's first round."""

PLAYERS = 4
"""How many play a match. It has twice as many numbers: what one access to memory brings."""

CYCLES, PREFETCHED, PREFETCH_CYCLES_LEFT, HEADS = range(4)
"""Places in `outcome`: the makespan; tasks of the lookahead that were started, and what the last of them still takes.
After a deadlock each queue's head follows, or -1."""

FIRST_SPACE = 16
"""Periods of a block that a first attempt has room for; most blocks recur after three."""


class Tasks(NamedTuple):
    """Blocks of tasks as arrays: B blocks, T stored tasks, D stored dependencies."""

    repeat: Ints
    """(B,) how often a block's period runs."""
    first_task: Ints
    """(B + 1,) where a block's tasks begin in the arrays below."""
    segment: Ints
    """(B,) number of a block's segment, from 0, not falling."""
    queue: Ints
    """(T,) index of a task's queue."""
    service: Ints
    """(T,) cycles of a task on its server."""
    kind: Ints
    """(T,) kind of a task: what a cycle that waits for it is charged to."""
    first_dependency: Ints
    """(T + 1,) where a task's dependencies begin in the next two."""
    dependency_block: Ints
    """(D,) RELATIVE, BARRIER or a block."""
    dependency_offset: Ints
    """(D,) tasks back: from the task itself, or from the end of that block."""
    reach: Ints
    """(B,) the longest relative dependency of a block: how far back its future can depend on its past."""
    margin: Ints
    """(B,) how many periods at a block's end later blocks depend on: these are never left out by fast-forwarding."""


class MachineArrays(NamedTuple):
    """A machine of S servers and Q queues."""

    server_of: Ints
    """(Q,) index of a queue's server."""
    computes: NDArray[np.bool_]
    """(S,) whether a server does layers' own work."""
    prefetch_queue: int
    """Index of the queue that may run ahead of a segment's beginning, or -1."""
    first_queue: Ints
    """(S + 1,) where a server's queues begin in the next one."""
    queues: Ints
    """(Q,) indices of the queues, server by server."""
    beside: Ints
    """(Q,) the next queue of a queue's server, after the last one the first; the queue itself where it has that to
    itself."""


def machine_arrays(server_of: Ints, computes: NDArray[np.bool_], prefetch_queue: int) -> MachineArrays:
    """A machine by the server of each queue, (Q,), and whether each server computes, (S,)."""
    first = np.searchsorted(np.sort(server_of), np.arange(len(computes) + 1))
    queues = np.argsort(server_of, kind="stable")
    used = np.diff(first) > 0
    beside = np.roll(queues, -1)  # in the order of `queues`
    beside[first[1:][used] - 1] = queues[first[:-1][used]]
    return MachineArrays(server_of, computes, prefetch_queue, first, queues, beside[np.argsort(queues)])


class State(NamedTuple):
    """All that changes in a run, and what is looked up. Written-out tasks are numbered by their unrolled index, with
    room for LENGTH periods of every block."""

    blocks: Ints
    """(3, B)"""
    base: Ints
    """(B + 1,) unrolled index at which a block begins."""
    latest: Ints
    """(B, S) latest end of what was started of a block on a server."""
    completed: Ints
    """(segments,) cycle in which all segments before are complete, or NOT_STARTED."""
    written: Ints
    """(written-out tasks, WRITTEN)"""
    following: Ints
    """(T,) next stored task of the same queue in the period, or -1."""
    first_of: Ints
    """(B, Q) a queue's first stored task in a block, or -1."""
    heads: Ints
    """(Q, HEAD_ROWS): what is known of a head lies together, for it is looked at together."""
    matches: Ints
    """(M, 2 PLAYERS): the tournament, in which PLAYERS at a time play a match. A row has the cycles in which those of a
    match can start, or NEVER, and then which queues they are. Who can start first, and of equals has the higher
    priority, plays in the match above: (i - 1) // PLAYERS for match i, at place (i - 1) % PLAYERS. Match 0 is the last
    one; queue q begins in match `scalars[FIRST_ROUND]` + q // PLAYERS, at place q % PLAYERS."""
    servers: Ints
    """(S, 3): see FREE and the others."""
    charged: Ints
    """(kinds,) cycles charged to each kind."""
    scalars: Ints
    """Single numbers: see the positions above, such as COVERED."""
    saved: Ints
    """The state of an earlier period's beginning, in threes: see `_recalled`."""
    saved_charged: Ints
    """(kinds,) cycles that were charged then."""


@compiled
def run(
    hardware: MachineArrays, tasks: Tasks, own: int, prefetched: tuple[int, int], kinds: int, forward: bool,
    most: tuple[float, int],
) -> tuple[int, Ints, Ints, Ints]:  # fmt: skip
    """Run a program; how it ended, what became of each written-out task (tasks, WRITTEN), see START and the others,
    cycles charged to each kind (kinds,), and the outcome (HEADS + Q,), see CYCLES and the others.

    The first `own` blocks are run to their end; the others are a lookahead, of which as much is started as fits before
    that. `prefetched`: how many tasks of the queue that runs ahead were started before, and the cycles that the last of
    them still takes. `forward`: whether periods that recur are left out. `most`: service times that add up to more
    cycles are TOO_LONG, room for more tasks is TOO_LARGE, and the outcome then begins with how much. What is charged
    means something for one segment only: what a barrier released has no binder.
    """
    charged, outcome = np.zeros(kinds, np.int64), np.zeros(HEADS + len(hardware.server_of), np.int64)
    cycles, space = 0.0, FIRST_SPACE
    for b in range(len(tasks.repeat)):
        once = 0.0
        for j in range(tasks.first_task[b], tasks.first_task[b + 1]):
            once += tasks.service[j]
        cycles += tasks.repeat[b] * once
        if not forward:
            space = max(space, tasks.repeat[b])
    if cycles > most[0]:
        return TOO_LONG, np.empty((0, WRITTEN), np.int64), charged, outcome
    while True:
        room = 0
        for b in range(len(tasks.repeat)):
            room += min(tasks.repeat[b], space + tasks.margin[b]) * (tasks.first_task[b + 1] - tasks.first_task[b])
        if room > most[1]:
            outcome[0] = room
            return TOO_LARGE, np.empty((0, WRITTEN), np.int64), charged, outcome
        for kind in range(kinds):
            charged[kind] = 0
        state = _prepared(hardware, tasks, own, space, np.empty((room, WRITTEN), np.int64), charged)
        status = _simulate(hardware, tasks, state, own, prefetched, forward)
        if status != TOO_SMALL:
            break
        space *= 8
    if status == FINISHED:
        _conclude(state, own, outcome)
    else:
        for q in range(len(hardware.server_of)):
            outcome[HEADS + q] = state.heads[q, INDEX] if state.heads[q, BLOCK] < len(tasks.repeat) else -1
    return status, state.written, charged, outcome


@compiled
def _prepared(hardware: MachineArrays, tasks: Tasks, own: int, space: int, written: Ints, charged: Ints) -> State:
    """The state before anything has started."""
    # Element by element: arrays as a whole take Numba seconds to compile.
    blocks, queues, servers = len(tasks.repeat), len(hardware.server_of), len(hardware.computes)
    first, players = 0, PLAYERS
    while players < queues:
        first, players = PLAYERS * first + 1, players * PLAYERS
    state = State(
        np.empty((3, blocks), np.int64), np.zeros(blocks + 1, np.int64), np.zeros((blocks, servers), np.int64),
        np.full(tasks.segment[-1] + 1, NOT_STARTED, np.int64), written, np.full(len(tasks.queue), -1, np.int64),
        np.full((blocks, queues), -1, np.int64), np.zeros((queues, HEAD_ROWS), np.int64),
        np.full((first + 1 + (queues - 1) // PLAYERS, 2 * PLAYERS), NEVER, np.int64),
        np.full((servers, 3), -1, np.int64), charged, np.zeros(SCALARS, np.int64),
        np.empty(3 * (1 + queues + servers + len(written)), np.int64), np.empty(len(charged), np.int64),
    )  # fmt: skip
    state.completed[0], state.scalars[SAVED_BLOCK] = 0, -1
    state.scalars[TO_LOOK_AT], state.scalars[AT_BARRIER], state.scalars[FIRST_ROUND] = -1, -1, first
    last_of = np.empty(queues, np.int64)
    for b in range(blocks):
        period = tasks.first_task[b + 1] - tasks.first_task[b]
        state.blocks[LEFT, b], state.blocks[WAITING, b] = tasks.repeat[b], tasks.repeat[b] * period
        state.blocks[LENGTH, b] = min(tasks.repeat[b], space + tasks.margin[b])
        state.base[b + 1] = state.base[b] + state.blocks[LENGTH, b] * period
        for j in range(tasks.first_task[b], tasks.first_task[b + 1]):
            q = tasks.queue[j]
            if state.first_of[b, q] < 0:
                state.first_of[b, q] = j
            else:
                state.following[last_of[q]] = j
            last_of[q] = j
    for u in range(len(written)):
        written[u, END], written[u, FIRST_WAITING] = NOT_STARTED, -1
    for s in range(servers):
        state.servers[s, FREE] = 0
    for q in range(queues):
        _to_block(tasks, state, q, 0)
        state.heads[q, READY], state.heads[q, RELEASED_BY] = -1, -1
        state.matches[first + q // PLAYERS, PLAYERS + q % PLAYERS] = q
        state.scalars[WORKING] += state.heads[q, BLOCK] < own
        if state.heads[q, BLOCK] < blocks:
            _is_to_be_looked_at(state, q)
    return state


@uncounted
def _to_block(tasks: Tasks, state: State, queue: int, first: int) -> None:
    """Bring a queue's head to its first task from block `first` on, if there is one."""
    heads = state.heads
    b = first
    while b < len(tasks.repeat) and state.first_of[b, queue] < 0:
        b += 1
    heads[queue, BLOCK], heads[queue, PERIOD] = b, 0
    if b == len(tasks.repeat):
        heads[queue, WAITS_FOR] = FOR_NOTHING
        return
    heads[queue, TASK] = state.first_of[b, queue]
    heads[queue, INDEX] = state.base[b] + state.first_of[b, queue] - tasks.first_task[b]


@uncounted
def _simulate(
    hardware: MachineArrays, tasks: Tasks, state: State, own: int, prefetched: tuple[int, int], forward: bool
) -> int:
    """Start task by task, each in the earliest cycle that is possible."""
    scalars = state.scalars
    prefetched_left = prefetched[0]
    while True:
        _look_at_heads(hardware, tasks, state)
        now, best = _winner(state, 0)
        if now == NEVER:
            best = -1
        if prefetched_left > 0:
            best, now = hardware.prefetch_queue, 0
        elif scalars[WORKING] == 0 and (best < 0 or now >= _latest_end(state.latest, own)):
            return FINISHED
        if best < 0:
            return DEADLOCK
        recurs = forward and _begins_a_period(tasks, state, best)
        if recurs and not _forwarded(hardware, tasks, state, best, now):
            return TOO_SMALL
        if _is_out_of_room(tasks, state, best):
            return TOO_SMALL
        finish = now + tasks.service[state.heads[best, TASK]]
        if prefetched_left > 0:  # it was started before
            prefetched_left -= 1
            finish = prefetched[1] if prefetched_left == 0 else 0
        started = state.heads[best, INDEX]
        _begin(hardware, tasks, state, best, now, finish, own)
        _release_barriers(tasks, state)
        if hardware.computes[hardware.server_of[best]]:
            _charge(state, started)
        _advance(tasks, state, best, own)


@inlined
def _look_at_heads(hardware: MachineArrays, tasks: Tasks, state: State) -> None:
    """For each queue whose head is to be looked at: when it can start, or what it waits for now."""
    heads, scalars = state.heads, state.scalars
    while scalars[TO_LOOK_AT] >= 0:
        q = scalars[TO_LOOK_AT]
        scalars[TO_LOOK_AT] = heads[q, NEXT_WAITING]
        heads[q, WAITS_FOR] = FOR_NOTHING
        b, j, ready = heads[q, BLOCK], heads[q, TASK], heads[q, SEEN_READY]
        latest = state.written[heads[q, RELEASED_BY], END] if heads[q, RELEASED_BY] >= 0 else NOT_STARTED
        if b == len(tasks.repeat):
            _plays(state, q, NEVER)
            continue
        first = tasks.first_dependency[j]
        for d in range(first + heads[q, SEEN], tasks.first_dependency[j + 1]):
            of, offset = tasks.dependency_block[d], tasks.dependency_offset[d]
            if of == BARRIER:
                ended = state.completed[tasks.segment[b]]
                if ended == NOT_STARTED:
                    heads[q, WAITS_FOR] = FOR_A_BARRIER
                    heads[q, NEXT_WAITING], scalars[AT_BARRIER] = scalars[AT_BARRIER], q
                    break
            else:
                if of == RELATIVE:
                    v = _before(tasks, state, b, heads[q, INDEX] - offset)
                else:
                    v = state.base[of + 1] - offset - _left_out(tasks, state, of)
                ended = state.written[v, END]
                if ended == NOT_STARTED:
                    heads[q, WAITS_FOR] = v
                    heads[q, NEXT_WAITING], state.written[v, FIRST_WAITING] = state.written[v, FIRST_WAITING], q
                    break
                if ended > latest:
                    latest, heads[q, RELEASED_BY] = ended, v
            ready = max(ready, ended)
            heads[q, SEEN], heads[q, SEEN_READY] = d + 1 - first, ready
        if heads[q, WAITS_FOR] == FOR_NOTHING:
            heads[q, READY] = ready
            _plays(state, q, max(ready, state.servers[hardware.server_of[q], FREE]))
        else:
            heads[q, READY] = -1
            _plays(state, q, NEVER)


@inlined
def _is_to_be_looked_at(state: State, queue: int) -> None:
    """Have a queue's head, which waits for nothing, looked at before the next task starts."""
    state.heads[queue, WAITS_FOR] = FOR_A_LOOK
    state.heads[queue, NEXT_WAITING], state.scalars[TO_LOOK_AT] = state.scalars[TO_LOOK_AT], queue


@inlined
def _winner(state: State, match: int) -> tuple[int, int]:
    """The cycle in which the winner of a match can start, and which queue it is."""
    matches = state.matches
    cycle, won = matches[match, 0], 0
    if matches[match, 1] < cycle:
        cycle, won = matches[match, 1], 1
    other, rival = matches[match, 2], 2
    if matches[match, 3] < other:
        other, rival = matches[match, 3], 3
    if other < cycle:
        cycle, won = other, rival
    return cycle, matches[match, PLAYERS + won]


@inlined
def _possible(state: State, queue: int) -> int:
    """The cycle in which a queue's head can start."""
    return state.matches[state.scalars[FIRST_ROUND] + queue // PLAYERS, queue % PLAYERS]


@inlined
def _plays(state: State, queue: int, possible: int) -> None:
    """Enter the cycle in which a queue's head can start, and play again what it decides."""
    matches, match = state.matches, state.scalars[FIRST_ROUND] + queue // PLAYERS
    matches[match, queue % PLAYERS] = possible
    while match > 0:
        cycle, won = _winner(state, match)
        match, place = (match - 1) // PLAYERS, (match - 1) % PLAYERS
        if matches[match, place] == cycle and matches[match, PLAYERS + place] == won:
            break
        matches[match, place], matches[match, PLAYERS + place] = cycle, won


@inlined
def _left_out(tasks: Tasks, state: State, b: int) -> int:
    """Tasks at the end of a block's room that are not used, for periods were left out."""
    blocks = state.blocks
    return max(0, blocks[LENGTH, b] - blocks[LEFT, b]) * (tasks.first_task[b + 1] - tasks.first_task[b])


@inlined
def _before(tasks: Tasks, state: State, b: int, v: int) -> int:
    """Where the task lies that a relative dependency of block b means, of which v would be the unrolled index if
    nothing were left out. It may be in an earlier block, and none that repeats lies between."""
    c = b
    while v < state.base[c]:
        c -= 1
    return v if c == b else v - _left_out(tasks, state, c)


@uncounted
def _latest_end(latest: Ints, last: int) -> int:
    """The latest end of what was started of the blocks before `last`."""
    found = NOT_STARTED
    for s in range(latest.shape[1]):
        found = max(found, _latest_end_on(latest, last, s))
    return found


@uncounted
def _latest_end_on(latest: Ints, last: int, server: int) -> int:
    """The latest end of what was started of the blocks before `last` on a server."""
    found = NOT_STARTED
    for b in range(last):
        found = max(found, latest[b, server])
    return found


@inlined
def _begin(hardware: MachineArrays, tasks: Tasks, state: State, queue: int, now: int, finish: int, own: int) -> None:
    """Start a queue's head, which ends at `finish`."""
    heads, written, servers = state.heads, state.written, state.servers
    b, u, server = heads[queue, BLOCK], heads[queue, INDEX], hardware.server_of[queue]
    binder = -1
    if now > 0:
        binder = heads[queue, RELEASED_BY]
        if binder < 0 or written[binder, END] != now:
            binder = servers[server, LAST]
    written[u, START], written[u, END], written[u, BINDER] = now, finish, binder
    written[u, KIND] = tasks.kind[heads[queue, TASK]]
    servers[server, FREE], servers[server, LAST] = finish, u
    if b < own:
        servers[server, LAST_OWN] = u
    q = hardware.beside[queue]
    while q != queue:  # which `_advance` has looked at
        if _possible(state, q) < finish:
            _plays(state, q, finish)
        q = hardware.beside[q]
    while written[u, FIRST_WAITING] >= 0:
        q = written[u, FIRST_WAITING]
        written[u, FIRST_WAITING] = heads[q, NEXT_WAITING]
        _is_to_be_looked_at(state, q)
    state.latest[b, server] = max(state.latest[b, server], finish)
    state.blocks[WAITING, b] -= 1


@inlined
def _release_barriers(tasks: Tasks, state: State) -> None:
    """When all tasks of a segment have started, it is known when it is complete: heads that wait for that are looked at
    again."""
    heads, scalars, blocks = state.heads, state.scalars, len(tasks.repeat)
    while scalars[OLDEST] < blocks and state.blocks[WAITING, scalars[OLDEST]] == 0:
        oldest = scalars[OLDEST]
        scalars[OLDEST] = oldest + 1
        if oldest + 1 < blocks and tasks.segment[oldest + 1] > tasks.segment[oldest]:
            state.completed[tasks.segment[oldest + 1]] = max(0, _latest_end(state.latest, oldest + 1))
            while scalars[AT_BARRIER] >= 0:
                q = scalars[AT_BARRIER]
                scalars[AT_BARRIER] = heads[q, NEXT_WAITING]
                _is_to_be_looked_at(state, q)


@inlined
def _charge(state: State, u: int) -> None:
    """Charge the idle cycles before a task of a compute server to what held it up, and its own to itself."""
    written, scalars = state.written, state.scalars
    _charge_gap(state, written[u, START], written[u, BINDER])
    covered = scalars[COVERED]
    if written[u, END] > covered:
        state.charged[written[u, KIND]] += written[u, END] - max(written[u, START], covered)
        scalars[COVERED] = written[u, END]


@inlined
def _charge_gap(state: State, until: int, running: int) -> None:
    """Charge the cycles from what is covered to `until`, back along the chain of binders from `running` on."""
    written = state.written
    covered = state.scalars[COVERED]
    while until > covered and running >= 0:
        begin = max(written[running, START], covered)
        state.charged[written[running, KIND]] += until - begin
        until, running = begin, written[running, BINDER]


@inlined
def _advance(tasks: Tasks, state: State, queue: int, own: int) -> None:
    """Bring a queue's next task to its head; it is looked at now that the one before has started."""
    heads = state.heads
    b, j, u = heads[queue, BLOCK], heads[queue, TASK], heads[queue, INDEX]
    heads[queue, RELEASED_BY], heads[queue, SEEN], heads[queue, SEEN_READY] = -1, 0, 0
    _is_to_be_looked_at(state, queue)
    if state.following[j] >= 0:
        heads[queue, TASK], heads[queue, INDEX] = state.following[j], u + state.following[j] - j
        return
    heads[queue, PERIOD] += 1
    if heads[queue, PERIOD] == state.blocks[LEFT, b]:
        _to_block(tasks, state, queue, b + 1)
        state.scalars[WORKING] -= b < own <= heads[queue, BLOCK]
        return
    # The first task of the queue in the next period.
    first = state.first_of[b, queue]
    heads[queue, TASK] = first
    heads[queue, INDEX] = u + (tasks.first_task[b + 1] - tasks.first_task[b]) + first - j


@uncounted
def _conclude(state: State, own: int, outcome: Ints) -> None:
    """Charge what comes after the last computation, and fill in the outcome."""
    written, base = state.written, state.base
    last = -1
    for u in state.servers[:, LAST_OWN]:
        if u >= 0 and (last < 0 or (written[u, END], u) > (written[last, END], last)):
            last = u
    done = max(0, written[last, END]) if last >= 0 else 0
    _charge_gap(state, done, last)
    outcome[CYCLES] = done + state.scalars[SKIPPED]
    for v in range(base[own], base[-1]):
        if written[v, END] != NOT_STARTED:
            outcome[PREFETCHED] += 1
            outcome[PREFETCH_CYCLES_LEFT] = max(0, written[v, END] - done)


@inlined
def _begins_a_period(tasks: Tasks, state: State, queue: int) -> bool:
    """Whether a queue's head is the first task of a period, not the first one, of a block that repeats and of which
    nothing was left out."""
    heads = state.heads
    b = heads[queue, BLOCK]
    if heads[queue, PERIOD] == 0 or heads[queue, TASK] != tasks.first_task[b]:
        return False
    return tasks.repeat[b] > 4 and state.blocks[LEFT, b] == tasks.repeat[b]


@inlined
def _is_out_of_room(tasks: Tasks, state: State, queue: int) -> bool:
    """Whether there is no room for a queue's head: its block has more periods left than fit, and those at its end are
    kept for what later blocks depend on."""
    heads, blocks = state.heads, state.blocks
    b = heads[queue, BLOCK]
    if blocks[LEFT, b] <= blocks[LENGTH, b]:
        return False
    return heads[queue, PERIOD] >= blocks[LENGTH, b] - max(tasks.margin[b], 1)


@uncounted
def _forwarded(hardware: MachineArrays, tasks: Tasks, state: State, queue: int, now: int) -> bool:
    """Leave out what recurs of the block of which a period begins. False if what is left needs more room than it
    has."""
    scalars, b, period = state.scalars, state.heads[queue, BLOCK], state.heads[queue, PERIOD]
    if scalars[SAVED_BLOCK] == b and _recalled(hardware, tasks, state, queue, now, False):
        furthest, shift = 0, period - scalars[SAVED_PERIOD]
        for q in range(len(hardware.server_of)):
            if state.heads[q, BLOCK] == b:
                furthest = max(furthest, state.heads[q, PERIOD])
        times = (state.blocks[LEFT, b] - tasks.margin[b] - 1 - furthest) // shift
        if times > 0:
            if state.blocks[LEFT, b] - times * shift > state.blocks[LENGTH, b]:
                return False
            state.blocks[LEFT, b] -= times * shift
            state.blocks[WAITING, b] -= times * shift * (tasks.first_task[b + 1] - tasks.first_task[b])
            for kind in range(len(state.charged)):
                state.charged[kind] += times * (state.charged[kind] - state.saved_charged[kind])
            _leave_out(hardware, state, queue, now, times * (now - scalars[SAVED_TIME]))
            return True
    if scalars[SAVED_BLOCK] != b or period >= 2 * scalars[SAVED_PERIOD]:
        scalars[SAVED_BLOCK] = b if _recalled(hardware, tasks, state, queue, now, True) else -1
        scalars[SAVED_PERIOD], scalars[SAVED_TIME] = period, now
        for kind in range(len(state.charged)):
            state.saved_charged[kind] = state.charged[kind]
    return True


@uncounted
def _recalled(hardware: MachineArrays, tasks: Tasks, state: State, queue: int, now: int, saving: bool) -> bool:
    """Save the state of a period's beginning, or whether it is the saved one. All is relative to the time and to the
    head of the queue: heads of queues, when servers are free, when recent tasks end, and what an attribution could
    still look at. False where what is to come depends on more than that."""
    heads, written, b, index = state.heads, state.written, state.heads[queue, BLOCK], state.heads[queue, INDEX]
    covered = state.scalars[COVERED]
    past = min(covered, now - 1)  # ends after it matter to dependencies, or to chains of binders
    lowest, highest, at = index, index, 0
    for q in range(len(hardware.server_of)):
        of, period = heads[q, BLOCK], heads[q, PERIOD]
        if of == b:
            lowest, highest = min(lowest, heads[q, INDEX]), max(highest, heads[q, INDEX])
            period -= heads[queue, PERIOD]
        elif of < b or (of < len(tasks.repeat) and heads[q, READY] >= 0):  # ahead, it must stand still
            return False
        at = _noted(state, at, of, heads[q, TASK], period, saving)
        if at < 0:
            return False
    for s in range(len(state.servers)):
        last, free = state.servers[s, LAST], state.servers[s, FREE]
        if _in_flight(hardware, state, b, s, now):
            at = _noted(state, at, last, NEVER, 0, saving)
        else:
            at = _noted(state, at, max(free - now, -1), last - index if free >= now else 0, 0, saving)
            if _latest_end_on(state.latest, b, s) > past:
                return False
        if at < 0:
            return False
    v = state.base[b]
    while v < lowest - tasks.reach[b] and written[v, END] <= past:
        v += 1
    lowest = min(lowest - tasks.reach[b], v)
    at = _noted(state, at, now - covered, lowest - index, highest - index, saving)
    if at < 0 or lowest < state.base[b]:
        return False
    first, period = tasks.first_task[b], tasks.first_task[b + 1] - tasks.first_task[b]
    for v in range(lowest, highest):
        q = tasks.queue[first + (v - state.base[b]) % period]
        if v < heads[q, INDEX] or heads[q, BLOCK] > b:  # it has started
            recent = written[v, END] > covered
            start, binder = (written[v, START] - now, written[v, BINDER] - v) if recent else (0, 0)
            at = _noted(state, at, max(written[v, END] - now, -1), start, binder, saving)
            if at < 0:
                return False
    return True


@inlined
def _noted(state: State, at: int, one: int, two: int, three: int, saving: bool) -> int:
    """Save three numbers, or look whether they are the saved ones; the next place, or -1 if they are not."""
    saved = state.saved
    if saving:
        saved[at], saved[at + 1], saved[at + 2] = one, two, three
    elif saved[at] != one or saved[at + 1] != two or saved[at + 2] != three:
        return -1
    return at + 3


@uncounted
def _in_flight(hardware: MachineArrays, state: State, b: int, s: int, now: int) -> bool:
    """Whether a server is busy with one task of another block than b, which is charged as far as is covered, and has
    nothing else to do before that block ends."""
    u = state.servers[s, LAST]
    if u < 0 or state.base[b] <= u < state.base[b + 1] or state.written[u, END] <= now:
        return False
    idle = state.written[u, START] <= state.scalars[COVERED]
    for i in range(hardware.first_queue[s], hardware.first_queue[s + 1]):
        idle = idle and state.heads[hardware.queues[i], BLOCK] > b
    return idle


@uncounted
def _leave_out(hardware: MachineArrays, state: State, queue: int, now: int, cycles: int) -> None:
    """Let `cycles` cycles pass that the block of a queue's head does not take: what is in flight and not of the block
    has that much less to go."""
    heads, written, servers, base = state.heads, state.written, state.servers, state.base
    b = heads[queue, BLOCK]
    state.scalars[SKIPPED] += cycles
    for s in range(len(state.servers)):
        u = servers[s, LAST]
        if u >= 0 and not base[b] <= u < base[b + 1] and written[u, END] > now:
            c = 0
            while base[c + 1] <= u:
                c += 1
            written[u, START] -= cycles
            written[u, END] -= cycles
            servers[s, FREE] -= cycles
            state.latest[c, s] -= cycles
    # Where the block ends has changed, and when servers are free: what waits is looked at once this head has started.
    state.scalars[AT_BARRIER], head = -1, heads[queue, INDEX]
    for q in range(len(hardware.server_of)):
        if heads[q, WAITS_FOR] >= 0:
            written[heads[q, WAITS_FOR], FIRST_WAITING] = -1
    for q in range(len(hardware.server_of)):
        if heads[q, WAITS_FOR] != FOR_NOTHING:
            heads[q, RELEASED_BY], heads[q, SEEN], heads[q, SEEN_READY] = -1, 0, 0
            heads[q, WAITS_FOR] = head
            heads[q, NEXT_WAITING], written[head, FIRST_WAITING] = written[head, FIRST_WAITING], q
        elif _possible(state, q) != NEVER:
            _plays(state, q, max(heads[q, READY], servers[hardware.server_of[q], FREE]))
