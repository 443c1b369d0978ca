"""A platform of the tests: one product after another, each slower by the place that its parameters are given."""

from collections.abc import Sequence
from typing import Any, Literal

from simulators import Arch
from simulators.engine.machine import COMPUTE, Machine, Queue
from simulators.hardware.spec import PlatformSpec
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.platform import Platform
from simulators.lowering.segments import EVERYTHING_BEFORE, LayerWork, Segment, Step
from simulators.run.simulation import PLATFORMS, register_platform

NAME = "placing"
MACHINE = Machine(("array",), (True,), (Queue("array", 0),), ("compute",))


class PlacingSpec(PlatformSpec):
    """Where parameters lie, by layer, in turn."""

    platform: Literal["placing"]
    places: tuple[int, ...]


def place(parameters: Sequence[tuple[str, int]], spec: Any) -> list[int]:
    """Places that change with the bits of the parameters before."""
    given, bits = [], 0
    for _, of_layer in parameters:
        given.append(spec.places[bits % len(spec.places)])
        bits += of_layer
    return given


def segment(layers: Sequence[Any], placed: int, spec: Any) -> Segment:
    (layer,) = layers
    work = LayerWork(layer.macs, 1.0, COMPUTE)
    builder = SegmentBuilder(MACHINE, [work])
    cycles = layer.weight_bits + abs(placed) % 1009
    builder.emit(layer.steps, [(1, [Step(("multiply",), 0, cycles, COMPUTE, (EVERYTHING_BEFORE,))])])
    work.energy_pj["array"] = float(placed % 97)
    return builder.segment()


def placing(*places: int) -> Arch:
    """An architecture with these places."""
    if NAME not in PLATFORMS:
        register_platform(
            NAME, PlacingSpec, Platform(MACHINE, lambda layers: [1] * len(layers), place, segment, lambda _: 0.0, lambda _: {"dram": 1})
        )
    pairs = tuple((w, a) for w in (2, 4, 8) for a in (2, 4, 8))
    return Arch(PlacingSpec(name=NAME, platform=NAME, frequency_mhz=100.0, precisions=pairs, places=places), "test")
