"""Random search: candidates drawn evenly, none twice. What other methods are held against."""

from collections.abc import Sequence

import numpy as np

from search.methods.evolution import Evolution
from search.methods.method import MethodSettings, Space, Trial
from search.space.genome import Genes

ATTEMPTS = 100
"""Draws of a random candidate before one that was asked for already is taken for a sign that none is left."""


class RandomSearch:
    """Gene vectors drawn evenly.

    They come from the generator of an NSGA-II whose population is kept beside, as its survivors are drawn from it too:
    so a seed gives the candidates that it always gave.
    """

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._upper, self._offspring = space.upper, settings.offspring
        self._evolution = Evolution()
        self._evolution.begin(space, settings)
        self._asked: set[bytes] = set()

    def ask(self) -> Genes | None:
        asked = self.drawn(self._offspring) if self._asked else self._evolution.ask()
        return None if asked is None else self.noted(asked)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._evolution.tell(trials)

    def drawn(self, number: int) -> Genes:
        """So many distinct random gene vectors (N, genes) that were not asked for; fewer where hardly any is left."""
        rows: dict[bytes, Genes] = {}
        for _ in range(number):
            for _ in range(ATTEMPTS):
                row = self._evolution.generator.integers(0, self._upper + 1)
                if row.tobytes() not in self._asked and row.tobytes() not in rows:
                    rows[row.tobytes()] = row
                    break
        return np.array(list(rows.values()), np.int64).reshape(-1, len(self._upper))

    def noted(self, genes: Genes) -> Genes:
        """Gene vectors (N, genes) that are asked for now."""
        self._asked |= {row.tobytes() for row in genes}
        return genes
