"""Tasks on a Dask cluster, as many at once as it has threads, whose workers may die.

It is the same whatever a task does: `search.evaluation.executors.cluster_models` evaluates candidates,
`search.evaluation.executors.cluster_variants` simulates variants of hardware.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

from distributed import Client, Future, wait
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from search.evaluation.executors.executor import Died

LOOK_S, IDLE_LOOKS = 2.0, 4
"""Seconds between looks at the workers while none has finished, and looks at idle ones before tasks count as lost."""
LOST = (CommClosedError, CancelledError, OSError)
"""What Dask raises where a worker or the scheduler is gone: of a worker that does not answer a plain OSError."""

Work = TypeVar("Work")
Result = TypeVar("Result")


class Connection(Protocol):
    """The cluster that tasks run on."""

    def threads(self, client: Client) -> dict[str, int]:
        """Threads of the workers that take tasks, by their addresses."""
        ...

    def unless_lost(self) -> AbstractContextManager[None]:
        """Raises InputError where the cluster is lost."""
        ...


class ClusterTasks(Generic[Work, Result]):
    """What a cluster does of a kind: see `search.evaluation.executors.executor.Running`, whose groups are work here.

    No more tasks at once than workers have threads: with a result in the memory of a worker, that worker gets no other
    task, so that its death loses one of the two at most. A task that Dask forgets to run again after a death, all
    workers being idle, is submitted anew. Dask suspects whatever waited on a worker that died: a suspect is done
    once more, alone, and only the culprit dies again.
    """

    def __init__(self, cluster: Connection, client: Client, do: Callable[[Work], Result]):
        """`do` is what a worker does of a piece of work; it must be picklable."""
        self._cluster, self._client, self._do = cluster, client, do
        self._waiting: deque[tuple[Work, str | None]] = deque()
        """Work, and the worker that it is best done by."""
        self._suspects: deque[tuple[Work, int]] = deque()
        self._futures: dict[Future[Result], tuple[Work, int]] = {}
        """Work that is done now, and how many workers it killed before."""
        self._idle_looks, self._looked = 0, time.monotonic()

    @property
    def workers(self) -> int:
        return max(1, sum(self.threads.values()))

    @property
    def threads(self) -> dict[str, int]:
        """Threads of the workers that take tasks, by their addresses."""
        with self._cluster.unless_lost():
            return self._cluster.threads(self._client)

    @property
    def left(self) -> int:
        """Pieces of work that are not finished."""
        return len(self._waiting) + len(self._suspects) + len(self._futures)

    def submit(self, work: Work, worker: str | None = None) -> None:
        """Have work done, by the worker of an address as long as that is there."""
        self._waiting.append((work, worker))

    def finished(self, timeout_s: float | None) -> list[tuple[Work, Result | Died]]:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._cluster.unless_lost():
            while True:
                self._begin()
                look_s = LOOK_S if deadline is None else min(LOOK_S, max(0.001, deadline - time.monotonic()))
                try:
                    done = wait(list(self._futures), timeout=look_s, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    self._look()
                    done = set()
                results = [finished for future in done for finished in self._result(future)]
                self._begin()
                if results or (deadline is not None and time.monotonic() >= deadline):
                    return results

    def close(self) -> None:
        if self._futures:  # the caller gave up
            self._client.cancel(list(self._futures))
            self._futures.clear()

    def _begin(self) -> None:
        """Submit as many tasks as workers are free; a suspect when nothing else is done."""
        with self._cluster.unless_lost():
            if self._suspects:
                if not self._futures:
                    self._submit(*self._suspects.popleft())
                return
            if any(deaths for _, deaths in self._futures.values()):
                return
            free = self.workers - len(self._futures) if self._waiting else 0
            for _ in range(min(free, len(self._waiting))):
                work, worker = self._waiting.popleft()
                self._submit(work, 0, worker)

    def _submit(self, work: Work, deaths: int, worker: str | None = None) -> None:
        where = {} if worker is None else {"workers": [worker], "allow_other_workers": True}
        self._futures[self._client.submit(self._do, work, pure=False, **where)] = work, deaths

    def _result(self, future: "Future[Result]") -> list[tuple[Work, Result | Died]]:
        """What a task came to; nothing, if its work is to be done again."""
        try:
            result: Result | Died = future.result()
        except KilledWorker as error:
            result = Died(error.allowed_failures + 1)
        work, deaths = self._futures.pop(future)
        future.release()
        self._idle_looks, self._looked = 0, time.monotonic()
        if isinstance(result, Died):
            if not deaths:
                self._suspects.append((work, result.deaths))
                return []
            result = Died(deaths + result.deaths)
        return [(work, result)]

    def _look(self) -> None:
        """Look at the workers, none of which has finished since the last look: tasks that none of them has are lost."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        idle = sum(self._cluster.threads(self._client).values()) and not any(self._client.processing().values())
        self._idle_looks = self._idle_looks + 1 if idle else 0
        if self._idle_looks == IDLE_LOOKS:
            self._client.cancel(list(self._futures))
            for work, deaths in self._futures.values():
                if deaths:
                    self._suspects.append((work, deaths))
                else:
                    self._waiting.appendleft((work, None))
            self._futures.clear()
            self._idle_looks = 0
