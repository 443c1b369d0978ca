"""What tiles of a product on Bit Fusion read, written out element by element: a second way to what is compiled."""

from fractions import Fraction
from math import ceil

from simulators.platforms.bitfusion.tiling import Product


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
