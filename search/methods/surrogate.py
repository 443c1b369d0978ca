"""A search that learns the error, next to costs that are simulated, not learnt.

The model evaluation takes a second, a simulation microseconds. So between two generations a second search runs, NSGA-II
on predicted errors and exact costs, and of all that it looked at those candidates are evaluated that promise to add
most hypervolume to the front that is known for the work of their evaluation (Snoek et al. 2012, section 3.2, expected
improvement per second), which is less where they begin with the bits of others (switching costs: Lin et al. 2021,
modular black-box systems).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymoo.indicators.hv import Hypervolume
from threadpoolctl import threadpool_limits

from quant.evaluation.work_estimate import Shared
from search.methods.error_model import ErrorModel
from search.methods.evolution import Evolution, Setup
from search.methods.learnt_subset import learnt_subset
from search.methods.method import MethodSettings, Space, Trial
from search.objectives import Floats
from search.objectives.dominance import non_dominated
from search.space.genome import Genes

REFIT_EVERY = 5
"""Generations after which the kernel's parameters are fitted again."""
MOST_LEARNT = 256
"""Candidates that the error model learns from at most: those near the front, and some around."""
REFIT_GROWTH = 1.25
"""Factor by which the evaluated candidates have grown, where they are more, before parameters are fitted again."""
INNER_POPULATION, INNER_GENERATIONS = 50, 10
"""The search on predictions: its population, and its generations with the first."""
OPTIMISM = 1.0
"""Standard deviations below its mean at which a prediction is taken: what is not known well is worth a look."""
REFERENCE = 1.1
"""The reference point of hypervolumes in each objective, where 0 is the best and 1 the worst value."""


@dataclass(frozen=True)
class _InnerSettings:
    """Settings of the search on predictions."""

    seed: int
    crossover_eta: float
    mutation_eta: float
    population: int = INNER_POPULATION
    offspring: int = INNER_POPULATION
    generations: int = INNER_GENERATIONS - 1


@dataclass(frozen=True)
class Promise:
    """A candidate that was not evaluated, with what is predicted of it."""

    genes: Genes
    """(genes,)"""
    objectives: Floats
    """(objectives,) all minimised."""
    feasible: bool


