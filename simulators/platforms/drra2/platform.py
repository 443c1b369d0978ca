"""DRRA-2 as a platform: see `lowering.py` for what is modelled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from simulators.inputs.code_digest import Code
from simulators.lowering.platform import MappingRow, Platform, loops_shown
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.drra2 import lowering
from simulators.platforms.drra2.layer_sizes import program_of, sizes_of
from simulators.platforms.drra2.machine import MACHINE
from simulators.platforms.drra2.product_programs import ProductSizes, product_share, vectors_at_once
from simulators.platforms.drra2.spec import Drra2Spec
from simulators.workloads.operations import ActivationMatmul, Conv2d, Elementwise, Layer, Matmul, Pool2d

MODULES = ("column_shares", "element_programs", "layer_sizes", "lowering", "machine", "platform", "port_nest",
           "product_programs", "program_parts", "spec")  # fmt: skip
"""Those that decide a figure."""


class Drra2(Platform):
    """DRRA-2: columns that each multiply one pair of words a cycle. The fabric is configured anew for each layer."""

    spec = Drra2Spec
    machine = MACHINE
    operations = (Matmul, Conv2d, ActivationMatmul, Elementwise, Pool2d)

    def lower(self, layers: Sequence[Layer], choice: int, spec: Drra2Spec) -> Segment:
        """The tasks of one layer."""
        (layer,) = layers
        return lowering.tasks(layer, spec)

    def mapping(self, layers: Sequence[Layer], choice: int, spec: Drra2Spec) -> MappingRow:
        """How many columns have a part of a product, and the loops of the one that has most."""
        (layer,) = layers
        sizes = sizes_of(layer, spec)
        used = program_of(sizes, spec).columns
        nest: tuple[str, ...]
        if isinstance(sizes, ProductSizes):
            products, outputs, _ = product_share(sizes, spec)
            at_once = min(vectors_at_once(sizes, spec), sizes.vectors)
            nest = (f"{products} products", f"{-(-sizes.vectors // at_once)} loads of {at_once} vectors",
                    f"{outputs} outputs a column", f"{sizes.inputs} inputs")  # fmt: skip
            kind = "recurrent" if sizes.recurrent else "streams"
        else:
            nest = (f"{sizes.maps} maps", f"{sizes.outputs // sizes.maps} outputs", f"{sizes.taps} taps")
            kind = "slides"
        return {"columns": used, "program": kind, "loops": loops_shown(nest)}

    def energy_pj(self, layer: Layer, work: LayerWork, spec: Drra2Spec) -> dict[str, float]:
        """Energy in pJ of DPUs, memories and what lies behind the buffers."""
        return lowering.energy_pj(layer, work, spec)

    def has_dram_energy(self, spec: Drra2Spec) -> bool:
        """Always: what DRAM reads and writes."""
        return True

    def leakage_mw(self, spec: Drra2Spec) -> float:
        """Leakage in mW of all columns."""
        return spec.energy.column_leakage_mw * spec.fabric.columns

    def bits_per_cycle(self, spec: Drra2Spec) -> dict[str, float]:
        """A row a cycle and column through each buffer; SRAMs of input and output cells take one each way."""
        row = spec.fabric.row_bits * spec.fabric.columns
        return {"sram_read": 2 * row, "sram_write": 2 * row, "dram_read": row, "dram_write": row}

    def tasks_key(self, spec: Drra2Spec) -> Hashable:
        """All that tasks depend on but energies and the clock."""
        cycles = tuple(sorted(spec.cycles_per_op.items()))
        return spec.fabric.model_dump_json(), spec.timing.model_dump_json(), cycles, frozenset(spec.energy.pj_per_op)

    @property
    def code(self) -> Code:
        """Not the cell model, which by itself times programs and schedules, nor what holds figures against tables."""
        return Code(tuple(f"simulators.platforms.drra2.{module}" for module in MODULES))


PLATFORM = Drra2()
