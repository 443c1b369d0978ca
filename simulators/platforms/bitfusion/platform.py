"""Bit Fusion: how a trace's layers become tasks on a DRAM channel, a systolic array and post-processing units.

A product and the elementwise layer that takes its results step by step make one segment (`bitfusion_segments.py`). Tile
sizes and loop order are those that the simulator itself finds cheapest (`bitfusion_mapping.py`); weights of the next
layer are prefetched into a free half of their buffer while the current one computes. Not modelled: bank conflicts, DRAM
rows and refresh, the control processor.
"""

from __future__ import annotations

from collections.abc import Sequence

from simulators.hardware.sram import sram_table_file
from simulators.inputs.code_digest import Code
from simulators.lowering.platform import Platform, Shared
from simulators.lowering.segments import Segment
from simulators.platforms.bitfusion import lowering as bitfusion_segments
from simulators.platforms.bitfusion.lowering import energies_pj, leakage_mw
from simulators.platforms.bitfusion.machine import MACHINE
from simulators.platforms.bitfusion.mapper import key, mapping
from simulators.platforms.bitfusion.spec import BitFusionSpec, Buffers
from simulators.platforms.bitfusion.tiling import Tiling
from simulators.workloads.trace import AnyLayer, Conv2d, Elementwise, Matmul


def group(layers: Sequence[AnyLayer]) -> list[int]:
    """An elementwise layer runs behind the product before it if it takes that one's results, step by step; what else it
    reads comes from DRAM."""
    lengths: list[int] = []
    i = 0
    while i < len(layers):
        layer, following = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        fused = (
            isinstance(layer, Matmul)
            and isinstance(following, Elementwise)
            and layer.steps == following.steps
            and following.inputs >= layer.out_features
        )
        lengths.append(2 if fused else 1)
        i += lengths[-1]
    return lengths


def choice(layers: Sequence[AnyLayer], _: int, spec: BitFusionSpec) -> tuple[Tiling | None, Buffers | None]:
    """A product's tiling; and the buffers, where their sizes decide on more than that."""
    match layers:
        case [Elementwise()]:
            return None, spec.buffers
        case [Matmul() | Conv2d() as layer]:
            tiling = mapping(layer, None, spec)
        case [Matmul() as layer, Elementwise() as fused]:
            tiling = mapping(layer, fused, spec)
        case _:
            raise ValueError(f"{len(layers)} layers are no segment")
    return tiling, spec.buffers if isinstance(layer, Matmul) and layer.recurrent else None


def tasks(layers: Sequence[AnyLayer], chosen: tuple[Tiling | None, Buffers | None], spec: BitFusionSpec) -> Segment:
    """What `choice` leads to. Raises InputError for what does not fit a buffer or cannot be expressed."""
    return bitfusion_segments.tasks(layers, chosen[0], spec)


def segment(layers: Sequence[AnyLayer], placed: int, spec: BitFusionSpec) -> Segment:
    """`tasks` with the mapping of least cost, and energies."""
    made = tasks(layers, choice(layers, placed, spec), spec)
    for work, energy in zip(made.works, energies_pj(layers, made.works, spec), strict=True):
        work.energy_pj |= energy
    return made


def mappings(layers: Sequence[AnyLayer], spec: BitFusionSpec) -> list[tuple[str, Tiling]]:
    """The tiling of every product of a network, by the layer's name."""
    found, i = [], 0
    for length in group(layers):
        match layers[i : i + length]:
            case [Matmul() | Conv2d() as layer]:
                found.append((layer.name, mapping(layer, None, spec)))
            case [Matmul() as layer, Elementwise() as fused]:
                found.append((layer.name, mapping(layer, fused, spec)))
        i += length
    return found


def bits_per_cycle(spec: BitFusionSpec) -> dict[str, int]:
    """Of the memory behind the buffers."""
    return {"dram": spec.dram.bits_per_cycle}


CODE = Code(
    (
        *(f"simulators.platforms.bitfusion.{name}" for name in (
            "costs", "lower_bounds", "lowering", "machine", "mapper", "mapping_kernels", "platform", "spec", "tiles",
            "tiling",
        )),
        "simulators.hardware.sram",
    ),
    (sram_table_file(),),
)  # fmt: skip
"""Not the published model, nor what holds one against the other."""

PLATFORM = Platform(
    MACHINE, group, None, segment, leakage_mw, bits_per_cycle, Shared(key, choice, tasks, energies_pj),
    runs_unlisted_precisions=True, code=CODE,
)  # fmt: skip
