"""A trace on an architecture: segments from a cache, run one after the other, report.

A segment's passage, from when all before it is complete to when all of it is, depends on its tasks, on how much of it
was started ahead, and on what may be started of the segments after it, and on nothing else. So passages are kept: a
network that differs from an earlier one in one layer costs one or two passages.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any, NamedTuple

from simulators.engine import reference
from simulators.engine.fast import Ahead, Passage, run_segment
from simulators.hardware import arch
from simulators.hardware.arch import Arch
from simulators.hardware.spec import PlatformSpec
from simulators.inputs.errors import InputError, LoweringError
from simulators.lowering.platform import Lowered, Platform
from simulators.lowering.segments import AheadTask, Segment, lookahead, with_lookahead
from simulators.platforms.bitfusion import platform as bitfusion
from simulators.platforms.silago import lowering as silago
from simulators.run.report import Report, layer_cycles, make_report
from simulators.workloads.trace import AnyLayer, Elementwise, Trace

PLATFORMS: dict[str, Platform] = {"bitfusion": bitfusion.PLATFORM, "silago": silago.PLATFORM}

ENGINES = ("numba", "simpy")

NOTHING = 0
"""The number of the empty lookahead."""

ARCHITECTURES = 16
"""For how many architectures segments and passages are kept."""


def register_platform(name: str, spec: type[PlatformSpec], platform: Platform) -> None:
    """Make specs with `platform: NAME` loadable and simulated by `platform`. Raises ValueError for a name in use."""
    if name in PLATFORMS:
        raise ValueError(f"platform {name!r} is registered already")
    arch.PLATFORMS[name], PLATFORMS[name] = spec, platform


class Crossing(NamedTuple):
    """What a batch wants to know of a passage."""

    cycles: int
    of_layers: list[int]
    """Cycles that are charged to each layer of the segment."""
    state: int
    """At the end, the number of where the queue that runs ahead stands."""


class Store:
    """Segments and passages that architectures share whose tasks do not differ. Several threads may use one: numbers
    are given under a lock, and what two threads make at once is equal."""

    def __init__(self, name: str):
        self.platform = name
        self.machine = PLATFORMS[name].machine
        self._lock = Lock()
        self._numbers: dict[tuple[object, ...], int] = {}
        self._by_number: list[Segment] = []
        self._layers: list[tuple[AnyLayer, ...]] = []
        self._lookaheads: dict[tuple[int, int], int] = {}
        self._contents: dict[tuple[AheadTask, ...], int] = {(): NOTHING}
        self._ahead_tasks: list[tuple[AheadTask, ...]] = [()]
        self._passages: dict[tuple[int, int, Ahead], Passage] = {}
        self._states: list[Ahead] = []
        self._state_numbers: dict[Ahead, int] = {}
        self._crossings: dict[tuple[int, int, int], Crossing] = {}
        self.walks: dict[tuple[tuple[int, ...], bytes], Any] = {}
        """What `batch.py` found of populations."""

    def number(self, key: tuple[object, ...], layers: Sequence[AnyLayer], make: Callable[[], Segment]) -> int:
        """The number of a segment, which is made if it is new."""
        number = self._numbers.get(key)
        if number is None:
            segment = make()
            with self._lock:
                number = self._numbers.get(key)
                if number is None:
                    self._by_number.append(segment)
                    self._layers.append(tuple(layers))
                    number = self._numbers[key] = len(self._by_number) - 1
        return number

    def made(self, number: int) -> Segment:
        """A segment, without energies where the platform's architectures share it."""
        return self._by_number[number]

    def layers(self, number: int) -> tuple[AnyLayer, ...]:
        """The layers that a segment was first made for: all others have their shapes."""
        return self._layers[number]

    def lookahead(self, number: int, behind: int) -> int:
        """The number of what may be started ahead of a segment with another lookahead behind it; equal ones have equal
        numbers."""
        key = (number, behind)
        known = self._lookaheads.get(key)
        if known is None:
            tasks = lookahead(self._by_number[number], self._ahead_tasks[behind])
            with self._lock:
                known = self._contents.get(tasks)
                if known is None:
                    self._ahead_tasks.append(tasks)
                    known = self._contents[tasks] = len(self._ahead_tasks) - 1
            self._lookaheads[key] = known
        return known

    def passage(self, number: int, ahead_of: int, ahead: Ahead) -> Passage:
        """Run a segment, or remember how it ran."""
        key = (number, ahead_of, ahead)
        passage = self._passages.get(key)
        if passage is None:
            segment = self._by_number[number]
            program = with_lookahead(segment, self.machine.ahead, self._ahead_tasks[ahead_of])
            with lowering_of(self.platform, self._layers[number]):
                passage = run_segment(self.machine, program, len(segment.program.repeat), ahead)
            self._passages[key] = passage
        return passage

    def state(self, ahead: Ahead) -> int:
        """A number for where the queue that runs ahead stands."""
        number = self._state_numbers.get(ahead)
        if number is None:
            with self._lock:
                number = self._state_numbers.get(ahead)
                if number is None:
                    self._states.append(ahead)
                    number = self._state_numbers[ahead] = len(self._states) - 1
        return number

    def crossing(self, number: int, ahead_of: int, state: int) -> Crossing:
        """The passage of a segment from a numbered state."""
        key = (number, ahead_of, state)
        known = self._crossings.get(key)
        if known is None:
            passage = self.passage(number, ahead_of, self._states[state])
            of_layers = layer_cycles(self._by_number[number].works, passage.charged)
            known = self._crossings[key] = Crossing(passage.cycles, of_layers, self.state(passage.ahead))
        return known

    def forget_passages(self) -> None:
        """Keep the segments only."""
        self._passages.clear()
        self._crossings.clear()
        self.walks.clear()


