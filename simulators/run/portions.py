"""Architectures in portions for several workers: those that share what simulation keeps go to the same.

Architectures of one `tasks_key` share segments and timings; those of one `choices_key` besides share all but a
hundredth of the work. So a worker takes a group of the first kind, and what stands together by the second is divided
only where it is long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Sequence

from simulators.hardware.arch import Arch
from simulators.lowering.platform import platform_named

LONGEST = 32
"""Architectures of one `choices_key` that are never divided: the first of them takes as long as fifty others."""

Unit = deque[int]
"""Positions of architectures of one `choices_key`."""


def alike(archs: Sequence[Arch]) -> list[list[Unit]]:
    """Positions of architectures, those together that share segments and timings, and within these those that share
    choices; groups and units in the order of their first ones."""
    groups: dict[tuple[str, Hashable], dict[Hashable, Unit]] = {}
    for i, arch in enumerate(archs):
        platform = platform_named(arch.platform)
        group = groups.setdefault((arch.platform, platform.tasks_key(arch.spec)), {})
        group.setdefault(platform.choices_key(arch.spec), deque()).append(i)
    return [[part for unit in group.values() for part in _parts(unit)] for group in groups.values()]


def _parts(unit: Unit) -> list[Unit]:
    """A unit in parts that are not divided."""
    positions = list(unit)
    return [deque(positions[i : i + LONGEST]) for i in range(0, len(positions), LONGEST)]


class Portions:
    """What is still to be simulated, and which worker has it before it. Workers are told apart by any key."""

    def __init__(self, archs: Sequence[Arch]):
        self._waiting = deque(map(deque, alike(archs)))
        self._of: dict[Hashable, deque[Unit]] = {}

    @property
    def left(self) -> int:
        """Architectures that no worker was given."""
        return sum(len(unit) for group in (*self._waiting, *self._of.values()) for unit in group)

    def next_for(self, worker: Hashable, most: int = 1) -> list[int]:
        """What a worker does next, so many at most: the rest of its own group, then a group that none has; as long as
        there are more to be had, whole groups besides. With nothing of its own, the last half of the longest other
        portion. Empty where nothing is left to divide."""
        mine = self._of.setdefault(worker, deque())
        if not mine:
            mine += self._waiting.popleft() if self._waiting else self._half_of_the_longest()
        taken: list[int] = []
        while mine and len(taken) < most:
            taken += [mine[0].popleft() for _ in range(min(most - len(taken), len(mine[0])))]
            if not mine[0]:
                mine.popleft()
            if not mine and self._waiting and sum(map(len, self._waiting[0])) <= most - len(taken):
                mine += self._waiting.popleft()
        return taken

    def keep(self, workers: Collection[Hashable]) -> None:
        """There are these workers alone: what others had is for whoever comes next."""
        for gone in [worker for worker in self._of if worker not in workers]:
            if portion := self._of.pop(gone):
                self._waiting.appendleft(portion)

    def _half_of_the_longest(self) -> deque[Unit]:
        """Taken from the end of the portion of most units; what its worker has begun stays there."""
        longest = max(self._of.values(), key=len)
        half = [longest.pop() for _ in range(len(longest) // 2)]
        return deque(reversed(half))
