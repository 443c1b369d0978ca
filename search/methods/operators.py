"""Operators of pymoo's genetic algorithms: what keeps offspring new and within limits, and ties repeatable."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair

from search.methods.fresh import Fresh, SearchablePoints, narrowed
from search.space.genome import Genes


class NewOnly(DuplicateElimination):  # type: ignore[misc]
    """Drops offspring that are no new points: what was asked for before, or is made twice for one generation."""

    def __init__(self, fresh: Fresh):
        super().__init__()
        self._fresh = fresh
        self.made = set[str]()
        """Names of the points that were made for a generation."""

    def begin(self) -> None:
        """Offspring of another generation come now."""
        self.made = set()

    def _do(self, pop: Population, other: Population | None, is_duplicate: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of a population are dropped, (N,). The others that pymoo compares with are known here."""
        if other is not None:
            return is_duplicate
        return ~self._fresh.new(np.asarray(pop.get("X"), np.int64), self.made)


class NarrowedToLimits(Repair):  # type: ignore[misc]
    """Narrows offspring that are over the limits that are known before an error is evaluated."""

    def __init__(self, points: SearchablePoints):
        super().__init__()
        self._points = points

    def _do(self, problem: Problem, genes: Any, random_state: np.random.Generator, algorithm: Any) -> Genes:
        return narrowed(self._points, np.asarray(genes, np.int64), random_state)


def least_excess(
    population: Population, pairs: Genes, random_state: np.random.Generator, algorithm: Any
) -> NDArray[np.int64]:
    """(N, 1) Positions in a population of the winners of pairs (N, 2): what exceeds the limits less, or either of
    equals, by chance. NSGA-III's own in pymoo draws from a generator without a seed where both exceed them."""
    excess = population.get("CV").ravel()
    winners = [
        random_state.choice([a, b]) if excess[a] == excess[b] else a if excess[a] < excess[b] else b for a, b in pairs
    ]
    return np.array(winners, np.int64)[:, None]
