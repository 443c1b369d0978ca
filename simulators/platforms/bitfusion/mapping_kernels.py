"""The model of a tiled product on Bit Fusion, as Numba kernels: which tilings there are, what each takes at least, and
what it takes behind a product of its own kind.

A product of an M × K weight matrix with N vectors is cut into tiles of m outputs, k inputs and n vectors. These and the
engine's kernels do not call each other, so neither is stale in a cache when the other is edited.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.jit import compiled, inlined, uncounted
from simulators.lowering.platform import ALONE, FIRST, INNER

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BANDS = (0.01, 0.03, 0.08, 0.3)
"""Tilings are tried of each band of cycles over the fewest, by an estimate, where a product stands between others and
where it stands alone: the estimate does not tell the near ones apart."""
FARTHER = 1e6
"""What is not in the first band comes behind all that are."""
OF_BAND, GRANULARITIES = 6, 40
"""How many: those of least energy of each band, half of them, of equals, of the fewest tiles and half the fastest; and
the thriftiest of the nearly fastest for each power of two of a weight tile's bits, which is what a product's neighbours
in a network feel."""
TRIED = 2 * len(BANDS) * OF_BAND + GRANULARITIES

FAR = BANDS[-1]
"""What is estimated to take so much more than the fastest is not tried."""

EVERY_SIZE, EACH_FULL = 16, 256
"""Dimensions up to which every size of a tile is tried, and the largest one of each number of tiles, not only equal
tiles."""

ALL_SPLITS = 12
"""A dimension is cut into up to so many tiles, each number of them, and then in steps of a quarter."""


class Shape(NamedTuple):
    """A matrix product as the array sees it."""

    outputs: int
    """Number of results of a vector."""
    inputs: int
    """Length of the reduction."""
    vectors: int
    """Number of vectors."""
    row_bits: int
    """Memory of the weights of an output in bits."""
    multiplied: int
    """Weights of an output that are multiplied: all, or those that were not pruned."""
    activation_bits: int
    """Bits of an element of a vector."""
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
    """Tiles that a buffer holds at a time."""
    true_edges: bool = True
    """Whether edge tiles take cycles at their size, or as full ones."""
    shared_inputs: bool = True
    """Whether the columns of a row share one read of the input buffer."""
    sums_stored: bool = False
    """Whether results without elementwise work go to DRAM as wide as partial sums."""


class Results(NamedTuple):
    """What becomes of a product's results: totals of one step."""

    of: int
    """Number of the product's results."""
    values: int
    """Values that go to DRAM."""
    bits: int
    """Bits of each."""
    extra: int = 0
    """Values that come from DRAM for the elementwise work."""
    extra_bits: int = 0
    """Bits of each."""
    op_cycles: int = 0
    """Lane cycles of the elementwise work."""
    lanes: int = 1
    """Lanes of the post-processing unit."""
    vector_bits: int = 0
    """Bits of biases and recurrent vectors, which come from DRAM once."""


class Order(NamedTuple):
    """Which tasks a tile has, and what they wait for, besides the tiling."""

    preloads: bool
    """Whether partial sums are loaded before the first part of a reduction too."""
    fused: bool
    """Whether elementwise work takes the results."""
    computed_weights: bool
    """Whether weights are results of earlier layers."""
    groups: int = 1
    """Products that follow each other."""
    steps: int = 0
    """Time steps of a recurrent product, each a vector that waits for the one before; 0: vectors do not wait."""
    resident_loads: int = 0
    """Parts in which weights that stay on chip are loaded, at most; 0: they do not stay."""
    active: float = 1.0
    """Share of the inputs that is multiplied."""


class Picojoules(NamedTuple):
    """Energy of what a tiling decides on. Leakage follows cycles, which count by themselves, and the clock, on which a
    mapping then does not depend."""

    dram: float
    """pJ of a bit from or to DRAM."""
    weight_write: float
    """pJ of a bit into the weight buffer."""
    weight_read: float
    """pJ of a bit out of it."""
    input_write: float
    """pJ of a bit into the input buffer."""
    input_read: float
    """pJ of a bit out of it."""
    sum_write: float
    """pJ of a bit into the output buffer."""
    sum_read: float
    """pJ of a bit out of it."""
    array: float
    """pJ of a cycle in which the array computes."""


@inlined
def _any(number: int) -> int:
    """A constant as a number of any value: Numba compiles what takes a constant anew for each."""
    return np.int64(number)  # type: ignore[return-value]


