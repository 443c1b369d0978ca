"""A bit-serial array written out, word by word and step by step: what the closed form and the platform must come to."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from simulators.platforms.bit_serial.published import PublishedArray


class Tile(NamedTuple):
    """A tile of an operand: rows, bit planes, and rows of a block."""

    rows: int
    planes: int
    height: int

    def blocks(self) -> list[int]:
        """Rows of each block."""
        return [min(self.height, self.rows - begin) for begin in range(0, self.rows, self.height)]

    def arrivals(self, k_words: int) -> dict[tuple[int, int, int], int]:
        """Cycle in which the last row of (block, word, plane) has arrived, at one word a cycle."""
        cycle, found = 0, {}
        for block, rows in enumerate(self.blocks()):
            for word, plane in product(range(k_words), range(self.planes)):
                cycle += rows
                found[block, word, plane] = cycle
        return found


def pair_cycles(activations: Tile, weights: Tile, k_words: int, outer: str) -> int:
    """Cycles of a pair of tiles, step by step."""
    arrived_a, arrived_w = activations.arrivals(k_words), weights.arrivals(k_words)
    ps, qs = range(len(activations.blocks())), range(len(weights.blocks()))
    if outer == "activations":
        steps = [(p, q, k, i, j) for p in ps for q in qs for k in range(k_words)
                 for j in range(weights.planes) for i in range(activations.planes)]  # fmt: skip
    else:
        steps = [(p, q, k, i, j) for q in qs for p in ps for k in range(k_words)
                 for i in range(activations.planes) for j in range(weights.planes)]  # fmt: skip
    t = 0
    for p, q, k, i, j in steps:
        t = max(t + 1, arrived_a[p, k, i], arrived_w[q, k, j])
    return t


def product_cycles(m: int, n: int, k_words: int, bits: tuple[int, int], array: PublishedArray) -> dict[str, int]:
    """Cycles of a product at (weight bits, activation bits), by the outer operand."""
    w, a = bits
    rows_a = array.rows * max(1, array.activation_words // (a * k_words * array.rows))
    rows_w = array.columns * max(1, array.weight_words // (w * k_words * array.columns))
    totals = {"activations": 0, "weights": 0}
    for begin_a, begin_w in product(range(0, m, rows_a), range(0, n, rows_w)):
        activations = Tile(min(rows_a, m - begin_a), a, array.rows)
        weights = Tile(min(rows_w, n - begin_w), w, array.columns)
        for outer in totals:
            totals[outer] += pair_cycles(activations, weights, k_words, outer)
    return totals
