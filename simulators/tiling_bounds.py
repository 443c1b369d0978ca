"""What tilings of a matrix product take at least, many at once: a tiling that cannot win need not be simulated.

A segment takes no less than any of its servers is busy, than its tiles hold parts of the output buffer, and what
nothing can overlap with. Service times are those of `bitfusion_products.py`, tile by tile, so that only what the
servers wait for each other is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulators.machine import Ints
from simulators.tiling import Hardware, Product, Tiling, precision

NEARLY = 0.01
"""Tilings within so much of the fewest cycles are chosen from by energy: a few cycles are not worth a fifth of it."""

PREFETCHED = 2
"""Tiles of weights that may come before the segment begins, at most."""


@dataclass(frozen=True)
class Results:
    """What becomes of a product's results: totals of one vector."""

    values: int
    """That go to DRAM."""
    bits: int
    """Of each."""
    extra: int = 0
    """Values that come from DRAM for the elementwise work."""
    extra_bits: int = 0
    """Of each."""
    op_cycles: int = 0
    """Lane cycles of the elementwise work; 0: none, results go to DRAM as they are."""
    lanes: int = 1


@dataclass(frozen=True)
class Least:
    """T tilings of one product, (T,) each. Everything but `cycles` is exact."""

    cycles: Ints
    """Behind another product of its kind."""
    array_cycles: Ints
    weight_bits: Ints
    """From DRAM, as the next."""
    input_bits: Ints
    extra_bits: Ints
    stored_bits: Ints
    """To DRAM."""
    column_reads: Ints
    """How often an input leaves its buffer: for each column group of each output tile."""
    parts: Ints
    """Of the reduction."""


