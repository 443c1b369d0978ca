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

import numpy as np
from threadpoolctl import threadpool_limits

from quant.evaluation.work_estimate import Shared
from search.methods.additive_front import AdditiveFront
from search.methods.evolution import Evolution, Setup
from search.methods.learnt_errors import LearntErrors
from search.methods.method import KnownErrors, MethodSettings, Space, Trial
from search.methods.promise import Promise, in_ratios, most_promising
from search.methods.promising_hardware import promising_hardware
from search.objectives import Floats
from search.space.genome import Genes

BESIDE_GENES = 8
"""Candidates that are evaluated first besides one for each gene: as many as tell the additive model something of each
gene; what else there is of the first population is better chosen."""
FEWER = 4
"""Part of the genes for each of which a candidate is evaluated first, where errors of other runs tell of all."""
INNER_POPULATION, INNER_GENERATIONS = 50, 10
"""The search on predictions: its population, and its generations with the first."""
SHORTER = 3
"""Generations of the search on predictions where genes choose the hardware."""
MOST_FRONTS = 4
"""Pieces of hardware whose additive fronts are kept, where genes choose it; one more a generation."""
MOST_CROSSED = 100
"""Candidates that are predicted on each piece of hardware, where genes choose it."""


@dataclass(frozen=True)
class _InnerSettings:
    """Settings of the search on predictions."""

    seed: int
    crossover_eta: float
    mutation_eta: float
    population: int = INNER_POPULATION
    offspring: int = INNER_POPULATION
    generations: int = INNER_GENERATIONS - 1


