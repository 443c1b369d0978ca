"""The machine model: servers, in-order queues, tasks with whole-cycle service times and dependencies. Nothing else is
timing.

- A *server* serves one task at a time: a DRAM channel, a systolic array, a link, a cell.
- A *queue* is an in-order command stream bound to one server; several queues may share one. Queues are listed in the
  order of their fixed priority, the first before all others.
- A *task* has a queue, a service time of at least one cycle, and tasks that must complete before it may start.
- Within a cycle completions take effect first; then each idle server starts the ready queue head of highest priority.
  There is no preemption.

Time steps and tiles repeat, so a program is a list of *blocks*: a period of tasks and how often it repeats. Numbering
all tasks as if every period were written out gives each its *unrolled index* u. A dependency is either relative, on
the task `offset` before this one (u - offset; the same in every period), or absolute, on the task `offset` before the
end of another block, or a *barrier*: on all tasks of the segments before. A *segment* is the blocks of one layer, or of
a product with the elementwise work behind it. Each task has a *kind*: what a cycle that waits for it is charged to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simulators.engine import fast_kernels as kernels
from simulators.inputs.errors import LoweringError

Ints = NDArray[np.int64]

COMPUTE = 0
"""The kind of tasks that are a layer's own work; every other kind names a stall."""

RELATIVE = kernels.RELATIVE
"""In `dependency_block`: the offset counts back from the task itself."""

BARRIER = kernels.BARRIER
"""In `dependency_block`: every task of the segments before must be complete; the offset means nothing."""

MAX_CYCLES = 1 << 60
"""Times are int64; a program whose service times add up to more is refused before it runs."""


class Deadlock(LoweringError):
    """Queue heads that wait for each other: no task can start, and not all have run."""


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
    """Which servers do a layer's own work: a cycle in which one of them is busy is no stall."""
    queues: tuple[Queue, ...]
    kinds: tuple[str, ...]
    """Kind 0 is `compute`; the others are the causes of stalls."""
    ahead: int | None = None
    """The queue whose tasks may start before the segments before theirs are complete, as weights are prefetched; tasks
    of all others wait, directly or not, for a barrier."""

    def __post_init__(self) -> None:
        if self.ahead is not None and self.compute_servers[self.queues[self.ahead].server]:
            raise ValueError("ahead: a queue that computes cannot run ahead")
        if len(self.compute_servers) != len(self.servers):
            raise ValueError("compute_servers: one entry a server")
        for queue in self.queues:
            if not 0 <= queue.server < len(self.servers):
                raise ValueError(f"queue {queue.name}: server {queue.server}: there are {len(self.servers)}")
        if not self.kinds or self.kinds[COMPUTE] != "compute":
            raise ValueError("kinds: the first is compute")

    @cached_property
    def server_of(self) -> Ints:
        """Server index by queue, (queues,)."""
        return np.array([q.server for q in self.queues], np.int64)

    @cached_property
    def computes(self) -> NDArray[np.bool_]:
        """`compute_servers` as an array."""
        return np.array(self.compute_servers)


@dataclass(frozen=True)
class Task:
    """One task of a period, as a lowering or a test writes it."""

    queue: int
    service: int
    """Cycles, at least one."""
    kind: int = COMPUTE
    after: tuple[int, ...] = ()
    """Relative dependencies: offsets back in unrolled order."""
    after_block: tuple[tuple[int, int], ...] = ()
    """Absolute dependencies: (block, offset before its end, from 1); (BARRIER, 0)."""


@dataclass(frozen=True)
class Program:
    """Blocks of tasks as arrays; T tasks and D dependencies are stored, B blocks, Q queues."""

    repeat: Ints
    """(B,) how often a block's period runs."""
    first_task: Ints
    """(B + 1,) where a block's tasks begin in the arrays below."""
    segment: Ints
    """(B,) from 0, not falling."""
    queue: Ints
    """(T,)"""
    service: Ints
    """(T,) cycles."""
    kind: Ints
    """(T,)"""
    first_dependency: Ints
    """(T + 1,) where a task's dependencies begin in the next two."""
    dependency_block: Ints
    """(D,) RELATIVE, BARRIER or a block."""
    dependency_offset: Ints
    """(D,)"""
    reach: Ints
    """(B,) the longest relative dependency of a block: how far back its future can depend on its past."""
    margin: Ints
    """(B,) how many periods at a block's end later blocks depend on: these are never left out by fast-forwarding."""

    def timed(self, service: Ints, kind: Ints) -> Program:
        """The same tasks with other service times and kinds, (T,) each."""
        made = object.__new__(Program)  # `replace` sets each field by itself, which takes longer than the rest
        made.__dict__.update(self.__dict__, service=service, kind=kind)
        return made

    @cached_property
    def lengths(self) -> Ints:
        """(B,) tasks of a period."""
        return np.diff(self.first_task)

    @property
    def tasks(self) -> int:
        """Number of tasks when every period is written out."""
        return int((self.repeat * self.lengths).sum())

    @property
    def cycles(self) -> float:
        """Sum of all service times, in floating point: it may exceed what int64 holds."""
        return float(self.repeat @ np.add.reduceat(self.service.astype(np.float64), self.first_task[:-1]))

    @property
    def arrays(self) -> kernels.Tasks:
        """What the kernels take."""
        return kernels.Tasks(
            self.repeat, self.first_task, self.segment, self.queue, self.service, self.kind, self.first_dependency,
            self.dependency_block, self.dependency_offset, self.reach, self.margin,
        )  # fmt: skip

    def check(self, machine: Machine) -> None:
        """Raise LoweringError if this is not a program of that machine."""
        lengths = self.lengths
        if (lengths < 1).any() or (self.repeat < 1).any():
            raise LoweringError("every block has a task and a repeat count of at least one")
        if (self.service < 1).any():
            raise LoweringError("service times are at least one cycle")
        if len(self.queue) and not (self.queue.min() >= 0 and self.queue.max() < len(machine.queues)):
            raise LoweringError("unknown queue")
        if len(self.kind) and not (self.kind.min() >= 0 and self.kind.max() < len(machine.kinds)):
            raise LoweringError("unknown kind")
        if (np.diff(self.segment) < 0).any():
            raise LoweringError("segments follow each other")
        begin = np.concatenate([[0], np.cumsum(self.repeat * lengths)])
        for b in range(len(self.repeat)):
            # A block that repeats may be shortened by fast-forwarding, so no relative dependency may reach across one.
            floor = max((int(begin[i]) for i in range(b) if self.repeat[i] > 1), default=0)
            for j in range(self.first_task[b], self.first_task[b + 1]):
                u = int(begin[b]) + j - int(self.first_task[b])
                last = u + int((self.repeat[b] - 1) * lengths[b])
                for d in range(self.first_dependency[j], self.first_dependency[j + 1]):
                    block, offset = int(self.dependency_block[d]), int(self.dependency_offset[d])
                    if block == RELATIVE:
                        if offset == 0 or u - offset < floor or last - offset >= begin[b + 1]:
                            raise LoweringError(f"block {b}, task {j}: relative dependency {offset} is out of reach")
                    elif block != BARRIER and (
                        not 0 <= block < b or not 1 <= offset <= self.repeat[block] * lengths[block]
                    ):
                        raise LoweringError(f"block {b}, task {j}: no task {offset} before the end of block {block}")


