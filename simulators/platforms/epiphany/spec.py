"""What an Epiphany architecture file may say."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property, lru_cache
from math import ceil
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from simulators.hardware.spec import Cycles, Figure, Kib, PlatformSpec, ServiceCycles, SpecPart, Units
from simulators.inputs.fields import whole
from simulators.platforms.epiphany.mesh import MeshGrid
from simulators.workloads.operations import ElementwiseOp, known_operations

Rate = Annotated[float, Field(ge=1e-6, le=1e6)]
"""Cycles of a byte, a word or an operation, a mean: what a transfer takes is rounded up to whole cycles. With one near
zero, bytes in a cycle would be infinite."""
Side = Annotated[int, BeforeValidator(whole), Field(ge=1, le=64)]
Room = Annotated[float, Field(ge=0, le=1 << 22)]


@lru_cache(maxsize=1024)
def exact(rate: float) -> Fraction:
    """A decimal of a file as the ratio that it writes."""
    return Fraction(repr(rate))


@lru_cache(maxsize=4096)
def cycles_of(amount: int, rate: float) -> int:
    """Whole cycles of so many bytes at a rate in cycles a byte."""
    return ceil(amount * exact(rate))


class Mesh(SpecPart):
    """The mesh of cores."""

    rows: Side
    columns: Side
    link_bytes: Units
    """Bytes that a link moves in a cycle."""
    two_hops_cycles: Annotated[int, BeforeValidator(whole), Field(ge=2, le=1 << 10)]
    """Cycles of two hops, of which the first takes the half that is rounded down."""

    @model_validator(mode="after")
    def _two_by_two(self) -> Mesh:
        for key in ("rows", "columns"):
            if getattr(self, key) < 2:
                raise ValueError(f"{key}: 1: a mesh has at least 2 rows and 2 columns: a second one is missing")
        return self

    @cached_property
    def grid(self) -> MeshGrid:
        """Nodes, links and routes."""
        return MeshGrid(self.rows, self.columns)


class CoreMemory(SpecPart):
    """A core's local memory, and what it is for; weights have the rest."""

    total_kib: Kib
    banks: Annotated[int, BeforeValidator(whole), Field(ge=2, le=64)]
    """Banks that serve one access of 8 bytes a cycle each; one holds code."""
    code_kib: Kib
    stream_kib: Kib
    """Two halves for what flows past."""
    sums_kib: Kib
    """Sums of the results that are under way, 32 bits each."""
    activations_kib: Room
    """Two halves of what lies on chip from layer to layer: inputs and results."""

    @model_validator(mode="after")
    def _room(self) -> CoreMemory:
        if self.weights_kib <= 0:
            taken = self.code_kib + self.stream_kib + self.sums_kib + self.activations_kib
            raise ValueError(f"total_kib: {self.total_kib:g}: code, streams, sums and activations take {taken:g} of it")
        return self

    @property
    def weights_kib(self) -> float:
        """What is left for weights."""
        return self.total_kib - self.code_kib - self.stream_kib - self.sums_kib - self.activations_kib


class CoreTiming(SpecPart):
    """What a core takes besides a multiply-accumulate a cycle."""

    block_results: Units
    """Results whose sums registers hold."""
    block_cycles: Cycles
    """Cycles between two such blocks: storing sums, loading others, and the loop."""
    call_cycles: Cycles
    """Cycles of a call of a kernel."""
    unpack_slots: Cycles
    """Instructions of the integer slot that make an operand of a narrower one."""
    cycles_per_op: Annotated[dict[ElementwiseOp, ServiceCycles], BeforeValidator(known_operations)]
    """Cycles of an elementwise operation."""
    flag_cycles: ServiceCycles
    """Software of a word and its flag, from the store to the core that saw it, without hops."""
    write_word_cycles: Rate
    """Cycles of a word that a core writes to another's memory, as `memcpy` does."""
    read_word_cycles: Rate
    """Cycles of a word that a core reads of another's memory so. For rows held against measurements alone."""
    remote_read_cycles: ServiceCycles
    """A remote read of one word, without hops. For rows held against measurements alone."""


class Dma(SpecPart):
    """A core's DMA channels."""

    setup_cycles: ServiceCycles
    """From the library's call to the first beat."""
    write_cycles_per_byte: Rate
    read_cycles_per_byte: Rate
    """From another core. For rows held against measurements alone."""

    def write_cycles(self, amount: int) -> int:
        """Cycles in which a channel writes so many bytes to another core, hops not counted."""
        return self.setup_cycles + cycles_of(amount, self.write_cycles_per_byte)


class BoardDram(SpecPart):
    """Memory off chip, with all that lies on the way to it."""

    mib: Room
    """Its size; 0: there is none."""
    write_cycles_per_byte: Rate
    read_cycles_per_byte: Rate
    write_word_cycles: Rate
    """Cycles of a word that a core writes, as `memcpy` does. For rows held against measurements alone."""
    read_word_cycles: Rate
    """Cycles of a word that a core reads so. For rows held against measurements alone."""
    pj_per_bit: Figure


class EpiphanyEnergy(SpecPart):
    """How the chip's power is split."""

    mac_pj: Figure
    pj_per_op: Figure
    """Energy of a cycle of elementwise work."""
    memory_pj_per_bit: Figure
    """Energy of a bit read from local memory or written to it."""
    mesh_pj_per_bit: Figure
    """Energy of a bit that passes from core to core."""
    static_mw: Figure


class EpiphanyArea(SpecPart):
    """Area of the chip."""

    core_mm2: Figure
    """A core with its memory and its router."""
    periphery_mm2: Figure


class EpiphanySpec(PlatformSpec):
    """An Epiphany chip with its board."""

    platform: Literal["epiphany"]
    mesh: Mesh
    memory: CoreMemory
    core: CoreTiming
    dma: Dma
    dram: BoardDram
    energy: EpiphanyEnergy
    area: EpiphanyArea | None = None

    def area_parts_mm2(self) -> dict[str, float] | None:
        if self.area is None:
            return None
        return {"cores": self.mesh.grid.nodes * self.area.core_mm2, "periphery": self.area.periphery_mm2}
