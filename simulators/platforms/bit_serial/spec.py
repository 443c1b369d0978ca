"""What an architecture file of a bit-serial array may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from simulators.hardware.spec import Cycles, Figure, PlatformSpec, ServiceCycles, SpecPart, Units
from simulators.inputs.fields import whole
from simulators.platforms.bit_serial.cost_model import array_luts, block_rams
from simulators.platforms.bit_serial.published import MOST_BITS, PublishedArray
from simulators.workloads.operations import known_operations


class DotProductArray(SpecPart):
    """Binary dot-product units, each with an accumulator."""

    rows: Units
    """Rows of activations that are multiplied at once (Dm)."""
    columns: Units
    """Rows of the weight matrix that are multiplied at once (Dn)."""
    word_bits: Units
    """Bits that a unit multiplies and counts in a cycle (Dk)."""
    accumulator_bits: Literal[16, 32, 64]
    pipeline_cycles: Cycles
    """Cycles from the last word of a block's passes until its sums have left the pipeline."""
    result_blocks: Annotated[Units, Field(le=16)]
    """Blocks of results that the units hold until they are written."""


Words = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 30)]


class OperandBuffers(SpecPart):
    """One memory a row and a column of the array. A word is `array.word_bits` of one bit plane of one row."""

    activation_words: Words
    """Words in the memories of all rows."""
    weight_words: Words
    """Words in the memories of all columns."""


class MemoryPort(SpecPart):
    """The port to DRAM: reads and writes have channels of their own."""

    read_bits_per_cycle: Units
    write_bits_per_cycle: Units


class ElementwiseLanes(SpecPart):
    """What does elementwise work beside the array, at 16 bits."""

    lanes: Units
    cycles_per_op: Annotated[dict[str, ServiceCycles], AfterValidator(known_operations)]
    """Cycles of one operation on one lane, by kind."""
    binary_operations_per_op: Annotated[dict[str, Units], AfterValidator(known_operations)]
    """Binary operations that one operation counts as in energy, by kind."""


class BitSerialEnergy(SpecPart):
    """Energy."""

    pj_per_binary_operation: Figure
    """Energy in pJ of one binary operation, with all that goes with it: a multiplication and an addition of bits are
    two."""


class BitSerialArea(SpecPart):
    """Area of the parts of an FPGA."""

    lut_mm2: Figure
    block_ram_mm2: Figure


class Departures(SpecPart):
    """Where the discrete-event model departs from the published closed form; each can be switched off."""

    shared_channel: bool = True
    """Operands come over the read channel of DRAM, one after the other; off: each has a stream of one word a cycle."""
    whole_blocks: bool = True
    """A block of rows is used when all of it has arrived, which a token says; off: each word in the cycle in which it
    arrives."""
    overlap_tiles: bool = True
    """Buffers have two halves: one is filled while the other is used, and what is used again stays; off: each pair of
    tiles begins with empty buffers, when the one before it is done."""
    write_results: bool = True
    """Accumulators go to DRAM over the write channel; off: results cost nothing."""
    pipeline_latency: bool = True
    """The pipeline runs empty before a block of results is handed on; off: it has no latency."""
    pad_rows: bool = True
    """Blocks are loaded and stored at their full number of rows; off: a last block has the rows that there are."""
    join_images: bool = True
    """All images are one product; off: one is multiplied after the other."""

    @property
    def are_published(self) -> bool:
        """Whether all are off."""
        return not any(getattr(self, switch) for switch in type(self).model_fields)


class BitSerialSpec(PlatformSpec):
    """A bit-serial matrix array (BISMO: Umuroglu et al., FPL 2018; TRETS 2019)."""

    platform: Literal["bit_serial"]
    array: DotProductArray
    buffers: OperandBuffers
    dram: MemoryPort
    elementwise: ElementwiseLanes
    energy: BitSerialEnergy
    area: BitSerialArea | None = None
    corrections: Departures = Departures()

    @property
    def published_array(self) -> PublishedArray:
        """The array as the closed form sees it."""
        a, b = self.array, self.buffers
        return PublishedArray(a.rows, a.columns, a.word_bits, b.activation_words, b.weight_words)

    def area_parts_mm2(self) -> dict[str, float] | None:
        if self.area is None:
            return None
        luts, memories = array_luts(self.published_array), block_rams(self.published_array)
        return {"array": luts * self.area.lut_mm2, "buffers": memories * self.area.block_ram_mm2}

    @model_validator(mode="after")
    def _planes(self) -> BitSerialSpec:
        for pair in self.precisions:
            if max(pair) > MOST_BITS:
                raise ValueError(f"precisions: {list(pair)}: operands have at most {MOST_BITS} bit planes")
        return self
