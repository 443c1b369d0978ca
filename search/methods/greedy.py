"""Greedy search by the sensitivity of each gene: the widest candidate is narrowed step by step."""

from collections.abc import Iterator, Sequence

import numpy as np

from search.methods.method import MethodSettings, Space, Trial
from search.methods.random_search import RandomSearch
from search.objectives import Floats
from search.space.genome import Genes

LEAST_LOSS = 1e-3
"""What a step is taken to cost at least in the first objective, so that gain for loss is finite."""


class Greedy(RandomSearch):
    """Every gene is narrowed alone, from the widest candidate, which gives what a step costs in the first objective
    (the error) and what it gains; then steps are taken in the order of gain for loss, for each other objective in turn.
    Random candidates follow where the budget leaves some."""

    def begin(self, space: Space, settings: MethodSettings) -> None:
        super().begin(space, settings)
        self.noted(space.initial)  # random candidates are others than those
        self._population, self._objectives = settings.population, len(space.objectives)
        self._values: dict[bytes, Floats] = {}
        self._steps = self._batches()
        self._pending: list[Genes] = []

    def ask(self) -> Genes | None:
        number = self._offspring if self._values else self._population
        rows: list[Genes] = []
        while len(rows) < number:
            if self._pending:
                rows.append(self._pending.pop(0))
            elif rows:  # the next batch is built on these: they must be known first
                break
            else:
                batch = next(self._steps, None)
                if batch is None:
                    return self.noted(self.drawn(number))
                self._pending = batch
        return self.noted(np.array(rows))

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self._values |= {trial.genes.tobytes(): trial.objectives for trial in trials}

    def _batches(self) -> Iterator[list[Genes]]:
        """Batches of gene vectors, each asked for when the ones before it are known."""
        widest = self._upper
        alone = []
        for gene, highest in enumerate(widest):
            for level in range(int(highest)):
                row = widest.copy()
                row[gene] = level
                alone.append(row)
        yield [widest, *alone]
        for objective in range(1, self._objectives):
            yield [row for row in self._path(objective, widest, alone) if row.tobytes() not in self._values]

    def _path(self, objective: int, widest: Genes, alone: Sequence[Genes]) -> list[Genes]:
        """The widest candidate narrowed step by step, in the order of gain in an objective for loss in the first."""
        base = self._values[widest.tobytes()]
        steps = []
        for row in alone:
            values = self._values[row.tobytes()]
            gain, loss = base[objective] - values[objective], max(values[0] - base[0], LEAST_LOSS)
            gene = int(np.flatnonzero(row != widest)[0])
            steps.append((-gain / loss, gene, int(row[gene])))
        path, at = [], widest.copy()
        for _, gene, level in sorted(steps):
            if level < at[gene]:
                at = at.copy()
                at[gene] = level
                path.append(at)
        return path
