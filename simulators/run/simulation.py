"""A trace on an architecture: its segments from a cache, one after the other, and the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property, lru_cache
from operator import index

from simulators.engine import reference
from simulators.hardware.arch import Arch
from simulators.hardware.spec import PlatformSpec
from simulators.inputs.errors import InputError, LoweringError
from simulators.lowering.platform import Choices, MappingRow, PlacedLayer, Platform, platform_named
from simulators.lowering.segments import LayerWork
from simulators.run.chosen import Made
from simulators.run.in_place import position, settled
from simulators.run.lowered import Lowered
from simulators.run.report import Report, charged_cycles, make_report
from simulators.run.segment_cache import SegmentCache, give_up_shared, lowering_of, shared_cache
from simulators.workloads.operations import Layer
from simulators.workloads.trace import Trace

ENGINES = ("numba", "simpy")

SIMULATORS = 16
"""Architectures whose simulators are kept: without them one that is asked again takes 2.5 times as long."""


class Simulator:
    """One architecture, with the segments and timings that it and its like have met; `alone`: itself only."""

    def __init__(self, arch: Arch, alone: bool = False):
        self.arch = arch
        self.platform = platform_named(arch.platform)
        with lowering_of(arch.platform, ()):
            self.machine = self.platform.machine_of(arch.spec)
        if alone:
            self.cache = SegmentCache(arch.platform, self.machine)
        else:
            shared = arch.platform, self.platform.tasks_key(arch.spec), self.machine
            if shared_cache(*shared).is_full:
                forget()
            self.cache = shared_cache(*shared)
        self.chosen = self.cache.chosen(self.platform.choices_key(arch.spec))

    def segments(self, layers: Sequence[Layer]) -> list[int]:
        """Numbers of the segments of some layers in order. Raises InputError for what the architecture cannot do."""
        return self.grouped(layers, self.lengths(layers))

    def grouped(self, layers: Sequence[Layer], lengths: Sequence[int]) -> list[int]:
        """`segments` of so many layers each, as `lengths` gives them."""
        places = self.places([PlacedLayer.of(layer) for layer in layers])
        numbers, i = [], 0
        for at, length in enumerate(lengths):
            place = 0 if places is None else places[i]
            numbers.append(self.segment(layers[i : i + length], place, position(at, len(lengths))))
            i += length
        return list(settled(self, numbers))

    def mappings(self, layers: Sequence[Layer]) -> list[tuple[str, MappingRow]]:
        """The name of each product, and how it is mapped. Raises InputError for what the architecture cannot do."""
        rows, i = [], 0
        lengths = self.lengths(layers)
        for number, length in zip(self.grouped(layers, lengths), lengths, strict=True):
            choice = self.chosen.made[number].choice
            for first in range(i, i + length):
                if layers[first].is_product:
                    segment = layers[first : i + length]
                    with lowering_of(self.arch.platform, segment):
                        rows.append((layers[first].name, self.platform.mapping(segment, choice, self.arch.spec)))
            i += length
        return rows

    def lengths(self, layers: Sequence[Layer]) -> list[int]:
        """How many layers make each segment."""
        with lowering_of(self.arch.platform, layers):
            return segment_lengths(self.platform, layers)

    def places(self, parameters: Sequence[PlacedLayer]) -> Sequence[int] | None:
        """Where each layer's parameters lie, from those of all; None where that does not matter."""
        with lowering_of(self.arch.platform, ()):
            places = self.platform.places(parameters, self.arch.spec)
            if places is not None and len(places) != len(parameters):
                raise LoweringError(f"places: {len(places)} for {len(parameters)} layers")
            return places

    def segment(self, layers: Sequence[Layer], place: int, position: int) -> int:
        """The number of one segment, with what is best by where it stands, `FIRST` to `ALONE`; it is made if it is new.
        Raises InputError."""
        shapes = tuple([layer.shape for layer in layers])
        key = (place, shapes, position)
        number = self.chosen.numbers.get(key)
        if number is None:
            check_layers(layers, self.platform, self.arch.spec)
            with lowering_of(self.arch.platform, layers):
                choices = self.platform.choices(layers, place, self.arch.spec)
            number = self.chosen.numbers[key] = self._number(layers, place, choices, choices.best[position])
        return number

    def others(self, number: int) -> list[int]:
        """The numbers of a segment with each of its choices."""
        if number not in self.chosen.others:
            made = self.chosen.made[number]
            which = range(len(made.choices.choices)) if made.choices.cycles is not None else (made.which,)
            self.chosen.others[number] = [self._number(made.layers, made.place, made.choices, one) for one in which]
        return self.chosen.others[number]

    def undisturbed_cycles(self, number: int, position: int) -> float:
        """Cycles of a segment among others of its kind; endless where there is no other choice."""
        made = self.chosen.made[number]
        return math.inf if made.choices.cycles is None else made.choices.cycles[made.which][position]

    def _number(self, layers: Sequence[Layer], place: int, choices: Choices, which: int) -> int:
        choice, platform = choices.choices[which], self.platform
        # What has no others is not what has some, though both be made alike: a mapping that the spec fixes for one of
        # two equal layers stays its own.
        others_at = None if choices.cycles is None else place
        with lowering_of(self.arch.platform, layers):
            key = (choice, others_at, tuple([layer.shape for layer in layers]))
            number = self.cache.number(key, layers, lambda: platform.lower(layers, choice, self.arch.spec))
        self.chosen.made.setdefault(number, Made(tuple(layers), place, choices, which))
        return number

    def energies_pj(self, number: int) -> tuple[dict[str, float], ...]:
        """Energy of a segment in pJ by layer and component, without what depends on time."""
        energies = self.chosen.energies_pj.get(number)
        if energies is None:
            layers = self.cache.layers(number)
            with lowering_of(self.arch.platform, layers):
                energies = tuple(map(self._energies_of, layers, self.cache.segment(number).works))
            self.chosen.energies_pj[number] = energies
        return energies

    def energy_pj(self, number: int) -> float:
        """Energy of a segment in pJ without what depends on time."""
        if number not in self.chosen.energy_pj:
            self.chosen.energy_pj[number] = sum(sum(energy.values()) for energy in self.energies_pj(number))
        return self.chosen.energy_pj[number]

    def _energies_of(self, layer: Layer, work: LayerWork) -> dict[str, float]:
        """Energy of a layer. Raises LoweringError for what is no energy."""
        energy_pj = self.platform.energy_pj(layer, work, self.arch.spec)
        for component, value in energy_pj.items():
            if not 0 <= value < math.inf:
                raise LoweringError(f"energy_pj: {component}: {value} pJ: an energy is a finite number of at least 0")
        return energy_pj

    @cached_property
    def leakage_mw(self) -> float:
        """Power of the architecture that does not depend on what it does, in mW."""
        return self.platform.leakage_mw(self.arch.spec)

    def lowered(self, numbers: Sequence[int]) -> Lowered:
        """A network's segments with what a report needs."""
        return Lowered(
            self.machine, tuple([self.cache.segment(number) for number in numbers]),
            tuple([self.energies_pj(number) for number in numbers]), self.leakage_mw, self.arch.frequency_mhz,
            self.platform.bits_per_cycle(self.arch.spec),
        )  # fmt: skip

    def report(self, trace: Trace, engine: str = "numba") -> Report:
        """See `simulate`."""
        numbers = self.segments(trace.layers)
        lowered = self.lowered(numbers)
        if engine == "simpy":
            with lowering_of(self.arch.platform, trace.layers):
                by_kind = reference.run(lowered.machine, lowered.program).charged.tolist()
            works = [segment.works for segment in lowered.segments]
            charged = [charged_cycles(*of_segment) for of_segment in zip(works, map(tuple, by_kind), strict=True)]
        else:
            charged = [timing.charged for timing in self.cache.run(numbers)]
        return make_report(trace, self.arch, lowered, charged)


