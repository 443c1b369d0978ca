"""Greedy search by the sensitivity of each gene: the widest candidate within the limits is narrowed step by step."""

from collections.abc import Iterator, Sequence

import numpy as np

from search.methods.method import MethodSettings, Space, Trial
from search.methods.random_search import RandomSearch
from search.objectives import Floats
from search.space.genome import Genes

LEAST_LOSS = 1e-3
"""What a step is taken to cost at least in the first objective, so that gain for loss is finite."""


class Greedy:
    """Every gene is narrowed alone, from the widest candidate within the known limits, which gives what a step costs in
    the first objective (the error) and what it gains; then steps are taken in the order of gain for loss, for each
    other objective in turn. Random candidates follow where the budget leaves some. It knows widths, and no hardware:
    where genes choose that too, NSGA-II takes its place."""

    over_hardware = "nsga2"

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._random = RandomSearch()
        self._random.begin(space, settings)
        self._space, self._population, self._offspring = space, settings.population, settings.offspring
        self._values: dict[str, Floats] = {}
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
                    return self._random.drawn(number)
                new = self._random.fresh.new(np.array(batch))
                self._pending = [row for row, is_new in zip(batch, new, strict=True) if is_new]
        return np.array(rows)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._random.tell(trials)
        self._values |= {trial.name: trial.objectives for trial in trials}

    def _batches(self) -> Iterator[list[Genes]]:
        """Batches of gene vectors, each asked for when the ones before it are known."""
        widest = _widest(self._space)
        alone = []
        for gene, highest in enumerate(widest):
            for level in range(int(highest)):
                row = widest.copy()
                row[gene] = level
                alone.append(row)
        yield [widest, *alone]
        for objective in range(1, len(self._space.objectives)):
            yield self._path(objective, widest, alone)

    def _path(self, objective: int, widest: Genes, alone: Sequence[Genes]) -> list[Genes]:
        """The widest candidate narrowed step by step, in the order of gain in an objective for loss in the first."""
        base = self._values[self._space.name_of(widest)]
        steps = []
        for row in alone:
            values = self._values.get(self._space.name_of(row))
            if values is None:  # over a limit that the widest keeps: fewer bits may cost more, on an array fed worse
                continue
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


def _widest(space: Space) -> Genes:
    """(genes,) The widest candidate within the known limits: the same index for all genes, then each gene in turn wider
    as far as it goes."""
    levels = range(int(space.upper.max()), -1, -1)
    even = np.array([np.minimum(space.upper, level) for level in levels])
    widest: Genes = even[int(np.argmax(space.within(even)))]
    for gene, highest in enumerate(space.upper):
        for level in range(int(widest[gene]) + 1, int(highest) + 1):
            wider = widest.copy()
            wider[gene] = level
            if not space.within(wider[None])[0]:
                break
            widest = wider
    return widest
