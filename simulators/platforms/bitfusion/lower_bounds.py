"""What tilings of a matrix product take at least, many at once: a tiling that cannot win need not be simulated.

A segment takes no less than any of its servers is busy, than its tiles hold parts of the output buffer, and what
nothing can overlap with. Service times are those of `costs.py`, tile by tile, so that only what the servers wait for
each other is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simulators.engine.program import Ints
from simulators.platforms.bitfusion import mapping_kernels as kernels
from simulators.platforms.bitfusion.mapping_kernels import Results
from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware

NEARLY = 0.01
"""Tilings within so much of the fewest cycles are chosen from by energy: a few cycles are not worth a fifth of it."""


@dataclass(frozen=True)
class TilingBounds:
    """T tilings of one product, (T,) each. Everything but `cycles` is exact."""

    cycles: Ints
    """Cycles that a tiling takes at least, behind another product of its kind."""
    array_cycles: Ints
    """Cycles in which the array works."""
    weight_bits: Ints
    """Bits of weights that come from DRAM."""
    input_bits: Ints
    extra_bits: Ints
    """Bits from DRAM of what the elementwise work takes besides the results."""
    stored_bits: Ints
    """Bits of results that go to DRAM."""
    column_reads: Ints
    """How often an input leaves its buffer: for each column group of each output tile."""
    parts: Ints
    """Tiles of the reduction."""


def lower_bounds(hardware: TilingHardware, product: Product, tilings: Ints, results: Results) -> TilingBounds:
    """What tilings (T, 4) of outer (1: vectors), m, k, n take of a product of independent vectors that is no
    convolution."""
    bounds = np.empty((kernels.BOUND, len(tilings)), np.int64)
    kernels.bound_tilings(hardware.limits, product.on(hardware), results, tilings, bounds)
    return TilingBounds(*bounds)


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
