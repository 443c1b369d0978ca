"""What tilings of a matrix product take at least, many at once: a tiling that cannot win need not be simulated.

A segment takes no less than any of its servers is busy, than its tiles hold parts of the output buffer, and what
nothing can overlap with. Service times are those of `bitfusion_products.py`, tile by tile, so that only what the
servers wait for each other is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulators.engine.machine import Ints
from simulators.platforms.bitfusion import mapping_kernels as tiling_kernels
from simulators.platforms.bitfusion.tiling import Hardware, Product, Tiling, precision

NEARLY = 0.01
"""Tilings within so much of the fewest cycles are chosen from by energy: a few cycles are not worth a fifth of it."""


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
    fused = precision(product.weight_bits, product.activation_bits, hardware.array.unit_operand_bits)
    machine = np.array(
        [hardware.array.columns, hardware.dram_bits_per_cycle, hardware.pipeline_cycles,
         2 if hardware.buffers.double_buffered else 1], np.int64,
    )  # fmt: skip
    of_product = np.array(
        [product.outputs, product.inputs, product.vectors, product.weight_bits, product.activation_bits,
         hardware.array.rows * fused.products, fused.passes], np.int64,
    )  # fmt: skip
    of_results = np.array(
        [results.values, results.bits, results.extra, results.extra_bits, results.op_cycles, results.lanes], np.int64
    )
    found = np.empty((8, len(tilings)), np.int64)
    tiling_kernels.bound_tilings(machine, of_product, of_results, tilings, found)
    return Least(*found)


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