@compiled
def rank_tilings(
    limits: Limits, shape: Shape, results: Results, order: Order, energy: Picojoules, tilings: Ints, bounds: Floats,
    room: Ints,
) -> int:  # fmt: skip
    """The tilings that are worth a trial, of those that fit, into tilings (`TRIED`, 4): outer (0 outputs, 1 vectors),
    m, k, n; see `BANDS`. The result is how many there are; bounds (`TRIED`, 2) and room (3, S) are working space."""
    sizes_k = _splits(shape.inputs // shape.positions, shape.lanes, room[0])
    sizes_m = _splits(shape.outputs, limits.columns, room[1])
    sizes_n = _splits(shape.vectors, _any(1), room[2])
    if shape.map_width > 0:  # whole rows of the map, and parts of one
        rows = shape.vectors // shape.map_width
        count = _splits(rows, _any(1), room[2, sizes_n:])
        room[2, sizes_n : sizes_n + count] *= shape.map_width
        sizes_n += count
        sizes_n += _splits(shape.map_width, _any(1), room[2, sizes_n:])
        room[2, :sizes_n] = -np.sort(-room[2, :sizes_n])
    least = np.full(2, np.inf)
    near, estimates = _near(limits, shape, results, order, energy, room, (sizes_k, sizes_m, sizes_n), least)
    bounds[:TRIED] = np.inf
    for t in range(len(near)):
        inner, alone = estimates[t, 0], estimates[t, 1]
        if inner <= least[0] * (1 + FAR) or alone <= least[1] * (1 + FAR):
            tiling = (near[t, 0], near[t, 1], near[t, 2], near[t, 3])
            _keep(shape, least, (inner, alone, estimates[t, 2]), tiling, tilings, bounds)
    count = 0
    for t in range(TRIED):
        again = False
        for s in range(count):
            again = again or (tilings[s] == tilings[t]).all()
        if bounds[t, 0] < np.inf and not again:
            tilings[count] = tilings[t]
            count += 1
    return count


@compiled
def _near(
    limits: Limits, shape: Shape, results: Results, order: Order, energy: Picojoules, sizes: Ints,
    count: tuple[int, int, int], least: Floats,
) -> tuple[Ints, Floats]:  # fmt: skip
    """The tilings (T, 4) of so many sizes of k, m and n that fit and may not be far from the fastest, and by the
    estimate their cycles between others and alone and their pJ (T, 3); least (2,) takes the fewest cycles."""
    sizes_k, sizes_m, sizes_n = count
    found, there = 0, 1024
    near, estimates = np.empty((there, 4), np.int64), np.empty((there, 3))
    inputs = np.empty((sizes_n, 3))
    for c in range(sizes_k):
        k = sizes[0, c] * shape.positions
        for j in range(sizes_n):
            inputs[j, 0] = np.inf
            if order.steps > 0 or input_bits(shape, sizes[2, j], k) <= limits.input_bits:
                inputs[j, 2] = 0 if order.steps else _once_bits(shape, sizes[2, j], k)
                inputs[j, 0], inputs[j, 1] = _inputs_moved(limits, shape, order, sizes[2, j], k)
        for i in range(sizes_m):
            m = sizes[1, i]
            if _stored(shape, m * k) > limits.weight_bits or m * limits.sum_bits > limits.output_bits:
                continue
            array = _array_cycles(limits, shape, order, m, k, shape.vectors)
            if array > least[0] * (1 + FAR):
                continue
            weights = _weights_moved(limits, shape, m, k)
            for j in range(sizes_n):
                n = sizes[2, j]
                if m * n * limits.sum_bits > limits.output_bits or inputs[j, 0] == np.inf:
                    continue
                if _of_smaller(limits, shape, m, k, n) > least[0] * (1 + FAR):
                    break
                for outer in range(2 if n < shape.vectors and m < shape.outputs else 1):
                    tiling, moved = (outer, m, k, n), (weights[0], weights[1], inputs[j, 0], inputs[j, 1])
                    inner, alone, _ = _estimate(limits, shape, results, order, array, tiling, moved)
                    least[0], least[1] = min(least[0], inner), min(least[1], alone)
                    if inner <= least[0] * (1 + FAR) or alone <= least[1] * (1 + FAR):
                        if found == there:
                            near, estimates = np.concatenate((near, near)), np.concatenate((estimates, estimates))
                            there *= 2
                        near[found, 0], near[found, 1], near[found, 2], near[found, 3] = outer, m, k, n
                        pj = _picojoules(limits, shape, order, energy, tiling, array, inputs[j, 2])
                        estimates[found, 0], estimates[found, 1], estimates[found, 2] = inner, alone, pj
                        found += 1
    return near[:found], estimates[:found]


@compiled
def _weights_moved(limits: Limits, shape: Shape, m: int, k: int) -> tuple[float, float]:
    """Cycles of the channel for a tile of weights, of their mean size and for the first."""
    parts = -(-shape.outputs // m) * -(-shape.inputs // k)
    per_cycle = limits.dram_bits / limits.dram_cycles
    return _mean(shape.outputs * shape.row_bits / parts, per_cycle), _mean(float(_stored(shape, m * k)), per_cycle)


@compiled
def _inputs_moved(limits: Limits, shape: Shape, order: Order, n: int, k: int) -> tuple[float, float]:
    """Cycles of the channel for a tile of inputs, of their mean size and for the first; none are read step by step."""
    if order.steps:
        return 0.0, 0.0
    parts = -(-shape.vectors // n) * -(-shape.inputs // k)
    per_cycle = limits.dram_bits / limits.dram_cycles
    mean = order.active * _once_bits(shape, n, k) / parts
    return _mean(mean, per_cycle), _mean(order.active * tile_bits(shape, n, k, bool(0)), per_cycle)


@compiled
def _splits(whole: int, unit: int, sizes: Ints) -> int:
    """Tile sizes of a dimension, the largest first, whatever buffers hold: equal parts, equal parts in whole units,
    units times powers of two, and of a small dimension as large ones as make no fewer parts. They do not depend on
    buffers or channels, so that what is tried on lesser hardware is tried on more. The result is how many they are."""
    if whole <= EVERY_SIZE:
        sizes[:whole] = np.arange(whole, 0, -1)
        return whole
    count, parts = 0, 1
    power = unit
    while power * 2 < whole:
        power *= 2
    while parts <= whole:
        size = -(-whole // parts)
        units = min(-(-size // unit) * unit, whole)
        largest = (whole - 1) // (parts - 1) if parts > 1 and whole <= EACH_FULL else size
        for each in (max(largest, units), min(largest, units), size):
            while unit <= power > each:
                if count and power < sizes[count - 1]:
                    sizes[count] = power
                    count += 1
                power //= 2
            if count == 0 or each < sizes[count - 1]:
                sizes[count] = each
                count += 1
        parts += 1 if parts < ALL_SPLITS else parts // 4
    for each in (unit, 1):
        if each < sizes[count - 1]:
            sizes[count] = each
            count += 1
    return count


@uncounted
def _keep(
    shape: Shape, least: Floats, cycles: tuple[float, float, float], tiling: tuple[int, int, int, int], tilings: Ints,
    bounds: Floats,
) -> None:  # fmt: skip
    """Put a tiling among the thriftiest of its bands, and the fastest of its granularity; cycles are its own between
    others and alone, and its pJ."""
    pj, begin = np.floor(np.log(cycles[2]) * 200), _any(0)  # half a per cent makes no difference
    _, m, k, n = tiling
    tiles = -(-shape.outputs // m) * -(-shape.inputs // k) * float(-(-shape.vectors // n))
    for at in range(2):
        for band in BANDS:
            if cycles[at] <= least[at] * (1 + band):
                middle, end = begin + OF_BAND // 2, begin + OF_BAND
                _insert(pj, tiles, tiling, tilings, bounds, (begin, middle))
                _insert(pj, cycles[at], tiling, tilings, bounds, (middle, end))
                break
            begin += OF_BAND
        begin = len(BANDS) * OF_BAND
    bits, at = _stored(shape, tiling[1] * tiling[2]), 2 * len(BANDS) * OF_BAND
    while bits > 1 and at < TRIED - 1:
        bits //= 2
        at += 1
    near = cycles[0] <= least[0] * (1 + BANDS[0])
    _insert(pj if near else FARTHER + cycles[0], tiles, tiling, tilings, bounds, (at, at + 1))


@uncounted
def _insert(
    first: float, second: float, tiling: tuple[int, int, int, int], tilings: Ints, costs: Floats, among: tuple[int, int]
) -> None:
    """Put a tiling in its place in the order of two costs among some rows, behind its equals; the last falls out."""
    begin, end = among
    at = end
    while at > begin and (first < costs[at - 1, 0] or (first == costs[at - 1, 0] and second < costs[at - 1, 1])):
        at -= 1
    if at == end:
        return
    for moving in range(end - 1, at, -1):
        costs[moving, 0], costs[moving, 1] = costs[moving - 1, 0], costs[moving - 1, 1]
        for i in range(4):
            tilings[moving, i] = tilings[moving - 1, i]
    costs[at, 0], costs[at, 1] = first, second
    for i in range(4):
        tilings[at, i] = tiling[i]


@compiled
def _estimate(
    limits: Limits, shape: Shape, results: Results, order: Order, array: int, tiling: tuple[int, int, int, int],
    moved: tuple[float, float, float, float],
) -> tuple[float, float, float]:  # fmt: skip
    """Cycles of a tiling between others and alone, about, in which tiles have their mean size: as much as array,
    channel, pipeline, post-processing or output buffer is busy, and what nothing overlaps with; and what is busy
    longest. `moved`: cycles of the channel as `_weights_moved` and `_inputs_moved` give them."""
    outer, m, k, n = tiling
    mean_weights, first_weights, mean_inputs, first_inputs = moved
    parts_m, parts_k, parts_n = -(-shape.outputs // m), -(-shape.inputs // k), -(-shape.vectors // n)
    weight_loads, input_loads = _loads(outer, parts_m, parts_k, parts_n)
    per_cycle, tiles = limits.dram_bits / limits.dram_cycles, parts_m * parts_n
    dram = mean_weights * parts_m * parts_k * weight_loads + mean_inputs * parts_n * parts_k * input_loads
    share = shape.outputs * shape.vectors / results.of / tiles
    store = _mean(results.values * results.bits * share, per_cycle)
    process = max(1.0, np.ceil(results.op_cycles * share / results.lanes)) if order.fused else 0.0
    extra = _mean(results.extra * results.extra_bits * share, per_cycle) if results.extra else 0.0
    if order.resident_loads:
        dram, first_weights = 0.0, mean_weights
    dram += (store + extra) * tiles
    once = array / (tiles * parts_k)
    behind = limits.pipeline_cycles + process + store
    held = (array + tiles * behind) / limits.buffer_parts
    busiest = max(max(float(array), held), max(tiles * limits.pipeline_cycles, tiles * process))
    rest = max(
        max(array + behind, held),
        max(once + tiles * limits.pipeline_cycles + process, once + limits.pipeline_cycles + tiles * process) + store,
    )
    if order.steps:
        rest, dram, busiest = order.steps * rest, order.steps * dram, order.steps * busiest
    ahead = 0.0 if order.computed_weights else mean_weights * min(limits.buffer_parts, parts_m * parts_k)
    inner = max(first_inputs + rest, dram - ahead)
    alone = max(first_weights + first_inputs + rest, dram + once + behind - store)
    return inner, alone, max(busiest, dram - ahead)


@compiled
def _of_smaller(limits: Limits, shape: Shape, m: int, k: int, n: int) -> float:
    """Cycles that smaller tiles of vectors take at least too: they are more in the pipeline, and load weights of which
    a part is in use as often. Inputs have no say: of a map a smaller tile may read less."""
    parts_k, parts_n = -(-shape.inputs // k), -(-shape.vectors // n)
    drains = -(-shape.outputs // m) * parts_n * limits.pipeline_cycles
    loaded = shape.outputs * shape.row_bits * (parts_n if parts_k > 1 else 1) - 2 * _stored(shape, m * k)
    return max(float(drains), loaded / limits.dram_bits * limits.dram_cycles)


@compiled
def _mean(bits: float, per_cycle: float) -> float:
    """Cycles of one of several transfers, whole ones and at least one each."""
    return max(1.0, float(np.ceil(bits / per_cycle)))


@compiled
def _picojoules(
    limits: Limits, shape: Shape, order: Order, energy: Picojoules, tiling: tuple[int, int, int, int], array: int,
    once_bits: float,
) -> float:  # fmt: skip
    """Energy of a tiling in pJ without leakage and what becomes of results; `once_bits`: of all inputs, each read
    once."""
    outer, m, k, n = tiling
    parts_m, parts_k, parts_n = -(-shape.outputs // m), -(-shape.inputs // k), -(-shape.vectors // n)
    weight_loads, input_loads = _loads(outer, parts_m, parts_k, parts_n)
    if order.resident_loads:
        weight_loads = 0
    weights = float(shape.outputs * shape.row_bits * weight_loads)
    inputs = once_bits * input_loads * order.active
    readers = _column_groups(limits, shape, m) if limits.shared_inputs else shape.outputs
    read = shape.vectors * shape.inputs * shape.activation_bits * readers * order.active
    sums = float(shape.outputs * shape.vectors * limits.sum_bits)
    # Each part of a reduction reads the sums of the one before, and writes its own.
    sums_read = sums * (parts_k - (not order.preloads))
    pj = energy.dram * (weights + inputs + order.preloads * sums)
    pj += energy.weight_read * shape.vectors * shape.outputs * shape.row_bits
    pj += energy.weight_write * weights + energy.input_write * inputs + energy.input_read * read
    pj += energy.sum_write * sums * (parts_k + order.preloads) + energy.sum_read * sums_read
    pj += energy.array * array
    return pj * (order.steps if order.steps else 1)


WEIGHTS, INPUTS, MULTIPLY, PRELOAD, EXTRA, PROCESS, STORE = range(7)
"""Tasks of a tile, by which service times are kept."""


class Waiting(NamedTuple):
    """What tiles wait for and for how long, besides their own service times."""

    extra: bool
    """Whether elementwise work takes more than the results."""
    by_vectors: bool
    """Whether the outer loop is over vectors, or time steps."""
    vectors: int
    """Cycles of biases and recurrent vectors on the channel; 0: there are none."""
    pipeline: int
    """Cycles from a tile's last products to its results."""
    depth: int
    """Tiles that a buffer holds at a time."""
    loads: int
    """Loads of weights that stay; 0: they do not."""


class Nest(NamedTuple):
    """Loops around a tile, from the outermost."""

    groups: int
    """Products that follow each other."""
    outers: int
    """Tiles of the outer loop, or time steps."""
    inners: int
    """Tiles of the inner loop."""
    parts: int
    """Parts of the reduction."""


@compiled
def time_tilings(
    limits: Limits, shape: Shape, results: Results, order: Order, energy: Picojoules, most: int, briefly: bool,
    tilings: Ints, cycles: Floats, costs: Floats,
) -> None:  # fmt: skip
    """What tilings (T, 4) take, by where a product stands in a network of its own kind: cycles (T, 4) takes those of
    the first one, of one between two, of the last and of one alone; `briefly` only those of one between two, with as
    many weights loaded ahead as fit, and of one alone about. costs (T, 2) takes pJ without leakage and what becomes of
    results, and cycles of the channel for a tile of weights. Up to `most` tiles are run one by one; of longer loops the
    first few are, and go on in a straight line."""
    service = np.empty((STORE + 1, 2, 2, 2), np.int64)
    for t in range(len(tilings)):
        outer, m, k, n = tilings[t]
        _service_cycles(limits, shape, results, order, (m, k, n), service)
        parts_m, parts_k, parts_n = -(-shape.outputs // m), -(-shape.inputs // k), -(-shape.vectors // n)
        vectors = _channel(limits, results.vector_bits) if results.vector_bits else 0
        if order.steps:
            nest = Nest(1, order.steps, parts_m, parts_k)
        elif outer:
            nest = Nest(order.groups, parts_n, parts_m, parts_k)
        else:
            nest = Nest(order.groups, parts_m, parts_n, parts_k)
        by_vectors = outer == 1 or order.steps > 0
        loads = min(order.resident_loads, parts_m * parts_k)
        if loads:
            bits = shape.outputs * shape.row_bits
            service[WEIGHTS, 0] = _channel(limits, bits // loads)
            service[WEIGHTS, 1] = _channel(limits, bits - bits // loads * (loads - 1))
        waiting = Waiting(results.extra > 0, by_vectors, vectors, limits.pipeline_cycles, limits.buffer_parts, loads)
        cycles[t] = 0
        if briefly:
            _cycles(nest, order, waiting, service, most, (_any(1), _any(1), _any(3)), cycles[t])
            cycles[t, INNER], cycles[t, FIRST] = cycles[t, FIRST], 0
            ahead = 0 if order.computed_weights else 1
            cycles[t, ALONE] = cycles[t, INNER] + ahead * service[WEIGHTS, 0, 0, 0]
        else:
            _cycles(nest, order, waiting, service, most, (_any(0), _any(2), _any(3)), cycles[t])
            _cycles(nest, order, waiting, service, most, (_any(0), _any(0), _any(1)), cycles[t, ALONE:])
        array = _array_cycles(limits, shape, order, m, k, n)
        if nest.groups * nest.outers * nest.inners * nest.parts > most:  # a straight line may go anywhere
            weights, inputs = _weights_moved(limits, shape, m, k), _inputs_moved(limits, shape, order, n, k)
            moved = (weights[0], weights[1], inputs[0], inputs[1])
            busiest = _estimate(limits, shape, results, order, array, (outer, m, k, n), moved)[2]
            cycles[t] = np.maximum(cycles[t], order.groups * busiest)
        once_bits = 0.0 if order.steps else float(_once_bits(shape, n, k))
        costs[t, 0] = _picojoules(limits, shape, order, energy, (outer, m, k, n), array, once_bits) * order.groups
        costs[t, 1] = service[WEIGHTS, 0, 0, 0]


@compiled
def _service_cycles(
    limits: Limits, shape: Shape, results: Results, order: Order, tile: tuple[int, int, int], service: Ints
) -> None:
    """Service times of a tile's tasks, (7, 2, 2, 2): by m, k, n, whether the tile is the last of its dimension."""
    m, k, n = tile
    for a in range(2):
        for b in range(2):
            for c in range(2):
                size_m = _last(shape.outputs, m) if a else min(m, shape.outputs)
                size_k = _last(shape.inputs, k) if b else min(k, shape.inputs)
                size_n = _last(shape.vectors, n) if c else min(n, shape.vectors)
                service[WEIGHTS, a, b, c] = _channel(limits, _stored(shape, size_m * size_k))
                bits = int(np.ceil(order.active * tile_bits(shape, size_n, size_k, size_n < n)))
                service[INPUTS, a, b, c] = _channel(limits, bits)
                full = not limits.true_edges
                multiplied = m if full else size_m, _active(shape, order, k if full else size_k), n if full else size_n
                service[MULTIPLY, a, b, c] = _tile_cycles(limits, shape, multiplied)
                sums = size_m * size_n
                service[PRELOAD, a, b, c] = _channel(limits, sums * limits.sum_bits)
                extra = _share(results.extra * results.extra_bits, sums, results.of)
                service[EXTRA, a, b, c] = _channel(limits, extra)
                lane_cycles = _share(results.op_cycles, sums, results.of)
                service[PROCESS, a, b, c] = max(1, -(-lane_cycles // results.lanes))
                stored = sums * (limits.sum_bits if limits.sums_stored else results.bits)
                if order.fused:
                    stored = _share(results.values * results.bits, sums, results.of)
                service[STORE, a, b, c] = _channel(limits, stored)


@compiled
def _active(shape: Shape, order: Order, inputs: int) -> int:
    """Inputs that are multiplied of so many of a vector's."""
    active = int(np.ceil(inputs * order.active))
    return active if shape.multiplied == shape.inputs else _share(shape.multiplied, active, shape.inputs)


@compiled
def _last(whole: int, tile: int) -> int:
    """Size of the last tile."""
    return whole - (-(-whole // tile) - 1) * tile


@compiled
def _tile_cycles(limits: Limits, shape: Shape, tile: tuple[int, int, int]) -> int:
    """Cycles of one tile on the array: position by position of a convolution's kernel."""
    m, k, n = tile
    return shape.passes * n * -(-m // limits.columns) * _reduction(shape, k)


FEW, MORE = Nest(2, 3, 4, 8), Nest(2, 3, 4, 12)
"""Rounds of each loop that are run where a nest is long, of the outermost loops first: what a tile waits for is decided
within; briefly and thoroughly."""


@compiled
def _cycles(
    nest: Nest, order: Order, waiting: Waiting, service: Ints, most: int, products: tuple[int, int, int], cycles: Floats
) -> None:
    """Add the cycles of equal products, one after the other; see `_run`. Long loops go on as they began: in a straight
    line in each of their lengths."""
    high, times = [nest.groups, nest.outers, nest.inners, nest.parts], np.empty(3, np.int64)
    rounds = FEW if products[0] else MORE
    for d in range(4):
        if high[0] * high[1] * high[2] * high[3] > most:
            high[d] = min(high[d], rounds[d])
    few = [0, 0, 0, 0]
    for corner in range(16):
        weight = 1.0
        for d in range(4):
            low, lower = (high[d] + 1) // 2, corner >> d & 1
            beyond = (nest[d] - high[d]) / (high[d] - low) if nest[d] > high[d] else 0.0
            few[d] = low if lower else high[d]
            weight *= -beyond if lower else 1 + beyond
        if weight != 0:
            count = _run(Nest(few[0], few[1], few[2], few[3]), order, waiting, service, products, times)
            for i in range(count):
                cycles[i] += weight * times[i]


WEIGHTS_LOADED, INPUTS_LOADED, WEIGHTS_FREED, INPUTS_FREED, PRELOADED, EXTRA_LOADED, DRAINED, PROCESSED, STORED = range(
    9
)
"""What completes, one after the other of each kind."""
RING, WITHIN = 64, 63
"""Completions of each kind that are kept: nobody waits for an older one."""
UNKNOWN = -1
"""When something is that waits for what has not begun."""


@compiled
def _run(
    nest: Nest, order: Order, waiting: Waiting, service: Ints, products: tuple[int, int, int], times: Ints
) -> int:  # fmt: skip
    """Run equal products one after the other, tile by tile, as the engine has them: `products` are the first, the last
    that is run, and how many there are, whose weights may be loaded ahead. Before the first, if it is not 0, as many
    have been as fit. times (3,) takes cycles from the end of one to that of the next; the result is how many there are.

    The channel takes whatever is ready, inputs before results before weights. Array, pipeline and post-processing have
    one queue each, so their times follow as soon as what they wait for is known."""
    vectors, loads = waiting.vectors, waiting.loads
    first, last, there = products
    tiles = nest.groups * nest.outers * nest.inners
    count, done = np.zeros(STORED + 1, np.int64), np.zeros((STORED + 1, RING), np.int64)
    # Where the walks over the tiles stand: (product, group, outer, inner, part) of the next multiplication and the
    # next loads, and which of a part's loads is next.
    array, weights, inputs = np.zeros(6, np.int64), np.zeros(6, np.int64), np.zeros(6, np.int64)
    edges = np.zeros((3, RING), np.int64)  # by tile: whether m and n are the last, and which product it is of
    free = np.zeros(3, np.int64)  # when array, pipeline and post-processing are
    begin, vectors_loaded = np.zeros(4, np.int64), np.zeros(4, np.int64)
    channel, vector_loads = 0, 0
    if first:
        parts = tiles * nest.parts
        loaded = nest.groups * nest.outers if _weights_stay(nest, order, waiting) else (loads or parts)
        ahead = 0 if order.computed_weights or loads else min(waiting.depth, loaded)
        count[DRAINED] = count[PROCESSED] = count[STORED] = count[PRELOADED] = count[EXTRA_LOADED] = tiles
        count[WEIGHTS_LOADED] = loaded + ahead
        count[WEIGHTS_FREED] = 2 * nest.outers if loads else loaded
        count[INPUTS_FREED] = count[INPUTS_LOADED] = parts
        if _inputs_stay(nest, order, waiting):
            count[INPUTS_LOADED] = nest.groups
        elif _inputs_once(nest, waiting):
            count[INPUTS_LOADED] = count[INPUTS_FREED] = nest.groups * nest.outers
        array[0] = weights[0] = inputs[0] = first
        vector_loads = 2
        for _ in range(ahead):
            if _weights_stay(nest, order, waiting):
                weights[3] = nest.inners - 1
            _advance(nest, weights)
    while count[STORED] < (last + 1) * tiles:
        while _multiply(nest, order, waiting, service, there, array, count, done, edges, free, begin) or (
            order.fused and _process(waiting, service, vector_loads, vectors_loaded, count, done, edges, free)
        ):
            pass
        kind, ready_inputs = _next_input(nest, order, waiting, there, inputs, count, done, begin)
        results = PROCESSED if order.fused else DRAINED
        ready_results = _when(count, done, results, count[STORED]) if count[STORED] < count[results] else UNKNOWN
        product = weights[0]
        if product < there and vectors and vector_loads == product:
            ready_weights = 0
        else:
            ready_weights = _weights_ready(nest, order, waiting, there, weights, count, done, begin)
        start = np.iinfo(np.int64).max
        for ready in (ready_inputs, ready_results, ready_weights):
            if ready != UNKNOWN:
                start = min(start, max(ready, channel))
        if ready_inputs != UNKNOWN and ready_inputs <= start:
            m, k, n = _edges(nest, waiting, inputs)
            if kind == INPUTS and _inputs_stay(nest, order, waiting):
                k = n = 0  # all of them at once
            channel = start + service[kind, m, k, n]
            row = INPUTS_LOADED if kind == INPUTS else PRELOADED if kind == PRELOAD else EXTRA_LOADED
            _complete(count, done, row, channel)
            inputs[5] += 1
        elif ready_results != UNKNOWN and ready_results <= start:
            at = count[STORED] & WITHIN
            channel = start + service[STORE, edges[0, at], 0, edges[1, at]]
            _complete(count, done, STORED, channel)
            if count[STORED] % tiles == 0:
                begin[count[STORED] // tiles] = channel
        elif vectors and vector_loads == product:
            channel = start + vectors
            vectors_loaded[product] = channel
            vector_loads += 1
        else:
            m, k, _ = _edges(nest, waiting, weights)
            if loads:
                m = int((count[WEIGHTS_LOADED] + 1) % loads == 0)
            channel = start + service[WEIGHTS, m, k, 0]
            _complete(count, done, WEIGHTS_LOADED, channel)
            if loads:
                weights[0] = count[WEIGHTS_LOADED] // loads
            else:
                if _weights_stay(nest, order, waiting):  # one load serves the inner loop
                    weights[3] = nest.inners - 1
                _advance(nest, weights)
    for product in range(first, last + 1):
        times[product - first] = begin[product + 1] - begin[product]
    return last + 1 - first


@inlined
def _complete(count: Ints, done: Ints, row: int, time: int) -> None:
    """Write down that the next of a kind completes then."""
    done[row, count[row] & WITHIN] = time
    count[row] += 1


@inlined
def _when(count: Ints, done: Ints, row: int, number: int) -> int:
    """When one of a kind, counted from 0, completes; those before the first completed long ago."""
    if number >= count[row]:
        return UNKNOWN
    return done[row, number & WITHIN] if number >= 0 else 0


@inlined
def _advance(nest: Nest, at: Ints) -> None:
    """To the next part."""
    at[5] = 0
    for level in (4, 3, 2, 1):
        at[level] += 1
        if at[level] < nest[level - 1]:
            return
        at[level] = 0
    at[0] += 1


@inlined
def _edges(nest: Nest, waiting: Waiting, at: Ints) -> tuple[int, int, int]:
    """Whether a tile is the last of the outputs, of the reduction, of the vectors."""
    outer, inner = int(at[2] == nest.outers - 1), int(at[3] == nest.inners - 1)
    part = int(at[4] == nest.parts - 1)
    return (inner, part, outer) if waiting.by_vectors else (outer, part, inner)


@inlined
def _weights_stay(nest: Nest, order: Order, waiting: Waiting) -> bool:
    """Whether a tile of weights serves all of the inner loop."""
    return nest.parts == 1 and not waiting.by_vectors and order.steps == 0


@inlined
def _inputs_stay(nest: Nest, order: Order, waiting: Waiting) -> bool:
    """Whether all inputs are loaded at once."""
    return _weights_stay(nest, order, waiting) and nest.inners == 1


@uncounted
def _inputs_once(nest: Nest, waiting: Waiting) -> bool:
    """Whether a tile of inputs serves all of the inner loop."""
    return waiting.by_vectors and nest.parts == 1


@uncounted
def _multiply(
    nest: Nest, order: Order, waiting: Waiting, service: Ints, there: int, at: Ints, count: Ints, done: Ints,
    edges: Ints, free: Ints, begin: Ints,
) -> bool:  # fmt: skip
    """The next tile on the array, and behind its last part the pipeline, if what they wait for is known."""
    depth, (_, group, outer, inner, part, _) = waiting.depth, at
    product = at[0]
    if product == there:
        return False
    tile = ((product * nest.groups + group) * nest.outers + outer) * nest.inners + inner
    outermost = (product * nest.groups + group) * nest.outers + outer
    load = tile * nest.parts + part
    stay, once = _weights_stay(nest, order, waiting), _inputs_once(nest, waiting)
    if waiting.loads:
        share = -(-(inner * nest.parts + part + 1) * waiting.loads // (nest.inners * nest.parts))
        weights = _when(count, done, WEIGHTS_LOADED, product * waiting.loads + share - 1)
    else:
        weights = _when(count, done, WEIGHTS_LOADED, outermost if stay else load)
    if order.steps:
        inputs = UNKNOWN
        if product * nest.outers * nest.inners <= count[STORED]:
            inputs = begin[product]
            if outer > 0:
                result = _when(count, done, PROCESSED if order.fused else DRAINED, tile - inner - 1)
                inputs = max(inputs, result) if result != UNKNOWN else UNKNOWN
    elif _inputs_stay(nest, order, waiting):
        inputs = _when(count, done, INPUTS_LOADED, product * nest.groups + group)
    else:
        inputs = _when(count, done, INPUTS_LOADED, outermost if once else load)
    room = sums = 0
    if part == 0:
        room = _when(count, done, STORED, tile - depth)
        sums = _when(count, done, PRELOADED, tile) if order.preloads else 0
    if min(weights, inputs, room, sums) == UNKNOWN:
        return False
    m, k, n = _edges(nest, waiting, at)
    free[0] = max(free[0], weights, inputs, room, sums) + service[MULTIPLY, m, k, n]
    last_inner, last_part = inner == nest.inners - 1, part == nest.parts - 1
    if (last_inner and last_part) if waiting.loads else (last_inner or not stay):
        _complete(count, done, WEIGHTS_FREED, free[0])
    if order.steps == 0 and (last_inner or not once):
        _complete(count, done, INPUTS_FREED, free[0])
    if last_part:
        free[1] = max(free[1], free[0]) + waiting.pipeline
        if waiting.loads and last_inner:  # weights that stay are given back as two parts
            _complete(count, done, WEIGHTS_FREED, free[1])
        edges[0, tile & WITHIN], edges[1, tile & WITHIN], edges[2, tile & WITHIN] = m, n, product
        _complete(count, done, DRAINED, free[1])
    _advance(nest, at)
    return True


@uncounted
def _process(
    waiting: Waiting, service: Ints, vector_loads: int, vectors_loaded: Ints, count: Ints, done: Ints, edges: Ints,
    free: Ints,
) -> bool:  # fmt: skip
    """The elementwise work of the next tile, if what it waits for is known."""
    tile = count[PROCESSED]
    at = tile & WITHIN
    results = _when(count, done, DRAINED, tile)
    others = _when(count, done, EXTRA_LOADED, tile) if waiting.extra else 0
    if min(results, others) == UNKNOWN:
        return False
    vectors = 0
    if waiting.vectors:
        if vector_loads <= edges[2, at]:
            return False
        vectors = vectors_loaded[edges[2, at]]
    free[2] = max(free[2], results, others, vectors) + service[PROCESS, edges[0, at], 0, edges[1, at]]
    _complete(count, done, PROCESSED, free[2])
    return True


@uncounted
def _next_input(
    nest: Nest, order: Order, waiting: Waiting, there: int, at: Ints, count: Ints, done: Ints, begin: Ints
) -> tuple[int, int]:
    """What the queue of inputs holds next, and when that may begin."""
    tiles = nest.groups * nest.outers * nest.inners
    while at[0] < there:
        first, last = at[4] == 0, at[4] == nest.parts - 1
        stay = _inputs_stay(nest, order, waiting)
        loaded = order.steps == 0 and (
            (at[2] == 0 and at[3] == 0) if stay else (at[3] == 0 or not _inputs_once(nest, waiting))
        )
        if at[5] == 0 and not loaded:
            at[5] = 1
        if at[5] == 1 and not (first and order.preloads):
            at[5] = 2
        if at[5] == 2 and not (last and waiting.extra):
            _advance(nest, at)
            continue
        if at[5] == 3:
            _advance(nest, at)
            continue
        break
    if at[0] == there or at[0] * tiles > count[STORED]:
        return UNKNOWN, UNKNOWN
    if at[5] == 0:
        number = count[INPUTS_LOADED] * nest.outers if stay else count[INPUTS_LOADED]
        room = _when(count, done, INPUTS_FREED, number - waiting.depth)
        kind = INPUTS
    else:
        kind = PRELOAD if at[5] == 1 else EXTRA
        loads = count[PRELOADED] if at[5] == 1 else count[EXTRA_LOADED]
        room = _when(count, done, STORED, loads - waiting.depth)
    return kind, max(room, begin[at[0]]) if room != UNKNOWN else UNKNOWN


@uncounted
def _weights_ready(
    nest: Nest, order: Order, waiting: Waiting, there: int, at: Ints, count: Ints, done: Ints, begin: Ints
) -> int:
    """When the next tile of weights may be loaded."""
    tiles = nest.groups * nest.outers * nest.inners
    if at[0] == there or (order.computed_weights and at[0] * tiles > count[STORED]):
        return UNKNOWN
    if waiting.loads:  # into the buffer that the product before has left
        room = _when(count, done, WEIGHTS_FREED, 2 * at[0] * nest.outers - 1)
    else:
        room = _when(count, done, WEIGHTS_FREED, count[WEIGHTS_LOADED] - waiting.depth)
    return max(room, begin[at[0]]) if room != UNKNOWN and order.computed_weights else room


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
def _array_cycles(limits: Limits, shape: Shape, order: Order, m: int, k: int, n: int) -> int:
    """Cycles in which the array works on a whole product in tiles of m outputs, k inputs and n vectors."""
    inputs = _active(shape, order, k)
    if not limits.true_edges:
        tiles = -(-shape.outputs // m) * -(-shape.inputs // k) * -(-shape.vectors // n)
        return tiles * _tile_cycles(limits, shape, (m, inputs, n))
    along = shape.inputs // k * _reduction(shape, inputs)
    along += _reduction(shape, _active(shape, order, shape.inputs % k))
    return shape.passes * shape.vectors * _column_groups(limits, shape, m) * along


@compiled
def _reduction(shape: Shape, k: int) -> int:
    """Passes of the lanes over k inputs of a vector: position by position of a convolution's kernel."""
    return shape.positions * int(np.ceil(k / shape.positions / shape.lanes))


@compiled
def _column_groups(limits: Limits, shape: Shape, m: int) -> int:
    """Columns' turns with tiles of m outputs: those of full ones, and of the edge."""
    return shape.outputs // m * -(-m // limits.columns) + -(-(shape.outputs % m) // limits.columns)


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
def _share(total: int, part: int, whole: int) -> int:
    """total · part / whole, rounded up, where total · part may exceed what int64 holds."""
    return total * (part // whole) - (-total * (part % whole) // whole)


@compiled
def _channel(limits: Limits, bits: int) -> int:
    """Cycles of one transfer on the DRAM channel."""
    return max(1, -(-bits * limits.dram_cycles // limits.dram_bits))


@compiled
def _stored(shape: Shape, weights: int) -> int:
    """Memory of so many weights in bits, pruned ones included in their number: a share of the whole matrix's."""
    return _share(shape.row_bits, weights, shape.inputs)
