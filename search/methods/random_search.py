"""Random search: candidates drawn evenly, none twice. What other methods are held against."""

from collections.abc import Sequence

from search.methods.evolution import Evolution
from search.methods.fresh import Fresh
from search.methods.method import MethodSettings, Space, Trial
from search.space.genome import Genes


class RandomSearch:
    """Gene vectors drawn evenly, within the limits that are known.

    They come from the generator of an NSGA-II whose population is kept beside, as its survivors are drawn from it too:
    so a seed gives the candidates that it always gave.
    """

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._offspring = settings.offspring
        self._evolution = Evolution()
        self._evolution.begin(space, settings)
        self._begun = False
        self._rest = space.initial[:0]
        """What is left of the first population, where it is not asked for at once."""

    def ask(self) -> Genes | None:
        return self.drawn(self._offspring) if self._begun else self._evolution.ask()

    def ask_more(self, number: int, pending: Genes) -> Genes | None:
        """See `search.methods.method.AsksWhilePending`."""
        if not self._begun and not len(pending):
            population = self._evolution.ask()
            self._rest = pending if population is None else population
        self.fresh.note(pending)
        rows, self._rest = self._rest[:number], self._rest[number:]
        return rows if len(rows) else self.drawn(number)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._begun = True
        self._evolution.tell(trials)

    @property
    def fresh(self) -> Fresh:
        """What was not asked for yet."""
        return self._evolution.fresh

    def drawn(self, number: int) -> Genes:
        """So many distinct random gene vectors (N, genes) that were not asked for; fewer where no more are left."""
        return self.fresh.drawn(number, self._evolution.generator)
