"""Bit Fusion: how a trace's layers become tasks on a DRAM channel, a systolic array and post-processing units.

A product and the elementwise layer that takes its results step by step make one segment (`lowering.py`). Tile sizes and
loop order are those that the simulator itself finds cheapest (`mapper.py`); weights of the next layer are prefetched
into a free half of their buffer while the current one computes. Not modelled: bank conflicts, DRAM rows and refresh,
the control processor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from math import ceil

from simulators.hardware.spec import Pair
from simulators.hardware.sram import sram_table_file
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.lowering.platform import Choices, MappingRow, PlacedLayer, Platform, loops_shown
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.bitfusion import lowering, mapper
from simulators.platforms.bitfusion.machine import MACHINE
from simulators.platforms.bitfusion.spec import BitFusionSpec, Buffers, FixedMapping
from simulators.platforms.bitfusion.tiling import Tiling, operand_width
from simulators.run.report import PartialReport
from simulators.workloads.operations import (
    ActivationMatmul,
    Conv2d,
    Elementwise,
    Layer,
    Matmul,
    Pool2d,
    VectorLayer,
)
from simulators.workloads.trace import Trace

Choice = tuple[Tiling | None, Buffers | None]
"""A product's tiling; and the buffers, where their sizes decide on more than that."""


class BitFusion(Platform):
    """Bit Fusion (Sharma et al., ISCA 2018)."""

    spec = BitFusionSpec
    changes_bits_between_layers = True
    machine = MACHINE
    operations = (Matmul, Conv2d, ActivationMatmul, Elementwise, Pool2d)
    runs_unlisted_precisions = True
    stores_pruned_weights = True

    def group(self, layers: Sequence[Layer]) -> list[int]:
        """An elementwise layer runs behind the product before it if it takes that one's results, step by step; what
        else it reads comes from DRAM."""
        lengths: list[int] = []
        i = 0
        while i < len(layers):
            layer, following = layers[i], layers[i + 1] if i + 1 < len(layers) else None
            fused = (
                isinstance(layer, Matmul | Conv2d)
                and isinstance(following, Elementwise)
                and layer.steps == following.steps
                and following.inputs >= layer.outputs_total().elements // layer.steps
            )
            lengths.append(2 if fused else 1)
            i += lengths[-1]
        return lengths

    def places(self, parameters: Sequence[PlacedLayer], spec: BitFusionSpec) -> Sequence[int] | None:
        """Which mapping of the spec's list each product has, from 1; 0 for none, and for other layers. Raises
        InputError for a pattern that names no product, or only products that others before it name."""
        if spec.mapping is None or isinstance(spec.mapping, FixedMapping):
            return None
        patterns = [mapping.layers for mapping in spec.mapping]
        places = [
            next((i for i, of in enumerate(patterns, 1) if layer.is_product and fnmatchcase(layer.name, of)), 0)
            for layer in parameters
        ]
        for i, pattern in enumerate(patterns):
            if i + 1 not in places:
                named = [layer for layer in parameters if fnmatchcase(layer.name, pattern)]
                if not named:
                    rule = "the trace has no such layer"
                elif any(layer.is_product for layer in named):
                    rule = "patterns before it name all of its layers"
                else:
                    rule = f"{named[0].name} is no product: only products have tiles"
                raise InputError(f"{spec.name}: mapping[{i}].layers: {pattern!r}: {rule}")
        return places

    def choices(self, layers: Sequence[Layer], place: int, spec: BitFusionSpec) -> Choices:
        """The tilings that a product may get."""
        first, *behind = layers
        if isinstance(first, VectorLayer):
            return Choices(((None, spec.buffers),))
        fused = behind[0] if behind else None
        assert fused is None or isinstance(fused, VectorLayer)
        tilings = mapper.tilings(first, fused, spec.at(place))
        buffers = spec.buffers if first.waits_for_itself else None
        return replace(tilings, choices=tuple((tiling, buffers) for tiling in tilings.choices))

    def lower(self, layers: Sequence[Layer], choice: Choice, spec: BitFusionSpec) -> Segment:
        """The tasks of a layer, or of a product and the elementwise layer behind it."""
        return lowering.tasks(layers, choice[0], spec)

    def energy_pj(self, layer: Layer, work: LayerWork, spec: BitFusionSpec) -> dict[str, float]:
        """Energy in pJ of array, post-processing, buffers and DRAM."""
        return lowering.energy_pj(layer, work, spec)

    def has_dram_energy(self, spec: BitFusionSpec) -> bool:
        """Always: what DRAM reads and writes."""
        return True

    def leakage_mw(self, spec: BitFusionSpec) -> float:
        """Leakage in mW of SRAM and core."""
        return spec.leakage_mw

    def bits_per_cycle(self, spec: BitFusionSpec) -> dict[str, float]:
        """Bandwidth of the memory behind the buffers."""
        return {"dram": spec.channel.bits_per_cycle}

    def tasks_key(self, spec: BitFusionSpec) -> Hashable:
        """All that tasks depend on but energies, the clock and the sizes of buffers."""
        return mapper.tasks_key(spec)

    def choices_key(self, spec: BitFusionSpec) -> Hashable:
        """All but the clock and areas."""
        return mapper.choices_key(spec)

    @property
    def code(self) -> Code:
        """Not the published model, nor what holds one against the other."""
        modules = (
            "chunks", "costs", "lowering", "machine", "mapper", "mapping_kernels", "platform", "spec",
            "tiles", "tiling",
        )  # fmt: skip
        own = (f"simulators.platforms.bitfusion.{module}" for module in modules)
        return Code((*own, "simulators.hardware.sram"), (sram_table_file(),))

    def mapping(self, layers: Sequence[Layer], choice: Choice, spec: BitFusionSpec) -> MappingRow:
        """The tiling of a product, as `mapping:` in a spec can fix it, and its loops, the outermost first."""
        product, t = lowering.as_product(layers[0]), choice[0]
        assert t is not None
        outputs = f"{ceil(product.outputs / t.m)} tiles of {t.m} outputs"
        vectors = f"{ceil(product.vectors / t.n)} tiles of {t.n} vectors"
        if layers[0].waits_for_itself:
            loops = [f"{product.vectors} vectors, one after the other", outputs]
        else:
            loops = [outputs, vectors] if t.outer == "outputs" else [vectors, outputs]
        gemm = layers[0].as_gemm()
        if gemm is not None and gemm.products > 1:
            loops = [f"{gemm.products} products", *loops]
        nest = (*loops, f"{ceil(product.inputs / t.k)} parts of {t.k} inputs")
        return {"outer": t.outer, "out_tile": t.m, "in_tile": t.k, "vector_tile": t.n, "loops": loops_shown(nest)}

    def stored_as(self, pair: Pair) -> Pair:
        """Operands are stored as they are."""
        return pair

    def multiplied_as(self, pair: Pair) -> Pair:
        """Operands are multiplied as the next of 2, 4, 8 and 16 bits."""
        return operand_width(pair[0]), operand_width(pair[1])

    def published(self, trace: Trace, arch_name: str, spec: BitFusionSpec) -> PartialReport:
        """The closed form of the released simulator."""
        from simulators.platforms.bitfusion.published_report import published_report

        return published_report(trace, arch_name, spec)


PLATFORM = BitFusion()
