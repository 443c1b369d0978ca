"""pymoo's genetic algorithms as methods of search.

`nsga2` is MOHAQ's (Rezk et al. 2022, section 5): simulated binary crossover and polynomial mutation of a population.
`nsga3` and `age-moea` are pymoo's, with the same operators.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymoo.algorithms.moo.age import AGEMOEA
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.util.ref_dirs import get_reference_directions

from search.methods.fresh import Fresh, SearchablePoints
from search.methods.method import MethodSettings, Space, Trial
from search.methods.operators import NarrowedToLimits, NewOnly, least_excess
from search.objectives import Floats
from search.space.genome import Genes
from simulators.inputs.source_locations import KeyedError


@dataclass(frozen=True)
class Setup:
    """What a genetic algorithm begins with."""

    points: SearchablePoints
    """What there is to ask for, and which of it is within the known limits."""
    objectives: int
    """Number of objectives."""
    initial: Genes
    """(N, genes) The first population."""
    settings: MethodSettings


MakeAlgorithm = Callable[[Setup, dict[str, Any]], Any]
"""A pymoo algorithm, from what it begins with and the arguments that all have in common."""


class Evolution:
    """A genetic algorithm: it asks for the offspring of a population, and lets the fittest of population and trials
    survive. Trials need not be those that it asked for: methods that choose by themselves keep a population in it."""

    def __init__(self, make: MakeAlgorithm = lambda _, arguments: NSGA2(**arguments)):
        self._make = make

    def begin(self, space: Space, settings: MethodSettings) -> None:
        """Search a space. No point is asked for twice, and as many in each generation as there are."""
        self.fresh = Fresh(space)
        self._new = NewOnly(self.fresh)
        self._wanted = 0  # the first population is as large as it is
        self._offspring = settings.offspring
        self._start(Setup(space, len(space.objectives), space.initial, settings), self._new)

    def breed(self, start: Setup) -> None:
        """Begin without a space: where others say what became of gene vectors. Offspring differ from the population
        and among themselves, and may come again later."""
        self._start(start, None)

    def _start(self, start: Setup, new: NewOnly | None) -> None:
        settings, upper = start.settings, start.points.upper
        crossover = SBX(prob=1.0, eta=settings.crossover_eta, vtype=float, repair=RoundingRepair())
        mutation = PM(prob=1.0, eta=settings.mutation_eta, vtype=float, repair=RoundingRepair())
        common = {
            "pop_size": settings.population, "n_offsprings": settings.offspring, "sampling": start.initial,
            "crossover": crossover, "mutation": mutation, "repair": NarrowedToLimits(start.points),
            "eliminate_duplicates": new or True,
        }  # fmt: skip
        self._genes = len(upper)
        self._algorithm = self._make(start, common)
        problem = Problem(n_var=len(upper), n_obj=start.objectives, n_ieq_constr=1, xl=0, xu=upper, vtype=int)
        self._algorithm.setup(problem, termination=NoTermination(), seed=settings.seed, verbose=False)

    def ask(self) -> Genes | None:
        """The first population, then offspring; random points where mating makes too few that are new."""
        self._new.begin()
        made = self.offspring()
        asked = np.concatenate([made, self.fresh.drawn(self._wanted - len(made), self.generator, self._new.made)])
        self._wanted = self._offspring
        return asked if len(asked) else None

    def offspring(self) -> Genes:
        """(N, genes) What mating makes of the population; at first the population itself."""
        made = self._algorithm.ask()
        self._algorithm.termination.force_termination = False  # it may make more of another population
        return np.zeros((0, self._genes), np.int64) if made is None else np.asarray(made.get("X"), np.int64)

    def tell(self, trials: Sequence[Trial]) -> None:
        genes = np.array([trial.genes for trial in trials])
        self.fresh.note(genes)
        self.tell_values(
            genes,
            np.array([trial.objectives for trial in trials]),
            np.array([trial.violations for trial in trials]),
        )

    def tell_values(self, genes: Genes, objectives: Floats, violations: Floats) -> None:
        """Take in trials as arrays: (N, genes), (N, objectives) and (N, limits)."""
        # As pymoo adds up several constraints.
        total = violations.sum(axis=1, keepdims=True)
        self._algorithm.tell(infills=Population.new(X=genes, F=objectives, G=total))

    @property
    def population(self) -> Genes:
        """(N, genes) What has survived."""
        return np.asarray(self._algorithm.pop.get("X"), np.int64)

    @property
    def generator(self) -> np.random.Generator:
        """The random numbers that the population draws from, for methods that keep one in it."""
        generator: np.random.Generator = self._algorithm.random_state
        return generator


def nsga2() -> Evolution:
    """NSGA-II (Deb et al. 2002)."""
    return Evolution()


def age_moea() -> Evolution:
    """AGE-MOEA (Panichella 2019)."""
    return Evolution(lambda _, arguments: AGEMOEA(**arguments))


def nsga3() -> Evolution:
    """NSGA-III (Deb and Jain 2014), with a reference direction for each of the population."""
    return _Nsga3(_nsga3_algorithm)


def _nsga3_algorithm(start: Setup, arguments: dict[str, Any]) -> Any:
    settings = start.settings
    directions = get_reference_directions("energy", start.objectives, settings.population, seed=settings.seed)
    return NSGA3(directions, selection=TournamentSelection(func_comp=least_excess), **arguments)


class _Nsga3(Evolution):
    """NSGA-III needs as many directions as there are objectives, at least."""

    def check(self, settings: MethodSettings, objectives: int) -> None:
        if settings.population < objectives:
            rule = f"{settings.population}: nsga3 needs one for each of its objectives, at least"
            raise KeyedError(("population",), rule)
