"""The Numba kernels that choose among tilings of a matrix product: which there are, and what they take at least.

They and the engine's kernels do not call each other, so neither is stale in a cache when the other is edited.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.engine.machine import Ints
from simulators.inputs.jit import compiled

PREFETCHED = 2
"""Tiles of weights that may come before their segment begins, at most."""


@compiled
def rank_tilings(
    limits: Ints, cuts: Ints, shape: Ints, first: Ints, costs: NDArray[np.float64], of_cut: Ints,
    costs_of_cut: NDArray[np.float64],
) -> int:  # fmt: skip
    """Of the tilings of a matrix product that fit, those with the least lower bounds of their costs, in order, of
    equals the first first; `tiling.py` says which there are and why.

    limits (7,): bits of weights, inputs and sums that fit; partial sums' bits; columns; DRAM bits a cycle; pipeline
    cycles. cuts (C,): lengths of a tile's reduction. shape (7,): outputs, inputs, vectors, weight bits, activation
    bits, lanes of a column, passes. first (T, 4) takes outer (0 outputs, 1 vectors), m, k, n of as many as there are,
    costs (T, 4) their bounds; of_cut (C, 4), costs_of_cut (C, 4) those of the least one of each cut, m 0 if there is
    none. The result is how many there are, all of T or fewer.
    """
    weights, inputs_fit, sums, sum_bits, columns = limits[0], limits[1], limits[2], limits[3], limits[4]
    bandwidth, pipeline = limits[5], limits[6]
    outputs, inputs, vectors, weight_bits, activation_bits = shape[0], shape[1], shape[2], shape[3], shape[4]
    lanes, passes = shape[5], shape[6]
    sizes_m, sizes_n = np.empty(80, np.int64), np.empty(80, np.int64)
    cost = np.empty(4)
    count = 0
    of_cut[:] = 0
    for c in range(len(cuts)):
        k = cuts[c]
        parts_k = -(-inputs // k)
        along = inputs // k * -(-k // lanes) + -(-(inputs % k) // lanes)
        limit_m = min(weights // (k * weight_bits), sums // sum_bits, outputs)
        for i in range(_sizes(limit_m, outputs, columns, sizes_m)):
            m = sizes_m[i]
            parts_m = -(-outputs // m)
            # Full tiles and the edge of each dimension: the array's cycles are a product of what each contributes.
            array = passes * vectors * (outputs // m * -(-m // columns) + -(-(outputs % m) // columns)) * along
            limit_n = min(sums // (m * sum_bits), vectors, inputs_fit // (k * activation_bits))
            for j in range(_sizes(limit_n, vectors, 1, sizes_n)):
                n = sizes_n[j]
                parts_n = -(-vectors // n)
                for outer in range(2 if n < vectors and m < outputs else 1):
                    if outer == 0:
                        weight_loads = 1 if parts_k == 1 else parts_n
                        input_loads = 1 if parts_k == 1 and parts_n == 1 else parts_m
                    else:
                        weight_loads = 1 if parts_k == 1 and parts_m == 1 else parts_n
                        input_loads = 1 if parts_k == 1 else parts_m
                    moved = (
                        outputs * inputs * weight_bits * weight_loads + vectors * inputs * activation_bits * input_loads
                    )
                    cost[0] = max(float(array), moved / bandwidth, float(parts_m * parts_n * pipeline))
                    if of_cut[c, 1] and cost[0] > costs_of_cut[c, 0] and count == len(first) and cost[0] > costs[-1, 0]:
                        continue
                    cost[1], cost[2] = moved, array
                    loads = m * k * weight_bits + n * k * activation_bits
                    cost[3] = loads / bandwidth + parts_m * parts_k * parts_n
                    if of_cut[c, 1] == 0 or _less(cost, costs_of_cut[c]):
                        of_cut[c, 0], of_cut[c, 1], of_cut[c, 2], of_cut[c, 3] = outer, m, k, n
                        costs_of_cut[c] = cost
                    at = count
                    while at > 0 and _less(cost, costs[at - 1]):
                        at -= 1
                    if at == len(first):
                        continue
                    count = min(count + 1, len(first))
                    for moving in range(count - 1, at, -1):
                        first[moving], costs[moving] = first[moving - 1], costs[moving - 1]
                    first[at, 0], first[at, 1], first[at, 2], first[at, 3] = outer, m, k, n
                    costs[at] = cost
    return count


@compiled
def _less(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """In lexicographic order."""
    for i in range(len(one)):
        if one[i] != other[i]:
            return bool(one[i] < other[i])
    return False


@compiled
def _sizes(limit: int, whole: int, unit: int, sizes: Ints) -> int:
    """Tile sizes up to `limit`, at most the whole, the largest first: the whole, multiples of the unit up to the limit,
    and unit · 2^i; below a unit the limit. The result is how many they are."""
    if limit < 1:
        return 0
    if limit < unit:
        sizes[0] = limit
        return 1
    count = 0
    if limit >= whole:
        sizes[0] = whole
        count = 1
    size = limit // unit * unit
    if count == 0 or size < sizes[0]:
        sizes[count] = size
        count += 1
    power = unit
    while power * 2 < size:
        power *= 2
    while power >= unit:
        if power < size:
            sizes[count] = power
            count += 1
        power //= 2
    return count


@compiled
def bound_tilings(machine: Ints, product: Ints, results: Ints, tilings: Ints, found: Ints) -> None:
    """What tilings of a matrix product take at least; `tiling_bounds.py` says why.

    machine (4,): columns, DRAM bits a cycle, pipeline cycles, parts of the output buffer. product (7,): outputs,
    inputs, vectors, weight bits, activation bits, lanes of a column, passes. results (6,): values and bits of those
    stored, values and bits of those loaded, lane cycles of the elementwise work, its lanes. tilings (T, 4): outer (0
    outputs, 1 vectors), m, k, n. found (8, T) takes cycles, array cycles, bits of weights, inputs, extra inputs and
    what is stored, how often an input leaves its buffer, and parts of the reduction.
    """
    columns, bandwidth, pipeline, parts_of_buffer = machine[0], machine[1], machine[2], machine[3]
    outputs, inputs, vectors, weight_bits, activation_bits = product[0], product[1], product[2], product[3], product[4]
    lanes, passes = product[5], product[6]
    values, bits, extra_values, extra_bits, work, post_lanes = (
        results[0], results[1], results[2], results[3], results[4], results[5],
    )  # fmt: skip
    # (2,) sizes of the full tiles and of the edge, and how many there are of each.
    size_m, size_k, size_n = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.int64)
    count_m, count_k, count_n = np.empty(2, np.int64), np.empty(2, np.int64), np.empty(2, np.int64)
    for t in range(len(tilings)):
        outer = tilings[t, 0]
        parts_m = _cut(outputs, tilings[t, 1], size_m, count_m)
        parts_k = _cut(inputs, tilings[t, 2], size_k, count_k)
        parts_n = _cut(vectors, tilings[t, 3], size_n, count_n)
        weight_loads = 1 if outer == 0 and parts_k == 1 else parts_n
        input_loads = 1 if parts_k == 1 and (outer == 1 or parts_n == 1) else parts_m
        along, column_reads, weight_cycles, input_cycles = 0, 0, 0, 0
        for i in range(2):
            along += count_k[i] * -(-size_k[i] // lanes)
            column_reads += count_m[i] * -(-size_m[i] // columns)
            for j in range(2):
                weight_cycles += count_m[i] * count_k[j] * _channel(size_m[i] * size_k[j] * weight_bits, bandwidth)
                input_cycles += count_n[i] * count_k[j] * _channel(size_n[i] * size_k[j] * activation_bits, bandwidth)
        dram = weight_loads * weight_cycles + input_loads * input_cycles
        held, processed, stored_bits, extra_loaded = 0, 0, 0, 0
        last, end = 0, 0
        for i in range(2):
            for j in range(2):
                tiles = count_m[i] * count_n[j]
                if tiles == 0:
                    continue
                share = size_m[i] * size_n[j] / outputs
                stored = size_m[i] * size_n[j] * bits
                if work:
                    stored = int(np.ceil(values * share * bits))
                extra = int(np.ceil(extra_values * share * extra_bits))
                processing = max(1, int(np.ceil(work * share / post_lanes))) if work else 0
                store_cycles = _channel(stored, bandwidth)
                dram += tiles * (store_cycles + (_channel(extra, bandwidth) if extra_values else 0))
                multiplied = passes * -(-size_m[i] // columns) * size_n[j] * along
                held += tiles * (multiplied + pipeline + processing + store_cycles)
                processed += tiles * processing
                stored_bits += tiles * stored
                extra_loaded += tiles * extra
                last, end = processing + store_cycles, store_cycles  # of the edges, which come last
        array = passes * vectors * column_reads * along
        # The first inputs, and the first tile on the array; the last tile on its way to DRAM. A tile needs a part of
        # the output buffer from its first product to DRAM.
        first = _channel(size_n[0] * size_k[0] * activation_bits, bandwidth)
        begin = first + passes * -(-size_m[0] // columns) * size_n[0] * along
        found[0, t] = max(
            first + array + pipeline + last,
            begin + parts_m * parts_n * pipeline + last,
            begin + pipeline + processed + end,
            first + -(-held // parts_of_buffer),
            dram - PREFETCHED * _channel(size_m[0] * size_k[0] * weight_bits, bandwidth),
        )
        found[1, t] = array
        found[2, t] = outputs * inputs * weight_bits * weight_loads
        found[3, t] = vectors * inputs * activation_bits * input_loads
        found[4, t], found[5, t] = extra_loaded, stored_bits
        found[6, t], found[7, t] = column_reads, parts_k


@compiled
def _cut(whole: int, tile: int, sizes: Ints, counts: Ints) -> int:
    """Sizes of the full tiles and of what is left, and how many there are of each; their sum is the result."""
    sizes[0], sizes[1] = tile, whole % tile
    counts[0], counts[1] = whole // tile, min(whole % tile, 1)
    return counts[0] + counts[1]


@compiled
def _channel(bits: int, bandwidth: int) -> int:
    """Cycles."""
    return max(1, -(-bits // bandwidth))
