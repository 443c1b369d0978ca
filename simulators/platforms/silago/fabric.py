"""What the cells, their register files, DiMArch and DRAM of a SiLago fabric hold and take."""

from __future__ import annotations

from math import ceil

from simulators.inputs.errors import InputError
from simulators.platforms.silago.spec import SilagoSpec

BUFFERED_ROWS = 2
"""Rows of weights and of inputs that a register file holds at a time: one in use, one arriving."""


def cells(spec: SilagoSpec) -> int:
    """Number of DRRA cells."""
    return spec.fabric.rows * spec.fabric.columns


def tile_bits(tiles: int, spec: SilagoSpec) -> int:
    """What so many tiles hold."""
    return tiles * spec.dimarch.tile_rows * spec.dimarch.row_bits


def word_cycles(spec: SilagoSpec, words: int) -> int:
    """Cycles of a cell for so many word operations: two operands each, from its own register file, on its lanes."""
    return ceil(2 * words / min(2 * spec.cell.mac_lanes, spec.cell.read_ports))


def buffered_rows(spec: SilagoSpec) -> int:
    """Rows of each operand that the register file holds, two at most."""
    row_words = spec.dimarch.row_bits // spec.cell.word_bits
    rows = spec.cell.register_file_words // (2 * row_words)
    if rows < 1:
        raise InputError(
            f"{spec.name}: cell.register_file_words: {spec.cell.register_file_words}: a row of weights and one of "
            f"inputs have {2 * row_words}: {2 * row_words - spec.cell.register_file_words} too few"
        )
    return min(rows, BUFFERED_ROWS)


def off_chip(spec: SilagoSpec, bits: int) -> tuple[int, int]:
    """Bits, and cycles on the DRAM channel; only asked for where there is one."""
    assert spec.channel is not None
    return bits, spec.channel.cycles(bits)


def row_link_cycles(spec: SilagoSpec, rows_of_cells: int, weight_bits: int) -> tuple[int, int]:
    """Cycles on a column's link of a row of weights, of so many bits, for each of so many cells, and of its share of a
    row of inputs."""
    link = spec.dimarch.link_bits_per_cycle
    sharing = min(2 * spec.fabric.window_columns + 1, spec.fabric.columns)
    return rows_of_cells * ceil(weight_bits / link), max(1, ceil(ceil(spec.dimarch.row_bits / link) / sharing))


def overhead_cycles(spec: SilagoSpec, operand_bits: int) -> int:
    """Cycles of a cell behind a dot product: of its loop, and of adding up the lanes of words that hold several
    operands."""
    return spec.cell.loop_setup_cycles + (spec.cell.reduction_cycles if operand_bits < spec.cell.word_bits else 0)
