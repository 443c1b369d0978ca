"""What an architecture file may say: one pydantic model a platform, units in the key names.

There are no silent defaults for physical figures: a file, or one that it extends, gives every one of them, with its
source in a comment. Only switches of the model have defaults.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from simulators.sram import buffers
from simulators.trace import whole

Units = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 20)]
"""A number of hardware units, or bits a cycle: at least one."""
Cycles = Annotated[int, BeforeValidator(whole), Field(ge=0, le=1 << 20)]
ServiceCycles = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 20)]
Figure = Annotated[float, Field(ge=0, le=1e9)]
"""A physical figure (energy, power): finite, not negative."""
Kib = Annotated[float, Field(gt=0, le=1 << 22)]
Pair = tuple[int, int]


class SpecPart(BaseModel):
    """A mapping in a spec: immutable, without unknown keys, NaN or silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _pairs(value: object) -> object:
    """YAML has lists; a precision is a pair."""
    if isinstance(value, list):
        return tuple(tuple(x) if isinstance(x, list) else x for x in value)
    return value


class PlatformSpec(SpecPart):
    """What every platform has; a platform's own derives from it."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\s,:/]+$")
    platform: str
    """The name under which its lowering is known."""
    description: str = ""
    frequency_mhz: Annotated[float, Field(gt=0, le=1e5)]
    precisions: Annotated[tuple[Pair, ...], BeforeValidator(_pairs), Field(min_length=1, max_length=256)]
    """Legal (weight bits, activation bits): what a search may choose from."""

    @model_validator(mode="after")
    def _legal(self) -> PlatformSpec:
        for pair in self.precisions:
            if min(pair) < 1 or max(pair) > 16:
                raise ValueError(f"precisions: {list(pair)}: bits are 1 to 16")
        if len(set(self.precisions)) < len(self.precisions):
            raise ValueError("precisions: a pair is listed twice")
        return self

    def area_parts_mm2(self) -> dict[str, float] | None:
        """By component; None where there are no figures: area is then refused, not zero."""
        return None

    @cached_property
    def canonical(self) -> str:
        """JSON with sorted keys and no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def __hash__(self) -> int:
        return hash(self.canonical)


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


class Dram(SpecPart):
    """The off-chip channel."""

    bits_per_cycle: Units
    pj_per_bit: Figure


class PostProcessing(SpecPart):
    """The units under the array's columns that do activation functions, elementwise work, at 16 bits."""

    lanes: Units
    cycles_per_op: dict[str, ServiceCycles]
    """Cycles of one operation on one lane, by kind."""
    pj_per_op: dict[str, Figure]


class ReadWrite(SpecPart):
    """SRAM energy of a bit, in pJ."""

    read: Figure
    write: Figure


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
    """Of one fusion unit."""


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
    """Tile sizes for every matrix product, instead of the simulator's own choice; clipped to the layer."""

    outer: Literal["outputs", "vectors"]
    """The outer loop: over output tiles (weights stay, vectors stream) or over vector tiles."""
    out_tile: Units
    in_tile: Units
    vector_tile: Units


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
    mapping: FixedMapping | None = None

    def buffer_energy(self, name: str) -> ReadWrite:
        """Of `input_buffer`, `weight_buffer` or `output_buffer`."""
        figure: ReadWrite | str = getattr(self.energy, f"{name}_pj_per_bit")
        if isinstance(figure, ReadWrite):
            return figure
        sram = buffers(self.array, self.buffers)[name]
        return ReadWrite(read=sram.read_pj_per_bit, write=sram.write_pj_per_bit)

    @property
    def leakage_mw(self) -> float:
        """Of SRAM and core; 0 where `corrections` switches it off, as the released simulator does."""
        if not self.corrections.leakage:
            return 0.0
        sram = self.energy.sram_leakage_mw
        if sram == "cacti":
            sram = sum(buffer.leakage_mw for buffer in buffers(self.array, self.buffers).values())
        return sram + self.energy.unit_leakage_mw * self.array.rows * self.array.columns

    def area_parts_mm2(self) -> dict[str, float] | None:
        if self.area is None:
            return None
        units = self.array.rows * self.array.columns
        parts = {
            "array": self.area.unit_mm2 * units,
            "post_processing": self.area.post_processing_lane_mm2 * self.post_processing.lanes,
        }
        return parts | {name: sram.area_mm2 for name, sram in buffers(self.array, self.buffers).items()}

    @model_validator(mode="after")
    def _in_the_table(self) -> BitFusionSpec:
        e = self.energy
        if "cacti" in (e.input_buffer_pj_per_bit, e.weight_buffer_pj_per_bit, e.output_buffer_pj_per_bit,
                       e.sram_leakage_mw):  # fmt: skip
            buffers(self.array, self.buffers)
        return self


