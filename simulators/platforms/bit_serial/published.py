"""The closed form behind HAQ's published latency table (Wang et al., CVPR 2019): a bit-serial array that has all 3,392
entries to the cycle.

The released code of HAQ (mit-han-lab/haq) holds the table and no model; this one was found by fitting it. An array of
`rows` × `columns` dot-product units multiplies and counts `word_bits` bits of one plane of each operand a cycle.
Activations lie on the rows, weights on the columns. Each operand streams into its buffer at one word a cycle, both at
once, and a word can be used in the cycle in which it arrives. What does not fit the buffers is cut into tiles; every
pair of tiles begins with empty buffers, and nothing of it overlaps with the next. Results cost nothing, and neither
clock nor pipeline appears.

A pair of tiles takes, step by step, t := max(t + 1, arrival of its activations, arrival of its weights). So it ends
when the last of T steps has waited for the step that was latest: T - 1 + max over steps of (arrival - steps before it).
Arrivals and steps before are linear in block, word and plane, so the latest lies at a corner, and no step is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product as pairs_of
from math import ceil
from typing import Literal, NamedTuple

from simulators.inputs.errors import InputError

MOST_BITS = 8
"""Widest operand, of the table and of BISMO's runtime."""
Outer = Literal["activations", "weights"]
ORDERS: tuple[Outer, Outer] = ("activations", "weights")
"""The operand whose blocks are the outer loop."""


@dataclass(frozen=True)
class PublishedArray:
    """An array and its buffers. The defaults are those of HAQ's table."""

    rows: int = 16
    """Units along a column of the array: rows of activations in a block (Dm)."""
    columns: int = 16
    """Units along a row of the array: rows of the weight matrix in a block (Dn)."""
    word_bits: int = 256
    """Bits that a unit multiplies and counts in a cycle (Dk)."""
    activation_words: int = 16384
    """Words of the buffer for activations."""
    weight_words: int = 16384
    """Words of the buffer for weights."""


class PublishedProduct(NamedTuple):
    """A layer as matrix products of equal size that follow each other."""

    m: int
    """Rows of the activations."""
    n: int
    """Rows of the weight matrix: outputs."""
    k_words: int
    """Words of one bit plane of a row of either operand."""
    times: int = 1
    """Number of products."""


def convolution(
    array: PublishedArray, in_channels: int, out_channels: int, taps: int, pixels: int, images: int = 1
) -> PublishedProduct:
    """A convolution with kernels of so many taps and that many pixels of result, image by image."""
    return PublishedProduct(pixels, out_channels, ceil(in_channels * taps / array.word_bits), images)


def fully_connected(array: PublishedArray, in_features: int, out_features: int, images: int = 1) -> PublishedProduct:
    """A fully connected layer, all images in one product."""
    return PublishedProduct(images, out_features, ceil(in_features / array.word_bits))


def depthwise(array: PublishedArray, channels: int, taps: int, pixels: int, images: int = 1) -> PublishedProduct:
    """A depthwise convolution: as many channels as the array has columns are one block-diagonal product, and a last
    group of fewer is counted as full. The table has 3 × 3 kernels; others follow the same rule."""
    words = ceil(array.columns * taps / array.word_bits)
    return PublishedProduct(pixels, array.columns, words, ceil(channels / array.columns) * images)


class TileOperand(NamedTuple):
    """What one operand of a pair of tiles brings."""

    height: int
    """Rows of a block, as many as the array has along that side."""
    rows: int
    """Rows of the tile; the last block has what is left."""
    planes: int
    """Bits of an element."""

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return ceil(self.rows / self.height)

    @property
    def corners(self) -> list[tuple[int, int]]:
        """(block, rows of it) of the first full block, the last full one, and the last."""
        last = self.blocks - 1
        full = [(0, self.height), (last - 1, self.height)] if last else []
        return [*full, (last, self.rows - last * self.height)]

    def lateness(self, k_words: int, block_steps: int, word_steps: int, plane_steps: int) -> int:
        """The largest of (cycle in which a plane of a word of a block has arrived) - (steps before the first that needs
        it), where so many steps lie between the first uses of two blocks, words and planes."""
        return max(
            block * (self.planes * k_words * self.height - block_steps) + rows
            + max(0, (k_words - 1) * (rows * self.planes - word_steps))
            + max(0, (self.planes - 1) * (rows - plane_steps))
            for block, rows in self.corners
        )  # fmt: skip


