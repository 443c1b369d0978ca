"""The tilings of a product on Bit Fusion and their bounds, written out tile by tile: a second way to what is compiled."""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil

from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware, tile_cycles


def pixels(product: Product, vectors: int) -> int:
    """Inputs of one channel under so many consecutive results of a convolution, at most."""
    window = product.window
    assert window is not None
    (height, width), whole = window.output, 0
    while vectors > 0:
        taken = min(vectors, height * width)
        rows = ceil(taken / width)
        columns = width if taken >= width else taken
        covered_rows = {r * window.stride[0] + d for r in range(rows) for d in range(window.extent[0])}
        covered_columns = {c * window.stride[1] + d for c in range(columns) for d in range(window.extent[1])}
        high, wide = max(covered_rows) + 1, max(covered_columns) + 1
        whole += min(high, window.input[0]) * min(wide, window.input[1])
        vectors -= taken
    return whole


def under(product: Product, axis: int, first: int, count: int) -> int:
    """Rows (axis 0) or columns of the map, from the first to the last, under so many rows or columns of results."""
    window = product.window
    assert window is not None
    begin = first * window.stride[axis] - window.padding[axis]
    end = begin + (count - 1) * window.stride[axis] + window.extent[axis]
    return len([at for at in range(begin, end) if 0 <= at < window.input[axis]])


def tile_bits(product: Product, vectors: int, inputs: int, last: bool) -> int:
    """What a tile reads: the mean of full ones, laid on the map one after the other, or the last one."""
    window = product.window
    if window is None or not vectors * inputs:
        return vectors * inputs * product.activation_bits
    height, width = window.output
    images, rest = divmod(vectors, height * width)
    whole = images * under(product, 0, 0, height) * under(product, 1, 0, width)
    tiles = [0]
    if rest:
        rows, columns = ceil(rest / width), min(rest, width)
        corners = [(r, c) for r in range(0, height - rows + 1, rows) for c in range(0, width - columns + 1, columns)]
        corners = [(height - rows, width - columns)] if last else corners
        tiles = [under(product, 0, r, rows) * under(product, 1, c, columns) for r, c in corners]
    elements = Fraction(inputs // product.positions * (whole * len(tiles) + sum(tiles)), len(tiles))
    return ceil(min(elements, vectors * inputs) * product.activation_bits)


def input_bits(product: Product, vectors: int, inputs: int) -> int:
    elements = vectors * inputs
    if product.window and elements:
        elements = min(elements, inputs // product.positions * pixels(product, vectors))
    return elements * product.activation_bits


def sizes(limit: int, whole: int, unit: int) -> list[int]:
    """Tile sizes up to `limit`: the whole, the limit itself, and unit · 2^i (below a unit: what there is)."""
    if limit < 1:
        return []
    if limit < unit:
        return [limit]
    found = {limit // unit * unit} | ({whole} if limit >= whole else set())
    size = unit
    while size <= limit:
        found.add(size)
        size *= 2
    return sorted(found, reverse=True)


def candidates(hardware: TilingHardware, product: Product, cuts: list[int]) -> Iterator[Tiling]:
    """Tilings that fit: outputs in multiples of the columns, the reduction in equal parts, vectors in powers of two."""
    b = hardware.buffers
    weights, inputs, sums = (hardware.capacity_bits(kib) for kib in (b.weight_kib, b.input_kib, b.output_kib))
    for k in cuts:
        limit_m = min(weights // (k * product.weight_bits), sums // b.partial_sum_bits, product.outputs)
        for m in sizes(limit_m, product.outputs, hardware.array.columns):
            limit_n = min(sums // (m * b.partial_sum_bits), product.vectors)
            if not product.window:
                limit_n = min(limit_n, inputs // (k * product.activation_bits))
            for n in sizes(limit_n, product.vectors, 1):
                if input_bits(product, n, k) > inputs:
                    continue
                yield Tiling("outputs", m, k, n)
                if n < product.vectors and m < product.outputs:
                    yield Tiling("vectors", m, k, n)


def loads(product: Product, tiling: Tiling) -> tuple[int, int]:
    """How often the whole weight matrix and the whole input are read from DRAM, counted by walking the loops."""
    parts = [
        ceil(whole / tile)
        for whole, tile in ((product.outputs, tiling.m), (product.inputs, tiling.k), (product.vectors, tiling.n))
    ]
    m, k, n = (range(part) for part in parts)
    order = [(i, j) for i in m for j in n] if tiling.outer == "outputs" else [(i, j) for j in n for i in m]
    weights: list[tuple[int, int]] = []
    inputs: list[tuple[int, int]] = []
    for i, j in order:
        for q in k:
            if not weights or weights[-1] != (i, q):
                weights.append((i, q))
            if not inputs or inputs[-1] != (q, j):
                inputs.append((q, j))
    return len(weights) // (parts[0] * parts[1]), len(inputs) // (parts[1] * parts[2])


def cost(hardware: TilingHardware, product: Product, tiling: Tiling, how_often: tuple[int, int]) -> tuple[float, ...]:
    """Lower bounds, in cycles and bits, tile by tile."""

    def parts(whole: int, tile: int) -> list[tuple[int, int]]:
        full, edge = divmod(whole, tile)
        return [(size, count) for size, count in ((tile, full), (edge, 1)) if size and count]

    m_parts, k_parts, n_parts = (
        parts(product.outputs, tiling.m),
        parts(product.inputs, tiling.k),
        parts(product.vectors, tiling.n),
    )
    once = sum(
        count_k * count_n * tile_bits(product, n, k, n < tiling.n) for k, count_k in k_parts for n, count_n in n_parts
    )
    dram = product.outputs * product.inputs * product.weight_bits * how_often[0] + once * how_often[1]
    array = sum(
        count_m * count_k * count_n * tile_cycles(hardware, product, m, k, n)
        for m, count_m in m_parts for k, count_k in k_parts for n, count_n in n_parts
    )  # fmt: skip
    tiles = ceil(product.outputs / tiling.m) * ceil(product.inputs / tiling.k) * ceil(product.vectors / tiling.n)
    first = tiling.m * tiling.k * product.weight_bits + tile_bits(product, tiling.n, tiling.k, False)
    bandwidth = hardware.channel.rate.numerator
    drains = ceil(product.outputs / tiling.m) * ceil(product.vectors / tiling.n) * hardware.pipeline_cycles
    return (max(array, dram / bandwidth, drains), float(dram), array, first / bandwidth + tiles)
