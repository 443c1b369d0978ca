"""A platform of the tests: one product after another, each slower by the place that its parameters are given."""

from collections.abc import Sequence
from typing import Any

from simulators import Arch
from simulators.platform import (
    COMPUTE,
    EVERYTHING_BEFORE,
    Layer,
    LayerWork,
    Machine,
    Matmul,
    PlacedLayer,
    Platform,
    PlatformSpec,
    Queue,
    Segment,
    SegmentBuilder,
    Step,
    register_platform,
)
from simulators.platforms import PLATFORMS

NAME = "placing"


class PlacingSpec(PlatformSpec):
    """Where parameters lie, by layer, in turn."""

    places: tuple[int, ...]


class Placing(Platform):
    spec = PlacingSpec
    machine = Machine(("array",), (True,), (Queue("array", 0),), ("compute",))
    operations = (Matmul,)

    def places(self, parameters: Sequence[PlacedLayer], spec: Any) -> list[int]:
        """Places that change with the bits of the parameters before."""
        given, bits = [], 0
        for layer in parameters:
            given.append(spec.places[bits % len(spec.places)])
            bits += layer.bits
        return given

    def lower(self, layers: Sequence[Layer], choice: int, spec: Any) -> Segment:
        (layer,) = layers
        cycles = layer.operand_bits[0] + abs(choice) % 1009
        builder = SegmentBuilder(self.machine, [LayerWork(layer.macs, float(layer.macs), COMPUTE)])
        moved = ((0, "place", choice % 97),)
        step = Step(("multiply",), 0, cycles, COMPUTE, (EVERYTHING_BEFORE,), moved, works_on=0)
        builder.emit(layer.steps, [(1, [step])])
        return builder.segment()

    def energy_pj(self, layer: Layer, work: LayerWork, spec: Any) -> dict[str, float]:
        return {"array": float(work.bits["place"])}

    def bits_per_cycle(self, spec: Any) -> dict[str, int]:
        return {"dram": 1}


def placing(*places: int) -> Arch:
    """An architecture with these places."""
    if NAME not in PLATFORMS:
        register_platform(NAME, Placing())
    pairs = tuple((w, a) for w in (2, 4, 8) for a in (2, 4, 8))
    return Arch(PlacingSpec(name=NAME, platform=NAME, frequency_mhz=100.0, precisions=pairs, places=places), "test")
