"""Which candidates might be on a front if other utterances had been evaluated."""

import numpy as np
from numpy.typing import NDArray

from quant.evaluation.rates import ScoredUtterances
from search.held_out.luck import AT_ONCE
from search.held_out.resampling import drawn, rates
from search.objectives import Floats
from simulators.engine.program import Ints

SURE = 0.95
"""Share of resamples on which a candidate must err no less than a solution to be beaten by it for sure."""
RESAMPLES = 1_000
"""Resamples that a share is of."""


def near_ties(
    edits: Floats, scored: ScoredUtterances, costs: Floats, front: Ints, plain: bool = False
) -> NDArray[np.bool_]:
    """(N,) Whether a candidate is on the front, or is not surely beaten by any solution of it: none that costs at most
    as much in everything has at most its error on `SURE` of the resamples.

    Of candidates there are edits (N, U) and costs (N, objectives), minimised; `front` are positions.
    """
    times = drawn(edits.shape[1], RESAMPLES)

    def errors(rows: NDArray[np.int64]) -> Floats:
        return rates(edits[rows], scored, times).of(plain)

    of_front = errors(front)
    tied = np.zeros(len(edits), bool)
    tied[front] = True
    others = np.flatnonzero(~tied)
    for first in range(0, len(others), AT_ONCE):
        rows = others[first : first + AT_ONCE]
        for row, of_candidate in zip(rows.tolist(), errors(rows).T, strict=True):
            cheaper = (costs[front] <= costs[row]).all(axis=1)
            beaten = (of_front[:, cheaper] <= of_candidate[:, np.newaxis]).mean(axis=0)
            tied[row] = not (beaten >= SURE).any()
    return tied
