"""The fast engine: the same tasks as the reference, run by a Numba kernel that fast-forwards what repeats.

It agrees with `reference.py` on the start and end cycle of every task and on what every cycle is charged to.
"""

from __future__ import annotations

import numpy as np

from simulators.errors import InputError
from simulators.kernels import DEADLOCK, TOO_SMALL, run_program
from simulators.machine import MAX_CYCLES, Deadlock, Ints, Machine, Program, Timing

FIRST_SPACE = 16
"""Periods of a block that a first attempt has room for; most blocks recur after three."""

MAX_TASKS = 1 << 26
"""Tasks that a run may hold at a time (24 bytes each) when a block does not recur."""


def run(machine: Machine, compact: Program, layers: int) -> Timing:
    """Makespan and charged cycles, periods that recur left out. Raises Deadlock, or InputError for what int64 cannot
    count.
    """
    space = FIRST_SPACE
    while True:
        timing = _attempt(machine, compact, layers, space, True)[0]
        if timing is not None:
            return timing
        space *= 8


def run_tasks(machine: Machine, compact: Program) -> tuple[Ints, Ints]:
    """Start and end cycle of every task by unrolled index, every period run."""
    _, start, end = _attempt(
        machine, compact, int(compact.layer.max(initial=0)) + 1, int(compact.repeat.max(initial=1)), False
    )
    return start, end


def _attempt(
    machine: Machine, compact: Program, layers: int, space: int, forward: bool
) -> tuple[Timing | None, Ints, Ints]:
    """One run of the kernel with room for `space` periods a block; None if that was too little."""
    charged = np.zeros((layers, len(machine.kinds)), np.int64)
    if not len(compact.repeat):
        return Timing(0, charged), charged[0], charged[0]
    lengths = np.diff(compact.first_task)
    cycles = float(compact.repeat @ np.add.reduceat(compact.service.astype(np.float64), compact.first_task[:-1]))
    if cycles > MAX_CYCLES:
        raise InputError(f"the tasks' service times add up to {cycles:.3g} cycles: at most 2^60 can be counted exactly")
    room = int(np.minimum(compact.repeat, space + compact.margin) @ lengths)
    if room > MAX_TASKS:
        raise InputError(
            f"{room} tasks at a time: at most {MAX_TASKS} fit; a block does not settle into a repeating pattern"
        )
    start = np.empty(room, np.int64)
    end = np.full(room, -1, np.int64)
    result = np.zeros(3 + len(machine.queues), np.int64)
    status = run_program(
        machine.server_of(),
        np.array(machine.compute_servers),
        compact.repeat,
        compact.first_task,
        compact.layer,
        compact.queue,
        compact.service,
        compact.kind,
        compact.first_dependency,
        compact.dependency_block,
        compact.dependency_offset,
        compact.reach,
        compact.margin,
        space,
        forward,
        start,
        end,
        charged,
        result,
    )
    if status == DEADLOCK:
        heads = zip(machine.queues, result[3:].tolist(), strict=True)
        stuck = ", ".join(f"{queue.name} at task {index}" for queue, index in heads if index >= 0)
        raise Deadlock(f"no task can start: {stuck} wait for each other")
    return None if status == TOO_SMALL else Timing(int(result[0]), charged), start, end
