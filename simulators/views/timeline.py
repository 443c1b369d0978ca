"""A run as a timeline in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

One track a server, one complete event a task. Times are in microseconds, as the format wants, with cycles beside them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulators.engine.fast import run_tasks
from simulators.engine.machine import COMPUTE
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.run.simulation import lower
from simulators.workloads.trace import Trace

MAX_EVENTS = 400_000
"""About 80 MB of JSON; viewers slow down before that."""


def timeline(trace: Trace, arch: Arch) -> dict[str, Any]:
    """The events of one utterance. Raises InputError where there are more than MAX_EVENTS."""
    lowered = lower(trace, arch)
    machine, program = lowered.machine, lowered.program
    if program.tasks > MAX_EVENTS:
        fitting = trace.steps * MAX_EVENTS // program.tasks
        fewer = f"; fewer frames have fewer tasks, as in --steps {fitting}" if fitting else ""
        raise InputError(
            f"{trace.name} on {arch.name}: a timeline of {program.tasks:,} tasks: at most {MAX_EVENTS:,} fit{fewer}"
        )
    start, end = run_tasks(machine, program)
    stored = np.concatenate(
        [
            np.tile(np.arange(first, last), repeat)
            for first, last, repeat in zip(program.first_task[:-1], program.first_task[1:], program.repeat, strict=True)
        ]
    )
    segment = np.repeat(program.segment, program.repeat * program.lengths)
    names = _names(trace, [len(s.works) for s in lowered.segments])
    kinds_of = [[work.own_kind for work in s.works] for s in lowered.segments]
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": f"{trace.name} on {arch.name}"}}
    ]
    for s, server in enumerate(machine.servers):
        events.append({"ph": "M", "pid": 1, "tid": s + 1, "name": "thread_name", "args": {"name": server}})
        events.append({"ph": "M", "pid": 1, "tid": s + 1, "name": "thread_sort_index", "args": {"sort_index": s}})
    rows = zip(
        program.queue[stored].tolist(), program.kind[stored].tolist(), segment.tolist(), start.tolist(), end.tolist(),
        strict=True,
    )  # fmt: skip
    for q, kind, g, began, ended in rows:
        own = kinds_of[g].index(kind) if kind != COMPUTE and kind in kinds_of[g] else 0
        events.append(
            {
                "ph": "X",
                "pid": 1,
                "tid": machine.queues[q].server + 1,
                "name": f"{names[g][own]}: {machine.queues[q].name}",
                "cat": machine.kinds[kind],
                "ts": began / arch.frequency_mhz,
                "dur": (ended - began) / arch.frequency_mhz,
                "args": {"start_cycle": began, "cycles": ended - began},
            }
        )
    return {"displayTimeUnit": "ns", "traceEvents": events}


def _names(trace: Trace, lengths: list[int]) -> list[list[str]]:
    """Names of the layers of each segment."""
    layers = iter(trace.layers)
    return [[next(layers).name for _ in range(length)] for length in lengths]
