"""EdgeDRNN's machine: servers, queues in order of priority, and kinds of tasks."""

from __future__ import annotations

from simulators.engine.machine import Machine, Queue

_ENCODER, _MEMORY, _LANES, _ACTIVATION, _READ, _UPDATE = range(6)
SCAN, COMMAND, BURST, ACTIVATE, FIFO_READ, FIFO_UPDATE = range(6)
_, STATES, ACTIVATION, OTHER_STATES, OTHER_ACTIVATION, LATENCY, SCANNING, RESET = range(8)
MACHINE = Machine(
    servers=("delta encoder", "memory", "lanes", "activation", "fifo read", "fifo update"),
    compute_servers=(False, False, True, True, False, False),
    queues=(
        Queue("scan slots", _ENCODER),
        Queue("command", _MEMORY),
        Queue("burst and accumulate", _LANES),
        Queue("drain and activate", _ACTIVATION),
        Queue("free a fifo entry", _READ),
        Queue("update the fifo's count", _UPDATE),
    ),
    kinds=(
        "compute", "states", "activation", "states of the other direction", "activation of the other direction",
        "memory latency", "delta scan", "reset",
    ),
)  # fmt: skip
