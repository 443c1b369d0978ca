"""Workers and a method that thinks, in a time of their own: how busy workers are follows from the search alone, and not
from the machine."""

import heapq
import random
import threading
from dataclasses import dataclass, field

from search.evaluation.executors.executor import Finished, Inline
from search.evaluation.executors.worker import Group, Recognition
from search.methods import Genes
from search.methods.random_search import RandomSearch


@dataclass
class VirtualTime(Inline):
    """So many workers, whose evaluations take between a half and one and a half of a mean."""

    workers: int
    mean_s: float
    now_s: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)
    """When each evaluation began and ends, in s."""
    order: random.Random = field(default_factory=lambda: random.Random(1))
    thinks_s: float | None = None
    """How long the method thinks that has just begun to."""
    thinks: threading.Event = field(default_factory=threading.Event)
    has_thought: threading.Event = field(default_factory=threading.Event)
    left: int = 0
    """Evaluations that are not finished."""

    def running(self, recognition: Recognition) -> "VirtualRunning":
        return VirtualRunning(self, recognition)

    def busy(self) -> float:
        """Share of the time in which workers evaluate, from when all do to the last beginning."""
        begins = sorted(begin for begin, _ in self.spans)
        first, last = begins[self.workers - 1], begins[-1]
        spent = sum(max(0.0, min(end, last) - max(begin, first)) for begin, end in self.spans)
        return spent / (self.workers * (last - first))


class Thinking(RandomSearch):
    """A random search that takes its time to choose, from when a first population is evaluated."""

    def __init__(self, time: VirtualTime, thinks_s: float):
        self._time, self._thinks_s = time, thinks_s

    def ask_more(self, number: int, pending: Genes) -> Genes | None:
        genes, time = super().ask_more(number, pending), self._time
        if len(self._rest) == 0 and len(pending):
            if time.left:  # the search looks at the workers until this has returned
                time.thinks_s = self._thinks_s
                time.thinks.set()
                time.has_thought.wait()
                time.has_thought.clear()
            else:
                time.now_s += self._thinks_s
        return genes


class VirtualRunning:
    """See `search.evaluation.executors.executor.Running`."""

    def __init__(self, time: VirtualTime, recognition: Recognition):
        self._time, self._recognition = time, recognition
        self._waiting: list[Group] = []
        self._running: list[tuple[float, int, Group]] = []
        self.workers = time.workers

    def submit(self, group: Group) -> None:
        self._waiting.append(group)
        self._time.left += 1
        self._begin()

    def finished(self, timeout_s: float | None) -> list[Finished]:
        time = self._time
        if timeout_s is None:
            return self._until(self._running[0][0])
        if not time.thinks.wait(timeout_s):
            return []
        time.thinks.clear()
        assert time.thinks_s is not None
        ended = self._until(time.now_s + time.thinks_s)
        time.has_thought.set()
        return ended

    def close(self) -> None:
        """Nothing is to be given up."""

    def _until(self, end_s: float) -> list[Finished]:
        ended = []
        while self._running and self._running[0][0] <= end_s:
            self._time.now_s, _, group = heapq.heappop(self._running)
            self._time.left -= 1
            ended.append((group, self._recognition(group)))
            self._begin()
        self._time.now_s = end_s
        return ended

    def _begin(self) -> None:
        """Have free workers begin with what waits."""
        time = self._time
        while self._waiting and len(self._running) < self.workers:
            end_s = time.now_s + time.mean_s * time.order.uniform(0.5, 1.5)
            time.spans.append((time.now_s, end_s))
            heapq.heappush(self._running, (end_s, len(time.spans), self._waiting.pop(0)))
