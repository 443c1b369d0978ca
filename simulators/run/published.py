"""Published models of whole platforms, closed forms that are held beside the simulator."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from simulators.hardware.arch import Arch
from simulators.hardware.platform_registry import PLATFORMS
from simulators.inputs.errors import InputError
from simulators.lowering.platform import platform_named
from simulators.run.report import PartialReport
from simulators.workloads.trace import Trace


@runtime_checkable
class HasPublishedModel(Protocol):
    """A platform of which a closed form was published."""

    def published(self, trace: Trace, arch_name: str, spec: Any) -> PartialReport:
        """What the closed form says of a trace. Raises InputError for what it has no answer to."""
        ...


def published_report(trace: Trace, arch: Arch) -> PartialReport:
    """What the published model of an architecture's platform says. Raises InputError for a platform that has none."""
    platform = platform_named(arch.platform)
    if not isinstance(platform, HasPublishedModel):
        others = [name for name in PLATFORMS.names() if isinstance(platform_named(name), HasPublishedModel)]
        raise InputError(
            f"{arch.name}: platform {arch.platform} has no published model; there is one of {', '.join(others)}"
        )
    return platform.published(trace, arch.name, arch.spec)