@lru_cache(maxsize=ARCHITECTURES)
def store(platform: str, key: Hashable) -> Store:
    """What the architectures of a platform with that key share (see `lowering.Shared`)."""
    return Store(platform)


@contextmanager
def lowering_of(platform: str, layers: Sequence[AnyLayer]) -> Iterator[None]:
    """A defect that is found inside is that platform's, and of these layers."""
    try:
        yield
    except LoweringError as error:
        raise type(error)(f"platform {platform}: {', '.join(layer.name for layer in layers)}: {error}") from None


def shared_key(arch: Arch) -> Hashable:
    """Architectures of a platform with equal keys share a store."""
    shared = PLATFORMS[arch.platform].shared
    return arch.spec if shared is None else shared.key(arch.spec)


class Simulator:
    """One architecture, with the segments and passages that it and its like have met; `alone`: itself only."""

    def __init__(self, arch: Arch, alone: bool = False):
        self.arch = arch
        self.platform = PLATFORMS[arch.platform]
        apart = alone or self.platform.shared is None
        self.store = Store(arch.platform) if apart else store(arch.platform, shared_key(arch))
        self._numbers: dict[tuple[object, ...], int] = {}
        self._made: dict[int, Segment] = {}
        self._energies_pj: dict[int, list[dict[str, float]]] = {}

    def segments(self, layers: Sequence[AnyLayer]) -> list[int]:
        """Numbers of the segments of some layers in order. Raises InputError for what the architecture cannot do."""
        placed = self._placed(layers)
        numbers, i = [], 0
        for length in self.platform.group(layers):
            numbers.append(self.segment(layers[i : i + length], placed[i] if placed else 0))
            i += length
        return numbers

    def segment(self, layers: Sequence[AnyLayer], placed: int) -> int:
        """The number of one segment, which is made if it is new."""
        shapes = tuple([layer.shape for layer in layers])
        key = (placed, shapes)
        number = self._numbers.get(key)
        if number is None:
            shared, spec = self.platform.shared, self.arch.spec
            if not self.platform.runs_unlisted_precisions:
                _check_precisions(layers, spec)
            with lowering_of(self.arch.platform, layers):
                if shared is None:
                    number = self.store.number(key, layers, lambda: self.platform.segment(layers, placed, spec))
                else:
                    chosen = shared.choice(layers, placed, spec)
                    make = shared.tasks
                    number = self.store.number((chosen, shapes), layers, lambda: make(layers, chosen, spec))
            self._numbers[key] = number
        return number

    def made(self, number: int) -> Segment:
        """A segment by its number, with this architecture's energies."""
        made = self._made.get(number)
        if made is None:
            made = self.store.made(number)
            works = zip(made.works, self.energies_pj(number), strict=True)
            made = replace(made, works=tuple(replace(work, energy_pj=energy) for work, energy in works))
            self._made[number] = made
        return made

    def energies_pj(self, number: int) -> list[dict[str, float]]:
        """Of a segment, by layer and component, without what depends on time."""
        works = self.store.made(number).works
        if self.platform.shared is None:
            return [work.energy_pj for work in works]
        known = self._energies_pj.get(number)
        if known is None:
            known = self.platform.shared.energies_pj(self.store.layers(number), works, self.arch.spec)
            self._energies_pj[number] = known
        return known

    @cached_property
    def leakage_mw(self) -> float:
        """Of the architecture."""
        return self.platform.leakage_mw(self.arch.spec)

    def lookaheads(self, numbers: Sequence[int]) -> list[int]:
        """For each segment of a network, the number of what may be started ahead of those that follow it."""
        found = [NOTHING]
        for number in reversed(numbers[1:]):
            found.append(self.store.lookahead(number, found[-1]))
        return found[::-1]

    def run(self, numbers: Sequence[int]) -> list[Passage]:
        """A network's segments one after the other."""
        ahead = Ahead()
        passages = []
        for number, ahead_of in zip(numbers, self.lookaheads(numbers), strict=True):
            passages.append(self.store.passage(number, ahead_of, ahead))
            ahead = passages[-1].ahead
        return passages

    def lowered(self, numbers: Sequence[int]) -> Lowered:
        """A network's segments with what a report needs."""
        segments = tuple(self.made(n) for n in numbers)
        return Lowered(
            self.platform.machine, segments, self.leakage_mw, self.arch.frequency_mhz,
            self.platform.bits_per_cycle(self.arch.spec),
        )  # fmt: skip

    def _placed(self, layers: Sequence[AnyLayer]) -> Sequence[int]:
        if self.platform.placed is None:
            return ()
        return self.platform.placed([(layer.name, layer.parameter_bits) for layer in layers], self.arch.spec)


