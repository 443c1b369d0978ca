"""What a core takes for its inner loops.

Each cycle one instruction of the floating-point unit and one of the integer slot may issue: a multiply-accumulate
beside a load, or beside one of the instructions that make an operand of a narrower one. Registers hold the sums of a
block of results; a weight is loaded and unpacked once for up to four vectors, an activation once for up to eight
outputs. What the mesh and DMA bring meets loads in the banks.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from simulators.platforms.epiphany.spec import CoreMemory, CoreTiming

VECTORS, OUTPUTS = 4, 8
"""Vectors and outputs of a block at most: 32 sums in registers."""
LOAD_BITS = 64
ACCESS_BYTES = 8
HALF_WORD, WORD = 16, 32
"""Widths that are loaded as they are multiplied: a half word needs a load of its own, a double word has two words."""


class InnerLoop(NamedTuple):
    """Operands of a loop of multiply-accumulates."""

    stored_bits: int
    """Width in which weights lie in memory."""
    activation_bits: int
    """HALF_WORD or WORD."""
    vectors: int
    """Vectors that are there at a time."""
    outputs: int
    """Outputs that are there at a time."""

    def slots_per_mac(self, core: CoreTiming) -> Fraction:
        """Instructions of the integer slot for each multiply-accumulate, a mean."""
        shared = min(self.vectors, VECTORS), min(self.outputs, OUTPUTS)
        return _slots_per_mac(self.stored_bits, self.activation_bits, shared, core.unpack_slots)

    def cycles_per_mac(self, core: CoreTiming) -> Fraction:
        """Cycles of a multiply-accumulate, a mean: one, or those of the integer slot."""
        return max(Fraction(1), self.slots_per_mac(core))


@lru_cache(maxsize=4096)
def _slots_per_mac(stored_bits: int, activation_bits: int, shared: tuple[int, int], unpack_slots: int) -> Fraction:
    """Slots of a multiply-accumulate whose weight so many vectors share, and its activation so many outputs."""
    unpacked = stored_bits not in (HALF_WORD, WORD)
    weight = Fraction(stored_bits, LOAD_BITS) + unpack_slots if unpacked else _loads(stored_bits)
    return weight / shared[0] + _loads(activation_bits) / shared[1]


def _loads(bits: int) -> Fraction:
    """Loads of an operand that needs no unpacking."""
    return Fraction(1) if bits == HALF_WORD else Fraction(bits, LOAD_BITS)


def product_cycles(core: CoreTiming, loop: InnerLoop, inputs: int) -> int:
    """Cycles of a kernel's call that multiplies all outputs and vectors of a loop over so many inputs."""
    results = loop.outputs * loop.vectors
    blocks = ceil(results / core.block_results)
    return ceil(results * inputs * loop.cycles_per_mac(core)) + blocks * core.block_cycles + core.call_cycles


def stolen_cycles(core: CoreTiming, memory: CoreMemory, loop: InnerLoop, arriving_bytes: int) -> int:
    """Cycles that a core waits for banks while so many bytes arrive: an access from outside meets a load where one is
    issued, and where it is to the same of the banks without code, any of which is as likely as another."""
    issued = min(Fraction(1), loop.slots_per_mac(core) / loop.cycles_per_mac(core))
    return ceil(Fraction(arriving_bytes, ACCESS_BYTES) * issued / (memory.banks - 1))


def row_end_cycles(core: CoreTiming, results: int) -> int:
    """Cycles behind a row of so many results of a matrix product, a load and a store of two results at a time."""
    return results + core.block_cycles - core.block_results


def kernel_cycles(core: CoreTiming, size: int) -> int:
    """Cycles of a product of two matrices of size x size of floats, row by row."""
    return size * (size * size + row_end_cycles(core, size)) + core.call_cycles
