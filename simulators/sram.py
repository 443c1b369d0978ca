"""On-chip buffers as banks of SRAM, with CACTI's figures: energy a bit, leakage and area by size.

The table is CACTI 7's at 45 nm. Between two sizes of a bank, figures are interpolated in logarithms, as they follow
powers of the size. Bit Fusion's released simulator cuts the input buffer into a bank a row of the array, the weight
buffer into one a unit, and the output buffer into one a column, which has a read-write port. So do we, as far as the
table has such banks, 128 bytes to 1 MiB: units share the banks of small buffers (assumption).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from math import ceil, exp, log
from typing import TYPE_CHECKING

from simulators.errors import InputError
from simulators.shipped import folder

if TYPE_CHECKING:
    from simulators.bitfusion_spec import Array, Buffers

FIGURES = ("read_pJ_per_bit", "write_pJ_per_bit", "leak_power_mW", "area_mm^2")


@dataclass(frozen=True)
class Sram:
    """A buffer."""

    banks: int
    bank_bytes: float
    read_pj_per_bit: float
    write_pj_per_bit: float
    leakage_mw: float
    """Of all banks, without gate leakage, which the released simulator leaves out too."""
    area_mm2: float
    """Of all banks."""


@lru_cache(maxsize=4096)
def buffers(array: Array, sizes: Buffers) -> dict[str, Sram]:
    """Bit Fusion's three buffers. Raises InputError for banks that the table does not have."""
    widest = array.unit_operand_bits
    # Operands of a unit in one access: its widest against as many of its narrowest, 2 bits, as it multiplies at once.
    block = max(1, widest * (widest // 2) // 8)
    units = array.rows * array.columns
    return {
        "input_buffer": _buffer("buffers.input_kib", sizes.input_kib, array.rows, block, 0),
        "weight_buffer": _buffer("buffers.weight_kib", sizes.weight_kib, units, block, 0),
        "output_buffer": _buffer("buffers.output_kib", sizes.output_kib, array.columns, 4, 1),
    }


def _buffer(key: str, kib: float, wanted: int, block: int, ports: int) -> Sram:
    size = kib * 1024
    curves = _table().get((block, ports))
    if curves is None:
        raise InputError(f"{key}: banks of {block} bytes a block: not in the CACTI table")
    smallest, largest = curves[0][0], curves[-1][0]
    if size < smallest:
        raise InputError(f"{key}: {kib:g}: the CACTI table begins at {smallest:g} bytes: give the figures themselves")
    banks = max(min(wanted, int(size // smallest)), ceil(size / largest))
    bank = size / banks
    read, write, leakage, area = (_at(curves, bank, i) for i in range(len(FIGURES)))
    return Sram(banks, bank, read, write, leakage * banks, area * banks)


def _at(curves: list[tuple[float, tuple[float, ...]]], size: float, figure: int) -> float:
    """A figure between two sizes of the table."""
    for (low, below), (high, above) in pairwise(curves):
        if size <= high:
            share = (log(size) - log(low)) / (log(high) - log(low))
            if share in (0.0, 1.0):
                return (below, above)[int(share)][figure]
            return exp((1 - share) * log(below[figure]) + share * log(above[figure]))
    raise AssertionError("larger than the table")


@cache
def _table() -> dict[tuple[int, int], list[tuple[float, tuple[float, ...]]]]:
    """(block bytes, ports) → (bytes, figures), the smallest first."""
    curves: dict[tuple[int, int], list[tuple[float, tuple[float, ...]]]] = {}
    with open(folder("arch_specs") / "cacti7_sram_45nm.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = int(float(row["block size (bytes)"])), int(row["read-write port"])
            figures = tuple(float(row[name]) for name in FIGURES)
            curves.setdefault(key, []).append((float(row["size (bytes)"]), figures))
    return {key: sorted(curve) for key, curve in curves.items()}
