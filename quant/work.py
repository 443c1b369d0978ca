"""How much of a candidate's evaluation is left where others were evaluated before: an estimate, to choose by.

It is a function of the candidates alone, not of what a cache holds or of the seconds that a machine takes, so that a
search that chooses by it repeats from its seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of an evaluation, which begins with the result of the part before."""

    bits: tuple[tuple[int, int], ...]
    """Of its sites: candidates that agree in them and before share its result."""
    work: float
    """In millions of 8-bit multiply-accumulates a frame, or whatever takes as long."""
    kept: bool
    """Whether its result stays for later populations."""


class Shared:
    """First parts whose results are there."""

    def __init__(self) -> None:
        self._keys: set[tuple] = set()

    def keep(self, parts: Sequence[Part]) -> None:
        """A candidate of an earlier population."""
        self._keys.update(key for key, part in zip(_keys(parts), parts, strict=True) if part.kept)

    def compute(self, parts: Sequence[Part]) -> None:
        """A candidate of this population, which computes its parts for the others."""
        self._keys.update(_keys(parts))

    def left(self, parts: Sequence[Part]) -> float:
        """Work of a candidate behind the last result that is there."""
        work = 0.0
        for key, part in zip(reversed(_keys(parts)), reversed(parts), strict=True):
            if key in self._keys:
                break
            work += part.work
        return work


def _keys(parts: Sequence[Part]) -> list[tuple]:
    bits = tuple(part.bits for part in parts)
    return [bits[: depth + 1] for depth in range(len(bits))]
