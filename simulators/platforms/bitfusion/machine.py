"""Bit Fusion's machine: servers, queues in order of priority, and kinds of tasks."""

from __future__ import annotations

from simulators.engine.machine import Machine, Queue

_DRAM, _ARRAY, _PIPELINE, _POST = range(4)
# Queues in order of priority: what the array waits for now, results that hold a part of the output buffer, and then
# what it will want later.
LOAD_INPUTS, STORE, LOAD_WEIGHTS, MULTIPLY, DRAIN, PROCESS = range(6)
_, WEIGHTS, INPUTS, OUTPUTS, DRAINING, PROCESSING, RECURRENCE = range(7)
MACHINE = Machine(
    servers=("dram", "array", "array pipeline", "post-processing"),
    compute_servers=(False, True, False, True),
    queues=(
        Queue("load inputs", _DRAM),
        Queue("store outputs", _DRAM),
        Queue("load weights", _DRAM),
        Queue("multiply", _ARRAY),
        Queue("drain", _PIPELINE),
        Queue("process", _POST),
    ),
    kinds=("compute", "weights", "inputs", "outputs", "drain", "post-processing", "recurrence"),
    prefetch_queue=LOAD_WEIGHTS,
)
