"""Evaluations by Dask: on a cluster of processes here, or on one that there is already.

A plugin loads the model once in each worker, those that join later included. Only this process writes the ledger, so
workers need no access to the run's folder, but for reading what beacons' retrainings left there.
"""

import logging
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from distributed import Client, Future, LocalCluster, Security, WorkerPlugin, wait
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from search.evaluation.executors.executor import Died, Finished
from search.evaluation.executors.local_cluster import check_dashboard, local_cluster
from search.evaluation.executors.worker import (
    Group,
    Recognised,
    Recognition,
    Source,
    forget,
    limit_threads,
    loaded,
    recognise,
)
from simulators.inputs.child_processes import shielded
from simulators.inputs.closing import Closing
from simulators.inputs.errors import InputError

TIMEOUT_S = 20
"""For a scheduler to answer."""
LOOK_S, IDLE_LOOKS = 2.0, 4
"""Seconds between looks at the workers while none has finished, and looks at idle ones before tasks count as lost."""
ATTEMPTS = 5
"""At having all workers load a model, while workers die."""
LOST = (CommClosedError, CancelledError, TimeoutError)
REFUSED = (OSError, ValueError, TypeError, RuntimeError)
"""No answer, no such address; no certificate for TLS; no TLS where Dask's configuration requires it."""


class Dask(Closing):
    """A Dask cluster, by its scheduler's address or, with a number of workers, one that this process starts."""

    together = 1

    def __init__(
        self,
        workers: int | None = None,
        scheduler: str | None = None,
        security: Security | None = None,
        dashboard: int | None = None,
    ):
        """Raises InputError unless there is one of the first two.

        `security` is the certificates for a scheduler; without one, Dask's own configuration says which. `dashboard` is
        the port of this machine's loopback interface on which a cluster that starts here serves Dask's dashboard.
        """
        if (workers is None) == (scheduler is None):
            raise InputError("--scheduler: that cluster has its workers already: leave out --workers and --dask")
        if workers is not None and workers < 1:
            raise InputError(f"--workers {workers}: it must be at least 1")
        check_dashboard(dashboard)
        self._number, self._dashboard = workers, dashboard
        self._scheduler, self._security = scheduler, security
        self._started = ExitStack()
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._provided: set[str] = set()
        self._names: list[str] = []
        """Names of plugins."""

    def close(self) -> None:
        """Leave the cluster as it was found; end it, if it was started here. What Dask logs of work that this cuts off
        is no news."""
        logging.disable(logging.CRITICAL)
        try:
            self._close()
        finally:
            logging.disable(logging.NOTSET)

    def _close(self) -> None:
        if self._client is not None:
            if self._cluster is None and self._client.status == "running":
                for name in self._names:
                    with suppress(*LOST, ValueError):  # ValueError: it did not come so far
                        self._client.unregister_worker_plugin(name)
            self._client.close()
        self._started.close()
        self._client, self._cluster = None, None
        self._provided, self._names = set(), []

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        """See `search.evaluation.executors.executor.Executor`."""
        if not groups:
            return
        evaluations = self.running(recognition)
        try:
            for group in groups:
                evaluations.submit(group)
            while evaluations.left:
                yield from evaluations.finished(None)
        finally:
            evaluations.close()

    def running(self, recognition: Recognition) -> "_Evaluations":
        """See `search.evaluation.executors.executor.TakesMore`."""
        client = self._connected()
        with self.unless_lost():
            self._provide(client, recognition.source)
        return _Evaluations(self, client, recognition.source.key)

    @contextmanager
    def unless_lost(self) -> Iterator[None]:
        """Raises InputError where the cluster is lost."""
        try:
            yield
        except LOST as error:
            where = self._scheduler or "the local cluster"
            raise InputError(f"{where}: lost: {error}; the search continues with --resume") from None

    def threads(self, client: Client) -> int:
        """Threads of the workers that take tasks; one that has joined and still loads the model does not."""
        if self._cluster is not None and len(self._cluster.workers) < (self._number or 0):
            self._cluster.scale(self._number)  # Dask gives a worker up for good that dies before it has joined
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(worker["nthreads"] for worker in workers if worker["status"] == "running")

    def _connected(self) -> Client:
        if self._client is None:
            try:
                with shielded():
                    if self._number is not None:
                        self._cluster = self._started.enter_context(local_cluster(self._number, self._dashboard))
                    self._client = Client(self._scheduler or self._cluster, security=self._security, timeout=TIMEOUT_S)
            except REFUSED as error:
                where = f"--scheduler {self._scheduler}" if self._scheduler else "the local cluster"
                text = " ".join(str(error).split())
                raise InputError(f"{where}: no Dask scheduler answers there: {text}") from None
        return self._client

    def _provide(self, client: Client, source: Source) -> None:
        """Have the source's model loaded in every worker, now and when it joins."""
        if source.key in self._provided:
            return
        plugin = LoadModel(source, one_thread=self._cluster is not None)
        for attempts_left in reversed(range(ATTEMPTS)):
            name = f"mohaq-{uuid.uuid4()}"
            self._names.append(name)
            try:
                client.register_plugin(plugin, name=name)
                break
            except LOST:  # a worker died meanwhile, if it is not the scheduler
                if client.status != "running" or not attempts_left:
                    raise
            except Exception as error:
                if "pickle" not in str(error).lower():
                    raise
                raise InputError(
                    f"the model cannot be sent to other processes ({error}): give `run` a factory"
                ) from None
        self._provided.add(source.key)


