"""Where evaluations run. One interface; results come back as they complete, so that each can be recorded at once.

`Inline` is here, a pool of processes in `search.evaluation.executors.pool`, Dask in
`search.evaluation.executors.cluster`. Executors are contexts, which end what they started, and start it when it is
first needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from search.evaluation.executors.worker import Group, Recognised, Recognition


@dataclass(frozen=True)
class Died:
    """In place of a result: as many workers as `deaths` died while they evaluated this group."""

    deaths: int
    """Number of workers that died."""


class Executor(Protocol):
    """Where groups of candidates are evaluated."""

    @property
    def together(self) -> int:
        """How many candidates make a group: what a kill may lose, against what they share."""
        ...

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[tuple[Group, Recognised | Died]]:
        """Evaluate each group and yield it with its result in the order of completion. Neighbours are alike. Raises
        InputError where no worker can be had, and whatever the evaluation raises."""
        ...


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

    def map(self, recognition: Recognition, groups: Sequence[Group]) -> Iterator[tuple[Group, Recognised | Died]]:
        for group in groups:
            yield group, recognition(group)
