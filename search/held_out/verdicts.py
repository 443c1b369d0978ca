"""What a solution's test error says of it beside the others of its front."""

import numpy as np

from search.objectives import Floats
from search.objectives.dominance import non_dominated


def dominators(values: Floats) -> list[int | None]:
    """For each of P points, the position of one that dominates it: of several the best in the first objective (and, of
    equal ones, in the next). None where there is none, or a value is not known. (P, objectives), minimised."""
    known = np.flatnonzero(~np.isnan(values).any(axis=1))
    best = known[non_dominated(values[known])]  # what is dominated is so by one of these
    best = best[np.lexsort(values[best].T[::-1])]
    found: list[int | None] = [None] * len(values)
    for i in np.setdiff1d(known, best).tolist():
        found[i] = int(best[(values[best] <= values[i]).all(axis=1).argmax()])
    return found
