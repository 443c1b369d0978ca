"""Bit Fusion's mapping of one matrix product: tile sizes and loop order, by the simulator's own cost.

A product of an M × K weight matrix with N vectors is cut into tiles of m outputs, k inputs and n vectors. The innermost
loop runs over k, so that partial sums stay in the output buffer. The outer loop runs over outputs (a weight tile stays
while vectors stream past it) or over vectors (an input tile stays while weights stream past it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Literal, NamedTuple

import numpy as np

from simulators.inputs.errors import InputError
from simulators.platforms.bitfusion import mapping_kernels as tiling_kernels
from simulators.platforms.bitfusion.spec import Array, BitFusionSpec, Buffers, FixedMapping

Outer = Literal["outputs", "vectors"]

REDUCTION_PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024, 1 << 24)
"""Into how many parts a reduction may be cut; the last is for buffers that hold next to nothing."""


@dataclass(frozen=True)
class Window:
    """A convolution whose inputs are not expanded in memory: neighbouring vectors share them."""

    kernel: tuple[int, int]
    """Height, width."""
    stride: tuple[int, int]
    output: tuple[int, int]

    @property
    def positions(self) -> int:
        """Of the kernel; the array takes them one after the other, channels of one in parallel."""
        return self.kernel[0] * self.kernel[1]

    def pixels(self, vectors: int) -> int:
        """Inputs, of one channel, that so many consecutive outputs take."""
        height, width = self.output
        images, rest = divmod(vectors, height * width)
        rows = ceil(rest / width)
        return images * self._area(height, width) + (self._area(rows, min(rest, width)) if rest else 0)

    def _area(self, rows: int, columns: int) -> int:
        return ((rows - 1) * self.stride[0] + self.kernel[0]) * ((columns - 1) * self.stride[1] + self.kernel[1])


@dataclass(frozen=True)
class Product:
    """One matrix product as the array sees it."""

    outputs: int
    inputs: int
    """Length of the reduction."""
    vectors: int
    weight_bits: int
    activation_bits: int
    window: Window | None = None

    @property
    def positions(self) -> int:
        """Parts of the reduction that are done one after the other; tiles of it are multiples."""
        return self.window.positions if self.window else 1

    def input_bits(self, vectors: int, inputs: int) -> int:
        """What so many vectors of a part of the reduction take in memory."""
        elements = vectors * inputs
        if self.window:
            elements = min(elements, inputs // self.positions * self.window.pixels(vectors))
        return elements * self.activation_bits


class Tiling(NamedTuple):
    """Tile sizes and loop order. Counts are ceilings; edge tiles are smaller."""

    outer: Outer
    m: int
    k: int
    n: int


@dataclass(frozen=True)
class Hardware:
    """The part of a spec that a tiling depends on."""

    name: str
    array: Array
    buffers: Buffers
    dram_bits_per_cycle: int
    pipeline_cycles: int
    """From the array's last input of a tile to its results: systolic fill and drain."""
    mapping: FixedMapping | None

    @classmethod
    def of(cls, spec: BitFusionSpec) -> Hardware:
        array = spec.array
        pipeline = max(1, array.rows + array.columns - 2) if spec.corrections.fill_drain else 1
        return cls(spec.name, array, spec.buffers, spec.dram.bits_per_cycle, pipeline, spec.mapping)

    def capacity_bits(self, kib: float) -> int:
        """What one tile may fill: half of a buffer when double-buffered."""
        return floor(kib * 8192 / (2 if self.buffers.double_buffered else 1))


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


def tile_cycles(hardware: Hardware, product: Product, m: int, k: int, n: int) -> int:
    """Cycles in which the array works on a tile: n vectors, columns take outputs, rows and fused products the
    reduction."""
    fused = precision(product.weight_bits, product.activation_bits, hardware.array.unit_operand_bits)
    lanes = hardware.array.rows * fused.products
    reduction = product.positions * ceil(k / product.positions / lanes)
    return fused.passes * n * ceil(m / hardware.array.columns) * reduction


