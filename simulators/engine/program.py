"""Tasks as a program. Time steps and tiles repeat, so a program is a list of *blocks*: a period of tasks, and how often
it repeats.

Numbering all tasks as if every period were written out gives each its *unrolled index* u. A dependency is either
relative, on the task `offset` before this one (u - offset; the same in every period), or absolute, on the task `offset`
before the end of an earlier block, or a *barrier*: on all tasks of the segments before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from simulators.engine.fast_kernels import BARRIER, RELATIVE, Ints, Tasks
from simulators.engine.machine import COMPUTE

__all__ = ["BARRIER", "RELATIVE", "FlatTask", "Ints", "Program", "Task", "program", "unroll"]


class Program(Tasks):
    """Blocks of tasks as arrays: see `fast_kernels.Tasks`."""

    __slots__ = ()

    @classmethod
    def of(
        cls, repeat: Ints, first_task: Ints, segment: Ints, tasks: tuple[Ints, Ints, Ints],
        dependencies: tuple[Ints, Ints, Ints],
    ) -> Self:  # fmt: skip
        """A program of `tasks` (queue, service, kind) and `dependencies` (first, block, offset), whose reach and margin
        are found."""
        lengths, (first, block, offset) = np.diff(first_task), dependencies
        end = np.cumsum(repeat * lengths)
        task = np.repeat(np.arange(len(tasks[0])), np.diff(first))
        of = np.repeat(np.arange(len(repeat)), lengths)[task]
        relative = block == RELATIVE
        reach = np.zeros(len(repeat), np.int64)
        np.maximum.at(reach, of[relative], offset[relative])
        behind = np.zeros(len(repeat), np.int64)  # the farthest task before a block's end that a later one depends on
        absolute = block >= 0
        np.maximum.at(behind, block[absolute], offset[absolute])
        begin = end - repeat * lengths
        target = begin[of] + task - first_task[of] - offset  # of a block's first period, which reaches back farthest
        farthest = begin.copy()  # of what each block's first period depends on
        np.minimum.at(farthest, of[relative], target[relative])
        for b in np.flatnonzero(farthest < begin).tolist():
            for c in range(b - 1, -1, -1):
                if farthest[b] >= end[c]:
                    break
                behind[c] = max(behind[c], end[c] - farthest[b])
        return cls(repeat, first_task, segment, *tasks, *dependencies, reach, -(-behind // np.maximum(lengths, 1)))

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return sum(array.nbytes for array in self)

    def timed(self, service: Ints, kind: Ints) -> Self:
        """This program with other service times in cycles and kinds, (T,) each."""
        return self._replace(service=service, kind=kind)

    @property
    def lengths(self) -> Ints:
        """(B,) tasks of a block's period."""
        return np.diff(self.first_task)

    @property
    def tasks(self) -> int:
        """Number of tasks when every period is written out."""
        return int((self.repeat * self.lengths).sum())

    @property
    def cycles(self) -> float:
        """Sum of all service times in cycles, in floating point: it may exceed what int64 holds."""
        return float(self.repeat @ np.add.reduceat(self.service.astype(np.float64), self.first_task[:-1]))


@dataclass(frozen=True)
class Task:
    """One task of a period, written by hand."""

    queue: int
    """Index into the machine's queues."""
    service: int
    """Cycles on the server, at least one."""
    kind: int = COMPUTE
    """Index into the machine's kinds: what a cycle of it is charged to."""
    after: tuple[int, ...] = ()
    """Relative dependencies: offsets back in unrolled order."""
    after_block: tuple[tuple[int, int], ...] = ()
    """Absolute dependencies: (block, offset before its end, from 1); (BARRIER, 0)."""


def program(blocks: Sequence[tuple[int, int, Sequence[Task]]]) -> Program:
    """A program of (repeat, segment, period of tasks)."""
    tasks = [task for _, _, period in blocks for task in period]
    pairs = [[*((RELATIVE, offset) for offset in task.after), *task.after_block] for task in tasks]
    flat = np.array([*chain.from_iterable(pairs)], np.int64).reshape(-1, 2)
    return Program.of(
        _whole(repeat for repeat, _, _ in blocks),
        _whole(np.cumsum([0, *(len(period) for _, _, period in blocks)])),
        _whole(segment for _, segment, _ in blocks),
        (_whole(t.queue for t in tasks), _whole(t.service for t in tasks), _whole(t.kind for t in tasks)),
        (_whole(np.cumsum([0, *map(len, pairs)])), flat[:, 0].copy(), flat[:, 1].copy()),
    )


def _whole(values: Iterable[int]) -> Ints:
    return np.array([*values], np.int64)


@dataclass(frozen=True)
class FlatTask:
    """A task of a written-out program, as the reference engine runs it."""

    queue: int
    """Index into the machine's queues."""
    service: int
    """Cycles on the server."""
    kind: int
    """Index into the machine's kinds."""
    segment: int
    """Number of the segment that it belongs to."""
    after: tuple[int, ...]
    """Unrolled indices of what it depends on."""
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
                queue, service, kind = int(compact.queue[j]), int(compact.service[j]), int(compact.kind[j])
                flat.append(FlatTask(queue, service, kind, int(compact.segment[b]), tuple(after), barrier))
    return flat
