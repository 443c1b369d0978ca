"""What a simulation says of each layer of a small network, as it can be computed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulators import Trace, load_arch, simulate
from simulators.workloads.operations import AnyLayer


@dataclass(frozen=True)
class Figures:
    """One layer."""

    cycles: int
    """Cycles of the makespan that are the layer's."""
    busy: int
    """Cycles in which the layer's unit works."""
    bits: Mapping[str, int]
    """Traffic by level and direction; all levels that there are."""
    pj: Mapping[str, float]
    """Energy in pJ by component; all components that there are."""


def simulated(layers: Sequence[AnyLayer], arch: str, changes: Sequence[str]) -> list[Figures]:
    """The figures of each layer of a network. Raises AssertionError if the engines do not agree on them."""
    trace, spec = Trace(name="by hand", steps=layers[0].steps, layers=tuple(layers)), load_arch(arch, changes)
    report = simulate(trace, spec)
    if simulate(trace, spec, "simpy") != report:
        raise AssertionError("the engines do not agree")
    return [
        Figures(layer.cycles, layer.busy_cycles, layer.bits, {of: 1e6 * uj for of, uj in layer.energy_uj.items()})
        for layer in report.layers
    ]
