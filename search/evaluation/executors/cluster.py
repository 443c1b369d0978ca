"""Evaluations by Dask: on a cluster of processes here, or on one that there is already.

A plugin loads the model once in each worker, or brings the traces of a sweep's candidates, those that join later
included. Only this process writes the ledger and the parts of a sweep, so workers need no access to the run's folder,
but for reading what beacons' retrainings left there.
"""

import gc
import logging
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from distributed import Client, LocalCluster, Security, WorkerPlugin

from search.evaluation.executors.cluster_models import Evaluate, LoadModel
from search.evaluation.executors.cluster_tasks import LOST, ClusterTasks
from search.evaluation.executors.cluster_variants import HoldTraces, SentTraces, Simulate, simulated
from search.evaluation.executors.executor import Finished
from search.evaluation.executors.local_cluster import check_dashboard, local_cluster
from search.evaluation.executors.worker import Group, Recognised, Recognition
from simulators.hardware.arch import Arch
from simulators.inputs.child_processes import shielded
from simulators.inputs.closing import Closing
from simulators.inputs.cores import check_workers
from simulators.inputs.errors import InputError
from simulators.run.trace_batch import Figures, TraceBatch

TIMEOUT_S = 20
"""For a scheduler to answer."""
ATTEMPTS = 5
"""At having all workers take a plugin, while workers die."""
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
        if workers is not None:
            check_workers(workers)
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
            if self._cluster is None:
                for name in list(self._names):
                    self._withdraw(self._client, name)
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

    def running(self, recognition: Recognition) -> ClusterTasks[Group, Recognised]:
        """See `search.evaluation.executors.executor.TakesMore`."""
        client, source = self._connected(), recognition.source
        with self.unless_lost():
            if source.key not in self._provided:
                given = "the model cannot be sent to other processes", ": give `run` a factory"
                self._provide(client, LoadModel(source, one_thread=self._cluster is not None), given)
                self._provided.add(source.key)
        return ClusterTasks(self, client, Evaluate(source.key))

    def simulate(self, candidates: TraceBatch, archs: Sequence[Arch]) -> Generator[tuple[int, Figures], None, None]:
        """See `search.evaluation.executors.executor.SimulatesVariants`."""
        client = self._connected()
        sent = SentTraces.of(candidates, archs)
        with self.unless_lost():
            name = self._provide(client, HoldTraces(sent), ("the traces cannot be sent to other processes", ""))
        yield from simulated(ClusterTasks(self, client, Simulate(sent.key)), archs)
        self._withdraw(client, name)  # after an interruption it is for `close` to do, where workers stay

    @contextmanager
    def unless_lost(self) -> Iterator[None]:
        """Raises InputError where the cluster is lost."""
        try:
            yield
        except LOST as error:
            where = self._scheduler or "the local cluster"
            raise InputError(f"{where}: lost: {error}; the search continues with --resume") from None

    def threads(self, client: Client) -> dict[str, int]:
        """Threads of the workers that take tasks, by their addresses; one that has joined and still loads the model
        takes none."""
        if self._cluster is not None and len(self._cluster.workers) < (self._number or 0):
            self._cluster.scale(self._number)  # Dask gives a worker up for good that dies before it has joined
        workers = client.scheduler_info(n_workers=-1)["workers"].items()
        return {address: worker["nthreads"] for address, worker in workers if worker["status"] == "running"}

    def _connected(self) -> Client:
        if self._client is None:
            try:
                with shielded():
                    if self._number is not None:
                        self._cluster = self._started.enter_context(local_cluster(self._number, self._dashboard))
                    self._client = Client(self._scheduler or self._cluster, security=self._security, timeout=TIMEOUT_S)
            except REFUSED as error:
                refusal = " ".join(str(error).split())
        if self._client is None:
            # The refused client goes now. Collected later, while another one starts in this thread, it would wait for
            # ever for the lock of all event loops, which that one holds.
            gc.collect()
            where = f"--scheduler {self._scheduler}" if self._scheduler else "the local cluster"
            raise InputError(f"{where}: no Dask scheduler answers there: {refusal}")
        return self._client

    def _provide(self, client: Client, plugin: WorkerPlugin, unsendable: tuple[str, str]) -> str:
        """Have a plugin in every worker, now and when it joins; its name. `unsendable` is what is said, around the
        reason, where it cannot be pickled."""
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
                raise InputError(f"{unsendable[0]} ({error}){unsendable[1]}") from None
        return name

    def _withdraw(self, client: Client, name: str) -> None:
        """Take a plugin from the workers."""
        self._names.remove(name)
        if client.status == "running":
            with suppress(*LOST, ValueError):  # ValueError: it did not come so far
                client.unregister_worker_plugin(name)
