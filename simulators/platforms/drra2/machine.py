"""DRRA-2's machine. Columns run the same program side by side, so the one that has most to do stands for all."""

from __future__ import annotations

from simulators.engine.machine import COMPUTE, Machine, Queue

ISSUE, LOAD, DPU, LEAVE = range(4)
KINDS = ("compute", "configuration", "inputs", "register file reload", "outputs", "columns")
CONFIGURATION, INPUTS, RELOAD, OUTPUTS, COLUMNS = range(1, 6)
assert KINDS[COMPUTE] == "compute"
MACHINE = Machine(
    servers=("sequencer", "input cell", "dpu", "output cell"),
    compute_servers=(False, False, True, False),
    queues=(Queue("issue", ISSUE), Queue("load rows", LOAD), Queue("dpu", DPU), Queue("leave", LEAVE)),
    kinds=KINDS,
)
