"""Where evaluations run. One interface; results come back as they complete, so that each can be recorded at once.

`Inline` is here, a pool of processes in `search.evaluation.executors.pool`, Dask in
`search.evaluation.executors.cluster`. Executors are contexts, which end what they started, and start it when it is
first needed. What evaluates several groups at once can take more of them while it does (`TakesMore`); a cluster
simulates the variants of a sweep too (`SimulatesVariants`).
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from search.evaluation.executors.worker import Group, Recognised, Recognition
from simulators.hardware.arch import Arch
from simulators.run.trace_batch import Figures, TraceBatch


@dataclass(frozen=True)
class Died:
    """In place of a result: as many workers as `deaths` died while they evaluated this group."""

    deaths: int
    """Number of workers that died."""


Finished = tuple[Group, Recognised | Died]
"""A group, and what came of it."""


class Executor(Protocol):
    """Where groups of candidates are evaluated."""

    @property
    def together(self) -> int:
        """How many candidates make a group: what a kill may lose, against what they share."""
        ...

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        """Evaluate each group and yield it with its result in the order of completion. Neighbours are alike. Raises
        InputError where no worker can be had, and whatever the evaluation raises."""
        ...


class Running(Protocol):
    """Evaluations under way, to which more are added."""

    @property
    def workers(self) -> int:
        """How many groups are evaluated at once, now; at least 1."""
        ...

    def submit(self, group: Group) -> None:
        """Have a group evaluated, behind those that were submitted before."""
        ...

    def finished(self, timeout_s: float | None) -> list[Finished]:
        """What is finished since the last call, in the order of completion. Waits for the first, at most so long;
        there must be one to wait for. Raises what `Executor.map` raises."""
        ...

    def close(self) -> None:
        """Give up what is not finished."""
        ...


@runtime_checkable
class TakesMore(Protocol):
    """An executor that takes more groups while it evaluates others."""

    def running(self, recognition: Recognition) -> Running:
        """Evaluations of a model, none yet."""
        ...


@runtime_checkable
class SimulatesVariants(Protocol):
    """An executor whose workers simulate the variants of a sweep too."""

    def simulate(self, candidates: TraceBatch, archs: Sequence[Arch]) -> Generator[tuple[int, Figures], None, None]:
        """(position, figures) of every architecture, in the order of completion. Raises what `Executor.map` does."""
        ...


class OneByOne:
    """Evaluations on any executor, in the order in which they are submitted."""

    workers = 1

    def __init__(self, executor: Executor, recognition: Recognition):
        self._executor, self._recognition = executor, recognition
        self._waiting: deque[Group] = deque()

    def submit(self, group: Group) -> None:
        """See `Running`."""
        self._waiting.append(group)

    def finished(self, timeout_s: float | None) -> list[Finished]:
        """See `Running`: the next group, however long it takes."""
        return list(self._executor.map(self._recognition, [self._waiting.popleft()]))

    def close(self) -> None:
        """See `Running`."""
        self._waiting.clear()


class Inline:
    """In this process, one after the other."""

    together = 10
    """A generation of the usual size: what has much in common is computed together, and a kill loses no more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[Finished]:
        for group in groups:
            yield group, recognition(group)
