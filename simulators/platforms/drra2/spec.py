"""What a DRRA-2 architecture file may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator

from simulators.hardware.spec import Cycles, Figure, PlatformSpec, ServiceCycles, SpecPart, Units
from simulators.workloads.operations import ElementwiseOp, known_operations

WORD_BITS = 16
"""All operands of DRRA-2's programs."""


class ColumnFabric(SpecPart):
    """Columns of an input, a compute and an output cell."""

    columns: Units
    row_bits: Units
    """What moves between cells in a cycle."""
    sram_rows: Units
    """Rows of a cell's I/O SRAM."""
    register_file_words: Units
    """Words of each of a compute cell's three register files."""
    instruction_memory: Units
    """Instructions that a cell holds."""

    @property
    def row_words(self) -> int:
        """Words in a row."""
        return self.row_bits // WORD_BITS

    @property
    def file_rows(self) -> int:
        """Rows that a register file holds."""
        return self.register_file_words // self.row_words

    @model_validator(mode="after")
    def _whole_rows(self) -> ColumnFabric:
        if self.row_bits % WORD_BITS:
            raise ValueError(f"row_bits: {self.row_bits}: a row holds whole words of {WORD_BITS} bits")
        if self.row_words < 2:
            raise ValueError(f"row_bits: {self.row_bits}: a row of each of two operands takes longer than its words")
        if self.register_file_words % self.row_words:
            raise ValueError(f"register_file_words: {self.register_file_words}: whole rows of {self.row_words} words")
        return self


class ProgramTiming(SpecPart):
    """What programs leave idle, where that does not follow from the schedule of their transfers."""

    columns_cycles: Cycles
    """So many cycles, times 1 - 1/columns, are added to a program that more than one column runs."""
    window_cycles: Cycles
    """Idle cycles of a convolution behind each output."""
    window_row_cycles: Cycles
    """More of them behind each row of outputs."""
    window_file_cycles: Cycles
    """More of them behind each register file of outputs."""


class Drra2Energy(SpecPart):
    """DRRA-2's energy. None is published: see the comments of the files."""

    mac_pj: Figure
    """A 16-bit multiply-accumulate."""
    pj_per_op: Annotated[dict[ElementwiseOp, Figure], BeforeValidator(known_operations)]
    """Energy in pJ of an elementwise operation, by kind."""
    sram_pj_per_bit: Figure
    register_file_pj_per_bit: Figure
    dram_pj_per_bit: Figure
    """What lies behind the input and output buffers."""
    column_leakage_mw: Figure


class Drra2Spec(PlatformSpec):
    """A DRRA-2 fabric."""

    platform: Literal["drra2"]
    fabric: ColumnFabric
    timing: ProgramTiming
    cycles_per_op: Annotated[dict[ElementwiseOp, ServiceCycles], BeforeValidator(known_operations)]
    """Cycles of the DPU for an elementwise operation on one element."""
    energy: Drra2Energy

    @model_validator(mode="after")
    def _words(self) -> Drra2Spec:
        for pair in self.precisions:
            if pair != (WORD_BITS, WORD_BITS):
                raise ValueError(f"precisions: {list(pair)}: all operands of DRRA-2 have {WORD_BITS} bits")
        return self
