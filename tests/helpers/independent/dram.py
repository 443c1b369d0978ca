"""Cycles of a transfer on a DRAM channel, by docs/machine-model.md; quotients are exact."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from simulators.hardware.spec import Dram


def dram_cycles(bits: int, dram: Dram, frequency_mhz: float) -> int:
    """Cycles of a clock that so many bits take: whole ones of the channel's own clock first, then of that clock."""
    clock = Fraction(str(frequency_mhz))
    own = clock if dram.frequency_mhz is None else Fraction(str(dram.frequency_mhz))
    if dram.gb_per_s is None:
        assert dram.bits_per_cycle is not None
        rate = Fraction(dram.bits_per_cycle)
    else:  # 10^9 bytes a second, over 10^6 cycles a second
        rate = Fraction(str(dram.gb_per_s)) * 8 * 10**3 / own
    return max(1, ceil(ceil(bits / rate) * clock / own))