def segment_lengths(platform: Platform, layers: Sequence[Layer]) -> list[int]:
    """How many layers make each segment. Raises LoweringError for a platform that leaves some out."""
    lengths = [index(length) for length in platform.group(layers)]
    if sum(lengths) != len(layers) or min(lengths, default=1) < 1:
        raise LoweringError(f"group: {lengths}: {len(layers)} layers in segments of at least one")
    return lengths


def check_layers(layers: Sequence[Layer], platform: Platform, spec: PlatformSpec) -> None:
    """Raise InputError for an operation that a platform does not take, and for a product at widths that the spec does
    not list."""
    for layer in layers:
        if not isinstance(layer, platform.operations):
            takes = ", ".join(str(kind.model_fields["op"].default) for kind in platform.operations)
            raise InputError(f"layer {layer.name}: {layer.op}: {spec.name} runs {takes}")
        if layer.index_bits and not platform.stores_pruned_weights:
            raise InputError(f"layer {layer.name}: weight_sparsity: {spec.name} has no way to store pruned weights")
        pair = layer.operand_bits
        if layer.is_product and pair[0] > platform.widest_weights:
            raise InputError(
                f"layer {layer.name}: {pair[0]}x{pair[1]} bits: {spec.name} multiplies weights of at most "
                f"{platform.widest_weights} bits"
            )
        if layer.is_product and pair not in spec.precisions and not platform.runs_unlisted_precisions:
            raise InputError(
                f"layer {layer.name}: {pair[0]}x{pair[1]} bits: {spec.name} multiplies "
                f"{', '.join(f'{w}x{a}' for w, a in spec.precisions)} (weights x activations)"
            )


@lru_cache(maxsize=SIMULATORS)
def _simulator(arch: Arch) -> Simulator:
    return Simulator(arch)


def simulator(arch: Arch) -> Simulator:
    """The simulator of an architecture, kept from call to call as long as there is room for what it keeps."""
    found = _simulator(arch)
    if found.cache.is_full:
        forget()  # whoever uses one goes on with it
        found = _simulator(arch)
    return found


def forget() -> None:
    """Empty what the process keeps of simulators, segments and their timings."""
    _simulator.cache_clear()
    give_up_shared()


def lower(trace: Trace, arch: Arch) -> Lowered:
    """All tasks of a trace on an architecture."""
    simulation = simulator(arch)
    return simulation.lowered(simulation.segments(trace.layers))


def simulate(trace: Trace, arch: Arch, engine: str = "numba") -> Report:
    """Simulate one utterance. `engine` is "numba" (fast) or "simpy" (the reference); they agree to the cycle.

    Raises InputError where the architecture cannot run the trace: a precision that it does not have, an operation
    without a figure, a memory that is too small.
    """
    if engine not in ENGINES:
        raise InputError(f"engine {engine!r}: it must be one of {', '.join(ENGINES)}")
    return simulator(arch).report(trace, engine)
