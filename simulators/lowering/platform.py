"""What a platform's author gives: the machine, what its spec may say, and how layers become tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from simulators.engine.machine import Machine
from simulators.hardware.platform_registry import PLATFORMS
from simulators.hardware.spec import Pair, PlatformSpec
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError, LoweringError
from simulators.lowering.segments import LayerWork, Segment
from simulators.workloads.operations import Layer

MappingRow = Mapping[str, str | int | tuple[str, ...]]
"""What is said of a product's mapping, by a column's title; `loops` is for JSON, where it is a list of lines."""


def loops_shown(nest: Sequence[str]) -> tuple[str, ...]:
    """Loops, the outermost first, as lines: `for 4 tiles of 32 outputs`, each further in than the one above it."""
    return tuple(f"{'  ' * depth}for {loop}" for depth, loop in enumerate(nest))


NEARLY, WORTH_OF_ENERGY = 0.01, 1.5
"""Choices within so much of the fewest cycles are weighed: a per cent of energy is worth so many of cycles."""

DRAM = "dram"
"""The component of energy that is DRAM's, of the platforms that have one."""

FIRST, INNER, LAST, ALONE = range(4)
"""Where a segment stands in a network: first of several, between others, last, alone."""


class PlacedLayer(NamedTuple):
    """What `places` knows of a layer."""

    name: str
    bits: int
    """Memory of its parameters."""
    is_product: bool

    @classmethod
    def of(cls, layer: Layer) -> PlacedLayer:
        """A layer with the widths that it has."""
        return cls(layer.name, layer.parameter_bits, layer.is_product)


