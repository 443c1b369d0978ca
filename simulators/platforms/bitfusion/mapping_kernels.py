"""The model of a tiled product on Bit Fusion, as Numba kernels: which tilings there are, and what each takes at least.

A product of an M × K weight matrix with N vectors is cut into tiles of m outputs, k inputs and n vectors. They and the
engine's kernels do not call each other, so neither is stale in a cache when the other is edited.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.jit import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PREFETCHED = 2
"""Tiles of weights that may come before their segment begins, at most."""

COST, BOUND = 4, 8
"""Figures of a tiling that `rank_tilings` and `bound_tilings` give."""


class Shape(NamedTuple):
    """A matrix product as the array sees it."""

    outputs: int
    """Number of results of a vector."""
    inputs: int
    """Length of the reduction."""
    vectors: int
    """Number of vectors."""
    weight_bits: int
    activation_bits: int
    lanes: int
    """Products of a column in a cycle: they add up, so they multiply the reduction."""
    passes: int
    """Cycles of one product: more than one for operands wider than a fusion unit's."""
    positions: int = 1
    """Positions of a convolution's kernel: parts of the reduction that are done one after the other."""
    map_height: int = 0
    """Rows of the results of a convolution whose inputs are not expanded in memory; 0 of any other product."""
    map_width: int = 0
    """Results of a row of that map."""
    kernel_height: int = 0
    """What the kernel covers on the map."""
    kernel_width: int = 0
    """Elements of a row."""
    stride_height: int = 0
    """Elements of the map between the windows of two neighbouring results."""
    stride_width: int = 0
    """Elements of a row between them."""
    padding_height: int = 0
    """Rows above and below the map that are not in memory."""
    padding_width: int = 0
    """Elements before and behind each row."""
    input_height: int = 0
    """Rows of the map that the windows lie on, without padding."""
    input_width: int = 0
    """Elements of a row of that map."""


class Limits(NamedTuple):
    """The hardware as a tiling sees it."""

    weight_bits: int
    """Bits of the weight buffer that a tile may fill; so of the next two."""
    input_bits: int
    output_bits: int
    sum_bits: int
    """Width of a partial sum."""
    columns: int
    """Columns of the array."""
    dram_bits: int
    """Bits that the DRAM channel moves ..."""
    dram_cycles: int
    """... in so many cycles."""
    pipeline_cycles: int
    """Cycles from the array's last input of a tile to its results."""
    buffer_parts: int
    """Tiles that the output buffer holds at a time."""


class Results(NamedTuple):
    """What becomes of a product's results: totals of one vector."""

    values: int
    """Values that go to DRAM."""
    bits: int
    """Width of each."""
    extra: int = 0
    """Values that come from DRAM for the elementwise work."""
    extra_bits: int = 0
    """Width of each."""
    op_cycles: int = 0
    """Lane cycles of the elementwise work; 0: there is none, and results go to DRAM as they are."""
    lanes: int = 1
    """Lanes of the post-processing unit."""


