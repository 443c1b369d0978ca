"""The fast engine: the same tasks as the reference, run by a Numba kernel that fast-forwards what repeats.

It agrees with `reference.py` on the start and end cycle of every task and on what every cycle is charged to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulators import kernels
from simulators.errors import InputError
from simulators.machine import MAX_CYCLES, Deadlock, Ints, Machine, Program, Timing

FIRST_SPACE = 16
"""Periods of a block that a first attempt has room for; most blocks recur after three."""

MAX_TASKS = 1 << 26
"""Tasks that a run may hold at a time (32 bytes each) when a block does not recur."""


class Ahead(NamedTuple):
    """Where the queue that runs ahead stands when all before is complete."""

    started: int = 0
    """Tasks that it has started of what is to come."""
    cycles_left: int = 0
    """What the last of them still takes."""


@dataclass(frozen=True)
class Passage:
    """One segment, from when all before it is complete to when all of it is."""

    cycles: int
    charged: tuple[int, ...]
    """By kind; they add up to `cycles`."""
    ahead: Ahead
    """At the end."""


def run(machine: Machine, compact: Program) -> Timing:
    """Makespan and charged cycles of a program of one segment, periods that recur left out. Raises Deadlock, or
    InputError for what int64 cannot count.
    """
    if compact.segment.max(initial=0) > 0:
        raise ValueError("a program of several segments is run segment by segment")
    passage = run_segment(machine, compact, len(compact.repeat), Ahead())
    return Timing(passage.cycles, np.array([passage.charged], np.int64))


def run_segment(machine: Machine, compact: Program, own: int, ahead: Ahead) -> Passage:
    """Run a segment's `own` blocks; those behind them are what may be started of the segments after it.

    Raises Deadlock, or InputError for what int64 cannot count.
    """
    space = FIRST_SPACE
    while True:
        passage = _attempt(machine, compact, own, ahead, space, True)[0]
        if passage is not None:
            return passage
        space *= 8


def run_tasks(machine: Machine, compact: Program) -> tuple[Ints, Ints]:
    """Start and end cycle of every task by unrolled index, every period run, whatever segments there are."""
    _, start, end = _attempt(machine, compact, len(compact.repeat), Ahead(), int(compact.repeat.max(initial=1)), False)
    return start, end


def _attempt(
    machine: Machine, compact: Program, own: int, ahead: Ahead, space: int, forward: bool
) -> tuple[Passage | None, Ints, Ints]:
    """One run of the kernel with room for `space` periods a block; None if that was too little."""
    charged = np.zeros(len(machine.kinds), np.int64)
    if not len(compact.repeat):
        return Passage(0, tuple(charged.tolist()), Ahead()), charged[:0], charged[:0]
    if compact.cycles > MAX_CYCLES:
        raise InputError(
            f"the tasks' service times add up to {compact.cycles:.3g} cycles: at most 2^60 can be counted exactly"
        )
    room = int(np.minimum(compact.repeat, space + compact.margin) @ compact.lengths)
    if room > MAX_TASKS:
        raise InputError(
            f"{room} tasks at a time: at most {MAX_TASKS} fit; a block does not settle into a repeating pattern"
        )
    start = np.empty(room, np.int64)
    end = np.full(room, kernels.NOT_STARTED, np.int64)
    result = np.zeros(kernels.HEADS + len(machine.queues), np.int64)
    status = kernels.run_program(
        machine.server_of,
        machine.computes,
        compact.arrays,
        own,
        -1 if machine.ahead is None else machine.ahead,
        ahead.started,
        ahead.cycles_left,
        space,
        forward,
        start,
        end,
        charged,
        result,
    )
    if status == kernels.DEADLOCK:
        heads = zip(machine.queues, result[kernels.HEADS :].tolist(), strict=True)
        stuck = ", ".join(f"{queue.name} at task {index}" for queue, index in heads if index >= 0)
        raise Deadlock(f"no task can start: {stuck} wait for each other")
    if status == kernels.TOO_SMALL:
        return None, start, end
    cycles, _, _, started, cycles_left = result[: kernels.HEADS].tolist()
    return Passage(cycles, tuple(charged.tolist()), Ahead(started, cycles_left)), start, end