def program(blocks: Sequence[tuple[int, int, Sequence[Task]]]) -> Program:
    """A program of (repeat, segment, period of tasks)."""
    tasks = [task for _, _, period in blocks for task in period]
    pairs = [[(RELATIVE, o) for o in task.after] + list(task.after_block) for task in tasks]
    flat = [pair for of_task in pairs for pair in of_task]
    reach, margin = _windows(blocks)
    return Program(
        reach=np.array(reach, np.int64),
        margin=np.array(margin, np.int64),
        repeat=np.array([repeat for repeat, _, _ in blocks], np.int64),
        first_task=np.concatenate([[0], np.cumsum([len(period) for _, _, period in blocks])]).astype(np.int64),
        segment=np.array([segment for _, segment, _ in blocks], np.int64),
        queue=np.array([task.queue for task in tasks], np.int64),
        service=np.array([task.service for task in tasks], np.int64),
        kind=np.array([task.kind for task in tasks], np.int64),
        first_dependency=np.concatenate([[0], np.cumsum([len(p) for p in pairs])]).astype(np.int64),
        dependency_block=np.array([block for block, _ in flat], np.int64),
        dependency_offset=np.array([offset for _, offset in flat], np.int64),
    )


def _windows(blocks: Sequence[tuple[int, int, Sequence[Task]]]) -> tuple[list[int], list[int]]:
    """`Program.reach` and `Program.margin` of blocks."""
    begin = [0]
    for repeat, _, period in blocks:
        begin.append(begin[-1] + repeat * len(period))
    reach, behind = [], [0] * len(blocks)  # behind: the farthest task before a block's end that a later one depends on
    for b, (_, _, period) in enumerate(blocks):
        reach.append(max((o for task in period for o in task.after), default=0))
        for j, task in enumerate(period):
            for block, offset in task.after_block:
                if block != BARRIER:
                    behind[block] = max(behind[block], offset)
            for offset in task.after:
                target = begin[b] + j - offset
                for c in range(b - 1, -1, -1):
                    if target >= begin[c + 1]:
                        break
                    behind[c] = max(behind[c], begin[c + 1] - target)
    return reach, [-(-far // len(period)) for far, (_, _, period) in zip(behind, blocks, strict=True)]


@dataclass(frozen=True)
class FlatTask:
    """A task of a written-out program, as the reference engine runs it."""

    queue: int
    service: int
    kind: int
    segment: int
    after: tuple[int, ...]
    """Unrolled indices."""
    barrier: bool
    """Whether it also waits for all tasks of the segments before."""


def unroll(compact: Program) -> list[FlatTask]:
    """Write every period out. For the reference engine and tests: memory grows with the repeat counts."""
    end = np.cumsum(compact.repeat * compact.lengths)
    flat: list[FlatTask] = []
    for b in range(len(compact.repeat)):
        for _ in range(compact.repeat[b]):
            for j in range(compact.first_task[b], compact.first_task[b + 1]):
                after, barrier = [], False
                for d in range(compact.first_dependency[j], compact.first_dependency[j + 1]):
                    block, offset = int(compact.dependency_block[d]), int(compact.dependency_offset[d])
                    if block == BARRIER:
                        barrier = True
                    else:
                        after.append(len(flat) - offset if block == RELATIVE else int(end[block]) - offset)
                flat.append(
                    FlatTask(
                        int(compact.queue[j]),
                        int(compact.service[j]),
                        int(compact.kind[j]),
                        int(compact.segment[b]),
                        tuple(after),
                        barrier,
                    )
                )
    return flat


@dataclass(frozen=True)
class Timing:
    """What a run of a program gives, whichever engine ran it."""

    cycles: int
    """Makespan."""
    charged: Ints
    """(segments, kinds) cycles by segment and what they went on; they add up to `cycles`. See `attribution.py`."""
