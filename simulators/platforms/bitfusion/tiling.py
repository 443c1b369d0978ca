"""Tilings of one matrix product on Bit Fusion: what fits, and which are worth simulating.

A product of an M × K weight matrix with N vectors is cut into tiles of m outputs, k inputs and n vectors. The innermost
loop runs over k, so that partial sums stay in the output buffer. The outer loop runs over outputs (a weight tile stays
while vectors stream past it) or over vectors (an input tile stays while weights stream past it). What a tiling costs is
modelled once, in `mapping_kernels.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from typing import Literal, NamedTuple

import numpy as np

from simulators.hardware.spec import Channel
from simulators.inputs.errors import InputError
from simulators.platforms.bitfusion import mapping_kernels as kernels
from simulators.platforms.bitfusion.spec import Array, BitFusionSpec, Buffers, FixedMapping

Outer = Literal["outputs", "vectors"]

ROOM = 512
"""Sizes of a tile that a dimension of 2^24 may have, at most."""

FINEST_RATE = 1 << 20
"""Cycles in which DRAM moves whole bits, at most, as bounds count them."""


class Window(NamedTuple):
    """A convolution whose inputs are not expanded in memory: neighbouring vectors share them."""

    kernel: tuple[int, int]
    """Height, width in elements."""
    extent: tuple[int, int]
    """Height, width of what the kernel covers on the map."""
    stride: tuple[int, int]
    """Height, width in elements between two neighbouring windows."""
    output: tuple[int, int]
    """Height, width of the result."""
    padding: tuple[int, int]
    """Rows above and below the map, elements before and behind a row, that are not in memory."""
    input: tuple[int, int]
    """Height, width of the map in elements, without padding."""


@dataclass(frozen=True)
class Product:
    """One matrix product as the array sees it."""

    outputs: int
    """Number of results of a vector (M)."""
    inputs: int
    """Length of the reduction."""
    vectors: int
    """Number of vectors (N)."""
    weight_bits: int
    activation_bits: int
    window: Window | None = None
    kept_inputs: int | None = None
    """Weights of an output that are kept; None: none is pruned."""
    index_bits: int = 0
    """Bits that say which weight a kept one is."""

    def stored_bits(self, weights: int) -> int:
        """Memory of so many weights in bits, pruned ones included in their number: a share of the whole matrix's."""
        if self.kept_inputs is None:
            return weights * self.weight_bits
        return ceil(weights * self.kept_inputs * (self.weight_bits + self.index_bits) / self.inputs)

    def kept(self, inputs: int) -> int:
        """Weights that are kept of so many of an output's."""
        return inputs if self.kept_inputs is None else ceil(inputs * self.kept_inputs / self.inputs)

    @property
    def positions(self) -> int:
        """Parts of the reduction that are done one after the other, channels of one in parallel; tiles of the reduction
        are multiples."""
        return self.window.kernel[0] * self.window.kernel[1] if self.window else 1

    def input_bits(self, vectors: int, inputs: int) -> int:
        """Bits that so many vectors of a part of the reduction take in memory, at most."""
        if self.window is None:
            return vectors * inputs * self.activation_bits
        return int(kernels.input_bits(self._shape(self.inputs, 1, 1), vectors, inputs))

    def tile_bits(self, vectors: int, inputs: int, last: bool) -> int:
        """Bits that a tile of them reads: `last` is the one with the last result, others have their mean."""
        if self.window is None:
            return vectors * inputs * self.activation_bits
        return int(kernels.tile_bits(self._shape(self.inputs, 1, 1), vectors, inputs, last))

    def step(self) -> Product:
        """The product of one vector, of those that wait for each other."""
        return replace(self, vectors=1, window=None)

    def on(self, hardware: TilingHardware, skips_pruned_weights: bool) -> kernels.Shape:
        """The product as the kernels take it."""
        fused = precision(self.weight_bits, self.activation_bits, hardware.array.unit_operand_bits)
        multiplied = self.kept(self.inputs) if skips_pruned_weights else self.inputs
        return self._shape(multiplied, hardware.array.rows * fused.products, fused.passes)

    def _shape(self, multiplied: int, lanes: int, passes: int) -> kernels.Shape:
        sizes = (
            self.outputs, self.inputs, self.vectors, self.stored_bits(self.inputs), multiplied, self.activation_bits,
            lanes, passes, self.positions,
        )  # fmt: skip
        if self.window is None:
            return kernels.Shape(*sizes)
        w = self.window
        return kernels.Shape(*sizes, *w.output, *w.extent, *w.stride, *w.padding, *w.input)