def pair_cycles(outer: TileOperand, inner: TileOperand, k_words: int) -> int:
    """Cycles of a pair of tiles that starts with empty buffers. Loops, outermost first: blocks of the outer operand,
    blocks of the inner, words, planes of the inner, planes of the outer."""
    word_steps = outer.planes * inner.planes
    block_steps = word_steps * k_words
    steps = outer.blocks * inner.blocks * block_steps
    late = max(
        outer.lateness(k_words, inner.blocks * block_steps, word_steps, 1),
        inner.lateness(k_words, block_steps, word_steps, outer.planes),
    )
    return steps - 1 + late


def tile_rows(rows: int, height: int, planes: int, k_words: int, buffer_words: int) -> int:
    """Rows of the largest tile of an operand: whole blocks that fit the buffer, one at least."""
    return min(rows, height * max(1, buffer_words // (planes * k_words * height)))


def _pieces(whole: int, tile: int) -> Iterator[tuple[int, int]]:
    """(how many, size) of the tiles that so many rows are cut into."""
    full, rest = divmod(whole, tile)
    if full:
        yield full, tile
    if rest:
        yield 1, rest


@dataclass(frozen=True)
class PublishedCycles:
    """What the closed form says of a layer."""

    order_cycles: tuple[int, int]
    """Cycles in each of `ORDERS`."""
    steps: int
    """Cycles in which the array works: a pair of planes of a word each."""
    loaded_words: int
    """Words that are loaded."""

    @property
    def cycles(self) -> int:
        """Cycles in the better order, which is chosen once for the layer."""
        return min(self.order_cycles)

    @property
    def outer(self) -> Outer:
        """The operand whose blocks are the outer loop; where both orders take equally long, activations."""
        return ORDERS[self.order_cycles.index(self.cycles)]


def evaluate(
    product: PublishedProduct, weight_bits: int, activation_bits: int, array: PublishedArray
) -> PublishedCycles:
    """A layer at some widths. Raises InputError for widths that the model does not have."""
    for bits in (weight_bits, activation_bits):
        if not 1 <= bits <= MOST_BITS:
            raise InputError(
                f"{weight_bits}x{activation_bits} bits: the published model has operands of 1 to {MOST_BITS} bits"
            )
    m, n, k_words, times = product
    tile_m = tile_rows(m, array.rows, activation_bits, k_words, array.activation_words)
    tile_n = tile_rows(n, array.columns, weight_bits, k_words, array.weight_words)
    cycles, blocks = [0, 0], 0
    for (many_m, rows_m), (many_n, rows_n) in pairs_of(_pieces(m, tile_m), [*_pieces(n, tile_n)]):
        activations = TileOperand(array.rows, rows_m, activation_bits)
        weights = TileOperand(array.columns, rows_n, weight_bits)
        pairs = times * many_m * many_n
        cycles[0] += pairs * pair_cycles(activations, weights, k_words)
        cycles[1] += pairs * pair_cycles(weights, activations, k_words)
        blocks += pairs * activations.blocks * weights.blocks
    words = m * activation_bits * ceil(n / tile_n) + n * weight_bits * ceil(m / tile_m)
    return PublishedCycles(
        order_cycles=(cycles[0], cycles[1]),
        steps=blocks * k_words * weight_bits * activation_bits,
        loaded_words=times * k_words * words,
    )
