"""Evaluations by Dask: on a cluster of processes here, or on one that there is already.

A plugin loads the model once in each worker, those that join later included. Only this process writes the ledger, so
workers need no access to the run's folder, but for reading what beacons' retrainings left there.
"""

import logging
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from typing import Any

from distributed import Client, Future, LocalCluster, Security, WorkerPlugin, wait
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from search.evaluation.executors.executor import Died
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

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[tuple[Group, Recognised | Died]]:
        """See `search.evaluation.executors.executor.Executor`."""
        if not groups:
            return
        client = self._connected()
        try:
            self._provide(client, recognition.source)
            suspects: list[tuple[Group, int]] = []
            for group, result in self._completed(client, recognition.source.key, groups):
                if isinstance(result, Died):
                    suspects.append((group, result.deaths))
                else:
                    yield group, result
            # Dask suspects whatever waited on a worker that died. Alone, only the culprit dies again.
            for group, deaths in suspects:
                for _, result in self._completed(client, recognition.source.key, [group]):
                    yield group, Died(deaths + result.deaths) if isinstance(result, Died) else result
        except LOST as error:
            where = self._scheduler or "the local cluster"
            raise InputError(f"{where}: lost: {error}; the search continues with --resume") from None

    def _threads(self, client: Client) -> int:
        """Threads of the workers that take tasks; one that has joined and still loads the model does not."""
        if self._cluster is not None and len(self._cluster.workers) < (self._number or 0):
            self._cluster.scale(self._number)  # Dask gives a worker up for good that dies before it has joined
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        return sum(worker["nthreads"] for worker in workers if worker["status"] == "running")

    def _completed(
        self, client: Client, key: str, groups: Sequence[Group]
    ) -> Iterator[tuple[Group, Recognised | Died]]:
        """No more tasks at once than workers have threads: with a result in the memory of a worker, that worker gets no
        other task, so that its death loses one of the two at most.

        A task that Dask forgets to run again after a death, all workers being idle, is submitted anew.
        """
        waiting = deque(groups)
        futures: dict[Future[Recognised], Group] = {}
        idle = 0
        try:
            while waiting or futures:
                free = max(1, self._threads(client)) - len(futures)
                for _ in range(min(free, len(waiting))):
                    group = waiting.popleft()
                    futures[client.submit(_evaluate, key, group, pure=False)] = group
                try:
                    done = wait(list(futures), timeout=LOOK_S, return_when="FIRST_COMPLETED").done
                except TimeoutError:
                    idle = 0 if not self._threads(client) or any(client.processing().values()) else idle + 1
                    if idle == IDLE_LOOKS:
                        client.cancel(list(futures))
                        waiting.extendleft(futures.values())
                        futures.clear()
                        idle = 0
                    continue
                idle = 0
                for future in done:
                    result: Recognised | Died
                    try:
                        result = future.result()
                    except KilledWorker as error:
                        result = Died(error.allowed_failures + 1)
                    group = futures.pop(future)
                    future.release()
                    yield group, result
        finally:
            if futures:  # the caller gave up
                client.cancel(list(futures))

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
