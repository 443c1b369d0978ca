"""What a Dask worker has of a model, and how it evaluates candidates with it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import WorkerPlugin

from search.evaluation.executors.worker import Group, Recognised, Source, forget, limit_threads, loaded, recognise
from simulators.inputs.errors import InputError


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


@dataclass(frozen=True)
class Evaluate:
    """Evaluates a group, in a worker that has the model of a source's key."""

    key: str

    def __call__(self, group: Group) -> Recognised:
        return recognise(_users[self.key][0], group)
