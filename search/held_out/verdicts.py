"""What a solution's test error says of it beside the others of its front."""

import numpy as np

from search.objectives import Floats


def dominators(values: Floats) -> list[int | None]:
    """For each of P points, the position of one that dominates it: of several the best in the first objective (and, of
    equal ones, in the next). None where there is none, or a value is not known. (P, objectives), minimised."""
    order = np.lexsort(values.T[::-1]).tolist()
    found: list[int | None] = []
    for row in values:
        better = (values <= row).all(axis=1) & (values < row).any(axis=1)
        found.append(next((i for i in order if better[i]), None))
    return found
