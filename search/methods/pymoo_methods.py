"""Which candidates are asked for next: the search's methods, one interface.

`nsga2` is MOHAQ's (Rezk et al. 2022, section 5). `nsga3` and `age-moea` are pymoo's, with the same operators.
`surrogate` learns the error from what was evaluated (`search.methods.surrogate`). `random` and `greedy` are what they
are held against. All are pymoo algorithms: the population that survives is NSGA-II's where the method has no rule of
its own. """

from collections.abc import Iterator
from typing import Any

import numpy as np
from pymoo.algorithms.moo.age import AGEMOEA
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.algorithm import Algorithm
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.util.ref_dirs import get_reference_directions

from search.methods.surrogate import Surrogate
from search.settings.experiment import Experiment

ATTEMPTS = 100
"""Draws of a random candidate before one that was asked for already is taken for a sign that none is left."""


def method_of(experiment: Experiment, problem: Problem, initial: np.ndarray) -> Algorithm:
    """The experiment's algorithm, set up: it begins with the gene vectors `initial` (N, genes)."""
    settings: dict[str, Any] = {
        "pop_size": experiment.population,
        "n_offsprings": experiment.offspring,
        "sampling": initial,
        "crossover": SBX(prob=1.0, eta=experiment.crossover_eta, vtype=float, repair=RoundingRepair()),
        "mutation": PM(prob=1.0, eta=experiment.mutation_eta, vtype=float, repair=RoundingRepair()),
        "eliminate_duplicates": True,
    }
    match experiment.method:
        case "nsga2":
            algorithm = NSGA2(**settings)
        case "nsga3":
            directions = get_reference_directions(
                "energy", len(experiment.objectives), experiment.population, seed=experiment.seed
            )
            algorithm = NSGA3(directions, **settings)
        case "age-moea":
            algorithm = AGEMOEA(**settings)
        case "random":
            algorithm = Random(**settings)
        case "greedy":
            algorithm = Greedy(**settings)
        case "surrogate":
            algorithm = Surrogate(**settings)
    algorithm.setup(problem, termination=("n_gen", experiment.generations + 1), seed=experiment.seed, verbose=False)
    return algorithm


class Random(NSGA2):
    """Candidates drawn evenly, none twice."""

    def _initialize_infill(self) -> Population:
        self._asked: set[bytes] = set()
        return self._noted(super()._initialize_infill())

    def _infill(self) -> Population:
        return self._noted(self._drawn(self.n_offsprings))

    def _drawn(self, number: int) -> Population:
        rows: dict[bytes, np.ndarray] = {}
        for _ in range(number):
            for _ in range(ATTEMPTS):
                row = self.random_state.integers(0, self.problem.xu + 1)
                if row.tobytes() not in self._asked and row.tobytes() not in rows:
                    break
            rows[row.tobytes()] = row
        return Population.new("X", np.array(list(rows.values())))

    def _noted(self, population: Population) -> Population:
        self._asked |= {np.asarray(x, dtype=np.int64).tobytes() for x in population.get("X")}
        return population


class Greedy(Random):
    """Per-layer sensitivity: every gene is narrowed alone, from the widest candidate, which gives what a step costs in
    error and what it gains; then steps are taken in the order of gain for error, for each objective but the error in
    turn. Random candidates follow where the budget leaves some."""

    def _initialize_infill(self) -> Population:
        super()._initialize_infill()
        self._known: dict[bytes, np.ndarray] = {}
        self._steps = self._sequence()
        self._pending: list[np.ndarray] = []
        return self._taken(self.pop_size)

    def _infill(self) -> Population:
        return self._taken(self.n_offsprings)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> Any:
        self._learn(infills)
        return super()._advance(infills=infills, **kwargs)

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> Any:
        self._learn(infills)
        return super()._initialize_advance(infills=infills, **kwargs)

    def _learn(self, infills: Population | None) -> None:
        for individual in infills if infills is not None else ():
            self._known[np.asarray(individual.X, dtype=np.int64).tobytes()] = individual.F

    def _taken(self, number: int) -> Population:
        rows: list[np.ndarray] = []
        while len(rows) < number:
            if not self._pending:
                if rows:  # the next batch is built on these: they must be known first
                    break
                batch = next(self._steps, None)
                if batch is None:
                    return self._noted(self._drawn(number))
                self._pending = batch
            else:
                rows.append(self._pending.pop(0))
        return self._noted(Population.new("X", np.array(rows)))

    def _sequence(self) -> Iterator[list[np.ndarray]]:
        """Batches of candidates, each asked for when the ones before it are known."""
        top = np.asarray(self.problem.xu, dtype=np.int64)
        alone = []
        for gene, highest in enumerate(top):
            for level in range(int(highest)):
                row = top.copy()
                row[gene] = level
                alone.append(row)
        yield [top, *alone]
        for objective in range(1, len(self._known[top.tobytes()])):
            base = self._known[top.tobytes()]
            steps = []
            for row in alone:
                found = self._known[row.tobytes()]
                gain, loss = base[objective] - found[objective], max(found[0] - base[0], 1e-3)
                gene = int(np.flatnonzero(row != top)[0])
                steps.append((-gain / loss, gene, int(row[gene])))
            path, at = [], top.copy()
            for _, gene, level in sorted(steps):
                if level < at[gene]:
                    at = at.copy()
                    at[gene] = level
                    path.append(at)
            yield [row for row in path if row.tobytes() not in self._known]