class Surrogate:
    """NSGA-II whose offspring come from a search on an `ErrorModel`. It learns an error of bits, and knows no hardware:
    where genes choose that too, NSGA-II takes its place."""

    over_hardware = "nsga2"

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._space, self._settings = space, settings
        self._evolution = Evolution()
        self._evolution.begin(space, settings)
        self._error_model = ErrorModel.begin()
        self._trials: dict[str, Trial] = {}
        self._generation = self._fitted_at = 0

    def ask(self) -> Genes | None:
        if self._generation == 0:
            return self._evolution.ask()
        with threadpool_limits(1, user_api="blas"):  # with the number of threads sums change, and choices with them
            return self._offspring()

    def tell(self, trials: Sequence[Trial]) -> None:
        self._trials |= {trial.name: trial for trial in trials}
        self._generation += 1
        self._evolution.tell(trials)

    def _offspring(self) -> Genes | None:
        if not self._learn():
            return self._evolution.ask()
        promises = [promise for name, promise in self._predicted().items() if name not in self._trials]
        chosen = self.most_promising(promises)
        if len(chosen) < self._settings.offspring:
            offspring = self._evolution.ask()
            taken = self._trials.keys() | {self._space.name_of(row) for row in chosen}
            others = {} if offspring is None else {self._space.name_of(row): row for row in offspring}
            chosen += [row for name, row in others.items() if name not in taken]
            if not chosen:
                return offspring
        return np.array(chosen[: self._settings.offspring])

    def _learn(self) -> bool:
        """Fit the error model to what was evaluated, where that is enough for one."""
        learnt = [trial for trial in self._trials.values() if trial.error is not None]
        if len(learnt) < 2:
            return False
        genes, errors = np.array([trial.genes for trial in learnt]), np.array([trial.error for trial in learnt], float)
        feasible = np.flatnonzero([trial.feasible for trial in learnt])
        rows = learnt_subset(genes, feasible, np.array([trial.objectives for trial in learnt]), MOST_LEARNT)
        grown = len(learnt) <= MOST_LEARNT or len(learnt) >= REFIT_GROWTH * self._fitted_at
        tune = self._generation % REFIT_EVERY == 0 and grown
        if tune:
            self._fitted_at = len(learnt)
        self._error_model.fit(genes[rows].astype(float), errors[rows], tune)
        return True

    def _predicted(self) -> dict[str, Promise]:
        """The candidates that NSGA-II looks at on predictions, from the population that there is, by their names."""
        space, settings = self._space, self._settings
        seed = int(self._evolution.generator.integers(2**31))
        inner_settings = _InnerSettings(seed, settings.crossover_eta, settings.mutation_eta)
        inner = Evolution()
        inner.breed(Setup(space, len(space.objectives), self._evolution.population, inner_settings))
        seen: dict[str, Promise] = {}
        for _ in range(INNER_GENERATIONS):
            genes = inner.offspring()
            if not len(genes):
                break
            mean, deviation = self._error_model.predict(genes.astype(float))
            objectives, violations = space.preview(genes, np.exp(mean - OPTIMISM * deviation))
            inner.tell_values(genes, objectives, violations)
            for row, values, exceeded in zip(genes, objectives, violations, strict=True):
                seen.setdefault(space.name_of(row), Promise(row, values, not exceeded.any()))
        return seen

    def most_promising(self, promises: Sequence[Promise]) -> list[Genes]:
        """Gene vectors, one by one that which promises to add most hypervolume to the front and to those chosen before
        it for its work. What the population was evaluated with is taken to be there."""
        feasible = [promise for promise in promises if promise.feasible]
        if not feasible:
            return []
        values = np.array([promise.objectives for promise in feasible])
        known = [trial.objectives for trial in self._trials.values() if trial.feasible]
        front = np.array(known).reshape(-1, values.shape[1])
        every = np.concatenate([front, values])
        low, high = every.min(0), every.max(0)
        span = np.where(high > low, high - low, 1.0)
        scaled, front = (values - low) / span, (front - low) / span
        front = front[non_dominated(front)]
        shared = self._shared_with_population()
        parts = [self._space.parts(promise.genes) for promise in feasible]
        left = list(range(len(feasible)))
        gains = np.full(len(feasible), np.inf)  # at most: what a candidate adds falls as others are chosen
        chosen: list[int] = []
        while len(chosen) < self._settings.offspring:
            left = [i for i in left if not (front <= scaled[i]).all(1).any()]  # a dominated one adds nothing
            if not left:
                break
            front = front[non_dominated(front)]
            work = np.array([shared.left(parts[i]) for i in left])
            at, gains[left] = _most_worth(scaled[left], front, work, gains[left])
            best = left[at]
            chosen.append(best)
            shared.add_all(parts[best])
            front = np.vstack([front, scaled[best]])
        return [feasible[i].genes for i in chosen]

    def _shared_with_population(self) -> Shared:
        """The parts of evaluations whose results are taken to be there still."""
        shared = Shared()
        for row in self._evolution.population:
            if self._trials[self._space.name_of(row)].error is not None:
                shared.add_kept(self._space.parts(row))
        return shared


def _most_worth(points: Floats, front: Floats, work: Floats, bounds: Floats) -> tuple[int, Floats]:
    """The position of the first of some points (N, objectives) that adds most hypervolume to a front (M, objectives)
    for its work (N,), and what each adds at most (N,). It adds no more than the bounds (N,), so that not all need be
    computed: what a point adds falls as others are chosen (a submodular gain; Minoux 1978, lazy greedy)."""
    volume = Hypervolume(ref_point=np.full(points.shape[1], REFERENCE))
    before, gains = volume.do(front), bounds.copy()
    most, best = -np.inf, 0
    for i in np.argsort(-bounds / work, kind="stable").tolist():
        if bounds[i] / work[i] < most:
            break
        gains[i] = volume.do(np.vstack([front, points[i]])) - before
        worth = gains[i] / work[i]
        if worth > most or (worth == most and i < best):
            most, best = worth, i
    return best, gains
