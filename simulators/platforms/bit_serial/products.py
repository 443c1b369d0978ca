"""A layer as the products of a bit-serial array, and the two operands of these as blocks of rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from simulators.inputs.errors import InputError
from simulators.platforms.bit_serial.machine import ACTIVATIONS, FETCH, STREAM_ACTIVATIONS, STREAM_WEIGHTS, WEIGHTS
from simulators.platforms.bit_serial.spec import BitSerialSpec
from simulators.workloads.operations import Conv2d, Layer


class SerialProduct(NamedTuple):
    """Matrix products of equal size, as the array multiplies them."""

    rows: int
    """Rows of activations (M)."""
    columns: int
    """Rows of the weight matrix (N)."""
    k_words: int
    """Words of one bit plane of a row of either operand."""
    times: int
    """Number of products."""
    weight_bits: int
    """Width of a weight, or of the second activation of a product of two."""
    activation_bits: int
    dependent: bool
    """Whether each row of activations waits for the results of the one before."""


def serial_product(layer: Layer, spec: BitSerialSpec) -> SerialProduct:
    """A product or convolution on the array.

    A convolution with groups takes as many of them as fit the columns as one block-diagonal product: a depthwise one as
    many channels as there are columns. Kernel positions lie in a row of activations one after the other (im2col), for
    the fetch stage has no windows.
    """
    gemm, (weight_bits, activation_bits) = layer.as_gemm(), layer.operand_bits
    assert gemm is not None
    rows, columns, inputs, times = gemm.n, gemm.m, gemm.k, gemm.products
    if isinstance(layer, Conv2d):
        packed = max(1, min(spec.array.columns // columns, times))
        # A last group of fewer channels is multiplied as a full one.
        columns, inputs, times = columns * packed, inputs * packed, ceil(times / packed)
        if not spec.corrections.join_images:
            rows, times = rows // layer.steps, times * layer.steps
    dependent = layer.waits_for_itself
    if dependent and not spec.corrections.overlap_tiles:
        rows, times = 1, rows * times
    k_words = ceil(inputs / spec.array.word_bits)
    return SerialProduct(rows, columns, k_words, times, weight_bits, activation_bits, dependent)


class Side(NamedTuple):
    """One operand, or a piece of it: where it comes from and what a block of it has."""

    name: str
    """`activations` or `weights`, the role of its fetches."""
    free: str
    """The role of what gives a part of its buffer back."""
    queue: int
    """Index of the queue of its fetches."""
    kind: int
    """Index of the kind that waiting for it is charged to."""
    height: int
    """Rows of a block: as many as the array has along that side."""
    rows: int
    """Rows in all."""
    blocks: int
    """Number of blocks."""
    planes: int
    """Bit planes."""
    k_words: int
    """Words of one plane of a row."""
    word_bits: int
    buffer_words: int
    bits_per_cycle: int
    """Rate at which it comes."""
    padded: bool
    """Whether a last block is moved at its full height."""

    def piece(self, rows: int) -> Side:
        """So many of its rows."""
        return self._replace(rows=rows, blocks=-(-rows // self.height))

    @property
    def last_rows(self) -> int:
        """Rows of the last block."""
        return self.rows - (self.blocks - 1) * self.height

    @property
    def block_words(self) -> int:
        """Words of a full block."""
        return self.height * self.planes * self.k_words

    def bits(self, rows: int) -> int:
        """Bits of so many rows."""
        return rows * self.planes * self.k_words * self.word_bits

    def moved_rows(self, rows: int) -> int:
        """Rows that are moved where there are so many: whole blocks, or no more."""
        return -(-rows // self.height) * self.height if self.padded else rows

    def cycles(self, bits: int) -> int:
        """Cycles in which so many bits come."""
        return -(-bits // self.bits_per_cycle)


@lru_cache(maxsize=4096)
def sides(product: SerialProduct, spec: BitSerialSpec) -> Mapping[str, Side]:
    """Both operands by name. Raises InputError for a buffer that does not hold a block."""
    array, buffers = spec.array, spec.buffers
    # A recurrent product has a vector at a time: each is a block of its own.
    height = 1 if product.dependent else array.rows
    if spec.corrections.shared_channel:
        queues, rate = (FETCH, FETCH), spec.dram.read_bits_per_cycle
    else:
        queues, rate = (STREAM_ACTIVATIONS, STREAM_WEIGHTS), array.word_bits
    padded, k_words = spec.corrections.pad_rows, product.k_words
    both = (
        Side(
            "activations", "activations free", queues[0], ACTIVATIONS, height, product.rows,
            ceil(product.rows / height), product.activation_bits, k_words, array.word_bits, buffers.activation_words,
            rate, padded,
        ),
        Side(
            "weights", "weights free", queues[1], WEIGHTS, array.columns, product.columns,
            ceil(product.columns / array.columns), product.weight_bits, k_words, array.word_bits, buffers.weight_words,
            rate, padded,
        ),
    )  # fmt: skip
    for side in both:
        if side.block_words > side.buffer_words:
            raise InputError(
                f"{spec.name}: buffers.{side.name[:-1]}_words: {side.buffer_words}: a block of {side.height} rows, "
                f"{side.planes} bit planes and {side.k_words} words of {side.word_bits} bits needs {side.block_words}"
            )
    return {side.name: side for side in both}
