"""Which operand of a product is the outer one, and how both are cut into what the buffers hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from simulators.platforms.bit_serial.products import SerialProduct, Side, sides
from simulators.platforms.bit_serial.published import ORDERS, Outer, PublishedProduct, evaluate, tile_rows
from simulators.platforms.bit_serial.spec import BitSerialSpec


class SerialMapping(NamedTuple):
    """How a layer's products are mapped."""

    product: SerialProduct
    outer: Outer
    """The operand whose blocks are the outer loop."""


class Tile(NamedTuple):
    """A tile of the inner operand."""

    blocks: int
    """Blocks of a full tile."""
    held: int
    """Tiles that the buffer holds at a time, two at most."""


def inner_tile(side: Side) -> Tile:
    """All blocks, where the buffer holds them, twice if it can; else as many as half of it holds, or all of it, in
    tiles as equal as blocks allow."""
    whole = side.buffer_words // side.block_words
    half = side.buffer_words // 2 // side.block_words
    if side.blocks <= whole:
        return Tile(side.blocks, 2 if side.blocks <= half else 1)
    most = half or whole
    return Tile(ceil(side.blocks / ceil(side.blocks / most)), 2 if half else 1)


def outer_held(side: Side) -> int:
    """Blocks of the outer operand that the buffer holds at a time, two at most: one in use, one arriving."""
    return min(2, side.buffer_words // side.block_words)


def tile_pairs(outer: Side, inner: Side) -> Iterator[tuple[int, Side, Side]]:
    """(how many, piece of the outer operand, piece of the inner one) of the pairs of tiles of the published model."""
    pieces = []
    for side in (outer, inner):
        tile = tile_rows(side.rows, side.height, side.planes, side.k_words, side.buffer_words)
        full, rest = divmod(side.rows, tile)
        pieces.append([(count, side.piece(rows)) for count, rows in ((full, tile), (1, rest)) if count * rows])
    for many_outer, outer_piece in pieces[0]:
        for many_inner, inner_piece in pieces[1]:
            yield many_outer * many_inner, outer_piece, inner_piece


@lru_cache(maxsize=4096)
def best_order(product: SerialProduct, spec: BitSerialSpec) -> Outer:
    """The operand that had better be the outer one. Pairs of tiles are ordered as the published model does; else an
    estimate decides, and where that is equal the bits that are fetched. A recurrent product whose weights may stay has
    its vectors outside. Raises InputError for a buffer that does not hold a block."""
    both = sides(product, spec)
    if not spec.corrections.overlap_tiles:
        shape = PublishedProduct(product.rows, product.columns, product.k_words, product.times)
        return evaluate(shape, product.weight_bits, product.activation_bits, spec.published_array).outer
    if product.dependent:
        return "activations"
    return min(ORDERS, key=lambda outer: _estimate(product, both[outer], both[other(outer)], spec))


def _estimate(product: SerialProduct, outer: Side, inner: Side, spec: BitSerialSpec) -> tuple[int, int]:
    """Cycles, as if each stage kept a steady pace while a tile's blocks arrive and again behind them, and bits that are
    fetched."""
    on, array, tile = spec.corrections, spec.array, inner_tile(inner)
    pair = product.weight_bits * product.activation_bits * product.k_words
    if on.pipeline_latency:
        pair += array.pipeline_cycles
    if on.write_results:
        block = outer.height * inner.height * array.accumulator_bits
        pair = max(pair, ceil(block / spec.dram.write_bits_per_cycle))
    bits = [side.block_words * side.word_bits for side in (outer, inner)]
    of_outer, of_tile = outer.cycles(bits[0]), tile.blocks * inner.cycles(bits[1])
    pairs = tile.blocks * pair
    arriving = of_outer + of_tile if on.shared_channel else max(of_outer, of_tile)
    first = max(pairs, arriving) + (outer.blocks - 1) * max(pairs, of_outer)
    further = first
    if tile.held == 2:  # the next tile's blocks arrive meanwhile
        fetch = outer.blocks * of_outer + of_tile if on.shared_channel else max(outer.blocks * of_outer, of_tile)
        further = max(outer.blocks * pairs, fetch)
    tiles = ceil(inner.blocks / tile.blocks)
    fetched = tiles * outer.blocks * bits[0] + inner.blocks * bits[1]
    return first + (tiles * product.times - 1) * further, product.times * fetched


def other(name: Outer) -> Outer:
    """The other operand."""
    return ORDERS[1 - ORDERS.index(name)]
