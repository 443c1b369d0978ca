"""The silicon area of an architecture, from the figures of its spec, by component."""

from __future__ import annotations

from simulators.arch import Arch
from simulators.errors import InputError
from simulators.specs import BitFusionSpec
from simulators.sram import buffers


def area_mm2(arch: Arch) -> dict[str, float]:
    """mm² by component, in the technology of the spec's figures. Raises InputError for a spec without them."""
    spec = arch.spec
    if spec.area is None:
        raise InputError(f"{arch.name}: area: the spec gives no figures, so there is no area to report")
    if isinstance(spec, BitFusionSpec):
        parts = {"array": spec.area.unit_mm2 * spec.array.rows * spec.array.columns}
        parts["post_processing"] = spec.area.post_processing_lane_mm2 * spec.post_processing.lanes
        return parts | {name: sram.area_mm2 for name, sram in buffers(spec.array, spec.buffers).items()}
    tiles = spec.dimarch.weight_tiles + spec.dimarch.activation_tiles
    # The figure is of tiles with 128 rows of 256 bits; others are scaled by their bits.
    tile = spec.area.tile_mm2 * spec.dimarch.tile_rows * spec.dimarch.row_bits / (128 * 256)
    return {"cells": spec.area.cell_mm2 * spec.fabric.rows * spec.fabric.columns, "dimarch": tile * tiles}
