"""Which tasks may run ahead of a segment's beginning, and which wait for all before it."""

from __future__ import annotations

import numpy as np

from simulators.engine.program import BARRIER, RELATIVE, Program


class Gates:
    """Which tasks of a segment wait, directly or not, for the segments before it."""

    def __init__(self, program: Program, prefetch_queue: int | None):
        self.program = program
        self.prefetch_queue = prefetch_queue
        self.lengths = program.lengths
        self.begin = np.concatenate([[0], np.cumsum(program.repeat * self.lengths)])
        queues, stored = np.unique(program.queue, return_index=True)
        b = np.searchsorted(program.first_task, stored, side="right") - 1
        first = self.begin[b] + stored - program.first_task[b]
        order = np.argsort(first)
        self.firsts = list(zip(queues[order].tolist(), first[order].tolist(), strict=True))
        """Each queue with the unrolled index of its first task, by rising index: a chain of thousands is looked at link
        by link."""
        self._first = dict(self.firsts)
        self._held: dict[int, bool] = {}  # by unrolled index

    def holds(self, u: int) -> bool:
        """Whether the task with unrolled index u waits. Tasks behind the first of a queue that does not run ahead do if
        that one does."""
        held = self._held.get(u)
        if held is None:
            held = self._held[u] = self._holds(u)
        return held

    def _holds(self, u: int) -> bool:
        p = self.program
        j = self._place(u)
        for d in range(int(p.first_dependency[j]), int(p.first_dependency[j + 1])):
            block, offset = int(p.dependency_block[d]), int(p.dependency_offset[d])
            if block == BARRIER:
                return True
            v = u - offset if block == RELATIVE else int(self.begin[block + 1]) - offset
            queue = int(p.queue[self._place(v)])
            if queue != self.prefetch_queue and (v > self._first[queue] or self.holds(v)):
                return True
        return False

    def _place(self, u: int) -> int:
        """The stored task."""
        p = self.program
        b = int(np.searchsorted(self.begin, u, side="right")) - 1
        return int(p.first_task[b]) + (u - int(self.begin[b])) % int(self.lengths[b])
