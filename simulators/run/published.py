"""Published models of whole platforms, closed forms that are held beside the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from simulators.hardware.arch import Arch
from simulators.hardware.platform_registry import PLATFORMS
from simulators.inputs.errors import InputError
from simulators.lowering.platform import platform_named
from simulators.run.report import LayerReport, PartialReport, Report
from simulators.workloads.trace import Trace


@runtime_checkable
class HasPublishedModel(Protocol):
    """A platform of which a closed form was published."""

    def published(self, trace: Trace, arch_name: str, spec: Any) -> PartialReport:
        """What the closed form says of a trace. Raises InputError for what it has no answer to."""
        ...


def report_of(
    trace: Trace, arch_name: str, frequency_mhz: float, layers: Sequence[LayerReport], dram_bits_per_cycle: int
) -> PartialReport:
    """What a closed form says of the products of a trace, which are its `layers`; what is none is left out, and named.
    Raises InputError where there are none."""
    if not layers:
        raise InputError(f"{trace.name}: the published model is of products and convolutions, and there is none")
    report = Report(
        arch=f"{arch_name} (published model)",
        trace=trace.name,
        steps=trace.steps,
        has_frames=trace.has_frames,
        frequency_mhz=frequency_mhz,
        layers=tuple(layers),
        bits_per_cycle={"dram": dram_bits_per_cycle},
        chunk=trace.chunk,
    )
    return PartialReport(report, tuple(layer.name for layer in trace.layers if not layer.is_product))


def published_report(trace: Trace, arch: Arch) -> PartialReport:
    """What the published model of an architecture's platform says. Raises InputError for a platform that has none."""
    platform = platform_named(arch.platform)
    if not isinstance(platform, HasPublishedModel):
        others = [name for name in PLATFORMS.names() if isinstance(platform_named(name), HasPublishedModel)]
        raise InputError(
            f"{arch.name}: platform {arch.platform} has no published model; there is one of {', '.join(others)}"
        )
    return platform.published(trace, arch.name, arch.spec)
