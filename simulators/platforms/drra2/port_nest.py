"""Repetitions of a port: what an address generator of DRRA-2 does by itself once it is activated.

An event takes one cycle. `rep` repeats what is inside it and leaves idle cycles between the repetitions; levels nest.
A repetition's length is that of its parts and the idle cycles between them, none behind the last. `rep` holds 6 bits of
iterations and of delay; `repx` of the same level holds the bits above: iterations are (iter of rep + 1) + 64 × (iter of
repx + 1), the delay that of rep + 64 × that of repx.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from simulators.inputs.errors import InputError

FIELD = 64
"""Values of a field of 6 bits."""
MOST_REPETITIONS = FIELD + FIELD * FIELD
MOST_DELAY = FIELD * FIELD - 1


@dataclass(frozen=True)
class PortLevel:
    """One level: so many repetitions of what is inside, idle cycles between them."""

    count: int
    """Repetitions, at least one."""
    delay: int
    """Idle cycles between two repetitions."""


@dataclass(frozen=True)
class PortNest:
    """What a port does: one event, repeated level by level, the innermost first."""

    levels: tuple[PortLevel, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError for a level that rep and repx cannot say."""
        for number, level in enumerate(self.levels):
            if not 1 <= level.count <= MOST_REPETITIONS:
                raise InputError(
                    f"level {number}: {level.count} repetitions: rep and repx hold 1 to {MOST_REPETITIONS}"
                )
            if not 0 <= level.delay <= MOST_DELAY:
                raise InputError(f"level {number}: a delay of {level.delay}: rep and repx hold 0 to {MOST_DELAY}")

    @property
    def length(self) -> int:
        """Cycles from the first event to the end of the last."""
        return length_of([(level.count, level.delay) for level in self.levels])

    @property
    def events(self) -> int:
        """Number of events."""
        events = 1
        for level in self.levels:
            events *= level.count
        return events

    def at(self, event: int) -> int:
        """Cycle of an event, counted from the first one's."""
        cycle, length = 0, 1
        for level in self.levels:
            event, index = divmod(event, level.count)
            cycle += index * (length + level.delay)
            length = level.count * length + (level.count - 1) * level.delay
        return cycle

    @property
    def configurations(self) -> int:
        """Instructions that configure the port: dsu, and for each level rep, and repx where its 6 bits do not do. A
        port that does one event has a rep of one too."""
        wide = sum(level.count > FIELD or level.delay >= FIELD for level in self.levels)
        return 1 + max(1, len(self.levels)) + wide


def length_of(levels: Sequence[tuple[int, int]]) -> int:
    """Cycles of pairs (repetitions, delay) around an event, the innermost first, whether or not a port can say them."""
    length = 1
    for count, delay in levels:
        length = count * length + (count - 1) * delay
    return length


def nest(*levels: tuple[int, int]) -> PortNest:
    """A nest of pairs (repetitions, delay), the innermost first. A level of one repetition is none; one of more than
    rep and repx hold becomes two, with as many repetitions or a few more."""
    made: list[PortLevel] = []
    for count, delay in levels:
        if count == 1:
            continue
        while count > MOST_REPETITIONS:
            made.append(PortLevel(MOST_REPETITIONS, delay))
            count = ceil(count / MOST_REPETITIONS)
        if count > 1:
            made.append(PortLevel(count, delay))
    return PortNest(tuple(made))