class _Evaluations:
    """See `search.evaluation.executors.executor.Running`.

    No more tasks at once than workers have threads: with a result in the memory of a worker, that worker gets no other
    task, so that its death loses one of the two at most. A task that Dask forgets to run again after a death, all
    workers being idle, is submitted anew. Dask suspects whatever waited on a worker that died: a suspect is evaluated
    once more, alone, and only the culprit dies again.
    """

    def __init__(self, dask: Dask, client: Client, key: str):
        self._dask, self._client, self._key = dask, client, key
        self._waiting: deque[Group] = deque()
        self._suspects: deque[tuple[Group, int]] = deque()
        self._futures: dict[Future[Recognised], tuple[Group, int]] = {}
        """Groups that are evaluated now, and how many workers they killed before."""
        self._idle_looks, self._looked = 0, time.monotonic()

    @property
    def workers(self) -> int:
        with self._dask.unless_lost():
            return max(1, self._dask.threads(self._client))

    @property
    def left(self) -> int:
        """Groups that are not finished."""
        return len(self._waiting) + len(self._suspects) + len(self._futures)

    def submit(self, group: Group) -> None:
        self._waiting.append(group)

    def finished(self, timeout_s: float | None) -> list[Finished]:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._dask.unless_lost():
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
        """Submit as many tasks as workers are free; a suspect when nothing else is evaluated."""
        with self._dask.unless_lost():
            if self._suspects:
                if not self._futures:
                    self._submit(*self._suspects.popleft())
                return
            if any(deaths for _, deaths in self._futures.values()):
                return
            free = self.workers - len(self._futures) if self._waiting else 0
            for _ in range(min(free, len(self._waiting))):
                self._submit(self._waiting.popleft(), 0)

    def _submit(self, group: Group, deaths: int) -> None:
        self._futures[self._client.submit(_evaluate, self._key, group, pure=False)] = group, deaths

    def _result(self, future: "Future[Recognised]") -> list[Finished]:
        """What a task came to; nothing, if its group is to be evaluated again."""
        try:
            result: Recognised | Died = future.result()
        except KilledWorker as error:
            result = Died(error.allowed_failures + 1)
        group, deaths = self._futures.pop(future)
        future.release()
        self._idle_looks, self._looked = 0, time.monotonic()
        if isinstance(result, Died):
            if not deaths:
                self._suspects.append((group, result.deaths))
                return []
            result = Died(deaths + result.deaths)
        return [(group, result)]

    def _look(self) -> None:
        """Look at the workers, none of which has finished since the last look: tasks that none of them has are lost."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        idle = self._dask.threads(self._client) and not any(self._client.processing().values())
        self._idle_looks = self._idle_looks + 1 if idle else 0
        if self._idle_looks == IDLE_LOOKS:
            self._client.cancel(list(self._futures))
            for group, deaths in self._futures.values():
                if deaths:
                    self._suspects.append((group, deaths))
                else:
                    self._waiting.appendleft(group)
            self._futures.clear()
            self._idle_looks = 0


class LoadModel(WorkerPlugin):
    """Has a worker load a model at its start, and free it when the last search that uses it is done."""

    def __init__(self, source: Source, one_thread: bool):
        self.source = source
        self._one_thread = one_thread

    def setup(self, worker: Any) -> None:
        if self._one_thread:
            limit_threads(1)
        _users.setdefault(self.source.key, []).append(self.source)
        with suppress(InputError):  # which would have the worker started for ever; the first task says it to the driver
            loaded(self.source)

    def teardown(self, worker: Any) -> None:
        users = _users.get(self.source.key, [])
        if users:
            users.pop()
        if not users:
            forget(self.source)


_users: dict[str, list[Source]] = {}


def _evaluate(key: str, group: Group) -> Recognised:
    """In a worker."""
    return recognise(_users[key][0], group)
