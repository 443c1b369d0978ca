"""The fast engine: the same tasks as the reference, run by a Numba kernel that fast-forwards what repeats.

It agrees with `reference.py` on the start and end cycle of every task and on what every cycle is charged to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulators.engine import fast_kernels as kernels
from simulators.engine.machine import MAX_CYCLES, Deadlock, Machine, Queue, Uncountable
from simulators.engine.program import Ints, Program

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


def run_segment(machine: Machine, compact: Program, own: int, prefetch: PrefetchState) -> SegmentTiming:
    """Run a segment's `own` blocks, periods that recur left out; the blocks behind them are what may be started of the
    segments after it.

    Raises Deadlock, or Uncountable for more than can be counted or held.
    """
    if not len(compact.repeat):
        return SegmentTiming(0, (0,) * len(machine.kinds), PrefetchState())
    _, charged, outcome = _run(machine, compact, own, prefetch, True)
    cycles, started, cycles_left = outcome[: kernels.HEADS].tolist()
    return SegmentTiming(cycles, tuple(charged.tolist()), PrefetchState(started, cycles_left))


def run_tasks(machine: Machine, compact: Program) -> tuple[Ints, Ints]:
    """Start and end cycle of every task by unrolled index, every period run, whatever segments there are.

    Raises Deadlock, or Uncountable for more than can be counted or held.
    """
    if not compact.tasks:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    written, _, _ = _run(machine, compact, len(compact.repeat), PrefetchState(), False)
    return written[:, kernels.START].copy(), written[:, kernels.END].copy()


def _run(
    machine: Machine, compact: Program, own: int, prefetch: PrefetchState, forward: bool
) -> tuple[Ints, Ints, Ints]:
    """Run the kernel: see `fast_kernels.run`. Of a mesh of thousands of links most layers use few: queues and servers
    without a task are left out, but where one queue runs ahead. Raises Deadlock or Uncountable."""
    queues, arrays = machine.queues, machine.arrays
    if machine.prefetch_queue is None and len(queues) > FEW_QUEUES:
        there = np.zeros(len(queues), bool)
        there[compact.queue] = True
        used = np.flatnonzero(there)
        servers, server_of = np.unique(arrays.server_of[used], return_inverse=True)
        arrays = kernels.machine_arrays(server_of, arrays.computes[servers], -1)
        queues = tuple([queues[q] for q in used.tolist()])
        compact = compact._replace(queue=(np.cumsum(there) - 1)[compact.queue])
    status, written, charged, outcome = kernels.run(arrays, compact, own, prefetch, len(machine.kinds), forward, MOST)
    if status != kernels.FINISHED:
        raise _error(status, queues, compact, outcome)
    return written, charged, outcome


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
