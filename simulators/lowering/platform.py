"""A trace on a machine: segments in order, one a layer or a product with the elementwise work behind it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simulators.engine.machine import Machine, Program
from simulators.inputs.code_digest import Code
from simulators.lowering.segments import LayerWork, Segment, link
from simulators.workloads.trace import AnyLayer

NO_CODE = Code(())


@dataclass(frozen=True)
class Shared:
    """How a platform's variants share their tasks: those that differ in energies or clock alone have the same."""

    key: Callable[[Any], Hashable]
    """Of a spec: all that tasks depend on but what `choice` holds. Specs with equal keys share segments and
    passages."""
    choice: Callable[[Sequence[AnyLayer], int, Any], Hashable]
    """Of the layers of a segment, the first one's place and a spec: what else its tasks depend on."""
    tasks: Callable[[Sequence[AnyLayer], Any, Any], Segment]
    """The segment of some layers with that choice, without energies. It depends on the key and the choice alone, and so
    does whether it raises InputError."""
    energies_pj: Callable[[Sequence[AnyLayer], Sequence[LayerWork], Any], list[dict[str, float]]]
    """By layer and component."""


@dataclass(frozen=True)
class Platform:
    """What a platform file gives: how layers become segments on its machine."""

    machine: Machine
    group: Callable[[Sequence[AnyLayer]], list[int]]
    """How many layers make each segment, in order; it depends on shapes, not on bits."""
    placed: Callable[[Sequence[tuple[str, int]], Any], Sequence[int]] | None
    """For each layer, from the names and the bits of all layers' parameters: where they are kept, as `segment` takes
    it. None: that depends on the layer alone."""
    segment: Callable[[Sequence[AnyLayer], int, Any], Segment]
    """The tasks of the layers of one segment; the number is the first one's place. Raises InputError."""
    leakage_mw: Callable[[Any], float]
    bits_per_cycle: Callable[[Any], dict[str, int]]
    """Bandwidth by level of memory, named as in a layer's traffic."""
    shared: Shared | None = None
    """None: each architecture has its own segments."""
    runs_unlisted_precisions: bool = False
    """Whether products may have widths that the spec's `precisions` does not list; they are refused where not."""
    code: Code = NO_CODE
    """What decides its figures besides what all platforms share: modules, and the data that they read."""


@dataclass(frozen=True)
class Lowered:
    """A trace on a machine."""

    machine: Machine
    segments: tuple[Segment, ...]
    leakage_mw: float
    frequency_mhz: float
    bits_per_cycle: dict[str, int]

    @cached_property
    def program(self) -> Program:
        """All tasks, as the reference engine runs them."""
        return link(self.segments)

    @property
    def layers(self) -> tuple[LayerWork, ...]:
        """By layer of the trace."""
        return tuple(work for segment in self.segments for work in segment.works)
