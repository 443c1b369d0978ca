"""Segments and their timings, each made once.

A segment's timing depends on its tasks, on how much of it was started ahead, and on what may be started of the segments
after it, and on nothing else. So timings are kept: a network that differs from an earlier one in one layer costs one or
two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from sys import getsizeof
from threading import Lock
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakSet

from simulators.engine.fast import PrefetchState, run_segment
from simulators.engine.machine import Machine, Uncountable
from simulators.inputs.errors import InputError, LoweringError
from simulators.lowering.segments import PrefetchTask, Segment
from simulators.run.chosen import Chosen
from simulators.run.lookahead import lookahead, program_with_lookahead
from simulators.run.report import ChargedCycles, charged_cycles
from simulators.workloads.operations import Layer

Value = TypeVar("Value", bound=Hashable)

NOTHING_AHEAD = 0
"""The number of the empty lookahead."""
AT_THE_BEGINNING = 0
"""The number of the prefetch state in which nothing was started ahead."""

CACHES = 16
"""For how many `tasks_key`s segments and timings are kept: searches and sweeps come back to each."""
MOST_BYTES = 128 << 20
"""How many bytes segments' programs and layers take at most in a cache before it is full; all that are shared are full
when they take twice as many together. With all else it is two to three times as much. Layers at some bits take some ten
KiB each, and few thousand are met again and again; those of a delta network, whose masks are of one utterance, are met
once, and came to 10 GiB in a search."""


class TimedSegment(NamedTuple):
    """One segment among its neighbours, from when all before it is complete to when all of it is."""

    cycles: int
    charged: ChargedCycles
    """What they are charged to."""
    state: int
    """Number of the prefetch state at the end."""


class SegmentCache:
    """Segments and timings of the architectures of a platform whose tasks do not differ. All are known by numbers.

    Several threads may use one: numbers are given under a lock, and what two threads make at once is equal. A network
    whose layers and neighbours were met costs a hundredth of one that is new; simulated again, it takes 7 times as long
    without timings and 18 times without segments (`benchmarks/caches.py`)."""

    def __init__(self, platform: str, machine: Machine):
        self.platform = platform
        self.machine = machine
        self._lock = Lock()
        self._numbers: dict[tuple[object, ...], int] = {}
        self._segments: list[tuple[Segment, tuple[Layer, ...]]] = []
        self._bytes = 0
        self._lookahead_numbers: dict[tuple[int, int], int] = {}
        self._lookaheads = _Numbered[tuple[PrefetchTask, ...]](self._lock, ())
        self._states = _Numbered[PrefetchState](self._lock, PrefetchState())
        self._timings: dict[tuple[int, int, int], TimedSegment] = {}
        self._chosen: dict[Hashable, Chosen] = {}

    def number(self, key: tuple[object, ...], layers: Sequence[Layer], make: Callable[[], Segment]) -> int:
        """The number of a segment, which is made if it is new."""
        number = self._numbers.get(key)
        if number is None:
            segment = make()
            with self._lock:
                number = self._numbers.get(key)
                if number is None:
                    self._segments.append((segment, tuple(layers)))
                    self._bytes += segment.program.nbytes + sum(map(_bytes_of, layers))
                    number = self._numbers[key] = len(self._segments) - 1
        return number

    @property
    def is_full(self) -> bool:
        """Whether it, or what is shared together, should be given up for an empty one, once nobody asks for what its
        numbers mean."""
        with _sharing:
            return self._bytes > MOST_BYTES or sum(cache._bytes for cache in _shared) > 2 * MOST_BYTES

    def segment(self, number: int) -> Segment:
        """A segment by its number."""
        return self._segments[number][0]

    def layers(self, number: int) -> tuple[Layer, ...]:
        """The layers that a segment was first made for: all others have their shapes."""
        return self._segments[number][1]

    def lookahead(self, number: int, behind: int) -> int:
        """The number of what may be started ahead of a segment with another lookahead behind it; equal ones have equal
        numbers."""
        key = (number, behind)
        ahead = self._lookahead_numbers.get(key)
        if ahead is None:
            ahead = self._lookaheads.number(lookahead(self.segment(number), self._lookaheads[behind]))
            self._lookahead_numbers[key] = ahead
        return ahead

    def lookaheads(self, numbers: Sequence[int]) -> list[int]:
        """For each segment of a network, the number of what may be started ahead of those that follow it."""
        behind = [NOTHING_AHEAD]
        for number in reversed(numbers[1:]):
            behind.append(self.lookahead(number, behind[-1]))
        return behind[::-1]

    def timing(self, number: int, lookahead: int, state: int) -> TimedSegment:
        """Run a segment with a lookahead behind it from a prefetch state, or remember how it ran."""
        key = (number, lookahead, state)
        timing = self._timings.get(key)
        if timing is None:
            segment = self.segment(number)
            program = program_with_lookahead(segment, self.machine.prefetch_queue, self._lookaheads[lookahead])
            with lowering_of(self.platform, self.layers(number)):
                ran = run_segment(self.machine, program, len(segment.program.repeat), self._states[state])
            charged = charged_cycles(segment.works, ran.charged)
            timing = TimedSegment(ran.cycles, charged, self._states.number(ran.prefetch))
            self._timings[key] = timing
        return timing

    def run(self, numbers: Sequence[int]) -> list[TimedSegment]:
        """A network's segments one after the other."""
        state, timings = AT_THE_BEGINNING, []
        for number, ahead in zip(numbers, self.lookaheads(numbers), strict=True):
            timings.append(self.timing(number, ahead, state))
            state = timings[-1].state
        return timings

    def chosen(self, choices_key: Hashable) -> Chosen:
        """What was chosen on architectures with that `choices_key`; that of the last few keys is kept."""
        with self._lock:
            chosen = self._chosen[choices_key] = self._chosen.pop(choices_key, Chosen())
            while len(self._chosen) > CACHES:
                del self._chosen[next(iter(self._chosen))]
        return chosen

    def forget_timings(self) -> None:
        """Keep the segments only."""
        self._timings.clear()