@dataclass(frozen=True)
class Choices:
    """What a segment's tasks may be made with; a network takes what serves it best."""

    choices: tuple[Hashable, ...]
    """What `lower` takes."""
    best: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Which of them to begin with, by where the segment stands."""
    cycles: tuple[tuple[float, float, float, float], ...] | None = None
    """Cycles that each takes undisturbed, by where the segment stands: where it takes more, its neighbours' and its own
    others are tried. None: it has no others."""

    def __post_init__(self) -> None:
        """Raises LoweringError for choices that are not there."""
        count = len(self.choices)
        if len(self.best) != len((FIRST, INNER, LAST, ALONE)) or not all(0 <= which < count for which in self.best):
            raise LoweringError(f"choices: best {self.best} of {count}")
        if self.cycles is not None and len(self.cycles) != count:
            raise LoweringError(f"choices: cycles of {len(self.cycles)} for {count}")


class Platform(ABC):
    """One kind of hardware. An instance holds nothing that changes: all variants of the hardware share it.

    The simulator groups a trace's layers (`group`), says where their parameters lie (`places`), has each group lowered
    (`choose`, `lower`) and charged energy (`energy_pj`). `spec` is always an instance of the class's own `spec`.
    """

    spec: ClassVar[type[PlatformSpec]]
    """What an architecture file of this platform may say."""
    machine: ClassVar[Machine]
    """Servers, queues and kinds of tasks; where they depend on the spec, as the cores of a mesh do, `machine_of`."""
    operations: ClassVar[tuple[type[Layer], ...]]
    """The operations of a trace that it takes; others are refused by name."""
    stores_pruned_weights: ClassVar[bool] = False
    """Whether its lowering counts pruned weights (an N:M sparsity) as they are stored; they are refused where not."""
    runs_unlisted_precisions: ClassVar[bool] = False
    """Whether products may have widths that the spec's `precisions` does not list; they are refused where not."""
    changes_bits_between_layers: ClassVar[bool] = False
    """Whether a network's layers may differ in bits without another configuration of the hardware."""
    widest_weights: ClassVar[int] = 16
    """Bits of the widest weights that it multiplies; wider ones are refused."""
    counts_output_bits: ClassVar[bool] = True
    """Whether the figures of a product depend on the width of its results; where accumulators are written as they are,
    they do not, and candidates that differ in nothing else share segments."""

    def machine_of(self, spec: Any) -> Machine:
        """The machine of an architecture: by default one for all. It depends on nothing that `tasks_key` leaves out."""
        return self.machine

    def group(self, layers: Sequence[Layer]) -> list[int]:
        """How many layers make each segment, in order; it depends on shapes, not on bits."""
        return [1] * len(layers)

    def places(self, parameters: Sequence[PlacedLayer], spec: Any) -> Sequence[int] | None:
        """For each layer, from all layers' parameters, where they are kept: any whole numbers, as `choose` takes them.
        None: that depends on the layer alone. Raises InputError for what has no place."""
        return None

    def choose(self, layers: Sequence[Layer], place: int, spec: Any) -> Hashable:
        """What the tasks of a segment depend on besides its layers' shapes and `tasks_key`: by default the first
        layer's place; a mapping, where one is chosen. Raises InputError for what cannot be done."""
        return place

    def choices(self, layers: Sequence[Layer], place: int, spec: Any) -> Choices:
        """Several choices, for a network to take from; by default the one of `choose`."""
        return Choices((self.choose(layers, place, spec),))

    @abstractmethod
    def lower(self, layers: Sequence[Layer], choice: Any, spec: Any) -> Segment:
        """The tasks of the layers of one segment, with what `choose` chose. They depend on shapes, on the choice and on
        `tasks_key`, and on nothing else; so does whether InputError is raised."""

    def mapping(self, layers: Sequence[Layer], choice: Any, spec: Any) -> MappingRow:
        """How a product is mapped, the first of some layers of a segment, with what was chosen for it: a row of a
        table; `loops` are for JSON. By default its sizes as a matrix product, the choice, and what runs behind it."""
        gemm = layers[0].as_gemm()
        assert gemm is not None
        nest = (f"{gemm.products} products", f"{gemm.n} vectors", f"{gemm.m} outputs", f"{gemm.k} inputs")
        row: dict[str, str | int | tuple[str, ...]] = {"outputs": gemm.m, "inputs": gemm.k, "vectors": gemm.n}
        return {
            **row,
            "choice": str(choice),
            "behind": " ".join(layer.name for layer in layers[1:]),
            "loops": loops_shown(nest),
        }

    @abstractmethod
    def energy_pj(self, layer: Layer, work: LayerWork, spec: Any) -> dict[str, float]:
        """Energy in pJ of what a layer computed and moved, by component, without what depends on time."""

    @abstractmethod
    def bits_per_cycle(self, spec: Any) -> Mapping[str, float]:
        """Bandwidth in bits a cycle by level of memory, named as in a layer's traffic: `dram` where reads and writes
        share it, `dram_read` and `dram_write` where each way has its own."""

    def has_dram_energy(self, spec: Any) -> bool:
        """Whether `energy_pj` has all that DRAM takes under `DRAM`: what an objective of it needs. By default it has
        not."""
        return False

    def leakage_mw(self, spec: Any) -> float:
        """Power in mW that the hardware takes whatever it does."""
        return 0.0

    def tasks_key(self, spec: Any) -> Hashable:
        """What of a spec the tasks depend on besides the choice: architectures with equal keys share segments and their
        timings, as those that differ in energies or clock alone. By default nothing is shared."""
        key: Hashable = spec
        return key

    def choices_key(self, spec: Any) -> Hashable:
        """What of a spec the choices and the energies depend on: architectures with equal keys, of this and of
        `tasks_key`, share what a network took of its segments' choices. By default nothing is shared."""
        key: Hashable = spec
        return key

    @property
    def code(self) -> Code:
        """The code that decides its figures besides what all platforms share: the modules of its class, of its spec,
        and of what these derive from. Data that it reads must be added."""
        own = {*type(self).__mro__, *type(self).spec.__mro__} - {*Platform.__mro__, *PlatformSpec.__mro__}
        return Code(tuple(sorted({kind.__module__ for kind in own})))


@runtime_checkable
class RoundsWidths(Protocol):
    """A platform that multiplies operands of some widths as wider ones."""

    def stored_as(self, pair: Pair) -> Pair:
        """The (weight bits, activation bits) at which a pair of operands lies in memory, at least."""
        ...

    def multiplied_as(self, pair: Pair) -> Pair:
        """The (weight bits, activation bits) at which a pair of operands is multiplied."""
        ...


def platform_named(name: str) -> Platform:
    """A platform by its name. Raises InputError for one that there is not, or that is none."""
    platform = PLATFORMS.get(name)
    if not isinstance(platform, Platform):
        raise InputError(f"platform {name}: {type(platform).__name__}: it must be a simulators.platform.Platform")
    return platform


def register_platform(name: str, platform: Platform) -> None:
    """Make specs with `platform: NAME` loadable and simulated. Raises InputError for a name in use."""
    PLATFORMS.register(name, platform)
