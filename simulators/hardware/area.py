"""The silicon area of an architecture, from the figures of its spec, by component."""

from __future__ import annotations

from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError


def area_mm2(arch: Arch) -> dict[str, float]:
    """mm² by component, in the technology of the spec's figures. Raises InputError for a spec without them."""
    parts = arch.spec.area_parts_mm2()
    if parts is None:
        raise InputError(f"{arch.name}: area: the spec gives no figures, so there is no area to report")
    return parts