def promising(hardware: Hardware, product: Product, count: int) -> list[Tiling]:
    """Of the tilings that fit the first `count`, and the first ones of as many different cuts of the reduction.

    They are ranked by lower bounds: the largest of array, DRAM and pipeline cycles; then DRAM bits; then array cycles;
    then few tiles with a small first one.

    Raises InputError that says which buffer is too small and by how much if not even the smallest tile fits.
    """
    if product.window is None:
        tilings, others = _promising_matrix(hardware, product, count)
    else:
        tilings = sorted(_candidates(hardware, product), key=lambda tiling: _cost(hardware, product, tiling))
        by_cut = {tiling.k: tiling for tiling in reversed(tilings)}
        others = [tiling for tiling in tilings if by_cut[tiling.k] is tiling]
    if not tilings:
        _check_fit(hardware, product, Tiling("outputs", 1, product.positions, 1))
        raise AssertionError("the smallest tile fits and was not tried")
    return list(dict.fromkeys([*tilings[:count], *others[:count]]))


def _promising_matrix(hardware: Hardware, product: Product, count: int) -> tuple[list[Tiling], list[Tiling]]:
    """The same of a product that is no convolution, compiled: the first ones, and the first of each cut."""
    buffers = hardware.buffers
    fused = precision(product.weight_bits, product.activation_bits, hardware.array.unit_operand_bits)
    capacities = [hardware.capacity_bits(kib) for kib in (buffers.weight_kib, buffers.input_kib, buffers.output_kib)]
    limits = np.array(
        [*capacities, buffers.partial_sum_bits, hardware.array.columns, hardware.dram_bits_per_cycle,
         hardware.pipeline_cycles], np.int64,
    )  # fmt: skip
    shape = np.array(
        [product.outputs, product.inputs, product.vectors, product.weight_bits, product.activation_bits,
         hardware.array.rows * fused.products, fused.passes], np.int64,
    )  # fmt: skip
    cuts = np.array(_cuts(product), np.int64)
    first, of_cut = np.empty((count, 4), np.int64), np.empty((len(cuts), 4), np.int64)
    costs, costs_of_cut = np.empty((count, 4)), np.empty((len(cuts), 4))
    found = tiling_kernels.rank_tilings(limits, cuts, shape, first, costs, of_cut, costs_of_cut)
    there = of_cut[:, 1] > 0
    of_cut = of_cut[there][np.lexsort(costs_of_cut[there].T[::-1])]  # stable, as `sorted` is
    return [_tiling(row) for row in first[:found].tolist()], [_tiling(row) for row in of_cut.tolist()]


def _tiling(row: list[int]) -> Tiling:
    outer, m, k, n = row
    return Tiling("vectors" if outer else "outputs", m, k, n)


