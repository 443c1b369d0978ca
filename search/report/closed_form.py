"""MOHAQ's closed-form speedup held against simulated latency: which candidates would a search by the one have kept that
the other shows to be dominated, and by how much?
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from search.objectives import Floats
from search.objectives.dominance import non_dominated


@dataclass(frozen=True)
class Miss:
    """A candidate on the closed-form front and not on the simulated one; positions are those in the arrays."""

    position: int
    """The candidate's."""
    better: int
    """The fastest candidate, simulated, of at most its error."""
    excess_ms: float
    """Its latency above that candidate's."""
    excess_percent: float
    """Its latency above that candidate's, in percent of that."""


@dataclass(frozen=True)
class Disagreement:
    """Where two fronts differ, of candidates with an error, a closed-form speedup and a simulated latency."""

    closed_form_front: tuple[int, ...]
    """Not dominated in error and closed-form speedup, by rising error."""
    simulated_front: tuple[int, ...]
    """Not dominated in error and simulated latency, by rising error."""
    misses: tuple[Miss, ...]
    """What the first front has and the second has not."""
    rank_correlation: float | None
    """Spearman's, of closed-form speedup and simulated speed; None where one of them does not vary."""


def front(first: Floats, second: Floats) -> list[int]:
    """Positions of the points that no other dominates (both minimised), by rising first; of equal ones all."""
    rows = non_dominated(np.stack([first, second], axis=1))
    ordered: list[int] = rows[np.lexsort((second[rows], first[rows]))].tolist()
    return ordered


def disagreement(error: Floats, speedup: Floats, latency_ms: Floats) -> Disagreement:
    """Compare the two fronts of some candidates, at least one."""
    closed, simulated = front(error, -speedup), front(error, latency_ms)
    misses = []
    for i in closed:
        if i in simulated:
            continue
        better = [j for j in simulated if error[j] <= error[i]][-1]
        excess = float(latency_ms[i] - latency_ms[better])
        misses.append(Miss(i, better, excess, 100.0 * excess / float(latency_ms[better])))
    varies = np.ptp(speedup) > 0 and np.ptp(latency_ms) > 0
    correlation = float(spearmanr(speedup, -latency_ms).statistic) if varies else None
    return Disagreement(tuple(closed), tuple(simulated), tuple(misses), correlation)
