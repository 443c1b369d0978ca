"""How many outputs at a time a product of independent vectors on SiLago has: those of a wave, and of a piece of its
weights where these come from DRAM.

All cells at once are the fewest waves. Fewer can be better: weights of the first wave arrive sooner, tiles hold two
pieces of which one is fetched while the other is used, and a link that feeds many rows of cells is not waited for by
all of them. What more cells or tiles allow contains what fewer allow, and the best by the estimate below is taken, so
more of either does not slow a product down.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.errors import InputError
from simulators.platforms.silago.fabric import (
    buffered_rows,
    cells,
    off_chip,
    overhead_cycles,
    row_link_cycles,
    tile_bits,
    word_cycles,
)
from simulators.platforms.silago.product import WaveProduct
from simulators.platforms.silago.spec import SilagoSpec

Cycles = NDArray[np.int64]


class Pieces(NamedTuple):
    """How a product is cut."""

    outputs: int
    """Outputs of a wave."""
    waves: tuple[int, ...]
    """Waves of each piece of weights that comes from DRAM, in order; of others there is one piece."""
    held: int
    """Pieces that the tiles hold: two, one of which is fetched while the other is used, or one."""


def pieces(spec: SilagoSpec, p: WaveProduct) -> Pieces:
    """The cut of fewest estimated cycles, of equals the one into fewest waves. Raises InputError for tiles that do not
    hold the weights of one output."""
    most = min(cells(spec), p.outputs)
    if not p.fetched:
        outputs = most if _links_keep_up(spec, p, most) else _best(spec, p, most, 2)[1]
        return Pieces(outputs, (ceil(p.outputs / outputs),), 1)
    row_bits, holds = p.stored_bits(spec.cell.word_bits, p.words), tile_bits(spec.dimarch.weight_tiles, spec)
    if holds < row_bits:
        raise InputError(
            f"{spec.name}: dimarch.weight_tiles: {spec.dimarch.weight_tiles}: they must hold the weights of "
            f"one output, {row_bits} bits: {row_bits - holds} too few"
        )
    of_half, of_all = min(holds // 2 // row_bits, most), min(holds // row_bits, most)
    alone, outputs = _best(spec, p, of_all, 1)
    if of_half:
        overlapped, smaller = _best(spec, p, of_half, 2)
        if overlapped <= alone:
            return Pieces(smaller, _waves_of_pieces(spec, p, smaller, holds // 2 // (smaller * row_bits)), 2)
    return Pieces(outputs, (1,) * ceil(p.outputs / outputs), 1)


def _links_keep_up(spec: SilagoSpec, p: WaveProduct, outputs: int) -> bool:
    """Whether cells are busier than their links with so many outputs a wave: then no fewer can be faster."""
    rows_of_cells, row_words = -(-outputs // spec.fabric.columns), spec.dimarch.row_bits // spec.cell.word_bits
    row = sum(row_link_cycles(spec, rows_of_cells, p.stored_bits(spec.cell.word_bits, row_words)))
    stored = -(-rows_of_cells * p.output_bits // spec.dimarch.link_bits_per_cycle)
    return all(
        -(-words // row_words) * row + stored <= word_cycles(spec, p.multiplied(words)) for _, words in p.vectors
    )


def _best(spec: SilagoSpec, p: WaveProduct, most: int, held: int) -> tuple[int, int]:
    """The fewest estimated cycles, and the outputs of a wave that take them: the most of equals."""
    cycles = _estimate(spec, p, np.arange(1, most + 1), held)
    outputs = most - int(np.argmin(cycles[::-1]))
    return int(cycles[outputs - 1]), outputs


def _waves_of_pieces(spec: SilagoSpec, p: WaveProduct, outputs: int, most: int) -> tuple[int, ...]:
    """Waves of each piece, as few pieces as wait for nothing that single waves would not wait for. Where cells are the
    slower, the first piece is one wave, and each is fetched in the time in which the one before is used; where DRAM is
    the slower, the last two are, for the very last may be small, and each is used in the time in which the next one is
    fetched."""
    fetched = off_chip(spec, outputs * p.stored_bits(spec.cell.word_bits, p.words))[1]
    used = _used_cycles(spec, p, ceil(outputs / spec.fabric.columns))
    slower, faster = max(fetched, used), min(fetched, used)
    left, first = ceil(p.outputs / outputs), 1 if used >= fetched else 2
    sizes = [1] * min(left, first)
    while left > sum(sizes):
        sizes.append(min(sizes[-1] * slower // faster, most, left - sum(sizes)))
    return tuple(sizes if used >= fetched else sizes[::-1])


def _estimate(spec: SilagoSpec, p: WaveProduct, sizes: Cycles, held: int) -> Cycles:
    """Cycles of all pieces of some sizes, (S,) from 1, as two stages that follow each other: each piece is fetched, and
    is used by all vectors, as many cycles as the busier of cells and link takes; at least those of the DRAM channel,
    where it has activations to move besides."""
    waves = -(-p.outputs // sizes)
    edge = p.outputs - (waves - 1) * sizes
    used = np.array([_used_cycles(spec, p, rows) for rows in range(spec.fabric.rows + 1)])
    computed, last_computed = used[-(-sizes // spec.fabric.columns)], used[-(-edge // spec.fabric.columns)]
    fetched = last_fetched = np.zeros_like(sizes)
    if p.fetched:
        bits = p.stored_bits(spec.cell.word_bits, p.words)
        of = np.array([0, *(off_chip(spec, n * bits)[1] for n in range(1, len(sizes) + 1))])
        fetched, last_fetched = of[sizes], of[edge]
    if held == 1:
        both: Cycles = (waves - 1) * (fetched + computed) + last_fetched + last_computed
    else:
        between = np.maximum(waves - 2, 0) * np.maximum(fetched, computed) + np.maximum(last_fetched, computed)
        both = np.where(waves == 1, last_fetched, fetched + between) + last_computed
    if p.spilled_bits is None:
        return both
    off: Cycles = (waves - 1) * fetched + last_fetched + _spilled_cycles(spec, p, sizes)
    return np.maximum(both, off)


def _spilled_cycles(spec: SilagoSpec, p: WaveProduct, sizes: Cycles) -> Cycles:
    """Cycles of the DRAM channel for the activations of all waves of some sizes, (S,)."""
    vectors = sum(count for count, _ in p.vectors)
    cycles = []
    for outputs in sizes.tolist():
        waves = ceil(p.outputs / outputs)
        read, edge = (p.spilled_bits or 0) // (waves * vectors), p.outputs - (waves - 1) * outputs
        whole, last = (off_chip(spec, n * p.output_bits + read)[1] for n in (outputs, edge))
        cycles.append(vectors * ((waves - 1) * whole + last))
    return np.array(cycles, np.int64)


def _used_cycles(spec: SilagoSpec, p: WaveProduct, rows_of_cells: int) -> int:
    """Cycles in which all vectors use a piece, on so many rows of cells."""
    cycles = 0
    stored = ceil(rows_of_cells * p.output_bits / spec.dimarch.link_bits_per_cycle)
    for count, words in p.vectors:
        per_row = spec.dimarch.row_bits // spec.cell.word_bits
        row = sum(row_link_cycles(spec, rows_of_cells, p.stored_bits(spec.cell.word_bits, per_row)))
        moved = row * ceil(words / per_row)
        multiplied, overhead = word_cycles(spec, p.multiplied(words)), overhead_cycles(spec, p.bits)
        # The one row that a register file holds is filled or used. Lanes are reduced while the next wave's first comes.
        alone = moved - row + multiplied + max(row + stored, overhead)
        cycles += count * (alone if buffered_rows(spec) == 1 else max(moved + stored, multiplied + overhead))
    return cycles
