"""What was chosen for segments and networks, kept from architecture to architecture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulators.lowering.platform import Choices
from simulators.workloads.operations import Layer


class Made(NamedTuple):
    """How a segment was made."""

    layers: tuple[Layer, ...]
    place: int
    """Where its parameters lie (`Platform.places`)."""
    choices: Choices
    which: int
    """Which of the choices it was."""

    @property
    def choice(self) -> Any:
        """The choice that the segment was lowered with."""
        return self.choices.choices[self.which]


@dataclass(frozen=True)
class Chosen:
    """Segments, by the numbers that a `SegmentCache` gives them, of architectures whose `choices_key`s are equal."""

    numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    """A segment's number, with the best choice, by place, shapes and position in the network."""
    made: dict[int, Made] = field(default_factory=dict)
    """How each segment was made, by its number."""
    others: dict[int, list[int]] = field(default_factory=dict)
    """For a segment's number, the numbers of its layers' segments with each of their choices."""
    energies_pj: dict[int, tuple[dict[str, float], ...]] = field(default_factory=dict)
    """Energy in pJ by layer and component, without what depends on time."""
    energy_pj: dict[int, float] = field(default_factory=dict)
    """Energy in pJ of a whole segment by its number, without what depends on time."""
    settled: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)
    """Networks, and what became of them (`in_place.settled`)."""
