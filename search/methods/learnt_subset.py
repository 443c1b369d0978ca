"""Which evaluated candidates an error model learns from where there are more than it can take.

The work of a Gaussian process grows with the cube of what it learns from, and its memory with the square (Rasmussen and
Williams 2006, section 8.3.3, subset of data): so it learns from those near the front, where it is asked, and from some
of the others, so that it knows what lies around.
"""

import numpy as np

from search.objectives import Floats
from search.objectives.dominance import non_dominated
from search.space.genome import Genes
from simulators.engine.program import Ints

SHARE_NEAR = 0.75
"""Share of what is learnt that lies near the front."""
MOST_COMPARED = 2_000
"""Candidates that are compared for the farthest, or some more; of more, evenly taken ones."""


def learnt_subset(genes: Genes, feasible: Ints, objectives: Floats, most: int) -> Ints:
    """Positions (most,), rising, among N candidates with gene vectors (N, genes) and minimised objectives
    (N, objectives): fronts behind one another of the feasible ones, whose positions are given, and of the rest those
    that lie farthest from what is chosen."""
    if len(genes) <= most:
        return np.arange(len(genes))
    chosen = np.zeros(len(genes), bool)
    rest, wanted = feasible, int(most * SHARE_NEAR)
    while len(rest) and chosen.sum() < wanted:
        front = rest[non_dominated(objectives[rest])]
        rest = np.setdiff1d(rest, front)
        _spread(genes, front, chosen, wanted)
    _spread(genes, np.flatnonzero(~chosen), chosen, most)
    return np.flatnonzero(chosen)


def _spread(genes: Genes, candidates: Ints, chosen: np.ndarray, most: int) -> None:
    """Choose of some candidates (C,) until so many are chosen (N,) of all: each time the one that is farthest, in
    squared differences of genes, from what is chosen (Gonzalez 1985); all, where there are not more."""
    missing = most - int(chosen.sum())
    if len(candidates) <= missing:
        chosen[candidates] = True
        return
    candidates = candidates[:: max(1, len(candidates) // max(MOST_COMPARED, missing))]
    points = genes[candidates].astype(np.float64)
    nearest = np.full(len(candidates), np.inf)
    for row in genes[chosen].astype(np.float64):
        np.minimum(nearest, ((points - row) ** 2).sum(axis=1), out=nearest)
    for _ in range(missing):
        farthest = int(np.argmax(nearest))
        chosen[candidates[farthest]] = True
        np.minimum(nearest, ((points - points[farthest]) ** 2).sum(axis=1), out=nearest)
        nearest[farthest] = -1.0
