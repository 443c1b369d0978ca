"""The fast engine: the same tasks as the reference, run by a Numba kernel that fast-forwards what repeats.

It agrees with `reference.py` on the start and end cycle of every task and on what every cycle is charged to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulators.engine import fast_kernels as kernels
from simulators.engine.machine import MAX_CYCLES, Deadlock, Ints, Machine, Program, Timing
from simulators.inputs.errors import InputError

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
    if not len(compact.repeat):
        return Passage(0, (0,) * len(machine.kinds), Ahead())
    queue, space = -1 if machine.ahead is None else machine.ahead, FIRST_SPACE
    while True:
        charged = np.zeros(len(machine.kinds), np.int64)
        result = np.zeros(kernels.HEADS + len(machine.queues), np.int64)
        status = kernels.run_passage(
            machine.server_of, machine.computes, compact.arrays, own, queue, ahead.started, ahead.cycles_left, space,
            MAX_CYCLES, MAX_TASKS, charged, result,
        )  # fmt: skip
        if status == kernels.FINISHED:
            cycles, _, _, started, cycles_left = result[: kernels.HEADS].tolist()
            return Passage(cycles, tuple(charged.tolist()), Ahead(started, cycles_left))
        if status == kernels.TOO_LONG:
            raise _too_long(compact)
        if status == kernels.TOO_LARGE:
            raise InputError(
                f"{result[0]} tasks at a time: at most {MAX_TASKS} fit; a block does not settle into a repeating "
                "pattern"
            )
        if status == kernels.DEADLOCK:
            raise _deadlock(machine, result)
        space *= 8


def run_tasks(machine: Machine, compact: Program) -> tuple[Ints, Ints]:
    """Start and end cycle of every task by unrolled index, every period run, whatever segments there are.

    Raises Deadlock, or InputError for more than can be counted or held.
    """
    if compact.cycles > MAX_CYCLES:
        raise _too_long(compact)
    if compact.tasks > MAX_TASKS:
        raise InputError(f"{compact.tasks} tasks: at most {MAX_TASKS} fit")
    if not compact.tasks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    start = np.empty(compact.tasks, np.int64)
    end = np.full(compact.tasks, kernels.NOT_STARTED, np.int64)
    result = np.zeros(kernels.HEADS + len(machine.queues), np.int64)
    status = kernels.run_program(
        machine.server_of, machine.computes, compact.arrays, len(compact.repeat), -1, 0, 0,
        int(compact.repeat.max(initial=1)), False, start, end, np.zeros(len(machine.kinds), np.int64), result,
    )  # fmt: skip
    if status == kernels.DEADLOCK:
        raise _deadlock(machine, result)
    return start, end


def _too_long(compact: Program) -> InputError:
    return InputError(
        f"the tasks' service times add up to {compact.cycles:.3g} cycles: at most 2^60 can be counted exactly"
    )


def _deadlock(machine: Machine, result: Ints) -> Deadlock:
    heads = zip(machine.queues, result[kernels.HEADS :].tolist(), strict=True)
    stuck = ", ".join(f"{queue.name} at task {index}" for queue, index in heads if index >= 0)
    return Deadlock(f"no task can start: {stuck} wait for each other")
