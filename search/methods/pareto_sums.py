"""Choices of one option for each of several sites whose sums over the sites no other choice's dominate: an exact
dynamic programme over sites, as for a multi-objective knapsack (Ehrgott 2005, section 10.2)."""

from collections.abc import Sequence

import numpy as np

from search.objectives import Floats
from search.objectives.dominance import non_dominated
from simulators.engine.program import Ints

FINEST = 512
"""Boxes in each direction at most, by which partial sums are thinned where there are too many."""


def pareto_sums(tables: Sequence[Floats], most: int, limits: Floats | None = None) -> Ints:
    """(N, sites) The number of an option for each site, of the choices whose sums no others dominate. `tables` are by
    site what each option adds, (options, columns), all minimised; `limits` (columns,) are what sums may come to.

    What dominates a partial sum dominates it whatever is chosen for the other sites, so those that are dominated are
    dropped site by site. Exact where no more than `most` partial sums are left at any site; where there are more, one
    is kept in each box of the coarsest grid that holds no more.
    """
    limits = np.full(tables[0].shape[1], np.inf) if limits is None else limits
    least_behind = np.cumsum([table.min(axis=0) for table in tables[::-1]], axis=0)[::-1]
    least_behind = np.vstack([least_behind[1:], np.zeros(len(limits))])
    sums, chosen = np.zeros((1, len(limits))), np.zeros((1, 0), np.int64)
    for table, behind in zip(tables, least_behind, strict=True):
        grown = (sums[:, None] + table).reshape(-1, len(limits))
        kept = np.flatnonzero((grown + behind <= limits).all(axis=1))
        kept = _without_dominated(grown, kept, most)
        options = np.tile(np.arange(len(table)), len(sums))
        chosen = np.column_stack([np.repeat(chosen, len(table), axis=0)[kept], options[kept]])
        sums = grown[kept]
    return chosen


def _without_dominated(sums: Floats, rows: Ints, most: int) -> Ints:
    """The rows, of some of sums (N, columns), that no others of them dominate, one of equal ones, `most` at most."""
    _, first = np.unique(sums[rows], axis=0, return_index=True)
    rows = rows[np.sort(first)]
    boxes = 2 * FINEST
    # Thinned to a multiple before the comparison of all with all, which a grid as fine as this changes little.
    while len(rows) > 8 * most and boxes > 2:
        boxes //= 2
        rows = _one_a_box(sums, rows, boxes)
    rows = rows[non_dominated(sums[rows])]
    while len(rows) > most and boxes > 2:
        boxes //= 2
        rows = _one_a_box(sums, rows, boxes)
    return rows


def _one_a_box(sums: Floats, rows: Ints, boxes: int) -> Ints:
    """The row, of some of sums (N, columns), with the least total, in shares of the range, in each box of a grid
    with so many boxes in each direction."""
    values = sums[rows]
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    shares = (values - low) / np.where(span > 0, span, 1.0)
    order = np.argsort(shares.sum(axis=1), kind="stable")
    cells = np.minimum((shares[order] * boxes).astype(np.int64), boxes - 1)
    _, first = np.unique(cells, axis=0, return_index=True)
    kept: Ints = np.sort(rows[order[first]])
    return kept
