"""MOHAQ's closed-form speedup held against simulated latency: which candidates would a search by the one have kept that
the other shows to be dominated, and by how much?
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr


@dataclass(frozen=True)
class Miss:
    """A candidate on the closed-form front and not on the simulated one; positions are those in the arrays."""

    position: int
    better: int
    """The fastest candidate, simulated, of at most its error."""
    excess_ms: float
    """Its latency above that candidate's."""
    excess_percent: float


@dataclass(frozen=True)
class Disagreement:
    """Of candidates with an error, a closed-form speedup and a simulated latency."""

    closed_form_front: tuple[int, ...]
    """Not dominated in error and closed-form speedup, by rising error."""
    simulated_front: tuple[int, ...]
    """Not dominated in error and simulated latency, by rising error."""
    misses: tuple[Miss, ...]
    rank_correlation: float | None
    """Spearman's, of closed-form speedup and simulated speed; None where one of them does not vary."""


def front(first: np.ndarray, second: np.ndarray) -> list[int]:
    """Positions of the points that no other dominates (both minimised), by rising first; of equal ones all."""
    kept: list[int] = []
    for i in np.lexsort((second, first)).tolist():
        last = kept[-1] if kept else None
        if last is None or second[i] < second[last] or (second[i] == second[last] and first[i] == first[last]):
            kept.append(i)
    return kept


def disagreement(error: np.ndarray, speedup: np.ndarray, latency_ms: np.ndarray) -> Disagreement:
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