def fixed(hardware: Hardware, product: Product) -> Tiling:
    """The spec's own mapping, clipped to the product. Raises InputError where it does not fit."""
    assert hardware.mapping is not None
    tiling = Tiling(
        hardware.mapping.outer,
        min(hardware.mapping.out_tile, product.outputs),
        min(max(hardware.mapping.in_tile // product.positions, 1) * product.positions, product.inputs),
        min(hardware.mapping.vector_tile, product.vectors),
    )
    _check_fit(hardware, product, tiling)
    return tiling


def check_recurrent(hardware: Hardware, step: Product) -> None:
    """Raise InputError unless the input buffer holds the vector of a recurrent product."""
    excess = step.inputs * step.activation_bits - int(hardware.buffers.input_kib * 8192)
    if excess > 0:
        raise InputError(
            f"{hardware.name}: buffers.input_kib: {hardware.buffers.input_kib:g}: a recurrent vector of {step.inputs} "
            f"elements has {excess} bits too many"
        )


def _candidates(hardware: Hardware, product: Product) -> Iterator[Tiling]:
    """Tilings that fit: outputs in multiples of the columns, the reduction in equal parts, vectors in powers of two."""
    weights = hardware.capacity_bits(hardware.buffers.weight_kib)
    inputs = hardware.capacity_bits(hardware.buffers.input_kib)
    sums = hardware.capacity_bits(hardware.buffers.output_kib)
    for k in _cuts(product):
        limit_m = min(weights // (k * product.weight_bits), sums // hardware.buffers.partial_sum_bits, product.outputs)
        for m in _sizes(limit_m, product.outputs, hardware.array.columns):
            limit_n = min(sums // (m * hardware.buffers.partial_sum_bits), product.vectors)
            if not product.window:
                limit_n = min(limit_n, inputs // (k * product.activation_bits))
            for n in _sizes(limit_n, product.vectors, 1):
                if product.input_bits(n, k) > inputs:
                    continue
                yield Tiling("outputs", m, k, n)
                if n < product.vectors and m < product.outputs:
                    yield Tiling("vectors", m, k, n)


def _cuts(product: Product) -> list[int]:
    """Lengths of a tile's reduction, the longest first."""
    channels = product.inputs // product.positions
    cuts = {ceil(channels / parts) * product.positions for parts in range(1, min(channels, 64) + 1)}
    return sorted(cuts | {product.positions}, reverse=True)


def _sizes(limit: int, whole: int, unit: int) -> list[int]:
    """Tile sizes up to `limit`: the whole, the limit itself, and unit · 2^i (below a unit: what there is)."""
    if limit < 1:
        return []
    if limit < unit:
        return [limit]
    sizes = {limit // unit * unit}
    if limit >= whole:
        sizes.add(whole)
    size = unit
    while size <= limit:
        sizes.add(size)
        size *= 2
    return sorted(sizes, reverse=True)


def resident(hardware: Hardware, product: Product) -> list[Tiling]:
    """For a recurrent product whose weights stay on chip: one vector, the whole reduction, and outputs in one to eight
    tiles or as few as fit, so that what comes behind the array can start before the last output."""
    limit = max(1, hardware.capacity_bits(hardware.buffers.output_kib) // hardware.buffers.partial_sum_bits)
    columns = hardware.array.columns
    tilings = [
        Tiling("outputs", min(ceil(ceil(product.outputs / parts) / columns) * columns, limit, product.outputs),
               product.inputs, 1)
        for parts in range(1, 9)
    ]  # fmt: skip
    for tiling in tilings:
        _check_fit(hardware, product, tiling, weights=False)
    return list(dict.fromkeys(tilings))


def loads(product: Product, tiling: Tiling) -> tuple[int, int]:
    """How often the whole weight matrix and the whole input are read from DRAM."""
    parts_m, parts_k, parts_n = (
        ceil(product.outputs / tiling.m), ceil(product.inputs / tiling.k), ceil(product.vectors / tiling.n)
    )  # fmt: skip
    if tiling.outer == "outputs":
        return (1 if parts_k == 1 else parts_n), (1 if parts_k == 1 and parts_n == 1 else parts_m)
    return (1 if parts_k == 1 and parts_m == 1 else parts_n), (1 if parts_k == 1 else parts_m)


def _cost(hardware: Hardware, product: Product, tiling: Tiling) -> tuple[float, ...]:
    """Lower bounds, in cycles and bits. Results are not counted: they are written once under every tiling."""
    weight_loads, input_loads = loads(product, tiling)
    parts = [
        _parts(product.outputs, tiling.m), _parts(product.inputs, tiling.k), _parts(product.vectors, tiling.n)
    ]  # fmt: skip
    once = sum(
        count_k * count_n * product.input_bits(n, k) for k, count_k in parts[1] for n, count_n in parts[2]
    )  # fmt: skip
    dram_bits = product.outputs * product.inputs * product.weight_bits * weight_loads + once * input_loads
    array = sum(
        count_m * count_k * count_n * tile_cycles(hardware, product, m, k, n)
        for m, count_m in parts[0] for k, count_k in parts[1] for n, count_n in parts[2]
    )  # fmt: skip
    tiles = float(ceil(product.outputs / tiling.m) * ceil(product.inputs / tiling.k) * ceil(product.vectors / tiling.n))
    # What nothing overlaps with: the loads of the first tile; and every tile costs something to switch.
    first = tiling.m * tiling.k * product.weight_bits + product.input_bits(tiling.n, tiling.k)
    bandwidth = hardware.dram_bits_per_cycle
    drains = ceil(product.outputs / tiling.m) * ceil(product.vectors / tiling.n) * hardware.pipeline_cycles
    return (max(array, dram_bits / bandwidth, drains), float(dram_bits), array, first / bandwidth + tiles)


def _parts(whole: int, tile: int) -> list[tuple[int, int]]:
    """Sizes of the tiles of a dimension, with how many there are of each."""
    full, edge = divmod(whole, tile)
    return [(size, count) for size, count in ((tile, full), (edge, 1)) if size and count]


def _check_fit(hardware: Hardware, product: Product, tiling: Tiling, weights: bool = True) -> None:
    needs = {
        "input": (product.input_bits(tiling.n, tiling.k), hardware.buffers.input_kib),
        "weight": (tiling.m * tiling.k * product.weight_bits, hardware.buffers.weight_kib),
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
