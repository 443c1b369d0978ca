"""The machine model: servers, in-order queues, tasks with whole-cycle service times and dependencies. Nothing else is
timing.

- A *server* serves one task at a time: a DRAM channel, a systolic array, a link, a cell.
- A *queue* is an in-order command stream bound to one server; several queues may share one. Queues are listed in the
  order of their fixed priority, the first before all others.
- A *task* has a queue, a service time of at least one cycle, and tasks that must complete before it may start.
- Within a cycle completions take effect first; then each idle server starts the ready queue head of highest priority.
  There is no preemption.

A *segment* is the tasks of one layer, or of a product with the elementwise work behind it. Each task has a *kind*: what
a cycle that waits for it is charged to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulators.engine.fast_kernels import MachineArrays, machine_arrays
from simulators.inputs.errors import InputError, LoweringError

COMPUTE = 0
"""The kind of tasks that are a layer's own work; every other kind names a stall."""

MAX_CYCLES = 1 << 60
"""Times are int64; a program whose service times add up to more cycles is refused before it runs."""


class Deadlock(LoweringError):
    """Queue heads that wait for each other: no task can start, and not all have run."""


class Uncountable(InputError):
    """Tasks that take more cycles, or more memory, than can be counted or held."""


@dataclass(frozen=True)
class Queue:
    """An in-order command stream."""

    name: str
    server: int
    """Index into the machine's servers."""


@dataclass(frozen=True)
class Machine:
    """What a platform has: servers, queues in order of priority, and the names of task kinds."""

    servers: tuple[str, ...]
    compute_servers: tuple[bool, ...]
    """Whether a server does layers' own work: a cycle in which one of them is busy is no stall."""
    queues: tuple[Queue, ...]
    kinds: tuple[str, ...]
    """Kind 0 is `compute`; the others are the causes of stalls."""
    prefetch_queue: int | None = None
    """Index of the queue whose tasks may start before the segments before theirs are complete, as weights are
    prefetched; tasks of all others wait, directly or not, for a barrier."""

    def __post_init__(self) -> None:
        if len(self.compute_servers) != len(self.servers):
            raise LoweringError("compute_servers: one entry a server")
        for queue in self.queues:
            if not 0 <= queue.server < len(self.servers):
                raise LoweringError(f"queue {queue.name}: server {queue.server}: there are {len(self.servers)}")
        if not self.kinds or self.kinds[COMPUTE] != "compute":
            raise LoweringError("kinds: the first is compute")
        if self.prefetch_queue is not None:
            if not 0 <= self.prefetch_queue < len(self.queues):
                raise LoweringError(f"prefetch_queue: {self.prefetch_queue}: there are {len(self.queues)} queues")
            if self.compute_servers[self.queues[self.prefetch_queue].server]:
                raise LoweringError("prefetch_queue: a queue that computes cannot run ahead")

    @cached_property
    def arrays(self) -> MachineArrays:
        """The machine as the kernels take it."""
        servers = np.array([queue.server for queue in self.queues], np.int64)
        prefetch = -1 if self.prefetch_queue is None else self.prefetch_queue
        return machine_arrays(servers, np.array(self.compute_servers), prefetch)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Found once: a mesh has thousands of servers, and machines are looked up by value."""
        return hash((self.servers, self.compute_servers, self.queues, self.kinds, self.prefetch_queue))
