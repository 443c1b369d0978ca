"""SiLago's machine: servers, queues in order of priority, and kinds of tasks. Cells run in lock step, so one column's
link and one cell stand for all.

A link takes results first: what cells have finished would otherwise wait as long as rows for the next waves are ready,
and with it, where they do not stay on chip, their way to DRAM. Inputs come before weights, which take longer: the row
whose weights are there would otherwise wait for the weights of the next one.
"""

from __future__ import annotations

from simulators.engine.machine import Machine, Queue

_CELLS, _LINK, _DRAM = range(3)
STORE, LOAD_INPUTS, LOAD_WEIGHTS, CELLS, FETCH, SPILL = range(6)
_, WEIGHTS, INPUTS, OUTPUTS, REDUCTION, CONFIGURATION, OFF_CHIP, RECURRENCE = range(8)
MACHINE = Machine(
    servers=("cells", "link", "dram"),
    compute_servers=(True, False, False),
    queues=(
        Queue("store outputs", _LINK),
        Queue("load inputs", _LINK),
        Queue("load weights", _LINK),
        Queue("cells", _CELLS),
        Queue("fetch", _DRAM),
        Queue("spill", _DRAM),
    ),
    kinds=("compute", "weights", "inputs", "outputs", "reduction", "configuration", "dram", "recurrence"),
    prefetch_queue=FETCH,
)
