"""A search that learns the error, next to costs that are simulated, not learnt.

The model evaluation takes a second, a simulation microseconds. So between two generations two searches run on predicted
errors: an additive model of error and costs has its whole Pareto front by dynamic programming, and NSGA-II looks around
the population, on exact costs. A Gaussian process predicts the error of what both found, and those candidates are
evaluated that promise to add most hypervolume to the front that is known; of those that promise nearly as much, those
whose evaluation is the least work, because they begin with the bits of others (switching costs: Lin et al. 2021,
modular black-box systems).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from quant.evaluation.work_estimate import Shared
from search.methods.additive_error import AdditiveError
from search.methods.additive_front import AdditiveFront
from search.methods.error_model import ErrorModel
from search.methods.evolution import Evolution, Setup
from search.methods.learnt_subset import learnt_subset
from search.methods.method import MethodSettings, Space, Trial
from search.methods.promise import Promise, in_ratios, most_promising
from search.objectives import Floats
from search.space.genome import Genes

BESIDE_GENES = 8
"""Candidates that are evaluated first besides one for each gene: as many as tell the additive model something of each
gene; what else there is of the first population is better chosen."""
MOST_LEARNT = 256
"""Candidates that the error model learns from at most: those near the front, and some around."""
REFIT_GROWTH = 1.25
"""Factor by which the evaluated candidates have grown, where they are more, before parameters are fitted again."""
INNER_POPULATION, INNER_GENERATIONS = 50, 10
"""The search on predictions: its population, and its generations with the first."""
OPTIMISM = 0.3
"""Standard deviations below its mean at which a prediction is taken: what is not known well is worth a look."""


@dataclass(frozen=True)
class _InnerSettings:
    """Settings of the search on predictions."""

    seed: int
    crossover_eta: float
    mutation_eta: float
    population: int = INNER_POPULATION
    offspring: int = INNER_POPULATION
    generations: int = INNER_GENERATIONS - 1


class _Learnt(NamedTuple):
    """What the errors are learnt from."""

    genes: Genes
    """(N, genes)"""
    errors: Floats
    """(N,) percent."""


class Surrogate:
    """NSGA-II whose offspring come from searches on predictions. It learns an error of bits, and knows no hardware:
    where genes choose that too, NSGA-II takes its place. `additive` leaves the additive model alone."""

    over_hardware = "nsga2"

    def __init__(self, additive: bool = False):
        self._additive = additive

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._space, self._settings = space, settings
        self._evolution = Evolution()
        self._evolution.begin(space, settings)
        self._error_model, self._additive_error = ErrorModel.begin(), AdditiveError()
        self._additive_front: AdditiveFront | None = None
        self._trials: dict[str, Trial] = {}
        self._fitted_at = 0

    def ask(self) -> Genes | None:
        if not self._trials:
            genes = self._evolution.ask()
            return None if genes is None else genes[: len(self._space.upper) + BESIDE_GENES]
        with threadpool_limits(1, user_api="blas"):  # with the number of threads sums change, and choices with them
            return self._offspring()

    def tell(self, trials: Sequence[Trial]) -> None:
        self._trials |= {trial.name: trial for trial in trials}
        self._evolution.tell(trials)

    def _offspring(self) -> Genes | None:
        learnt = self._learnt()
        if learnt is None:
            return self._evolution.ask()
        promises: dict[str, Promise] = {}
        for promise in self._promises(learnt):
            promises.setdefault(self._space.name_of(promise.genes), promise)
        chosen = self._chosen([promise for name, promise in promises.items() if name not in self._trials])
        if len(chosen) < self._wanted:
            offspring = self._evolution.ask()
            taken = self._trials.keys() | {self._space.name_of(row) for row in chosen}
            others = {} if offspring is None else {self._space.name_of(row): row for row in offspring}
            chosen += [row for name, row in others.items() if name not in taken]
            if not chosen:
                return offspring
        return np.array(chosen[: self._wanted])

    @property
    def _wanted(self) -> int:
        """How many candidates are asked for next."""
        left = self._settings.population - len(self._trials)
        return min(left, self._settings.offspring) if left > 0 else self._settings.offspring

    def _learnt(self) -> _Learnt | None:
        """Fit the models of the error to what was evaluated, where that is enough for one."""
        trials = [trial for trial in self._trials.values() if trial.error is not None]
        if len(trials) < 2:
            return None
        genes, errors = np.array([trial.genes for trial in trials]), np.array([trial.error for trial in trials], float)
        feasible = np.flatnonzero([trial.feasible for trial in trials])
        rows = learnt_subset(genes, feasible, np.array([trial.objectives for trial in trials]), MOST_LEARNT)
        learnt = _Learnt(genes[rows], errors[rows])
        self._additive_error.fit(learnt.genes, learnt.errors, self._space.upper)
        tune = len(trials) <= MOST_LEARNT or len(trials) >= REFIT_GROWTH * self._fitted_at
        if tune:
            self._fitted_at = len(trials)
        if not self._additive:
            self._error_model.fit(learnt.genes, learnt.errors, tune)
        return learnt

    def _promises(self, learnt: _Learnt) -> Iterable[Promise]:
        """What the searches on predictions look at."""
        if self._additive_front is None:
            self._additive_front = AdditiveFront(self._space, float(np.median(learnt.errors)), self._settings.seed)
        rows = self._additive_front.candidates(self._additive_error)
        if len(rows):
            yield from self._promised(rows, *self._previewed(rows))
        if not self._additive:
            yield from self._bred()

    def _bred(self) -> Iterable[Promise]:
        """The candidates that NSGA-II looks at on predictions, from the population that there is."""
        space, settings = self._space, self._settings
        seed = int(self._evolution.generator.integers(2**31))
        inner_settings = _InnerSettings(seed, settings.crossover_eta, settings.mutation_eta)
        inner = Evolution()
        inner.breed(Setup(space, len(space.objectives), self._evolution.population, inner_settings))
        for _ in range(INNER_GENERATIONS):
            genes = inner.offspring()
            if not len(genes):
                break
            objectives, violations = self._previewed(genes)
            inner.tell_values(genes, objectives, violations)
            yield from self._promised(genes, objectives, violations)

    def _previewed(self, genes: Genes) -> tuple[Floats, Floats]:
        """Objectives and violations of gene vectors (N, genes) with predicted errors, as `Space.preview` has them."""
        if self._additive:
            return self._space.preview(genes, np.exp(self._additive_error.predict(genes)))
        mean, deviation = self._error_model.predict(genes)
        return self._space.preview(genes, np.exp(mean - OPTIMISM * deviation))

    @staticmethod
    def _promised(genes: Genes, objectives: Floats, violations: Floats) -> list[Promise]:
        return [
            Promise(row, values, not exceeded.any())
            for row, values, exceeded in zip(genes, objectives, violations, strict=True)
        ]

    def _chosen(self, promises: Sequence[Promise]) -> list[Genes]:
        """Candidates to evaluate, of some promises. What the population was evaluated with is taken to be there."""
        known = [trial.objectives for trial in self._trials.values() if trial.feasible]
        rows = np.array([*known, *(promise.objectives for promise in promises)])
        values = in_ratios(rows.reshape(-1, len(self._space.objectives)), self._space.objectives)
        front = values[: len(known)]
        scaled = [
            Promise(promise.genes, of, promise.feasible)
            for promise, of in zip(promises, values[len(known) :], strict=True)
        ]
        return most_promising(scaled, front, self._wanted, self._space.parts, self._shared_with_population())

    def _shared_with_population(self) -> Shared:
        """The parts of evaluations whose results are taken to be there still."""
        shared = Shared()
        for row in self._evolution.population:
            if self._trials[self._space.name_of(row)].error is not None:
                shared.add_kept(self._space.parts(row))
        return shared


def additive() -> Surrogate:
    """The additive model's front alone."""
    return Surrogate(additive=True)
