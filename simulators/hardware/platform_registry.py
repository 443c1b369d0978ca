"""The platforms by name: what an architecture file names under `platform`.

A registry lies below all that it names, so it knows of a platform only that it has a class of specs; what a whole one
is says `simulators.platform.Platform`.
"""

from __future__ import annotations

from typing import Protocol

from simulators.hardware.spec import PlatformSpec
from simulators.inputs.errors import InputError
from simulators.inputs.registry import Registry


class HasSpec(Protocol):
    """What is read of a platform before it runs anything."""

    @property
    def spec(self) -> type[PlatformSpec]:
        """What an architecture file of this platform may say."""
        ...


def _has_spec(name: str, platform: object) -> HasSpec:
    spec = getattr(platform, "spec", None)
    if isinstance(platform, type):
        raise InputError(f"platform {name}: {platform.__name__}: it must be an instance, not the class")
    if not (isinstance(spec, type) and issubclass(spec, PlatformSpec)):
        raise InputError(f"platform {name}: {type(platform).__name__}.spec must be a class derived from PlatformSpec")
    return platform  # type: ignore[return-value]


PLATFORMS: Registry[HasSpec] = Registry(
    "platform",
    "mohaq.platforms",
    {
        "bit_serial": "simulators.platforms.bit_serial.platform:PLATFORM",
        "bitfusion": "simulators.platforms.bitfusion.platform:PLATFORM",
        "drra2": "simulators.platforms.drra2.platform:PLATFORM",
        "edgedrnn": "simulators.platforms.edgedrnn.platform:PLATFORM",
        "epiphany": "simulators.platforms.epiphany.platform:PLATFORM",
        "silago": "simulators.platforms.silago.platform:PLATFORM",
    },
    _has_spec,
)
