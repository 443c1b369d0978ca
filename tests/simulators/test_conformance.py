"""Every platform that ships, and the one of the documentation, holds the contract; the kit finds those that do not."""

from collections.abc import Callable, Sequence
from typing import Any

import placing_platform
import pytest
from paths import ROOT

from simulators import Arch, InputError, Trace, load_arch, simulate
from simulators.hardware.arch import arch_names
from simulators.inputs import plugins
from simulators.inputs.errors import LoweringError
from simulators.lowering.platform import platform_named
from simulators.platform import (
    COMPUTE,
    EVERYTHING_BEFORE,
    Elementwise,
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
    Units,
)
from simulators.platforms import PLATFORMS
from simulators.testing import check_platform

EXAMPLE = ROOT / "docs" / "examples" / "output_stationary.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*arch_names(), "docs"])
def test_the_platforms_hold_the_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "")
    if name == "docs":
        plugins.load([EXAMPLE])
    arch = load_arch(EXAMPLE.with_suffix(".yaml") if name == "docs" else name)
    check_platform(platform_named(arch.platform), arch.spec)


def test_a_platform_that_places_parameters_holds_it() -> None:
    arch = placing_platform.placing(7, 90, 4)
    with pytest.raises(AssertionError, match="bits are read, and its operands have"):  # it says so of itself
        check_platform(platform_named(arch.platform), arch.spec)


class WireSpec(PlatformSpec):
    lanes: Units


class Wire(Platform):
    """Reads its operands, multiplies, writes its results."""

    spec = WireSpec
    machine = Machine(("port", "array"), (False, True), (Queue("port", 0), Queue("array", 1)), ("compute", "moves"))
    operations = (Matmul, Elementwise)

    def cycles(self, layer: Layer, spec: WireSpec) -> int:
        return -(-(layer.macs or layer.elementwise_operations) // spec.lanes)

    def traffic(self, layer: Layer) -> tuple[int, int]:
        return sum(operand.bits for operand in layer.operands()), layer.outputs_total().bits

    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        (layer,) = layers
        read, written = self.traffic(layer)
        builder = SegmentBuilder(
            self.machine, [LayerWork(layer.macs or layer.elementwise_operations, spec.lanes, COMPUTE)]
        )
        builder.emit(1, [(1, [
            Step(("read",), 0, max(1, read // 64), 1, (EVERYTHING_BEFORE,), ((0, "port_read", read),)),
            Step(("computed",), 1, self.cycles(layer, spec), COMPUTE, (("read", 1),), works_on=0),
            Step(("written",), 0, max(1, written // 64), 1, (("computed", 1),), ((0, "port_write", written),)),
        ])])  # fmt: skip
        return builder.segment()

    def energy_pj(self, layer: Layer, work: LayerWork, spec: WireSpec) -> dict[str, float]:
        return {"port": float(sum(work.bits.values()))}

    def bits_per_cycle(self, spec: WireSpec) -> dict[str, int]:
        return {"port": 64}


class ReadsTooLittle(Wire):
    def traffic(self, layer: Layer) -> tuple[int, int]:
        return 1, layer.outputs_total().bits


class WritesTooLittle(Wire):
    def traffic(self, layer: Layer) -> tuple[int, int]:
        return super().traffic(layer)[0], 1


class DoesMoreThanItCan(Wire):
    def cycles(self, layer: Layer, spec: WireSpec) -> int:
        return 1


class IsPaidForIt(Wire):
    def energy_pj(self, layer: Layer, work: LayerWork, spec: WireSpec) -> dict[str, float]:
        return {"port": -1.0}


class Remembers(Wire):
    """The cycles of a layer depend on how often it was asked."""

    asked = 0

    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        Remembers.asked += 1
        return super().lower(layers, choice, spec)

    def cycles(self, layer: Layer, spec: WireSpec) -> int:
        return super().cycles(layer, spec) + self.asked

    def choose(self, layers: Sequence[Layer], place: int, spec: WireSpec) -> int:
        return self.asked


class SharesTooMuch(Wire):
    """Its tasks depend on a place that `choose` leaves out: a batch remembers those of the first."""

    def places(self, parameters: Sequence[PlacedLayer], spec: WireSpec) -> list[int]:
        return [sum(layer.bits for layer in parameters) % 5] * len(parameters)

    def choose(self, layers: Sequence[Layer], place: int, spec: WireSpec) -> None:
        self.place = place

    def cycles(self, layer: Layer, spec: WireSpec) -> int:
        return super().cycles(layer, spec) + self.place


class SharesAcrossSpecs(Wire):
    """Its tasks depend on the lanes, and its key does not."""

    def tasks_key(self, spec: WireSpec) -> None:
        return None


class FailsWithoutAWord(Wire):
    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        if spec.lanes < 2:
            raise ZeroDivisionError
        return super().lower(layers, choice, spec)


class NamesNothing(Wire):
    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        if spec.lanes < 2:
            raise InputError("it does not go")
        return super().lower(layers, choice, spec)


class ForgetsTheUnit(Wire):
    """No step says by `works_on` that it is the layer's work."""

    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        read, written = self.traffic(layers[0])
        builder = SegmentBuilder(self.machine, [LayerWork(1, 1.0, COMPUTE)])
        moved = ((0, "port_read", read), (0, "port_write", written))
        builder.emit(1, [(1, [Step(("all",), 1, 9, COMPUTE, (EVERYTHING_BEFORE,), moved)])])
        return builder.segment()


class TakesAll(Wire):
    """It takes operations that its lowering refuses, without a name."""

    operations = (Layer,)

    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        raise InputError("no")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Platform]], WireSpec]:
    """A spec of a platform that is registered under the name `wire` for the test."""

    def register(kind: type[Platform]) -> WireSpec:
        monkeypatch.setattr(PLATFORMS, "_registered", {**PLATFORMS._registered, "wire": kind()})
        pairs = tuple((w, a) for w in (2, 4, 8) for a in (4, 8))
        name = kind.__name__  # segments are kept by it
        return WireSpec(name=name, platform="wire", frequency_mhz=100.0, precisions=pairs, lanes=8)

    return register


def test_a_plain_platform_holds_it(registered: Callable[[type[Platform]], WireSpec]) -> None:
    spec = registered(Wire)
    check_platform(platform_named("wire"), spec)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (ReadsTooLittle, "layer matmul0 .matmul. on ReadsTooLittle: 1 bits are read, and its operands have 2496"),
        (WritesTooLittle, "1 bits are written, and its results have 3840"),
        (DoesMoreThanItCan, "5760 of work, and its unit can do 8 when busy"),
        (IsPaidForIt, "platform wire: matmul0: energy_pj: port: -1.0 pJ: an energy is a finite number"),
        (Remembers, "other cycles|sweep differs|reports differ"),
        (SharesTooMuch, "sweep differs|other cycles"),
        (SharesAcrossSpecs, "lanes = 1: by itself it has other figures"),
        (FailsWithoutAWord, "lanes = 1: .*ZeroDivisionError"),
        (NamesNothing, "lanes = 1: the error names neither key nor layer: it does not go"),
        (ForgetsTheUnit, "no step says by `works_on`"),
        (TakesAll, "TakesAll: it runs none of the operations that it takes: Layer"),
    ],
)
def test_the_kit_finds(kind: type[Platform], message: str, registered: Callable[[type[Platform]], WireSpec]) -> None:
    spec = registered(kind)
    with pytest.raises(AssertionError, match=message):
        check_platform(platform_named("wire"), spec)


