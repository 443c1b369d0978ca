"""A method of search, with its space and what it was told."""

from collections.abc import Sequence

from search.methods import Genes, Method, MethodSettings, Space, Trial


class Watched:
    """A method, its space, and the trials that it was told."""

    space: Space

    def __init__(self, method: Method):
        self.method, self.trials = method, list[Trial]()

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self.space = space
        self.method.begin(space, settings)

    def ask(self) -> Genes | None:
        return self.method.ask()

    def tell(self, trials: Sequence[Trial]) -> None:
        self.trials += trials
        self.method.tell(trials)