class Tiling(NamedTuple):
    """Tile sizes in elements, and loop order. Counts are ceilings; edge tiles are smaller."""

    outer: Outer
    m: int
    """Outputs of a tile."""
    k: int
    """Inputs of a tile: the part of the reduction."""
    n: int
    """Vectors of a tile."""


@dataclass(frozen=True)
class TilingHardware:
    """The part of a spec that a tiling depends on."""

    name: str
    array: Array
    buffers: Buffers
    channel: Channel
    """The DRAM channel."""
    pipeline_cycles: int
    """Cycles from the array's last input of a tile to its results: systolic fill and drain."""
    mapping: FixedMapping | None
    true_edges: bool
    """Whether edge tiles take cycles at their size."""
    shared_inputs: bool
    """Whether the columns of a row share one read of the input buffer."""
    sums_stored: bool
    """Whether results go to DRAM as wide as partial sums."""

    @classmethod
    def of(cls, spec: BitFusionSpec) -> TilingHardware:
        array, corrections = spec.array, spec.corrections
        pipeline = max(1, array.rows + array.columns - 2) if corrections.fill_drain else 1
        mapping = spec.mapping if isinstance(spec.mapping, FixedMapping) else None
        return cls(
            spec.name, array, spec.buffers, spec.channel, pipeline, mapping, corrections.true_edge_tiles,
            corrections.share_inputs_in_row, not corrections.true_output_bits,
        )  # fmt: skip

    def capacity_bits(self, kib: float) -> int:
        """What one tile may fill: half of a buffer when double-buffered."""
        return floor(kib * 8192 / self.buffer_parts)

    @property
    def buffer_parts(self) -> int:
        """Tiles that a buffer holds at a time."""
        return 2 if self.buffers.double_buffered else 1

    @property
    def dram_rate(self) -> tuple[int, int]:
        """Bits that DRAM moves at most, and in how many cycles: numbers whose products int64 holds."""
        rate = self.channel.rate
        if rate.denominator > FINEST_RATE:
            rate = Fraction(ceil(rate * FINEST_RATE), FINEST_RATE)
        return rate.numerator, rate.denominator

    @property
    def limits(self) -> kernels.Limits:
        """The hardware as the kernels take it."""
        b = self.buffers
        weights, inputs, outputs = (self.capacity_bits(kib) for kib in (b.weight_kib, b.input_kib, b.output_kib))
        return kernels.Limits(
            weights, inputs, outputs, b.partial_sum_bits, self.array.columns, *self.dram_rate,
            self.pipeline_cycles, self.buffer_parts, self.true_edges, self.shared_inputs, self.sums_stored,
        )  # fmt: skip


@dataclass(frozen=True)
class Precision:
    """What a fusion unit does with operands of some width: products a cycle, or cycles a product."""

    products: int
    """Products of one unit in one pass; they add up, so they multiply the reduction."""
    passes: int
    """Passes of one product: more than one for operands wider than the unit's."""


def operand_width(bits: int) -> int:
    """What an operand is multiplied as: the next of 2, 4, 8, 16 bits, which bit-bricks of 2 × 2 bits form."""
    return max(2, 1 << (bits - 1).bit_length())


