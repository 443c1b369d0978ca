"""What a search has looked at, and how much of its budget that took."""

import numpy as np

from search.methods.method import MethodSettings, Trial
from search.objectives.dominance import non_dominated
from search.runs.design_space import DesignSpace
from search.space.genome import Genes


class SearchedPoints:
    """The design points of a search, each once, in the order in which they became known. The budget is as many as the
    first population and all generations have; what is asked for again, or is over a limit that is known without an
    evaluation, is not charged."""

    def __init__(self, space: DesignSpace, settings: MethodSettings):
        self._space = space
        self._population = settings.population
        self.offspring = settings.offspring
        """Points of a generation after the first."""
        self._budget = settings.population + settings.offspring * settings.generations
        self._charged: set[str] = set()
        self._known = 0
        """Charged points whose trials are known."""
        self.trials: dict[str, Trial] = {}
        """What is known, by the names of points."""

    @property
    def left(self) -> int:
        """How many points may be asked for yet."""
        return max(0, self._budget - len(self._charged))

    @property
    def complete(self) -> int:
        """Complete generations after the first; -1 before that is complete."""
        return max(-1, (self._known - self._population) // self.offspring)

    def charge(self, genes: Genes) -> int:
        """Charge what is asked for, (N, genes), and has to be; how many points that is."""
        within = self._space.within(genes)
        names = {self._space.name_of(row) for row, keeps in zip(genes, within, strict=True) if keeps} - self._charged
        self._charged |= names
        return len(names)

    def add(self, trials: list[Trial]) -> None:
        """Take in what became of points that were asked for."""
        for trial in trials:
            if trial.name not in self.trials:
                self.trials[trial.name] = trial
                self._known += trial.name in self._charged

    @property
    def front(self) -> int:
        """How many of the points are on the front."""
        return len(front_of(list(self.trials.values())))


def front_of(trials: list[Trial]) -> list[Trial]:
    """The feasible trials that no other feasible one dominates, in their order; of equal ones all."""
    feasible = [trial for trial in trials if trial.feasible]
    if not feasible:
        return []
    return [feasible[i] for i in non_dominated(np.array([trial.objectives for trial in feasible])).tolist()]