class Fabric(SpecPart):
    """SiLago's DRRA."""

    rows: Units
    columns: Units
    window_columns: Cycles
    """A cell reads registers of cells up to this many columns away."""


class Cell(SpecPart):
    """One DRRA cell: register file, DPU, sequencer."""

    word_bits: Literal[16]
    register_file_words: Units
    read_ports: Units
    """16-bit read ports of a cell's register file; a word of multiply-accumulates needs two operands."""
    mac_lanes: Units
    special_function_lanes: Units
    """Lanes that do sigmoid, tanh, exponential and divide, at 16 bits."""
    cycles_per_op: dict[str, ServiceCycles]
    reduction_cycles: Cycles
    """Cycles to add up the lanes of a word at the end of a dot product with operands below 16 bits."""
    loop_setup_cycles: Cycles
    instruction_slots: Units
    instructions_per_layer: Units
    """Configuration instructions loaded into a cell's sequencer for a layer, one a cycle."""


class DiMArch(SpecPart):
    """The distributed memory over the fabric."""

    weight_tiles: Units
    activation_tiles: Units
    tile_rows: Units
    row_bits: Units
    link_bits_per_cycle: Units
    """Between a column and its tiles."""
    read_latency_cycles: ServiceCycles
    """From the issue of a row read to the register file, first hop included."""
    extra_hops: Cycles = 0
    """Hops beyond the first to the farthest tile of a column."""

    @property
    def first_row_cycles(self) -> int:
        """From the issue of a row's read to the register file: a further hop takes a cycle each way."""
        return self.read_latency_cycles + 2 * self.extra_hops


class SilagoEnergy(SpecPart):
    """SiLago's energy."""

    mac_pj: dict[Literal["16", "8", "4"], Figure]
    sram_pj_per_bit: Figure
    register_file_pj_per_bit: Figure
    noc_pj_per_bit: Figure
    pj_per_op: dict[str, Figure]
    leakage_mw: Figure


class SilagoArea(SpecPart):
    """SiLago's area."""

    cell_mm2: Figure
    tile_mm2: Figure
    """A DiMArch tile of 128 rows of 256 bits."""


class SilagoSpec(PlatformSpec):
    """A SiLago fabric: DRRA cells and DiMArch."""

    platform: Literal["silago"]
    fabric: Fabric
    cell: Cell
    dimarch: DiMArch
    dram: Dram | None
    """Off-chip channel for what the tiles do not hold; null: a trace that does not fit is refused."""
    energy: SilagoEnergy
    area: SilagoArea | None = None
    skips_inactive_inputs: bool = False

    def area_parts_mm2(self) -> dict[str, float] | None:
        if self.area is None:
            return None
        tiles = self.dimarch.weight_tiles + self.dimarch.activation_tiles
        # The figure is of tiles with 128 rows of 256 bits; others are scaled by their bits.
        tile = self.area.tile_mm2 * self.dimarch.tile_rows * self.dimarch.row_bits / (128 * 256)
        return {"cells": self.area.cell_mm2 * self.fabric.rows * self.fabric.columns, "dimarch": tile * tiles}