def least(hardware: Hardware, product: Product, tilings: Ints, results: Results) -> Least:
    """Of a product of independent vectors that is no convolution; `tilings` are rows of outer (1: vectors), m, k, n."""
    outer, m, k, n = tilings.T
    fused = precision(product.weight_bits, product.activation_bits, hardware.array.unit_operand_bits)
    lanes, columns = hardware.array.rows * fused.products, hardware.array.columns
    # (2, T) sizes of the full tiles and of the edge, and how many there are of each.
    (sizes_m, count_m), (sizes_k, count_k), (sizes_n, count_n) = (
        _cut(product.outputs, m), _cut(product.inputs, k), _cut(product.vectors, n)
    )  # fmt: skip
    parts_m, parts_k, parts_n = count_m.sum(0), count_k.sum(0), count_n.sum(0)
    whole = parts_k == 1
    weight_loads = np.where((outer == 0) & whole, 1, parts_n)
    input_loads = np.where(whole & ((outer == 1) | (parts_n == 1)), 1, parts_m)

    def channel(bits: Ints) -> Ints:
        return np.maximum(1, -(-bits // hardware.dram_bits_per_cycle))

    # Of tiles of m x k, n x k and m x n: (2, 2, T), as how many there are.
    weight_cycles = channel(sizes_m[:, None] * sizes_k * product.weight_bits)
    input_cycles = channel(sizes_n[:, None] * sizes_k * product.activation_bits)
    share = sizes_m[:, None] * sizes_n / product.outputs
    tiles = count_m[:, None] * count_n
    stored = sizes_m[:, None] * sizes_n * results.bits
    if results.op_cycles:
        stored = _rounded_up(results.values * share * results.bits)
    extra = _rounded_up(results.extra * share * results.extra_bits)
    processing = np.maximum(results.op_cycles > 0, _rounded_up(results.op_cycles * share / results.lanes))
    store_cycles = channel(stored)
    dram = (
        weight_loads * (count_m[:, None] * count_k * weight_cycles).sum((0, 1))
        + input_loads * (count_n[:, None] * count_k * input_cycles).sum((0, 1))
        + (tiles * (store_cycles + (channel(extra) if results.extra else 0))).sum((0, 1))
    )
    column_reads = (count_m * -(-sizes_m // columns)).sum(0)
    along = (count_k * -(-sizes_k // lanes)).sum(0)
    array = fused.passes * product.vectors * column_reads * along
    multiplied = fused.passes * -(-sizes_m[:, None] // columns) * sizes_n * along
    pipeline = hardware.pipeline_cycles
    # The first inputs, and the first tile on the array; the last tile, of the edges, on its way to DRAM.
    inputs = input_cycles[0, 0]
    begin = inputs + multiplied[0, 0]
    at = np.arange(len(tilings))
    edge_m, edge_n = count_m[1], count_n[1]
    end = store_cycles[edge_m, edge_n, at]
    last = processing[edge_m, edge_n, at] + end
    # A tile needs a part of the output buffer from its first product to DRAM.
    held = (tiles * (multiplied + pipeline + processing + store_cycles)).sum((0, 1))
    parts_of_buffer = 2 if hardware.buffers.double_buffered else 1
    cycles = np.maximum.reduce(
        [
            inputs + array + pipeline + last,
            begin + parts_m * parts_n * pipeline + last,
            begin + pipeline + (tiles * processing).sum((0, 1)) + end,
            inputs + -(-held // parts_of_buffer),
            dram - PREFETCHED * weight_cycles[0, 0],
        ]
    )
    return Least(
        cycles=cycles,
        array_cycles=array,
        weight_bits=product.outputs * product.inputs * product.weight_bits * weight_loads,
        input_bits=product.vectors * product.inputs * product.activation_bits * input_loads,
        extra_bits=(tiles * extra).sum((0, 1)),
        stored_bits=(tiles * stored).sum((0, 1)),
        column_reads=column_reads,
        parts=parts_k,
    )


def _cut(whole: int, tile: Ints) -> tuple[Ints, Ints]:
    """Sizes of the full tiles and of what is left, and how many there are of each: (2, T)."""
    full, rest = np.divmod(whole, tile)
    return np.stack([tile, rest]), np.stack([full, np.minimum(rest, 1)])


def _rounded_up(values: np.ndarray) -> Ints:
    return np.ceil(values).astype(np.int64)


def cheapest(costs: Mapping[Tiling, tuple[float, float]]) -> Tiling:
    """The least energy among the nearly fewest cycles, of (cycles, energy)."""
    limit = min(cycles for cycles, _ in costs.values()) * (1 + NEARLY)
    return min((t for t in costs if costs[t][0] <= limit), key=lambda t: (costs[t][1], costs[t][0]))


def cheapest_bounded(
    bounds: Mapping[Tiling, tuple[float, float]], cost: Callable[[Tiling], tuple[float, float]]
) -> Tiling:
    """The `cheapest`, without the cost of all: `bounds` are never above it.

    What cannot be nearly as fast as one that is known is left out; and so is what takes more energy than the cheapest
    that is known, as long as that one is nearly as fast as the bound of any that is left out. Least energy is tried
    first: it leaves out the most.
    """
    left, costs = dict(bounds), dict[Tiling, tuple[float, float]]()
    fewest = float("inf")
    while left:
        lowest_bound = min(cycles for cycles, _ in left.values())
        sure = min(fewest, lowest_bound) * (1 + NEARLY)
        lowest = min([energy for cycles, energy in costs.values() if cycles <= sure], default=float("inf"))
        wanted = [t for t, (_, energy) in left.items() if energy <= lowest]
        near = [t for t in wanted if left[t][0] <= sure]
        if near or wanted:
            tiling = min(near or wanted, key=lambda t: left[t][::-1])
        elif costs[cheapest(costs)][0] <= sure:
            break
        else:
            tiling = min(left, key=left.__getitem__)
        del left[tiling]
        costs[tiling] = cost(tiling)
        fewest = min(fewest, costs[tiling][0])
        left = {t: bound for t, bound in left.items() if bound[0] <= fewest * (1 + NEARLY)}
    # Ties go to the first, as among all.
    return cheapest({tiling: costs[tiling] for tiling in bounds if tiling in costs})
