"""Pareto dominance: which of many points no other dominates, as a Numba kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.jit import compiled


def non_dominated(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Positions, rising, of the rows that no other row is at most equal to in all columns and below in one (all
    minimised). Of equal rows all are kept. (P, objectives) of numbers, none NaN."""
    if not len(values):
        return np.zeros(0, np.int64)
    order = np.lexsort(values.T[::-1])  # what dominates a row stands before it
    return np.sort(order[_keep(np.ascontiguousarray(values[order]))])


def dominators(values: NDArray[np.float64]) -> list[int | None]:
    """For each of P points, the position of one that dominates it: of several the best in the first objective (and, of
    equal ones, in the next). None where there is none, or a value is not known. (P, objectives), minimised."""
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    best = known[non_dominated(values[known])]  # what is dominated is so by one of these
    best = best[np.lexsort(values[best].T[::-1])]
    found: list[int | None] = [None] * len(values)
    for i in np.setdiff1d(known, best).tolist():
        found[i] = int(best[(values[best] <= values[i]).all(axis=1).argmax()])
    return found


@compiled
def _keep(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each row is kept, (P,); rows are in lexicographic order."""
    rows, columns = values.shape
    front = np.empty(rows, np.int64)
    size = 0
    keep = np.zeros(rows, np.bool_)
    for i in range(rows):
        dominated = False
        for f in range(size):
            j = front[f]
            below, above = False, False
            for c in range(columns):
                if values[j, c] < values[i, c]:
                    below = True
                elif values[j, c] > values[i, c]:
                    above = True
                    break
            if below and not above:
                dominated = True
                # What dominates one row is likely to dominate the next.
                front[f] = front[0]
                front[0] = j
                break
        if not dominated:
            keep[i] = True
            front[size] = i
            size += 1
    return keep
