"""The machine model's four rules over a list of tasks, with nothing left out, nothing repeated and nothing kept."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Mapping


class Task:
    """Work on a queue's server, of so many cycles, that begins when what it waits for has ended."""

    __slots__ = ("after", "behind_all", "cycles", "ended", "segment")

    def __init__(self, cycles: int, after: Iterable[Task], behind_all: bool, segment: int):
        assert cycles >= 1, "a service time is at least one cycle"
        self.cycles = cycles
        self.after = tuple(after)
        self.behind_all = behind_all
        """Whether it waits for all tasks of the segments before its own."""
        self.segment = segment
        self.ended = False


class EventSimulation:
    """Tasks on the queues of some servers, and the bits that they move, by layer and level."""

    def __init__(self, queues: Mapping[str, str]):
        """`queues`: the server of each queue, in order of priority."""
        self._server = dict(queues)
        self._waiting: dict[str, deque[Task]] = {queue: deque() for queue in queues}
        self._left: list[int] = []
        """Number of tasks of each segment that have not ended."""
        self.moved: list[Counter[str]] = []
        """Bits by layer and level."""

    def begin_segment(self) -> None:
        """What is added from now on is of a new segment."""
        self._left.append(0)

    def begin_layer(self) -> Counter[str]:
        """The bits of another layer, to be counted."""
        self.moved.append(Counter())
        return self.moved[-1]

    def add(self, queue: str, cycles: int, after: Iterable[Task] = (), behind_all: bool = True) -> Task:
        """A task at the end of a queue."""
        task = Task(cycles, after, behind_all, len(self._left) - 1)
        self._waiting[queue].append(task)
        self._left[-1] += 1
        return task

    def run(self) -> int:
        """The cycle in which the last task ends."""
        now, first_left, busy = 0, 0, set[str]()
        running: list[tuple[int, int, str, Task]] = []
        started = 0
        while True:
            while running and running[0][0] == now:  # completions take effect first
                _, _, server, task = heapq.heappop(running)
                task.ended = True
                busy.remove(server)
                self._left[task.segment] -= 1
            while first_left < len(self._left) and not self._left[first_left]:
                first_left += 1
            for queue, server in self._server.items():  # then idle servers take the first ready head
                tasks = self._waiting[queue]
                if server in busy or not tasks or (tasks[0].behind_all and tasks[0].segment > first_left):
                    continue
                if all(before.ended for before in tasks[0].after):
                    task = tasks.popleft()
                    heapq.heappush(running, (now + task.cycles, started, server, task))
                    busy.add(server)
                    started += 1
            if not running:
                assert not any(self._waiting.values()), "tasks wait for each other"
                return now
            now = running[0][0]


class Buffer:
    """A buffer of several parts, each of which is filled again when what was in it has been used."""

    def __init__(self, parts: int):
        self._parts = parts
        self._uses: list[Task] = []

    def free(self, parts: int | None = None) -> list[Task]:
        """What a load waits for: the last use of the part that was filled `parts` loads before."""
        parts = parts or self._parts
        return self._uses[-parts:][:1] if len(self._uses) >= parts else []

    def used(self, task: Task) -> None:
        """A part is free when this task has ended."""
        self._uses.append(task)