@lru_cache(maxsize=1024)
def precision(weight_bits: int, activation_bits: int, unit_operand_bits: int) -> Precision:
    """Sharma et al., ISCA 2018, section 3: 16 bit-bricks of 2 × 2 bits."""
    products = passes = 1
    for bits in (weight_bits, activation_bits):
        width = operand_width(bits)
        products *= unit_operand_bits // min(width, unit_operand_bits)
        passes *= max(width // unit_operand_bits, 1)
    return Precision(products, passes)


def tile_cycles(hardware: TilingHardware, product: Product, m: int, k: int, n: int) -> int:
    """Cycles in which the array works on a tile: n vectors, columns take outputs, rows and fused products the
    reduction."""
    fused = precision(product.weight_bits, product.activation_bits, hardware.array.unit_operand_bits)
    lanes = hardware.array.rows * fused.products
    reduction = product.positions * ceil(k / product.positions / lanes)
    return fused.passes * n * ceil(m / hardware.array.columns) * reduction


def promising(
    hardware: TilingHardware, product: Product, shape: kernels.Shape, results: kernels.Results, order: kernels.Order,
    energy: kernels.Picojoules,
) -> kernels.Ints:  # fmt: skip
    """The tilings that fit and are worth a trial, (T, 4) of outer (1: vectors), m, k, n; see `mapping_kernels.py`.

    Raises InputError that says which buffer is too small and by how much if not even the smallest tile fits.
    """
    tilings, bounds = np.empty((kernels.TRIED, 4), np.int64), np.empty((kernels.TRIED, 2))
    room = np.empty((3, ROOM), np.int64)
    count = kernels.rank_tilings(hardware.limits, shape, results, order, energy, tilings, bounds, room)
    if not count:
        _check_fit(hardware, product, Tiling("outputs", 1, product.positions, 1))
        raise AssertionError("the smallest tile fits and was not tried")
    return tilings[:count]


def fixed(hardware: TilingHardware, product: Product) -> Tiling:
    """The spec's own mapping, as `FixedMapping` says that it is taken. Raises InputError where it does not fit."""
    assert hardware.mapping is not None
    tiling = Tiling(
        hardware.mapping.outer,
        min(hardware.mapping.out_tile, product.outputs),
        min(max(hardware.mapping.in_tile // product.positions, 1) * product.positions, product.inputs),
        min(hardware.mapping.vector_tile, product.vectors),
    )
    _check_fit(hardware, product, tiling)
    return tiling


def resident(hardware: TilingHardware, product: Product) -> kernels.Ints:
    """For a recurrent product whose weights stay on chip, tilings (T, 4) as `promising` gives them: one vector, outputs
    in one to eight tiles or as few as fit, so that what comes behind the array can start before the last output, and
    the reduction in one to eight parts, of which the first step can begin with the first that is loaded."""
    limit = max(1, hardware.capacity_bits(hardware.buffers.output_kib) // hardware.buffers.partial_sum_bits)
    outputs = _parts(product.outputs, hardware.array.columns, min(limit, product.outputs))
    _check_fit(hardware, product, Tiling("outputs", outputs[0], product.inputs, 1), weights=False)
    reductions = _parts(product.inputs, product.on(hardware, False).lanes, product.inputs)
    return np.array([(0, m, k, 1) for m in outputs for k in reductions], np.int64)


def _parts(whole: int, unit: int, limit: int) -> list[int]:
    """Sizes of one to eight tiles, in whole units and as equal as they can be, up to a limit."""
    sizes = {
        min(size, limit) for parts in range(1, 9) for size in (ceil(whole / parts), ceil(whole / parts / unit) * unit)
    }
    return sorted(sizes, reverse=True)


def check_recurrent(hardware: TilingHardware, step: Product) -> None:
    """Raise InputError unless the input buffer holds the vector of a recurrent product."""
    excess = step.inputs * step.activation_bits - int(hardware.buffers.input_kib * 8192)
    if excess > 0:
        raise InputError(
            f"{hardware.name}: buffers.input_kib: {hardware.buffers.input_kib:g}: a recurrent vector of {step.inputs} "
            f"elements has {excess} bits too many"
        )


def _check_fit(hardware: TilingHardware, product: Product, tiling: Tiling, weights: bool = True) -> None:
    """Raise InputError unless a tile fits the buffers; `weights`: also that of weights."""
    needs = {
        "input": (product.input_bits(tiling.n, tiling.k), hardware.buffers.input_kib),
        "weight": (product.stored_bits(tiling.m * tiling.k), hardware.buffers.weight_kib),
        "output": (tiling.m * tiling.n * hardware.buffers.partial_sum_bits, hardware.buffers.output_kib),
    }
    if not weights:
        del needs["weight"]
    for name, (bits, kib) in needs.items():
        capacity = hardware.capacity_bits(kib)
        if bits > capacity:
            what = "half of the buffer" if hardware.buffers.double_buffered else "the buffer"
            raise InputError(
                f"{hardware.name}: buffers.{name}_kib: {kib:g}: a tile of {tiling.m} outputs, {tiling.k} inputs and "
                f"{tiling.n} vectors needs {bits} bits of {capacity} ({what}): "
                f"{bits - capacity} too many"
            )
