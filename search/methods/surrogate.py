"""A search that learns the error: a Gaussian process over bit-widths, next to costs that are simulated, not learnt.

The model evaluation takes a second, a simulation microseconds. So between two generations a second search runs, NSGA-II
on predicted errors and exact costs, and of all that it looked at those candidates are evaluated that promise to add
most hypervolume to the front that is known for the work of their evaluation (Snoek et al. 2012, section 3.2, expected
improvement per second), which is less where they begin with the bits of others (switching costs: Lin et al. 2021,
modular black-box systems). Kernel: one that adds over genes, for a layer's quantization noise adds to that of the
others, and one that multiplies, for what does not; both Gaussian in the index of a gene's width (Duvenaud et al. 2011,
additive Gaussian processes; Rasmussen and Williams 2006, algorithm 2.1 and equation 2.30). What is learnt is the
logarithm of the error.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.indicators.hv import Hypervolume
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from quant.evaluation.work_estimate import Shared
from search.runs.generations import generations

Floats = NDArray[np.float64]

REFIT_EVERY = 5
"""Generations after which the kernel's parameters are fitted again."""
INNER_POPULATION, INNER_GENERATIONS = 50, 10
OPTIMISM = 1.0
"""Standard deviations below its mean at which a prediction is taken: what is not known well is worth a look."""
LEAST_ERROR = 0.01
"""Percent; an easy task may have errors of 0, which have no logarithm."""
_START = np.log([1.0, 0.3, 1.0, 2.0, 0.01])
_BOUNDS = [(np.log(a), np.log(b)) for a, b in ((0.01, 100), (0.001, 100), (0.3, 10), (0.5, 20), (1e-4, 1))]


@dataclass
class ErrorModel:
    """A Gaussian process of log errors over gene vectors. Parameters, as logarithms: variances of the additive and the
    multiplying kernel, their length scales in indices, and the noise's variance; all of normalised values."""

    parameters: Floats

    @classmethod
    def begin(cls) -> "ErrorModel":
        return cls(_START.copy())

    def fit(self, x: Floats, error: Floats, tune: bool) -> None:
        """Learn from gene vectors (N, genes) and errors (N,) in percent; `tune` the kernel by maximum likelihood."""
        y = np.log(np.maximum(error, LEAST_ERROR))
        self._mean, self._scale = float(y.mean()), float(y.std()) or 1.0
        self._x, self._y = x, (y - self._mean) / self._scale
        if tune:
            self._squares = _squares(x, x)
            self.parameters = minimize(
                self._loss, self.parameters, method="L-BFGS-B", bounds=_BOUNDS, options={"maxiter": 15}
            ).x
        kernel = _kernel(_squares(x, x), self.parameters) + np.exp(self.parameters[4]) * np.eye(len(x))
        self._lower = cholesky(kernel, lower=True)
        self._weights = cho_solve((self._lower, True), self._y)

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (N,) of the logarithm of the error in percent."""
        cross = _kernel(_squares(x, self._x), self.parameters)
        v = solve_triangular(self._lower, cross.T, lower=True)
        variance = np.exp(self.parameters[0]) + np.exp(self.parameters[1]) - (v**2).sum(0)
        return cross @ self._weights * self._scale + self._mean, np.sqrt(np.maximum(variance, 0.0)) * self._scale

    def _loss(self, parameters: Floats) -> float:
        kernel = _kernel(self._squares, parameters) + np.exp(parameters[4]) * np.eye(len(self._y))
        lower = cholesky(kernel, lower=True)
        return float(0.5 * self._y @ cho_solve((lower, True), self._y) + np.log(np.diag(lower)).sum())


def _squares(a: Floats, b: Floats) -> Floats:
    """(genes, N, M): squared differences."""
    return (a.T[:, :, None] - b.T[:, None, :]) ** 2


def _kernel(squares: Floats, parameters: Floats) -> Floats:
    additive, multiplying, short, long = np.exp(parameters[:4])
    return additive * np.exp(squares / (-2.0 * short**2)).mean(0) + multiplying * np.exp(
        squares.sum(0) / (-2.0 * long**2)
    )


class _Predicted(Problem):
    """The search's problem with predicted errors. Its limits hold for the predictions."""

    def __init__(self, problem: Any, model: ErrorModel):
        self._of, self._model = problem, model
        super().__init__(
            n_var=problem.n_var, n_obj=problem.n_obj, n_ieq_constr=problem.n_ieq_constr, xl=problem.xl, xu=problem.xu,
            vtype=int,
        )  # fmt: skip

    def _evaluate(self, x: np.ndarray, out: dict[str, Any], *_: Any, **__: Any) -> None:
        mean, deviation = self._model.predict(x.astype(float))
        out["F"], out["G"] = self._of.predicted(x, np.exp(mean - OPTIMISM * deviation))


