"""The loop of a search: what an algorithm asks for, evaluated and told, generation by generation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pymoo.core.algorithm import Algorithm
from pymoo.core.evaluator import Evaluator
from pymoo.core.population import Population
from pymoo.core.problem import Problem


class Recorder(Protocol):
    """Where a search notes how far it came; `search.runs.run_folder.RunFolder` is one."""

    @property
    def folder(self) -> Path: ...
    def check(self, number: int, genes: np.ndarray) -> None: ...
    def save(self, number: int, genes: np.ndarray, population: Any) -> None: ...


def generations(
    algorithm: Algorithm, problem: Problem, state: Recorder | None = None
) -> Iterator[tuple[int, Population]]:
    """The number of each generation, from 0, and its evaluated candidates, until the algorithm's budget is spent or it
    finds nothing that it has not asked for."""
    while algorithm.has_next():
        asked = algorithm.ask()
        if asked is None:
            return
        number = algorithm.n_gen - 1
        if state:
            state.check(number, asked.get("X"))
        Evaluator().eval(problem, asked)
        algorithm.tell(infills=asked)
        if state:
            state.save(number, asked.get("X"), algorithm.pop)
        yield number, asked