@compiled
def rank_tilings(
    limits: Limits, cuts: Ints, shape: Shape, first: Ints, costs: Floats, of_cut: Ints, costs_of_cut: Floats
) -> int:
    """The tilings that fit and have the least lower bounds of their costs, in order, of equals the first first.

    cuts (C,): lengths of a tile's reduction. first (T, 4) takes outer (0 outputs, 1 vectors), m, k, n of as many as
    there are, costs (T, 4) their bounds; of_cut (C, 4), costs_of_cut (C, 4) those of the least one of each cut, m 0 if
    there is none. The result is how many there are, all of T or fewer.
    """
    sizes_m, sizes_n = np.empty(80, np.int64), np.empty(80, np.int64)
    tiling, cost = np.empty(4, np.int64), np.empty(COST)
    count = 0
    for c in range(len(cuts)):
        of_cut[c, 1] = 0
    for c in range(len(cuts)):
        k = cuts[c]
        along = _reductions(shape, k)
        limit_m = min(limits.weight_bits // (k * shape.weight_bits), limits.output_bits // limits.sum_bits)
        limit_m = min(limit_m, shape.outputs)
        for i in range(_sizes(limit_m, shape.outputs, limits.columns, sizes_m)):
            m = sizes_m[i]
            array = _array_cycles(limits, shape, m, along)
            limit_n = min(limits.output_bits // (m * limits.sum_bits), shape.vectors)
            if shape.map_width == 0:
                limit_n = min(limit_n, limits.input_bits // (k * shape.activation_bits))
            for j in range(_sizes(limit_n, shape.vectors, 1, sizes_n)):
                n = sizes_n[j]
                if shape.map_width > 0 and input_bits(shape, n, k) > limits.input_bits:
                    continue
                for outer in range(2 if n < shape.vectors and m < shape.outputs else 1):
                    tiling[0], tiling[1], tiling[2], tiling[3] = outer, m, k, n
                    _cost(limits, shape, tiling, array, cost)
                    if of_cut[c, 1] == 0 or _less(cost, costs_of_cut[c]):
                        _put(tiling, cost, of_cut[c], costs_of_cut[c])
                    count = _insert(tiling, cost, first, costs, count)
    return count


@compiled
def _cost(limits: Limits, shape: Shape, tiling: Ints, array: int, cost: Floats) -> None:
    """Lower bounds of a tiling: the largest of array, DRAM and pipeline cycles; DRAM bits; array cycles; and what
    nothing overlaps with, the loads of the first tile, where every tile costs something to switch. Results are not
    counted: they are written once under every tiling."""
    outer, m, k, n = tiling[0], tiling[1], tiling[2], tiling[3]
    parts_m, parts_k, parts_n = -(-shape.outputs // m), -(-shape.inputs // k), -(-shape.vectors // n)
    weight_loads, input_loads = _loads(outer, parts_m, parts_k, parts_n)
    moved = shape.outputs * shape.inputs * shape.weight_bits * weight_loads + _once_bits(shape, n, k) * input_loads
    drains = parts_m * parts_n * limits.pipeline_cycles
    cost[0] = max(float(array), moved / limits.dram_bits * limits.dram_cycles, float(drains))
    cost[1], cost[2] = moved, array
    begin = m * k * shape.weight_bits + tile_bits(shape, n, k, False)
    cost[3] = begin / limits.dram_bits * limits.dram_cycles + parts_m * parts_k * parts_n


@compiled
def _once_bits(shape: Shape, n: int, k: int) -> int:
    """Bits of the whole input in tiles of n vectors and k inputs, each read once."""
    if shape.map_width == 0:
        return shape.vectors * shape.inputs * shape.activation_bits
    bits = 0
    for i in range(2):
        for j in range(2):
            size_k, size_n = (k, shape.inputs % k)[i], (n, shape.vectors % n)[j]
            times = (shape.inputs // k, 1)[i] * (shape.vectors // n, 1)[j]
            bits += times * tile_bits(shape, size_n, size_k, j == 1)
    return bits


@compiled
def _loads(outer: int, parts_m: int, parts_k: int, parts_n: int) -> tuple[int, int]:
    """How often the whole weight matrix and the whole input are read from DRAM, of so many tiles in each dimension. The
    innermost loop runs over k, so that partial sums stay in the output buffer; the outer one over outputs (a weight
    tile stays while vectors stream past it) or over vectors (an input tile stays while weights stream past it)."""
    if outer == 0:
        return 1 if parts_k == 1 else parts_n, 1 if parts_k == 1 and parts_n == 1 else parts_m
    return 1 if parts_k == 1 and parts_m == 1 else parts_n, 1 if parts_k == 1 else parts_m


@compiled
def _array_cycles(limits: Limits, shape: Shape, m: int, along: int) -> int:
    """Cycles in which the array works on a whole product in tiles of m outputs, full ones and the edge; `along` are the
    passes over a vector's inputs, see `_reductions`."""
    groups = shape.outputs // m * -(-m // limits.columns) + -(-(shape.outputs % m) // limits.columns)
    return shape.passes * shape.vectors * groups * along


@compiled
def _reductions(shape: Shape, k: int) -> int:
    """Passes of the lanes over one vector's inputs, in tiles of k: position by position of a convolution's kernel."""
    full, edge = k // shape.positions, shape.inputs % k // shape.positions
    return shape.positions * (shape.inputs // k * -(-full // shape.lanes) + -(-edge // shape.lanes))


@compiled
def input_bits(shape: Shape, vectors: int, inputs: int) -> int:
    """Bits that so many vectors of a part of the reduction take in memory, wherever they lie: neighbouring vectors of a
    convolution share inputs."""
    elements = vectors * inputs
    if shape.map_width > 0 and elements > 0:
        elements = min(elements, inputs // shape.positions * _pixels(shape, vectors))
    return elements * shape.activation_bits


@compiled
def _pixels(shape: Shape, vectors: int) -> int:
    """Inputs, of one channel, that so many consecutive results of a convolution take."""
    image = shape.map_height * shape.map_width
    rest = vectors % image
    pixels = vectors // image * _area(shape, shape.map_height, shape.map_width)
    if rest:
        pixels += _area(shape, -(-rest // shape.map_width), min(rest, shape.map_width))
    return pixels


@compiled
def _area(shape: Shape, rows: int, columns: int) -> int:
    """Inputs of one channel under a rectangle of results, at most: no more than the map has."""
    height = min((rows - 1) * shape.stride_height + shape.kernel_height, shape.input_height)
    return height * min((columns - 1) * shape.stride_width + shape.kernel_width, shape.input_width)


@compiled
def tile_bits(shape: Shape, vectors: int, inputs: int, last: bool) -> int:
    """Bits that a tile of so many vectors and a part of the reduction reads: of a convolution without the padding under
    its windows, the mean over all full tiles, rounded up, or those of the last one, which ends with the last result."""
    if shape.map_width == 0 or vectors * inputs == 0:
        return vectors * inputs * shape.activation_bits
    image = shape.map_height * shape.map_width
    rows_under = _under(0, 1, 1, shape.map_height, shape.stride_height, shape.kernel_height, shape.padding_height,
                        shape.input_height)  # fmt: skip
    columns_under = _under(0, 1, 1, shape.map_width, shape.stride_width, shape.kernel_width, shape.padding_width,
                           shape.input_width)  # fmt: skip
    pixels, tiles, rest = vectors // image * rows_under * columns_under, 1, vectors % image
    if rest:
        rows, columns = -(-rest // shape.map_width), min(rest, shape.map_width)
        row_tiles, column_tiles = shape.map_height // rows, shape.map_width // columns
        first_row, first_column = 0, 0
        if last:
            first_row, first_column = shape.map_height - rows, shape.map_width - columns
            row_tiles, column_tiles = 1, 1
        tiles = row_tiles * column_tiles
        rows_under = _under(first_row, rows, row_tiles, rows, shape.stride_height, shape.kernel_height,
                            shape.padding_height, shape.input_height)  # fmt: skip
        columns_under = _under(first_column, columns, column_tiles, columns, shape.stride_width, shape.kernel_width,
                               shape.padding_width, shape.input_width)  # fmt: skip
        pixels = pixels * tiles + rows_under * columns_under
    bits = inputs // shape.positions * pixels * shape.activation_bits
    return min(-(-bits // tiles), vectors * inputs * shape.activation_bits)


@compiled
def _under(first: int, apart: int, count: int, results: int, stride: int, extent: int, padding: int, size: int) -> int:
    """Rows of a map of some size under `count` groups of consecutive rows of results, `apart` from each other, summed
    over the groups; so of columns."""
    begin, covers = first * stride - padding, (results - 1) * stride + extent
    return _clipped_sum(begin + covers, apart * stride, count, size) - _clipped_sum(begin, apart * stride, count, size)


@compiled
def _clipped_sum(first: int, apart: int, count: int, most: int) -> int:
    """Sum of `count` numbers, `apart` from each other, each brought between 0 and `most`."""
    above = min(count, max(0, -(first // apart)))  # the first that is not below 0
    beyond = max(above, min(count, max(0, -((first - most) // apart))))  # the first that is not below `most`
    inner = beyond - above
    return inner * first + apart * (above + beyond - 1) * inner // 2 + (count - beyond) * most


@compiled
def _insert(tiling: Ints, cost: Floats, first: Ints, costs: Floats, count: int) -> int:
    """Put a tiling among the first ones, in the order of costs, behind its equals; how many there are then."""
    at = count
    while at > 0 and _less(cost, costs[at - 1]):
        at -= 1
    if at == len(first):
        return count
    count = min(count + 1, len(first))
    for moving in range(count - 1, at, -1):
        _put(first[moving - 1], costs[moving - 1], first[moving], costs[moving])
    _put(tiling, cost, first[at], costs[at])
    return count


@compiled
def _put(tiling: Ints, cost: Floats, into: Ints, cost_into: Floats) -> None:
    """Copy a tiling and its cost."""
    for i in range(4):
        into[i], cost_into[i] = tiling[i], cost[i]


@compiled
def _less(one: Floats, other: Floats) -> bool:
    """Whether one comes before the other in lexicographic order."""
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
def bound_tilings(limits: Limits, shape: Shape, results: Results, tilings: Ints, bounds: Ints) -> None:
    """What tilings of a product of independent vectors that is no convolution take at least, one by one: tilings (T, 4)
    are outer, m, k, n; bounds (8, T) takes the figures of `lower_bounds.TilingBounds`."""
    for t in range(len(tilings)):
        _bound(limits, shape, results, tilings[t], bounds[:, t])


@compiled
def _bound(limits: Limits, shape: Shape, results: Results, tiling: Ints, bound: Ints) -> None:
    """A segment takes no less than any of its servers is busy, than its tiles hold parts of the output buffer, and what
    nothing can overlap with: the first inputs, and the first tile on the array; the last tile on its way to DRAM. A
    tile needs a part of the output buffer from its first product to DRAM."""
    outer, m, k, n = tiling[0], tiling[1], tiling[2], tiling[3]
    parts_m, parts_k, parts_n = -(-shape.outputs // m), -(-shape.inputs // k), -(-shape.vectors // n)
    weight_loads, input_loads = _loads(outer, parts_m, parts_k, parts_n)
    along, bandwidth = _reductions(shape, k), (limits.dram_bits, limits.dram_cycles)
    weight_cycles = _channel_cycles(shape.outputs, m, shape.inputs, k, shape.weight_bits, bandwidth)
    input_cycles = _channel_cycles(shape.vectors, n, shape.inputs, k, shape.activation_bits, bandwidth)
    dram = weight_loads * weight_cycles + input_loads * input_cycles
    held, processed, stored_bits, extra_loaded = 0, 0, 0, 0
    last, end = 0, 0
    for i in range(2):
        for j in range(2):
            size_m, size_n = (m, shape.outputs % m)[i], (n, shape.vectors % n)[j]
            tiles = (shape.outputs // m, 1)[i] * (shape.vectors // n, 1)[j]
            if tiles * size_m * size_n == 0:
                continue
            results_of_tile = size_m * size_n
            stored = results_of_tile * results.bits
            if results.op_cycles:
                stored = _share(results.values * results.bits, results_of_tile, shape.outputs)
            extra = _share(results.extra * results.extra_bits, results_of_tile, shape.outputs)
            processing = 0
            if results.op_cycles:
                processing = max(1, -(-_share(results.op_cycles, results_of_tile, shape.outputs) // results.lanes))
            store_cycles = _channel(stored, bandwidth)
            dram += tiles * (store_cycles + (_channel(extra, bandwidth) if results.extra else 0))
            multiplied = shape.passes * -(-size_m // limits.columns) * size_n * along
            held += tiles * (multiplied + limits.pipeline_cycles + processing + store_cycles)
            processed += tiles * processing
            stored_bits += tiles * stored
            extra_loaded += tiles * extra
            last, end = processing + store_cycles, store_cycles  # of the edges, which come last
    array = _array_cycles(limits, shape, m, along)
    first = _channel(min(n, shape.vectors) * min(k, shape.inputs) * shape.activation_bits, bandwidth)
    begin = first + shape.passes * -(-min(m, shape.outputs) // limits.columns) * min(n, shape.vectors) * along
    bound[0] = max(
        first + array + limits.pipeline_cycles + last,
        begin + parts_m * parts_n * limits.pipeline_cycles + last,
        begin + limits.pipeline_cycles + processed + end,
        first + -(-held // limits.buffer_parts),
        dram - PREFETCHED * _channel(m * k * shape.weight_bits, bandwidth),
    )
    bound[1] = array
    bound[2] = shape.outputs * shape.inputs * shape.weight_bits * weight_loads
    bound[3] = shape.vectors * shape.inputs * shape.activation_bits * input_loads
    bound[4], bound[5] = extra_loaded, stored_bits
    bound[6] = shape.outputs // m * -(-m // limits.columns) + -(-(shape.outputs % m) // limits.columns)
    bound[7] = parts_k


@compiled
def _share(total: int, part: int, whole: int) -> int:
    """total · part / whole, rounded up, where total · part may exceed what int64 holds."""
    return total * (part // whole) - (-total * (part % whole) // whole)


@compiled
def _channel_cycles(
    rows: int, row_tile: int, columns: int, column_tile: int, bits: int, bandwidth: tuple[int, int]
) -> int:
    """Cycles on the DRAM channel of all tiles of a matrix, each read once."""
    cycles = 0
    for i in range(2):
        for j in range(2):
            times = (rows // row_tile, 1)[i] * (columns // column_tile, 1)[j]
            size = (row_tile, rows % row_tile)[i] * (column_tile, columns % column_tile)[j]
            if times * size:
                cycles += times * _channel(size * bits, bandwidth)
    return cycles


@compiled
def _channel(bits: int, bandwidth: tuple[int, int]) -> int:
    """Cycles of one transfer on the DRAM channel."""
    return max(1, -(-bits * bandwidth[1] // bandwidth[0]))
