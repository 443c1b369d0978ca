"""SiLago's machine: servers, queues in order of priority, and kinds of tasks. Cells run in lock step, so one column's
link and one cell stand for all."""

from __future__ import annotations

from simulators.engine.machine import Machine, Queue

_CELLS, _LINK, _DRAM = range(3)
LOAD_WEIGHTS, LOAD_INPUTS, STORE, CELLS, FETCH, SPILL = range(6)
_, WEIGHTS, INPUTS, OUTPUTS, REDUCTION, CONFIGURATION, OFF_CHIP, RECURRENCE = range(8)
MACHINE = Machine(
    servers=("cells", "link", "dram"),
    compute_servers=(True, False, False),
    queues=(
        Queue("load weights", _LINK),
        Queue("load inputs", _LINK),
        Queue("store outputs", _LINK),
        Queue("cells", _CELLS),
        Queue("fetch", _DRAM),
        Queue("spill", _DRAM),
    ),
    kinds=("compute", "weights", "inputs", "outputs", "reduction", "configuration", "dram", "recurrence"),
    prefetch_queue=FETCH,
)
