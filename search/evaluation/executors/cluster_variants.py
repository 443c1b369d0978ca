"""Variants of hardware on the workers of a Dask cluster: candidates go there once, figures come back compressed.

A task is the variants that take a fraction of a second, at least one. A worker gets those that share what simulation
keeps, one task after the other, as `simulators.run.parallel_sweep` gives them to a process: on another worker each of
them would be worked out anew. A worker that is killed loses the task that it had, and others take its portion.
"""

import gc
import pickle
import threading
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from distributed import WorkerPlugin

from search.evaluation.executors.cluster_tasks import ClusterTasks
from search.evaluation.executors.executor import Died
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.inputs.plugins import SentPlugins, loaded
from simulators.run.cost_code import cost_code
from simulators.run.parallel_sweep import rare_collections
from simulators.run.portions import Portions
from simulators.run.trace_batch import Figures, TraceBatch

TASK_S = 0.5
"""Seconds that a task should take: a hundred times what Dask adds to it, and little to lose."""
ANY = ""
"""In place of a worker's address: whichever comes."""


class Packed(NamedTuple):
    """Figures on their way."""

    content: bytes
    """Cycles, energy and reasons of N candidates, 8 bytes each, compressed."""
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, figures: Figures) -> "Packed":
        """The figures of a variant."""
        columns = (figures.cycles, np.int64), (figures.energy_uj, np.float64), (figures.reason, np.int64)
        return cls(zlib.compress(b"".join(a.astype(kind).tobytes() for a, kind in columns), 1), figures.reasons)

    def unpacked(self) -> Figures:
        """The figures that were packed."""
        content = zlib.decompress(self.content)
        size = len(content) // 3
        cycles, energy_uj, reason = (content[start : start + size] for start in range(0, 3 * size, size))
        return Figures(
            np.frombuffer(cycles, np.int64), np.frombuffer(energy_uj, np.float64), np.frombuffer(reason, np.int64),
            self.reasons,
        )  # fmt: skip


class VariantTask(NamedTuple):
    """What a task simulates."""

    numbers: tuple[int, ...]
    """Positions of the architectures."""
    archs: bytes
    """The architectures, pickled: a scheduler elsewhere has no plugin's platform to read them with."""


class VariantFigures(NamedTuple):
    """What a task made of its variants."""

    figures: list[Packed]
    seconds: float
    """Time that the task took."""


@dataclass(frozen=True)
class SentTraces:
    """The candidates of a sweep, and what a worker needs to simulate them."""

    plugins: SentPlugins
    """Read first: traces and architectures may be of their classes."""
    candidates: TraceBatch
    codes: tuple[tuple[str, str], ...]
    """(platform, digest of the code that decides its figures)."""
    key: str
    """Tells it apart from other sweeps."""

    @classmethod
    def of(cls, candidates: TraceBatch, archs: Sequence[Arch]) -> "SentTraces":
        """The candidates for some architectures."""
        platforms = sorted({arch.platform for arch in archs})
        codes = tuple((name, cost_code(name).digest()) for name in platforms)
        return cls(SentPlugins(loaded()), candidates, codes, str(uuid.uuid4()))

    def check(self) -> None:
        """Raises InputError where this process would find other figures than the one that sent them."""
        for platform, digest in self.codes:
            if cost_code(platform).digest() != digest:
                rule = "restart the workers"
                raise InputError(
                    f"a worker simulates {platform} with another version of the code than this sweep: {rule}"
                )


def simulated(tasks: ClusterTasks[VariantTask, VariantFigures], archs: Sequence[Arch]) -> Iterator[tuple[int, Figures]]:
    """(position, figures) of every architecture, in the order of completion. Raises InputError for one whose simulation
    kills workers."""
    sweep = _Sweep(tasks, archs)
    try:
        sweep.submit()
        while tasks.left:
            ready = [one for batch, result in tasks.finished(None) for one in sweep.taken(batch, result)]
            sweep.submit()  # before the caller does something with these
            for number, packed in ready:
                yield number, packed.unpacked()
    finally:
        tasks.close()


class _Sweep:
    """Architectures that wait, who is at work, and how long one takes."""

    def __init__(self, tasks: ClusterTasks[VariantTask, VariantFigures], archs: Sequence[Arch]):
        self._tasks, self._archs = tasks, archs
        self._portions = Portions(archs)
        self._at_work: dict[tuple[int, ...], str] = {}
        """The worker that was asked for each task that is under way."""
        self._seconds, self._done = 0.0, 0

    def submit(self) -> None:
        """Give each worker that has none a task of its own portion, with some other's help where little is left. A
        worker of several threads simulates one batch at a time, and gets one task."""
        left = self._portions.left
        if not left:
            return
        workers = list(self._tasks.threads) or [ANY]
        self._portions.keep(workers)
        fit = int(TASK_S * self._done / self._seconds) if self._done else 1
        most = max(1, min(fit, left // (2 * len(workers))))
        for worker in workers:
            if worker not in self._at_work.values():
                self._submit(self._portions.next_for(worker, most), worker)

    def taken(self, batch: VariantTask, result: VariantFigures | Died) -> list[tuple[int, Packed]]:
        """What a task came to; of one that killed workers the variants are tried alone."""
        self._at_work.pop(batch.numbers, None)
        if isinstance(result, Died):
            if len(batch.numbers) == 1:
                name = self._archs[batch.numbers[0]].name
                what = f"variant {batch.numbers[0] + 1} ({name}) of those to simulate killed {result.deaths} workers"
                raise InputError(f"{what}: too little memory, or its platform is at fault")
            for number in batch.numbers:
                self._submit([number], ANY)
            return []
        self._seconds, self._done = self._seconds + result.seconds, self._done + len(batch.numbers)
        return list(zip(batch.numbers, result.figures, strict=True))

    def _submit(self, numbers: Sequence[int], worker: str) -> None:
        if numbers:
            task = VariantTask(tuple(numbers), pickle.dumps([self._archs[number] for number in numbers]))
            self._at_work[task.numbers] = worker
            self._tasks.submit(task, worker or None)


_sent: dict[str, SentTraces] = {}
_checked: set[str] = set()
"""Keys of those whose code was found to be this process's."""
_at_once = threading.Lock()
"""A process simulates one batch at a time: variants share segments and timings."""


class HoldTraces(WorkerPlugin):
    """Has a worker hold the candidates of a sweep until it is over."""

    def __init__(self, sent: SentTraces):
        self.sent = sent

    def setup(self, worker: Any) -> None:
        _sent[self.sent.key] = self.sent
        gc.freeze()

    def teardown(self, worker: Any) -> None:
        _sent.pop(self.sent.key, None)
        _checked.discard(self.sent.key)
        if not _sent:
            gc.unfreeze()


@dataclass(frozen=True)
class Simulate:
    """Simulates a batch, in a worker that has the candidates of a key."""

    key: str

    def __call__(self, batch: VariantTask) -> VariantFigures:
        with _at_once, rare_collections():
            began = time.perf_counter()
            sent = _sent[self.key]
            if self.key not in _checked:
                sent.check()
                _checked.add(self.key)
            figures = [Packed.of(sent.candidates.on(arch)) for arch in pickle.loads(batch.archs)]
            return VariantFigures(figures, time.perf_counter() - began)
