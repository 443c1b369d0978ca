"""A worker that is gone when a plugin is sent to all: what Dask raises then is no end of the search."""

from typing import Any

import pytest
from distributed import WorkerPlugin

from search.evaluation.executors.cluster import ATTEMPTS, Dask
from simulators.inputs.errors import InputError


class Losing:
    """A client of a cluster, of which so many times a worker does not answer."""

    status = "running"

    def __init__(self, losses: int) -> None:
        self.losses, self.names = losses, []

    def register_plugin(self, plugin: WorkerPlugin, name: str) -> None:
        self.names.append(name)
        if len(self.names) <= self.losses:
            raise OSError("Timed out trying to connect to tcp://127.0.0.1:1 after 3 s")


def test_it_is_sent_again_to_those_that_are_left() -> None:
    client: Any = Losing(1)
    executor = Dask(scheduler="tcp://127.0.0.1:1")
    assert executor._provide(client, WorkerPlugin(), ("", "")) == client.names[1]
    assert len(set(client.names)) == 2


def test_a_cluster_that_never_answers_is_one_line() -> None:
    client: Any = Losing(ATTEMPTS)
    executor = Dask(scheduler="tcp://127.0.0.1:1")
    told = r"tcp://127\.0\.0\.1:1: lost: Timed out .*; the search continues with --resume"
    with pytest.raises(InputError, match=told), executor.unless_lost():
        executor._provide(client, WorkerPlugin(), ("", ""))
    assert len(client.names) == ATTEMPTS