def _bytes_of(layer: Layer) -> int:
    """Memory of what a layer has for each of its steps."""
    return sum(getsizeof(one) for value in layer.shape if isinstance(value, tuple) for one in value)


class _Numbered(Generic[Value]):
    """Distinct values, numbered in the order in which they come."""

    def __init__(self, lock: Lock, first: Value):
        self._lock = lock
        self._values = [first]
        self._numbers = {first: 0}

    def __getitem__(self, number: int) -> Value:
        return self._values[number]

    def number(self, value: Value) -> int:
        """The number of a value, a new one if it is new."""
        number = self._numbers.get(value)
        if number is None:
            with self._lock:
                number = self._numbers.get(value)
                if number is None:
                    self._values.append(value)
                    number = self._numbers[value] = len(self._values) - 1
        return number


@lru_cache(maxsize=CACHES)
def shared_cache(platform: str, key: Hashable, machine: Machine) -> SegmentCache:
    """What the architectures of a platform with that `tasks_key`, and therefore with that machine, share."""
    cache = SegmentCache(platform, machine)
    with _sharing:
        _shared.add(cache)
    return cache


_shared: WeakSet[SegmentCache] = WeakSet()
"""What was shared since it was given up last."""
_sharing = Lock()


def give_up_shared() -> None:
    """Have empty caches in the place of those that are shared; whoever uses one goes on with it."""
    shared_cache.cache_clear()
    with _sharing:
        _shared.clear()


class lowering_of:
    """A defect that is found inside is that platform's, and of these layers: whatever is raised but InputError. More
    than can be counted is named with the layers."""

    def __init__(self, platform: str, layers: Sequence[Layer]):
        self.platform = platform
        self.layers = layers

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        names = ", ".join(layer.name for layer in self.layers)
        if isinstance(error, Uncountable) and names:
            raise InputError(f"layer {names}: {error}") from None
        if not isinstance(error, Exception) or isinstance(error, InputError):
            return
        text = str(error) if isinstance(error, LoweringError) else f"{type(error).__name__}: {error}"
        kind = type(error) if isinstance(error, LoweringError) else LoweringError
        raise kind(": ".join(part for part in (f"platform {self.platform}", names, text) if part)) from error
