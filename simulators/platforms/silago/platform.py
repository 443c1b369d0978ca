"""SiLago as a platform: see `lowering.py` for what is modelled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import ceil

from simulators.inputs.code_digest import Code
from simulators.lowering.platform import MappingRow, PlacedLayer, Platform, loops_shown
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.silago import lowering
from simulators.platforms.silago.fabric import cells
from simulators.platforms.silago.machine import MACHINE
from simulators.platforms.silago.pieces import pieces
from simulators.platforms.silago.spec import SilagoSpec
from simulators.workloads.operations import Conv2d, Elementwise, Layer, Matmul, Pool2d

MODULES = ("fabric", "input_reads", "lowering", "machine", "pieces", "platform", "product", "spec", "waves")
"""Those that decide a figure."""


class Silago(Platform):
    """SiLago: DRRA cells under a DiMArch of memory tiles. The fabric is configured anew for each layer."""

    spec = SilagoSpec
    changes_bits_between_layers = True
    machine = MACHINE
    operations = (Matmul, Conv2d, Elementwise, Pool2d)
    stores_pruned_weights = True

    def places(self, parameters: Sequence[PlacedLayer], spec: SilagoSpec) -> Sequence[int]:
        """1 for each layer whose parameters stay in DiMArch, 0 for the others."""
        return lowering.resident(parameters, spec)

    def lower(self, layers: Sequence[Layer], choice: int, spec: SilagoSpec) -> Segment:
        """The tasks of one layer, its parameters in DiMArch (1) or not (0)."""
        (layer,) = layers
        return lowering.tasks(layer, bool(choice), spec)

    def mapping(self, layers: Sequence[Layer], choice: int, spec: SilagoSpec) -> MappingRow:
        """Waves of one output a cell, rows of weights that stream into a cell for each, and where weights lie."""
        gemm = layers[0].as_gemm()
        assert gemm is not None
        outputs = min(cells(spec), gemm.m)
        if not layers[0].waits_for_itself:
            outputs = pieces(spec, lowering.wave_product(layers[0], bool(choice), spec)).outputs
        waves = ceil(gemm.m / outputs)
        words = ceil(gemm.k * layers[0].operand_bits[0] / spec.cell.word_bits)
        row_words = min(words, spec.dimarch.row_bits // spec.cell.word_bits)
        rows = ceil(words / row_words)
        loops = [f"{waves} waves of {outputs} outputs", f"{gemm.n} vectors"]
        if layers[0].waits_for_itself:
            loops = [f"{gemm.n} vectors, one after the other", loops[0]]
        nest = (
            *([f"{gemm.products} products"] if gemm.products > 1 else []),
            *loops,
            f"{rows} rows of {row_words} words",
        )
        where = "dimarch" if choice else "dram"
        return {"waves": waves, "rows": rows, "words": words, "weights in": where, "loops": loops_shown(nest)}

    def energy_pj(self, layer: Layer, work: LayerWork, spec: SilagoSpec) -> dict[str, float]:
        """Energy in pJ of cells, memory, network and DRAM."""
        return lowering.energy_pj(layer, work, spec)

    def has_dram_energy(self, spec: SilagoSpec) -> bool:
        """Where the spec has a DRAM."""
        return spec.dram is not None

    def leakage_mw(self, spec: SilagoSpec) -> float:
        """Leakage in mW of the whole fabric."""
        return spec.energy.leakage_mw

    def bits_per_cycle(self, spec: SilagoSpec) -> dict[str, float]:
        """Bandwidth of the links to DiMArch, all columns together, and of the channel to DRAM."""
        levels: dict[str, float] = {"sram": spec.dimarch.link_bits_per_cycle * spec.fabric.columns}
        return levels if spec.channel is None else {**levels, "dram": spec.channel.bits_per_cycle}

    def tasks_key(self, spec: SilagoSpec) -> Hashable:
        """All that tasks depend on but energies and the clock."""
        parts = (spec.fabric, spec.cell, spec.dimarch)
        return (
            *(part.model_dump_json() for part in parts), spec.skips_inactive_inputs, spec.skips_pruned_weights,
            spec.channel, frozenset(spec.energy.mac_pj), frozenset(spec.energy.pj_per_op),
        )  # fmt: skip

    @property
    def code(self) -> Code:
        """The fabric's own code."""
        return Code(tuple(f"simulators.platforms.silago.{module}" for module in MODULES))


PLATFORM = Silago()