class Surrogate(NSGA2):
    """NSGA-II whose offspring come from a search on an `ErrorModel`."""

    def _initialize_infill(self) -> Population:
        self._error_model = ErrorModel.begin()
        self._archive: dict[bytes, Any] = {}
        return super()._initialize_infill()

    def _initialize_advance(self, infills: Population | None = None, **kwargs: Any) -> Any:
        self._keep(infills)
        return super()._initialize_advance(infills=infills, **kwargs)

    def _advance(self, infills: Population | None = None, **kwargs: Any) -> Any:
        self._keep(infills)
        return super()._advance(infills=infills, **kwargs)

    def _infill(self) -> Population | None:
        with threadpool_limits(1, user_api="blas"):  # with the number of threads sums change, and choices with them
            return self._offspring()

    def _offspring(self) -> Population | None:
        known = list(self._archive.values())
        evaluated = [(i.X, error) for i in known if (error := self.problem.error_of(i.X)) is not None]
        if len(evaluated) < 2:
            return super()._infill()
        x = np.array([genes for genes, _ in evaluated], dtype=float)
        tune = self.n_gen is None or (self.n_gen - 1) % REFIT_EVERY == 0
        self._error_model.fit(x, np.array([error for _, error in evaluated]), tune)
        found = {name: i for name, i in self._searched().items() if name not in self._archive}
        chosen = self._most_promising(list(found.values()))
        if len(chosen) < self.n_offsprings:
            offspring = super()._infill()
            taken = self._archive.keys() | {self.problem.name_of(genes) for genes in chosen}
            others = {self.problem.name_of(i.X): i.X for i in offspring} if offspring is not None else {}
            chosen += [genes for name, genes in others.items() if name not in taken]
            if not chosen:
                return offspring
        return Population.new("X", np.array(chosen[: self.n_offsprings]))

    def _keep(self, infills: Population | None) -> None:
        for individual in infills if infills is not None else ():
            self._archive[self.problem.name_of(individual.X)] = individual

    def _searched(self) -> dict[str, Any]:
        """The candidates that NSGA-II looks at on predictions, from the population that there is, by their names."""
        inner = NSGA2(
            pop_size=INNER_POPULATION, sampling=np.array(self.pop.get("X")), crossover=self.mating.crossover,
            mutation=self.mating.mutation, eliminate_duplicates=True,
        )  # fmt: skip
        seed = int(self.random_state.integers(2**31))
        problem = _Predicted(self.problem, self._error_model)
        inner.setup(problem, termination=("n_gen", INNER_GENERATIONS), seed=seed, verbose=False)
        seen: dict[str, Any] = {}
        for _, asked in generations(inner, problem):
            for individual in asked:
                seen.setdefault(self.problem.name_of(individual.X), individual)
        return seen

    def _most_promising(self, found: list[Any]) -> list[np.ndarray]:
        """Gene vectors, one by one that which promises to add most hypervolume to the front and to those chosen before
        it for its work. What the population was evaluated with is taken to be there."""
        found = [i for i in found if i.FEAS]
        if not found:
            return []
        values = np.array([i.F for i in found])
        front = np.array([i.F for i in self._archive.values() if i.FEAS]).reshape(-1, values.shape[1])
        every = np.concatenate([front, values])
        low, high = every.min(0), every.max(0)
        span = np.where(high > low, high - low, 1.0)
        scaled, front = (values - low) / span, (front - low) / span
        volume = Hypervolume(ref_point=np.full(values.shape[1], 1.1))
        shared = Shared()
        for individual in self.pop:
            if self.problem.error_of(individual.X) is not None:
                shared.add_kept(self.problem.parts(individual.X))
        parts = [self.problem.parts(i.X) for i in found]
        left = list(range(len(found)))
        chosen: list[int] = []
        while len(chosen) < self.n_offsprings:
            left = [i for i in left if not (front <= scaled[i]).all(1).any()]  # a dominated one adds nothing
            if not left:
                break
            if len(front):
                front = front[NonDominatedSorting().do(front, only_non_dominated_front=True)]
            gains = np.array([volume.do(np.vstack([front, scaled[i]])) for i in left]) - volume.do(front)
            best = left[int(np.argmax(gains / [shared.left(parts[i]) for i in left]))]
            chosen.append(best)
            shared.add_all(parts[best])
            front = np.vstack([front, scaled[best]])
        return [np.asarray(found[i].X) for i in chosen]
