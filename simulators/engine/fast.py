"""The fast engine: the same tasks as the reference, run by a Numba kernel that fast-forwards what repeats.

It agrees with `reference.py` on the start and end cycle of every task and on what every cycle is charged to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulators.engine import fast_kernels as kernels
from simulators.engine.machine import MAX_CYCLES, Deadlock, Machine, Queue, Uncountable
from simulators.engine.program import Ints, Program, Timing

FIRST_SPACE = 16
"""Periods of a block that a first attempt has room for; most blocks recur after three."""

MAX_TASKS = 1 << 26
"""Tasks that a run may hold at a time (48 bytes each) when a block does not recur."""
FEW_QUEUES = 32
"""Queues up to which leaving some out gains nothing."""
MOST = (float(MAX_CYCLES), MAX_TASKS)


class PrefetchState(NamedTuple):
    """Where the queue that runs ahead stands when a segment begins or ends."""

    started: int = 0
    """Tasks of the coming segments that it has started."""
    cycles_left: int = 0
    """Cycles that the last of them still takes."""


class SegmentTiming(NamedTuple):
    """One segment, from when all before it is complete to when all of it is."""

    cycles: int
    charged: tuple[int, ...]
    """Cycles by kind; they add up to `cycles`."""
    prefetch: PrefetchState
    """Where the queue that runs ahead stands at the end."""


def run(machine: Machine, compact: Program) -> Timing:
    """Makespan and charged cycles of a program of one segment, periods that recur left out. Raises Deadlock, or
    Uncountable for what int64 cannot count.
    """
    if compact.segment.max(initial=0) > 0:
        raise ValueError("a program of several segments is run segment by segment")
    timing = run_segment(machine, compact, len(compact.repeat), PrefetchState())
    return Timing(timing.cycles, np.array([timing.charged], np.int64))


def run_segment(machine: Machine, compact: Program, own: int, prefetch: PrefetchState) -> SegmentTiming:
    """Run a segment's `own` blocks; those behind them are what may be started of the segments after it.

    Raises Deadlock, or Uncountable for what int64 cannot count.
    """
    if not len(compact.repeat):
        return SegmentTiming(0, (0,) * len(machine.kinds), PrefetchState())
    used, compact = _used(machine, compact)
    space = FIRST_SPACE
    while True:
        charged = np.zeros(len(machine.kinds), np.int64)
        outcome = np.zeros(kernels.HEADS + len(used.queues), np.int64)
        status, _ = kernels.run(used.arrays, compact, own, prefetch, space, True, MOST, charged, outcome)
        if status == kernels.FINISHED:
            cycles, _, started, cycles_left = outcome[: kernels.HEADS].tolist()
            return SegmentTiming(cycles, tuple(charged.tolist()), PrefetchState(started, cycles_left))
        if status != kernels.TOO_SMALL:
            raise _error(status, used.queues, compact, outcome)
        space *= 8


def run_tasks(machine: Machine, compact: Program) -> tuple[Ints, Ints]:
    """Start and end cycle of every task by unrolled index, every period run, whatever segments there are.

    Raises Deadlock, or Uncountable for more than can be counted or held.
    """
    if not compact.tasks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    used, compact = _used(machine, compact)
    charged, outcome = np.zeros(len(machine.kinds), np.int64), np.zeros(kernels.HEADS + len(used.queues), np.int64)
    every = int(compact.repeat.max())
    status, written = kernels.run(
        used.arrays, compact, len(compact.repeat), PrefetchState(), every, False, MOST, charged, outcome
    )
    if status != kernels.FINISHED:
        raise _error(status, used.queues, compact, outcome)
    return written[:, kernels.START].copy(), written[:, kernels.END].copy()


class _Used(NamedTuple):
    """A machine without the queues and servers that a program has no task for."""

    queues: Sequence[Queue]
    arrays: kernels.MachineArrays


def _used(machine: Machine, compact: Program) -> tuple[_Used, Program]:
    """What a program uses of a machine, and the program as it numbers the queues: of a mesh of thousands of links most
    layers use few. Where one queue runs ahead, all are left as they are."""
    if machine.prefetch_queue is not None or len(machine.queues) <= FEW_QUEUES:
        return _Used(machine.queues, machine.arrays), compact
    there = np.zeros(len(machine.queues), bool)
    there[compact.queue] = True
    used = np.flatnonzero(there)
    servers, server_of = np.unique(machine.arrays.server_of[used], return_inverse=True)
    arrays = kernels.machine_arrays(server_of, machine.arrays.computes[servers], -1)
    number = np.cumsum(there) - 1
    return _Used([machine.queues[q] for q in used.tolist()], arrays), compact._replace(queue=number[compact.queue])


def _error(status: int, queues: Sequence[Queue], compact: Program, outcome: Ints) -> Uncountable | Deadlock:
    """Why a run did not finish."""
    if status == kernels.TOO_LONG:
        return Uncountable(
            f"the tasks' service times add up to {compact.cycles:.3g} cycles: at most 2^60 can be counted exactly"
        )
    if status == kernels.TOO_LARGE:
        return Uncountable(
            f"{outcome[0]} tasks at a time: at most {MAX_TASKS} fit, and they do not settle into a repeating pattern: "
            "simulate fewer steps (--steps), or larger tiles (larger buffers, or mapping: in the spec)"
        )
    heads = zip(queues, outcome[kernels.HEADS :].tolist(), strict=True)
    stuck = ", ".join(f"{queue.name} at task {index}" for queue, index in heads if index >= 0)
    return Deadlock(f"no task can start: {stuck} wait for each other")
