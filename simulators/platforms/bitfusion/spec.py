"""What a Bit Fusion architecture file may say."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from simulators.hardware.spec import Channel, Dram, Figure, Kib, PlatformSpec, ServiceCycles, SpecPart, Units
from simulators.hardware.sram import Sram, buffer
from simulators.workloads.operations import known_operations


class Array(SpecPart):
    """Bit Fusion's systolic array of fusion units."""

    rows: Units
    """Fusion units along a column, which add up: they multiply the reduction."""
    columns: Units
    unit_operand_bits: Literal[2, 4, 8, 16]
    """Widest operands a fusion unit multiplies in one cycle; wider ones take several cycles."""


class Buffers(SpecPart):
    """On-chip SRAM, each buffer in two halves when double-buffered."""

    input_kib: Kib
    weight_kib: Kib
    output_kib: Kib
    double_buffered: bool = True
    partial_sum_bits: Literal[16, 32, 64]
    """Width of a partial sum in the output buffer."""


@lru_cache(maxsize=4096)
def sram_of(array: Array, sizes: Buffers) -> dict[str, Sram]:
    """The three buffers, cut as the released simulator does: the input buffer into a bank a row of the array, the
    weight buffer into one a unit, and the output buffer into one a column, which has a read-write port. Raises
    InputError for banks that the table does not have."""
    widest = array.unit_operand_bits
    # Operands of a unit in one access: its widest against as many of its narrowest, 2 bits, as it multiplies at once.
    block = max(1, widest * (widest // 2) // 8)
    units = array.rows * array.columns
    return {
        "input_buffer": buffer("buffers.input_kib", sizes.input_kib, array.rows, block, 0),
        "weight_buffer": buffer("buffers.weight_kib", sizes.weight_kib, units, block, 0),
        "output_buffer": buffer("buffers.output_kib", sizes.output_kib, array.columns, 4, 1),
    }


class PostProcessing(SpecPart):
    """The units under the array's columns that do activation functions, elementwise work, at 16 bits."""

    lanes: Units
    cycles_per_op: Annotated[dict[str, ServiceCycles], AfterValidator(known_operations)]
    """Cycles of one operation on one lane, by kind."""
    pj_per_op: Annotated[dict[str, Figure], AfterValidator(known_operations)]
    """Energy of one operation in pJ, by kind."""


class ReadWrite(SpecPart):
    """SRAM energy of a bit, in pJ."""

    read: Figure
    """Energy of a bit read, in pJ."""
    write: Figure
    """Energy of a bit written, in pJ."""


class BitFusionEnergy(SpecPart):
    """Energy and power other than DRAM's and post-processing's."""

    unit_pj_per_cycle: Figure
    """One fusion unit in one compute cycle, at any precision."""
    input_buffer_pj_per_bit: ReadWrite | Literal["cacti"]
    """`cacti`: from the table, by the size of the buffer and its banks (`sram.py`)."""
    weight_buffer_pj_per_bit: ReadWrite | Literal["cacti"]
    output_buffer_pj_per_bit: ReadWrite | Literal["cacti"]
    sram_leakage_mw: Figure | Literal["cacti"]
    unit_leakage_mw: Figure
    """Leakage in mW of one fusion unit."""


class BitFusionArea(SpecPart):
    """Area of what is not SRAM; buffers come from the table."""

    unit_mm2: Figure
    post_processing_lane_mm2: Figure


class Corrections(SpecPart):
    """Where the discrete-event model departs from the published closed form; each can be switched off."""

    true_output_bits: bool = True
    """Write results at the bits of the layer that reads them; off: at the partial sum's width."""
    skip_first_preload: bool = True
    """Do not read partial sums before anything was added; off: preload them from DRAM on first touch."""
    share_inputs_in_row: bool = True
    """The columns of a row share one read of the input buffer; off: one read for every multiply-accumulate."""
    true_edge_tiles: bool = True
    """Edge tiles at their size; off: counted as full."""
    fill_drain: bool = True
    """Systolic fill and drain before a tile's results are there; off: one cycle."""
    leakage: bool = True


class FixedMapping(SpecPart):
    """Tile sizes of matrix products, instead of the simulator's own choice; at most what the layer has, of a
    convolution what one group has."""

    outer: Literal["outputs", "vectors"]
    """The outer loop: over output tiles (weights stay, vectors stream) or over vector tiles."""
    out_tile: Units
    in_tile: Units
    """Inputs of a tile; of a convolution the largest multiple of its kernel's positions that this holds, at least one
    of each: a part of the reduction is whole channels (1 and 16 are 9 for a kernel of 3 x 3, 20 is 18)."""
    vector_tile: Units
    """A recurrent product has one vector at a time whatever this says."""


class LayerMapping(FixedMapping):
    """Tile sizes of the products that a pattern names."""

    layers: str = Field(min_length=1)
    """A layer's name, or a pattern of names: `L*`, `block?.conv[12]`."""


Mappings = Annotated[
    Annotated[FixedMapping, Tag("one")] | Annotated[tuple[LayerMapping, ...], Field(strict=False), Tag("each")],
    Discriminator(lambda value: "each" if isinstance(value, list | tuple) else "one"),
]
"""One mapping for all products, or a list of which the first that names a product is its."""


class BitFusionSpec(PlatformSpec):
    """A Bit Fusion accelerator (Sharma et al., ISCA 2018)."""

    platform: Literal["bitfusion"]
    array: Array
    buffers: Buffers
    dram: Dram
    post_processing: PostProcessing
    energy: BitFusionEnergy
    area: BitFusionArea | None = None
    corrections: Corrections = Corrections()
    skips_inactive_inputs: bool = False
    """True: inputs that a delta network did not transmit cost neither cycles nor weight reads."""
    skips_pruned_weights: bool = False
    """True: the array multiplies only the weights that an N:M sparsity keeps. Only these are stored in any case."""
    mapping: Mappings | None = None

    def at(self, place: int) -> BitFusionSpec:
        """This spec with the one mapping, or none, that the layers of a place have (see `BitFusion.places`)."""
        if self.mapping is None or isinstance(self.mapping, FixedMapping):
            return self
        return _with_mapping(self, self.mapping[place - 1] if place else None)

    @cached_property
    def channel(self) -> Channel:
        """The DRAM channel as the array's clock sees it."""
        return self.dram.channel(self.frequency_mhz)

    def buffer_energy(self, name: str) -> ReadWrite:
        """Energy in pJ of a bit read and written of `input_buffer`, `weight_buffer` or `output_buffer`."""
        figure: ReadWrite | str = getattr(self.energy, f"{name}_pj_per_bit")
        if isinstance(figure, ReadWrite):
            return figure
        sram = sram_of(self.array, self.buffers)[name]
        return ReadWrite(read=sram.read_pj_per_bit, write=sram.write_pj_per_bit)

    @property
    def leakage_mw(self) -> float:
        """Leakage in mW of SRAM and core; 0 where `corrections` switches it off, as the released simulator does."""
        if not self.corrections.leakage:
            return 0.0
        sram = self.energy.sram_leakage_mw
        if sram == "cacti":
            sram = sum(part.leakage_mw for part in sram_of(self.array, self.buffers).values())
        return sram + self.energy.unit_leakage_mw * self.array.rows * self.array.columns

    def area_parts_mm2(self) -> dict[str, float] | None:
        if self.area is None:
            return None
        units = self.array.rows * self.array.columns
        parts = {
            "array": self.area.unit_mm2 * units,
            "post_processing": self.area.post_processing_lane_mm2 * self.post_processing.lanes,
        }
        return parts | {name: sram.area_mm2 for name, sram in sram_of(self.array, self.buffers).items()}

    @model_validator(mode="after")
    def _in_the_table(self) -> BitFusionSpec:
        e = self.energy
        if "cacti" in (e.input_buffer_pj_per_bit, e.weight_buffer_pj_per_bit, e.output_buffer_pj_per_bit,
                       e.sram_leakage_mw):  # fmt: skip
            sram_of(self.array, self.buffers)
        return self


@lru_cache(maxsize=256)
def _with_mapping(spec: BitFusionSpec, mapping: FixedMapping | None) -> BitFusionSpec:
    fields = {field: getattr(spec, field) for field in BitFusionSpec.model_fields}
    return BitFusionSpec.model_construct(**{**fields, "mapping": mapping})
