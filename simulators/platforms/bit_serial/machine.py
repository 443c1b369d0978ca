"""A bit-serial array's machine: servers, queues in order of priority, and kinds of tasks.

Fetch, execute and result stage are in-order queues; what they wait for of each other are tokens. Under the published
closed form each operand has a stream of its own in place of the channel.
"""

from __future__ import annotations

from simulators.engine.machine import Machine, Queue

_READ, _ACTIVATION_STREAM, _WEIGHT_STREAM, _ARRAY, _LANES, _WRITE = range(6)
FETCH, STREAM_ACTIVATIONS, STREAM_WEIGHTS, EXECUTE, PROCESS, RESULT = range(6)
_, ACTIVATIONS, WEIGHTS, PIPELINE, RESULTS = range(5)
MACHINE = Machine(
    servers=("dram read", "activation stream", "weight stream", "array", "lanes", "dram write"),
    compute_servers=(False, False, False, True, True, False),
    queues=(
        Queue("fetch", _READ),
        Queue("stream activations", _ACTIVATION_STREAM),
        Queue("stream weights", _WEIGHT_STREAM),
        Queue("execute", _ARRAY),
        Queue("process", _LANES),
        Queue("result", _WRITE),
    ),
    kinds=("compute", "activations", "weights", "pipeline", "results"),
)
