"""On-chip buffers as banks of SRAM, with CACTI's figures: energy a bit, leakage and area by size.

The table is CACTI 7's at 45 nm. Between two sizes of a bank, figures are interpolated in logarithms, as they follow
powers of the size. It has banks of 128 bytes to 1 MiB: what wants smaller ones shares them (assumption).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import ceil, exp, log
from pathlib import Path

from simulators.inputs.errors import InputError
from simulators.inputs.shipped import folder

FIGURES = ("read_pJ_per_bit", "write_pJ_per_bit", "leak_power_mW", "area_mm^2")


@dataclass(frozen=True)
class Sram:
    """A buffer."""

    banks: int
    """Number of banks."""
    bank_bytes: float
    read_pj_per_bit: float
    write_pj_per_bit: float
    leakage_mw: float
    """Leakage in mW of all banks, without gate leakage, which the released simulator leaves out too."""
    area_mm2: float
    """Area in mm² of all banks."""


def buffer(key: str, kib: float, wanted: int, block_bytes: int, ports: int) -> Sram:
    """A buffer of so many KiB in `wanted` banks, or as many as the table has sizes for. Raises InputError that begins
    with the key for a size or a block that it lacks."""
    size = kib * 1024
    curves = _table().get((block_bytes, ports))
    if curves is None:
        raise InputError(f"{key}: banks of {block_bytes} bytes a block: not in the CACTI table")
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


def sram_table_file() -> Path:
    """CACTI's table, as it is shipped."""
    return folder("arch_specs") / "cacti7_sram_45nm.csv"


@cache
def _table() -> dict[tuple[int, int], list[tuple[float, tuple[float, ...]]]]:
    """(block bytes, ports) → (bytes, figures), the smallest first."""
    curves: dict[tuple[int, int], list[tuple[float, tuple[float, ...]]]] = {}
    with open(sram_table_file(), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = int(float(row["block size (bytes)"])), int(row["read-write port"])
            figures = tuple(float(row[name]) for name in FIGURES)
            curves.setdefault(key, []).append((float(row["size (bytes)"]), figures))
    return {key: sorted(curve) for key, curve in curves.items()}