class Surrogate:
    """NSGA-II whose offspring come from searches on predictions; `additive` leaves the additive model alone.

    Where genes choose the hardware too, what is promising of bits is predicted on hardware of the front and some around
    it, and NSGA-II searches both for a shorter time: other hardware has all its layers simulated anew."""

    def __init__(self, additive: bool = False):
        self._additive = additive
        self._elsewhere: Sequence[KnownErrors] = ()

    def learn_from(self, elsewhere: Sequence[KnownErrors]) -> None:
        """See `search.methods.method.LearnsElsewhere`."""
        self._elsewhere = elsewhere

    def begin(self, space: Space, settings: MethodSettings) -> None:
        self._space, self._settings = space, settings
        self._evolution = Evolution()
        self._evolution.begin(space, settings)
        self._errors = LearntErrors(space, self._additive, self._elsewhere)
        self._fronts: dict[bytes, AdditiveFront] = {}
        self._trials: dict[str, Trial] = {}
        self._rest = space.initial[:0]
        """What is left of the first population, where it is not asked for at once."""

    def ask(self) -> Genes | None:
        if not self._trials:
            genes = self._evolution.ask()
            return None if genes is None else genes[: self._first]
        with threadpool_limits(1, user_api="blas"):  # with the number of threads sums change, and choices with them
            return self._offspring(self._wanted, self._space.initial[:0])

    def ask_more(self, number: int, pending: Genes) -> Genes | None:
        """See `search.methods.method.AsksWhilePending`. The first population comes first, as far as it is wanted before
        half of what `ask` begins with is known; then what is pending is believed to err as is predicted of it."""
        if not self._trials and not len(pending):
            population = self._evolution.ask()
            self._rest = pending if population is None else population
        self._evolution.fresh.note(pending)
        first = self._first
        if len(self._trials) + len(pending) < first or len(self._trials) < first // 2:
            rows, self._rest = self._rest[:number], self._rest[number:]
            return rows if len(rows) else self._evolution.fresh.drawn(number, self._evolution.generator)
        with threadpool_limits(1, user_api="blas"):
            return self._offspring(number, pending)

    def tell(self, trials: Sequence[Trial]) -> None:
        self._trials |= {trial.name: trial for trial in trials}
        self._evolution.tell(trials)

    def _offspring(self, wanted: int, pending: Genes) -> Genes | None:
        """So many gene vectors at most, where it is not known yet what became of others (P, genes)."""
        if not self._errors.learn(list(self._trials.values()), pending):
            return self._evolution.ask()
        promises: dict[str, Promise] = {}
        for promise in self._promises():
            promises.setdefault(self._space.name_of(promise.genes), promise)
        asked = self._trials.keys() | {self._space.name_of(row) for row in pending}
        new = [promise for name, promise in promises.items() if name not in asked]
        chosen = self._chosen(new, wanted, pending)
        if len(chosen) < wanted:
            offspring = self._evolution.ask()
            taken = asked | {self._space.name_of(row) for row in chosen}
            others = {} if offspring is None else {self._space.name_of(row): row for row in offspring}
            chosen += [row for name, row in others.items() if name not in taken]
            if not chosen:
                return offspring
        return np.array(chosen[:wanted])

    @property
    def _first(self) -> int:
        """How many candidates are evaluated first; fewer, where others' errors tell of each gene."""
        return BESIDE_GENES + len(self._space.upper) // (FEWER if self._elsewhere else 1)

    @property
    def _wanted(self) -> int:
        """How many candidates are asked for next."""
        left = self._settings.population - len(self._trials)
        return min(left, self._settings.offspring) if left > 0 else self._settings.offspring

    def _promises(self) -> Iterable[Promise]:
        """What the searches on predictions look at."""
        rows = self._over_hardware() if self._space.hardware_genes else self._additive_candidates(self._space.upper[:0])
        if len(rows):
            yield from self._promised(rows, *self._previewed(rows))
        if not self._additive:
            yield from self._bred()

    def _additive_candidates(self, hardware: Genes) -> Genes:
        """(N, genes) The front of the additive model on the hardware of its genes."""
        front = self._fronts.get(hardware.tobytes())
        if front is None:
            front = AdditiveFront(self._space, hardware, self._errors.median, self._settings.seed)
            self._fronts[hardware.tobytes()] = front
            while len(self._fronts) > MOST_FRONTS:
                del self._fronts[next(iter(self._fronts))]
        return front.candidates(self._errors.additive)

    def _over_hardware(self) -> Genes:
        """(N, genes) Bits of the population and of additive models' fronts, each on several pieces of hardware."""
        generator, space = self._evolution.generator, self._space
        trials, count = list(self._trials.values()), len(space.upper) - space.hardware_genes
        hardware = promising_hardware(trials, space.upper, space.hardware_genes, generator)
        kept = [hardware[0], *(row for row in hardware[1:] if row.tobytes() in self._fronts)]
        bits = np.concatenate([self._additive_candidates(row)[:, :count] for row in kept])
        bits = np.concatenate([self._evolution.population[:, :count], bits])
        bits = bits[np.sort(np.unique(bits, axis=0, return_index=True)[1])]
        bits = bits[np.sort(generator.permutation(len(bits))[:MOST_CROSSED])]
        # What is over a limit turns out so as it is predicted: to ask beforehand would simulate all twice.
        return np.concatenate([np.column_stack([bits, np.tile(row, (len(bits), 1))]) for row in hardware])

    def _bred(self) -> Iterable[Promise]:
        """The candidates that NSGA-II looks at on predictions, from the population that there is."""
        space, settings = self._space, self._settings
        seed = int(self._evolution.generator.integers(2**31))
        inner_settings = _InnerSettings(seed, settings.crossover_eta, settings.mutation_eta)
        inner = Evolution()
        inner.breed(Setup(space, len(space.objectives), self._evolution.population, inner_settings))
        for _ in range(SHORTER if space.hardware_genes else INNER_GENERATIONS):
            genes = inner.offspring()
            if not len(genes):
                break
            objectives, violations = self._previewed(genes)
            inner.tell_values(genes, objectives, violations)
            yield from self._promised(genes, objectives, violations)

    def _previewed(self, genes: Genes) -> tuple[Floats, Floats]:
        """Objectives and violations of gene vectors (N, genes) with predicted errors, as `Space.preview` has them."""
        return self._space.preview(genes, self._errors.predict(genes))

    @staticmethod
    def _promised(genes: Genes, objectives: Floats, violations: Floats) -> list[Promise]:
        return [
            Promise(row, values, not exceeded.any())
            for row, values, exceeded in zip(genes, objectives, violations, strict=True)
        ]

    def _chosen(self, promises: Sequence[Promise], wanted: int, pending: Genes) -> list[Genes]:
        """So many candidates to evaluate, of some promises, beside what is pending. What the population was evaluated
        with is taken to be there."""
        known = [trial.objectives for trial in self._trials.values() if trial.feasible]
        if len(pending):
            believed = self._promised(pending, *self._space.preview(pending, self._errors.believed))
            known += [promise.objectives for promise in believed if promise.feasible]
        rows = np.array([*known, *(promise.objectives for promise in promises)])
        values = in_ratios(rows.reshape(-1, len(self._space.objectives)), self._space.objectives)
        front = values[: len(known)]
        scaled = [
            Promise(promise.genes, of, promise.feasible)
            for promise, of in zip(promises, values[len(known) :], strict=True)
        ]
        return most_promising(scaled, front, wanted, self._space.parts, self._shared_with_population())

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
