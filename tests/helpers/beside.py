"""An executor that evaluates several candidates beside one another as far as a search can tell, in one process: they end
in an order that is drawn."""

import random
import time
from collections.abc import Callable, Iterator, Sequence

from search.evaluation.executors.executor import Died, Finished, Inline
from search.evaluation.executors.worker import Group, Recognition


class Stop(Exception):
    """In place of a kill."""


class Beside(Inline):
    """So many workers; after so many evaluations the search ends with an exception. A candidate for which `kills` holds
    kills its workers."""

    def __init__(self, workers: int, seed: int = 1, stop_after: int = 10**9, kills: Callable[[Group], bool] = any):
        self.workers, self.order, self.left = workers, random.Random(seed), stop_after
        self.kills = (lambda _: False) if kills is any else kills
        self.at_once: list[int] = []
        """How many candidates were given to workers each time that there was nothing else to do."""

    def running(self, recognition: Recognition) -> "DrawnOrder":
        return DrawnOrder(self, recognition)

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        for group in groups:
            yield group, self.evaluated(recognition, group)

    def evaluated(self, recognition: Recognition, group: Group) -> "Died | tuple":
        self.left -= 1
        if self.left < 0:
            raise Stop
        return Died(2) if self.kills(group) else recognition(group)


class DrawnOrder:
    """See `search.evaluation.executors.executor.Running`."""

    def __init__(self, executor: Beside, recognition: Recognition):
        self._executor, self._recognition = executor, recognition
        self._submitted: list[Group] = []
        self.workers = executor.workers

    def submit(self, group: Group) -> None:
        self._submitted.append(group)

    def finished(self, timeout_s: float | None) -> list[Finished]:
        executor = self._executor
        if timeout_s is None:
            executor.at_once.append(len(self._submitted))
        elif executor.order.random() < 0.9:
            time.sleep(timeout_s / 10)
            return []
        group = self._submitted.pop(executor.order.randrange(min(self.workers, len(self._submitted))))
        return [(group, executor.evaluated(self._recognition, group))]

    def close(self) -> None:
        self._submitted.clear()
