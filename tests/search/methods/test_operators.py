"""What keeps the offspring of pymoo's algorithms new."""

import numpy as np
from pymoo.core.population import Population

from search.methods.fresh import Fresh
from search.methods.operators import NewOnly
from search.space.genome import Genes


class Rows:
    """Points that are named by their genes, all of them within the limits."""

    upper = np.array([9, 9])
    hardware_genes = 0

    def name_of(self, genes: Genes) -> str:
        return str(genes.tolist())

    def within(self, genes: Genes) -> np.ndarray:
        return np.full(len(genes), True)


def test_what_was_asked_for_and_what_is_made_twice_is_dropped_whatever_it_is_compared_with() -> None:
    fresh = Fresh(Rows())
    fresh.note(np.array([[1, 1]]))
    new = NewOnly(fresh)
    offspring = Population.new("X", np.array([[1, 1], [2, 2], [3, 3], [2, 2]]))
    assert new.do(offspring).get("X").tolist() == [[2, 2], [3, 3]]
    assert new.do(offspring).get("X").tolist() == []  # made for this generation already
    new.begin()
    others = Population.new("X", np.array([[2, 2], [5, 5]]))
    assert new.do(offspring, others, others).get("X").tolist() == [[2, 2], [3, 3]]
