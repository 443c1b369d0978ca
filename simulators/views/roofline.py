"""The roofline of a report: the fewest cycles that computation and data movement allow, and which of them binds.

Williams, Waterman, Patterson, CACM 52(4), 2009. Peaks differ with precision, so the roofs are kept in cycles: for a
layer, work / peak of the unit that does it; for a network, the sum over the layers of each unit, for units work at the
same time, and for each channel of a memory its bits / bandwidth. The largest is a lower bound of the cycles.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from simulators.run.report import LayerReport, Report

WAYS = ("_read", "_write")
"""How the traffic of a level of memory is named, by way."""


@dataclass(frozen=True)
class Roofline:
    """A point of the roofline: a layer, or a whole network."""

    work: int
    """Effective multiply-accumulates of the products: what hardware skips is no work."""
    cycles: int
    compute_cycles: float
    """Cycles that the busiest compute unit takes at its peak."""
    unit: str
    memory_cycles: float
    """Cycles that the busiest channel takes at its bandwidth."""
    channel: str
    """A level of memory, or one way of it, as in the report's bandwidths: dram, or dram_read."""
    bytes_moved: float
    """Over that channel."""

    @property
    def bound_cycles(self) -> float:
        """The fewest cycles that the roofs allow."""
        return max(self.compute_cycles, self.memory_cycles)

    @property
    def bound(self) -> str:
        """Unit or channel whose roof is the lower one."""
        return self.unit if self.compute_cycles >= self.memory_cycles else self.channel

    @property
    def attained(self) -> float:
        """Share of the roof, 0 to 1."""
        return self.bound_cycles / self.cycles if self.cycles else 0.0

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a byte."""
        return self.work / self.bytes_moved if self.bytes_moved else float("inf")

    @property
    def ridge(self) -> float:
        """Intensity at which both roofs meet, for this mix of precisions."""
        return self.intensity * self.memory_cycles / self.compute_cycles if self.memory_cycles else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "macs": self.work,
            "macs_per_byte": self.intensity if self.bytes_moved else None,
            "ridge_macs_per_byte": self.ridge,
            "bound": self.bound,
            "bound_cycles": self.bound_cycles,
            "attained": self.attained,
        }


def bits_over(channel: str, layer: LayerReport) -> int:
    """Bits of a layer over a channel: those of one way, where each has a bandwidth of its own, or of both."""
    if channel.endswith(WAYS):
        return layer.bits.get(channel, 0)
    return sum(layer.bits.get(channel + way, 0) for way in WAYS)


def roofline(report: Report) -> Roofline:
    """The point of a whole network."""
    return _roofline(report.layers, report)


def layer_roofline(layer: LayerReport, report: Report) -> Roofline:
    """The point of one layer, in the cycles charged to it or, where they are fewer because it overlaps with another, in
    those in which its unit or its channel was busy."""
    point = _roofline((layer,), report)
    return replace(point, cycles=max(point.cycles, layer.busy_cycles, ceil(point.memory_cycles)))


def _roofline(layers: tuple[LayerReport, ...], report: Report) -> Roofline:
    units: dict[str, float] = {}
    for layer in layers:
        units[layer.unit] = units.get(layer.unit, 0.0) + layer.work / layer.peak_per_cycle
    unit = max(units, key=lambda name: units[name])
    moved = {channel: sum(bits_over(channel, layer) for layer in layers) for channel in report.bits_per_cycle}
    channel = max(moved, key=lambda name: moved[name] / report.bits_per_cycle[name])
    return Roofline(
        work=sum(layer.macs for layer in layers),
        cycles=sum(layer.cycles for layer in layers),
        compute_cycles=units[unit],
        unit=unit,
        memory_cycles=moved[channel] / report.bits_per_cycle[channel],
        channel=channel,
        bytes_moved=moved[channel] / 8,
    )