def test_it_must_be_registered(registered: Callable[[type[Platform]], WireSpec]) -> None:
    spec = registered(Wire)
    with pytest.raises(AssertionError, match="Wire: platform wire is registered as another"):
        check_platform(Wire(), spec)
    with pytest.raises(AssertionError, match="WireSpec is no BitFusionSpec"):
        check_platform(platform_named("bitfusion"), spec)


class LeavesOneOut(Wire):
    def group(self, layers: Sequence[Layer]) -> list[int]:
        return [1] * (len(layers) - 1)


class PlacesTooFew(Wire):
    def places(self, parameters: Sequence[PlacedLayer], spec: Any) -> list[int]:
        return [0]


class LosesAKey(Wire):
    def lower(self, layers: Sequence[Layer], choice: Any, spec: WireSpec) -> Segment:
        return {}["cycles"]  # type: ignore[no-any-return]


class IsFree(Wire):
    def energy_pj(self, layer: Layer, work: LayerWork, spec: WireSpec) -> dict[str, float]:
        return {"port": float("nan")}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (LeavesOneOut, r"platform wire: a, b: group: \[1\]: 2 layers in segments of at least one"),
        (PlacesTooFew, "platform wire: places: 1 for 2 layers"),
        (LosesAKey, "platform wire: a: KeyError: 'cycles'"),
        (IsFree, "platform wire: a: energy_pj: port: nan pJ: an energy is a finite number of at least 0"),
    ],
)
def test_a_slip_of_a_platform_is_one_line(
    kind: type[Platform], message: str, registered: Callable[[type[Platform]], WireSpec]
) -> None:
    layers = tuple(
        Matmul(name=name, out_features=8, in_features=8, steps=2, weight_bits=8, activation_bits=8, output_bits=8)
        for name in "ab"
    )
    with pytest.raises(LoweringError, match=message):
        simulate(Trace(name="two", steps=2, layers=layers), Arch(registered(kind), "test"))


class Derived(placing_platform.Placing):
    """Its lowering is another module's."""


def test_the_code_of_an_inherited_lowering_is_watched() -> None:
    assert set(Derived().code.modules) == {Derived.__module__, "placing_platform"}