def _check_precisions(layers: Sequence[AnyLayer], spec: PlatformSpec) -> None:
    """Raises InputError for a product at widths that the spec does not list."""
    for layer in layers:
        pair = (layer.weight_bits, layer.activation_bits)
        if not isinstance(layer, Elementwise) and pair not in spec.precisions:
            raise InputError(
                f"layer {layer.name}: {pair[0]}x{pair[1]} bits: {spec.name} multiplies "
                f"{', '.join(f'{w}x{a}' for w, a in spec.precisions)} (weights x activations)"
            )


@lru_cache(maxsize=ARCHITECTURES)
def simulator(arch: Arch) -> Simulator:
    """The simulator of an architecture, kept from call to call."""
    return Simulator(arch)


def lower(trace: Trace, arch: Arch) -> Lowered:
    """All tasks of a trace on an architecture."""
    known = simulator(arch)
    return known.lowered(known.segments(trace.layers))


def simulate(trace: Trace, arch: Arch, engine: str = "numba") -> Report:
    """Simulate one utterance. `engine` is "numba" (fast) or "simpy" (the reference); they agree to the cycle.

    Raises InputError where the architecture cannot run the trace: a precision that it does not have, an operation
    without a figure, a memory that is too small.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r}: it must be one of {', '.join(ENGINES)}")
    known = simulator(arch)
    numbers = known.segments(trace.layers)
    lowered = known.lowered(numbers)
    if engine == "simpy":
        with lowering_of(arch.platform, trace.layers):
            charged = reference.run(lowered.machine, lowered.program).charged.tolist()
    else:
        charged = [passage.charged for passage in known.run(numbers)]
    return make_report(trace, arch, lowered, charged)
