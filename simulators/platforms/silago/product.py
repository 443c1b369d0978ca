"""A matrix product as SiLago's cells see it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil


@dataclass(frozen=True)
class WaveProduct:
    """A product as the cells see it."""

    outputs: int
    """Number of results of a vector (M)."""
    words: int
    """Words of one whole dot product."""
    vectors: list[tuple[int, int]]
    """(vectors in a row, words that each multiplies): fewer where hardware skips what a delta network holds."""
    bits: int
    """Width of an operand."""
    output_bits: int
    """Width of a result."""
    fetched: bool
    """Whether the weights come from DRAM."""
    spilled_bits: int | None
    """Bits of inputs that come from DRAM, over all vectors; None: inputs and outputs stay in DiMArch."""
    stored_share: Fraction | None = None
    """Bits of the weights as they are stored, over those of all of them; None: all, for none is pruned."""
    multiplied_share: Fraction | None = None
    """Words that a cell multiplies, over all of them; None: all, for hardware skips none."""

    def stored_bits(self, word_bits: int, words: int) -> int:
        """Memory in bits of so many words of weights of one output."""
        bits = words * word_bits
        return bits if self.stored_share is None else ceil(bits * self.stored_share)

    def multiplied(self, words: int) -> int:
        """Words that a cell multiplies of so many."""
        return words if self.multiplied_share is None else ceil(words * self.multiplied_share)
