"""What a SiLago architecture file may say."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from simulators.hardware.spec import Channel, Cycles, Dram, Figure, PlatformSpec, ServiceCycles, SpecPart, Units
from simulators.workloads.operations import known_operations

MAC_WIDTHS = (4, 8, 16)
"""Widths in bits that a cell's multiply-accumulates take."""


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
    cycles_per_op: Annotated[dict[str, ServiceCycles], AfterValidator(known_operations)]
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
    """Cycles from the issue of a row's read to the register file, first hop included."""
    extra_hops: Cycles = 0
    """Hops beyond the first to the farthest tile of a column."""

    @property
    def first_row_cycles(self) -> int:
        """Cycles from the issue of a row's read to the register file: a further hop takes a cycle each way."""
        return self.read_latency_cycles + 2 * self.extra_hops


class SilagoEnergy(SpecPart):
    """SiLago's energy."""

    mac_pj: dict[Literal["16", "8", "4"], Figure]
    sram_pj_per_bit: Figure
    register_file_pj_per_bit: Figure
    noc_pj_per_bit: Figure
    pj_per_op: Annotated[dict[str, Figure], AfterValidator(known_operations)]
    """Energy of one elementwise operation in pJ, by kind."""
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
    skips_pruned_weights: bool = False
    """True: a cell multiplies only the weights that an N:M sparsity keeps. Only these are stored in any case."""

    @model_validator(mode="after")
    def _rows_hold_words(self) -> SilagoSpec:
        if self.dimarch.row_bits % self.cell.word_bits:
            raise ValueError(
                f"dimarch.row_bits: {self.dimarch.row_bits}: a row holds whole words of {self.cell.word_bits} bits"
            )
        return self

    @model_validator(mode="after")
    def _precisions_of_cells(self) -> SilagoSpec:
        """SiLagoNN: a word holds operands of one width, and both operands of a multiply-accumulate share it."""
        for pair in self.precisions:
            if pair[0] != pair[1]:
                raise ValueError(f"precisions: {list(pair)}: both operands of SiLago's MACs share the precision")
            if pair[0] not in MAC_WIDTHS:
                widths = ", ".join(map(str, MAC_WIDTHS))
                raise ValueError(f"precisions: {list(pair)}: SiLago's MACs take operands of {widths} bits")
        return self

    @cached_property
    def channel(self) -> Channel | None:
        """The DRAM channel as the cells' clock sees it, if there is one."""
        return None if self.dram is None else self.dram.channel(self.frequency_mhz)

    def area_parts_mm2(self) -> dict[str, float] | None:
        if self.area is None:
            return None
        tiles = self.dimarch.weight_tiles + self.dimarch.activation_tiles
        # The figure is of tiles with 128 rows of 256 bits; others are scaled by their bits.
        tile = self.area.tile_mm2 * self.dimarch.tile_rows * self.dimarch.row_bits / (128 * 256)
        return {"cells": self.area.cell_mm2 * self.fabric.rows * self.fabric.columns, "dimarch": tile * tiles}
