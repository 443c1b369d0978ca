"""A matrix product as SiLago's cells see it."""

from __future__ import annotations

from dataclasses import dataclass


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
