"""A method of one's own: coordinate descent. Gene after gene, the best candidate so far is tried with all other values
of that gene; which one is best depends on weights of the objectives, drawn anew for each gene.

mohaq search docs/examples/energy_delay.yaml --out runs/coordinate-descent \
    --plugin docs/examples/energy_delay.py --plugin docs/examples/coordinate_descent.py
"""

from collections.abc import Sequence

import numpy as np

from search.methods import Genes, MethodSettings, Space, Trial, register_method


class CoordinateDescent:
    """The gene vectors that it asks for follow from the seed and from what it was told: so a search that was killed can
    go on."""

    def begin(self, space: Space, settings: MethodSettings) -> None:
        """Forget whatever was before, and prepare to search a space."""
        self._space = space
        self._generator = np.random.default_rng(settings.seed)
        self._trials: dict[str, Trial] = {}
        self._gene = -1

    def ask(self) -> Genes | None:
        """The initial candidates first, then the best so far with other values of the next gene; None where a whole
        round of genes has no value left to try."""
        if not self._trials:
            return self._space.initial
        for _ in self._space.upper:
            self._gene = (self._gene + 1) % len(self._space.upper)
            values = np.arange(self._space.upper[self._gene] + 1)
            rows = np.repeat(self._best().genes[None], len(values), axis=0)
            rows[:, self._gene] = values
            untried = [row for row in rows if self._space.name_of(row) not in self._trials]
            if untried:
                return np.array(untried)
        return None

    def tell(self, trials: Sequence[Trial]) -> None:
        """What became of each gene vector that was asked for last, in their order."""
        self._trials |= {trial.name: trial for trial in trials}

    def _best(self) -> Trial:
        """The one, of the feasible trials or else of all, with the least weighted sum of objectives as shares of their
        ranges."""
        trials = [trial for trial in self._trials.values() if trial.feasible] or list(self._trials.values())
        objectives = np.array([trial.objectives for trial in trials])
        ranges = np.ptp(objectives, axis=0)
        weights = self._generator.dirichlet(np.ones(len(ranges))) / np.where(ranges > 0, ranges, 1.0)
        return trials[int(np.argmin((objectives * weights).sum(axis=1)))]


register_method("coordinate-descent", CoordinateDescent)
