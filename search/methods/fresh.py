"""Gene vectors that a method may ask for: of design points that are new, and within the limits that are known before
an error is evaluated."""

from collections.abc import Collection, Sequence
from itertools import islice, product
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from search.space.genome import Genes

ATTEMPTS = 100
"""Draws of a random point before those that are left are enumerated."""
MOST_ENUMERATED = 20_000
"""SearchablePoints that are enumerated at most, from the narrowest on. Where there are more, draws find new ones."""


class SearchablePoints(Protocol):
    """What there is to ask for; `Space` has it."""

    @property
    def upper(self) -> Genes:
        """(genes,) The largest value of each gene; the smallest is 0."""
        ...

    @property
    def hardware_genes(self) -> int:
        """How many genes, the last ones, choose the hardware."""
        ...

    def name_of(self, genes: Genes) -> str:
        """The name of a gene vector's design point."""
        ...

    def within(self, genes: Genes) -> NDArray[np.bool_]:
        """(N,) Whether gene vectors (N, genes) are within the limits that are known before an error is."""
        ...


class Fresh:
    """Remembers what was asked for, by the names of design points: as decoded, not by genes, for several gene vectors
    may be one point."""

    def __init__(self, points: SearchablePoints):
        self._points = points
        self._asked: set[str] = set()
        self._left: list[Genes] | None = None

    def note(self, genes: Genes) -> None:
        """Gene vectors (N, genes) that are asked for."""
        self._asked |= {self._points.name_of(row) for row in genes}

    def new(self, genes: Genes, taken: set[str] | None = None) -> NDArray[np.bool_]:
        """(N,) Whether each of some gene vectors (N, genes) is within the limits and the first of its point, here, in
        what was asked for, and in the names `taken`, to which it is added."""
        names, kept = set[str]() if taken is None else taken, np.zeros(len(genes), bool)
        for i, (row, within) in enumerate(zip(genes, self._points.within(genes), strict=True)):
            name = self._points.name_of(row)
            kept[i] = within and name not in self._asked and name not in names
            if kept[i]:
                names.add(name)
        return kept

    def drawn(self, number: int, generator: np.random.Generator, but: Collection[str] = ()) -> Genes:
        """So many new points (N, genes) but those of some names, drawn evenly where no limit binds, and narrowed to it
        where one does; fewer where no more are left."""
        taken = {*but}
        rows: list[Genes] = []
        while len(rows) < number:
            row = self._tried(generator, taken)
            if row is None:
                rows += self._enumerated(number - len(rows), generator, taken)
                break
            rows.append(row)
        return np.array(rows, np.int64).reshape(-1, len(self._points.upper))

    def _tried(self, generator: np.random.Generator, taken: set[str]) -> Genes | None:
        """A new point that some draws come to, or None."""
        for _ in range(ATTEMPTS):
            row = generator.integers(0, self._points.upper + 1)[None]
            row = narrowed(self._points, row, generator)
            if self.new(row, taken)[0]:
                drawn: Genes = row[0]
                return drawn
        return None

    def _enumerated(self, number: int, generator: np.random.Generator, taken: set[str]) -> list[Genes]:
        """So many of the new points that are enumerated, by chance."""
        if self._left is None:
            self._left = enumerated(self._points)
        if not self._left:
            return []
        left = np.array(self._left)
        self._left = list(left[self.new(left, {*taken})])
        chosen = generator.permutation(len(self._left))[:number].tolist()
        return [self._left[i] for i in chosen]


def narrowed(points: SearchablePoints, genes: Genes, generator: np.random.Generator) -> Genes:
    """Gene vectors (N, genes), of which those over the known limits are narrowed, a random gene of the bits by a step
    at a time, until they are within; what no narrowing helps stays as it is."""
    result = genes.copy()
    over = np.flatnonzero(~points.within(genes)).tolist()
    paths = [_narrowing(genes[i], points.hardware_genes, generator) for i in over]
    for i, path, first in zip(over, paths, _first_within(points, paths), strict=True):
        if first < len(path):
            result[i] = path[first]
    return result


def _first_within(points: SearchablePoints, paths: Sequence[Genes]) -> list[int]:
    """Position of the first gene vector of each path (K, genes) that is within the limits, K where none is. All paths
    are bisected side by side: one question of many gene vectors takes less time than many of one."""
    low, high = [0] * len(paths), [len(path) for path in paths]
    while left := [i for i in range(len(paths)) if low[i] < high[i]]:
        middle = [(low[i] + high[i]) // 2 for i in left]
        kept = points.within(np.array([paths[i][at] for i, at in zip(left, middle, strict=True)]))
        for i, at, keep in zip(left, middle, kept.tolist(), strict=True):
            low[i], high[i] = (low[i], at) if keep else (at + 1, high[i])
    return low


def _narrowing(row: Genes, hardware_genes: int, generator: np.random.Generator) -> Genes:
    """(K, genes) The way from a gene vector (genes,) to the narrowest bits, by single steps in a random order."""
    bits = len(row) - hardware_genes
    steps = generator.permutation(np.repeat(np.arange(bits), row[:bits]))
    each = np.zeros((len(steps), len(row)), np.int64)
    each[np.arange(len(steps)), steps] = 1
    path: Genes = row - each.cumsum(axis=0)
    return path


def enumerated(points: SearchablePoints) -> list[Genes]:
    """Gene vectors within the known limits, narrow ones first: every one that single steps of the bits lead to, from
    the narrowest on each choice of hardware."""
    upper = points.upper
    bits = len(upper) - points.hardware_genes
    choices = product(*(range(int(count) + 1) for count in upper[bits:]))
    found: list[Genes] = []
    edge = [np.array([*([0] * bits), *choice], np.int64) for choice in islice(choices, MOST_ENUMERATED)]
    seen = {row.tobytes() for row in edge}
    while edge and len(found) < MOST_ENUMERATED:
        edge = [row for row, within in zip(edge, points.within(np.array(edge)), strict=True) if within]
        found += edge
        wider = [row + step for row in edge for step in np.eye(len(upper), dtype=np.int64)[:bits]]
        edge = []
        for row in wider:
            if (row <= upper).all() and row.tobytes() not in seen:
                seen.add(row.tobytes())
                edge.append(row)
    return found[:MOST_ENUMERATED]
