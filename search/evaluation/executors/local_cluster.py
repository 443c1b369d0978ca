"""A Dask cluster of processes on this machine, which no other machine reaches."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import dask
from distributed import LocalCluster

from simulators.inputs.errors import InputError

LOOPBACK = "127.0.0.1"
SETTINGS = {
    # Dask closes a worker for good that is down so long after a death, be it of another death.
    "distributed.deploy.lost-worker-timeout": "1000h",
}
NO_PAGES: dict[str, Any] = {f"distributed.{kind}.http.routes": [] for kind in ("scheduler", "worker")}
"""Schedulers and workers open a port of HTTP each, here on the loopback interface; without routes it serves nothing."""


def check_dashboard(port: int | None) -> None:
    """Raise InputError where Dask's dashboard is wanted and cannot be."""
    if port is not None and find_spec("bokeh") is None:
        raise InputError(f"--dashboard {port}: Dask's dashboard needs bokeh: pip install bokeh")


@contextmanager
def local_cluster(workers: int, dashboard: int | None = None) -> Iterator[LocalCluster]:
    """Worker processes of one thread, whose scheduler and dashboard, if a port is given for one, listen on the loopback
    interface alone. The connections are those that Dask's own configuration asks for: with TLS, if it does."""
    with dask.config.set(SETTINGS if dashboard is not None else {**SETTINGS, **NO_PAGES}):
        # No limit on memory: like a pool of processes, and the system's to say. A death makes a task a suspect at once.
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:{dashboard or 0}", silence_logs=logging.CRITICAL,
            scheduler_kwargs={"allowed_failures": 0, "dashboard": dashboard is not None},
        )  # fmt: skip
        try:
            yield cluster
        finally:
            cluster.close()
