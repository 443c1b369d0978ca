"""The mesh: nodes, links, XY routes, and whole cycles of a hop.

A node is numbered row by row; a link leads from a node to one of its neighbours. A transaction goes along its row to
the column of its target first, and then along that column. A hop takes one and a half cycles, which whole cycles give
by a checkerboard: a node whose row and column add up to an even number passes on in one cycle, one of an odd sum in
two (three cycles for any two hops). So every way of an even number of hops, and every way there and back, takes 1.5
cycles a hop exactly, any other at most half a cycle more or less; and no hop knows of the ways that lead over it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

WRITES, READS, OFF_CHIP = range(3)
"""The networks: writes on chip (also of what was read), requests of reads, writes off chip."""
NETWORKS = ("write", "read", "off-chip")


@dataclass(frozen=True)
class MeshGrid:
    """Rows and columns of cores."""

    rows: int
    """Cores of a column."""
    columns: int
    """Cores of a row."""

    @property
    def nodes(self) -> int:
        """Number of cores."""
        return self.rows * self.columns

    def node(self, row: int, column: int) -> int:
        """Number of the node at a place."""
        return row * self.columns + column

    def place(self, node: int) -> tuple[int, int]:
        """MeasuredRow and column of a node."""
        return divmod(node, self.columns)

    def is_odd(self, node: int) -> bool:
        """Whether a node's row and column add up to an odd number."""
        return sum(self.place(node)) % 2 == 1

    @cached_property
    def links(self) -> dict[tuple[int, int], int]:
        """Number of each directed link (from node, to node) of one network."""
        return {pair: number for number, pair in enumerate(self._pairs())}

    def _pairs(self) -> Iterator[tuple[int, int]]:
        for row in range(self.rows):
            for column in range(self.columns):
                for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                    if 0 <= row + down < self.rows and 0 <= column + across < self.columns:
                        yield self.node(row, column), self.node(row + down, column + across)

    def route(self, source: int, target: int) -> list[tuple[int, int]]:
        """The links of the XY route, in order."""
        (row, column), (to_row, to_column) = self.place(source), self.place(target)
        nodes = [source]
        while column != to_column:
            column += 1 if to_column > column else -1
            nodes.append(self.node(row, column))
        while row != to_row:
            row += 1 if to_row > row else -1
            nodes.append(self.node(row, column))
        return list(itertools.pairwise(nodes))

    def hops(self, source: int, target: int) -> int:
        """Links of a route."""
        (row, column), (to_row, to_column) = self.place(source), self.place(target)
        return abs(row - to_row) + abs(column - to_column)
