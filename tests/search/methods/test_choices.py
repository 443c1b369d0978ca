"""What methods ask for, worked out by hand on spaces of a few genes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest

from quant.evaluation.work_estimate import Part, Shared
from search.methods import Trial
from search.methods.error_model import Distances, ErrorModel, negative_log_likelihood
from search.methods.evolution import Evolution
from search.methods.greedy import Greedy
from search.methods.promise import Promise, most_promising
from search.methods.promise import _most_worth as most_worth
from search.methods.random_search import RandomSearch
from search.methods.surrogate import Surrogate
from search.objectives.built_in import ENERGY, ERROR, LATENCY

Values = Callable[[list[int]], Sequence[float]]


@dataclass
class Settings:
    seed: int = 1
    population: int = 4
    offspring: int = 2
    generations: int = 9
    crossover_eta: float = 3.0
    mutation_eta: float = 3.0


@dataclass
class Small:
    """A space of gene vectors up to `upper`."""

    upper: np.ndarray
    initial: np.ndarray
    objectives: tuple[Any, ...] = (ERROR, LATENCY)
    work: Callable[[list[int]], float] = field(default=lambda genes: 1.0)
    hardware_genes: int = 0
    error_limit: float | None = None
    most: int = 10**6
    """The largest sum of genes that is within the limits."""

    def within(self, genes: np.ndarray) -> np.ndarray:
        return genes.sum(axis=1) <= self.most

    def decode(self, genes: np.ndarray) -> dict[str, tuple[int, int]]:
        """A site for each gene."""
        return {str(i): (gene, gene) for i, gene in enumerate(genes.tolist())}

    def name_of(self, genes: np.ndarray) -> str:
        return str(genes.tolist())

    def parts(self, genes: np.ndarray) -> list[Part]:
        """One part, which others never share."""
        return [Part(((int("".join(map(str, genes.tolist()))), 8),), self.work(genes.tolist()), False)]


def asked(method: Any, space: Small, settings: Settings, values: Values, generations: int) -> list[list[list[int]]]:
    """What a method asks for in so many generations, told the objectives of each; less where it has no more."""
    method.begin(space, settings)
    batches = []
    for _ in range(generations):
        genes = method.ask()
        if genes is None or not len(genes):
            break
        batches.append(genes.tolist())
        method.tell([
            Trial(space.name_of(row), row, {}, 0, np.array(values(row.tolist()), float), np.zeros(1), values(row.tolist())[0])
            for row in genes
        ])  # fmt: skip
    return batches


ALONE = [[2, 1], [0, 1], [1, 1], [2, 0]]
"""The widest of two genes, and each gene narrowed alone."""


def test_greedy_narrows_by_gain_for_loss() -> None:
    """Errors rise by 4 and 1 points as the first gene falls by 2 and 1, and by 2 as the second does; latency falls by 4, 3
    and 4: for a point of error by 1, 3 and 2. So the first gene goes to 1, then the second to 0, then the first to 0."""
    errors = {2: 10.0, 1: 11.0, 0: 14.0}
    latencies = {2: 9.0, 1: 6.0, 0: 5.0}

    def values(genes: list[int]) -> list[float]:
        return [errors[genes[0]] + 2 * (1 - genes[1]), latencies[genes[0]] + 4 * genes[1]]

    space = Small(np.array([2, 1]), np.array([[0, 0]]))
    batches = asked(Greedy(), space, Settings(population=4, offspring=1), values, 9)
    assert batches == [ALONE, [[1, 0]], [[0, 0]]]  # [1, 1] is known; then nothing is left to draw


def test_greedy_takes_what_costs_nothing_first_and_each_objective_in_turn() -> None:
    """Neither gene costs any error: the gain decides, of latency by the first gene and of energy by the second; and a
    step to the narrowest leaves no step between."""

    def values(genes: list[int]) -> list[float]:
        return [10.0, 2.0 * genes[0] + genes[1], 1.0 * genes[0] + 5.0 * genes[1]]

    space = Small(np.array([2, 1]), np.array([[0, 0]]), objectives=(ERROR, LATENCY, ENERGY))
    batches = asked(Greedy(), space, Settings(population=6, offspring=6), values, 4)
    # By latency [0, 1], then [0, 0]; by energy [2, 0], then [0, 0], which is known.
    assert batches[:2] == [ALONE, [[0, 0]]]
    assert batches[2:] == [[[1, 0]]]  # drawn: all that is left


def test_greedy_asks_for_as_many_as_a_generation_has() -> None:
    space = Small(np.array([3, 3]), np.array([[0, 0]]))
    batches = asked(Greedy(), space, Settings(population=4, offspring=2), lambda genes: [-sum(genes), sum(genes)], 9)
    sizes = [len(batch) for batch in batches]
    # The widest and 6 others; a path of 6 steps, of which those that narrow one gene alone are known; what is left of 16,
    # but for the search's own beginning.
    assert sizes[:3] == [4, 2, 1]
    assert max(sizes[1:]) == 2
    every = [tuple(row) for batch in batches for row in batch]
    assert len(every) == len(set(every))


def test_random_candidates_are_drawn_evenly_and_to_the_last() -> None:
    space = Small(np.array([3, 1]), np.array([[0, 0], [3, 1]]))
    batches = asked(RandomSearch(), space, Settings(population=2, offspring=3), lambda genes: [1.0, 1.0], 9)
    assert batches[0] == [[0, 0], [3, 1]]
    assert [len(batch) for batch in batches] == [2, 3, 3]
    assert sorted(row for batch in batches for row in batch) == [[a, b] for a in range(4) for b in range(2)]
    first = []
    for seed in range(400):
        method = RandomSearch()
        method.begin(space, Settings(seed=seed, population=2, offspring=1))
        first.append(method.drawn(1)[0].tolist())
    counts = [first.count([a, b]) for a in range(4) for b in range(2)]
    assert sum(counts) == 400
    assert min(counts) > 25  # 50 of each, and a deviation of 7


def test_trials_that_exceed_limits_least_survive_where_none_is_feasible() -> None:
    """Excesses add up over the limits; objectives of what is not feasible are not compared."""
    space = Small(np.array([9]), np.array([[0], [1], [2], [3]]))
    evolution = Evolution()
    evolution.begin(space, Settings(population=2, offspring=4))
    evolution.ask()
    violations = np.array([[0.0, 3.0], [2.0, 0.5], [1.0, 1.0], [4.0, 0.0]])
    evolution.tell_values(space.initial, np.array([[0.0, 0.0]] * 3 + [[-9.0, -9.0]]), violations)
    evolution.tell_values(np.array([[7], [8]]), np.array([[5.0, 5.0]] * 2), np.array([[0.0, 0.0], [9.0, 9.0]]))
    assert sorted(evolution.population.ravel().tolist()) == [2, 7]


PARAMETERS = (1.5, 0.7, 0.9, 1.7, 0.05)
"""Variances of the additive and the multiplying kernel, their length scales, the noise's variance."""


def covariance(a: Sequence[float], b: Sequence[float]) -> float:
    """The kernel, gene by gene: a mean over genes, and a product of them."""
    additive, multiplying, short, long, _ = PARAMETERS
    squares = [(p - q) ** 2 for p, q in zip(a, b, strict=True)]
    of_genes = [exp(-square / (2 * short**2)) for square in squares]
    return additive * sum(of_genes) / len(of_genes) + multiplying * exp(-sum(squares) / (2 * long**2))


def test_the_error_model_is_a_gaussian_process_of_logarithms() -> None:
    """Rasmussen and Williams 2006, equations 2.25 and 2.26, on three candidates; an error of 0 counts as 0.01 %."""
    x, error = [[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]], [20.0, 15.0, 0.0]
    model = ErrorModel(np.log(PARAMETERS))
    model.fit(np.array(x), np.array(error), tune=False)
    logs = [log(20.0), log(15.0), log(0.01)]
    mean = sum(logs) / 3
    scale = sqrt(sum((y - mean) ** 2 for y in logs) / 3)
    kernel = np.array([[covariance(a, b) + (PARAMETERS[4] if a is b else 0.0) for b in x] for a in x])
    inverse = np.linalg.inv(kernel)
    for at in ([0.0, 1.0], [3.0, 1.0]):
        k = np.array([covariance(at, b) for b in x])
        expected = mean + scale * float(k @ inverse @ [(y - mean) / scale for y in logs])
        deviation = scale * sqrt(covariance(at, at) - float(k @ inverse @ k))
        found = model.predict(np.array([at]))
        assert (found[0][0], found[1][0]) == pytest.approx((expected, deviation), rel=1e-9)


def test_an_error_that_adds_over_genes_is_explained_by_what_adds() -> None:
    """Each gene's share alternates from index to index, without noise: the kernel that multiplies is fitted to the least
    variance and the longest scale that it may have, the one that adds to the shortest scale, the noise to the least."""
    x = np.array([[a, b] for a in range(6) for b in range(6)], float)
    model = ErrorModel.begin()
    model.fit(x, np.exp(2.5 + 0.3 * (x % 2).sum(1)), tune=True)
    additive, multiplying, short, long, noise = np.exp(model.parameters)
    assert (multiplying, short, long, noise) == pytest.approx((0.001, 0.3, 20.0, 0.0001))
    assert 0.5 < additive < 2.0  # of normalised values


def test_the_likelihood_has_the_gradient_that_its_differences_have() -> None:
    generator = np.random.default_rng(3)
    genes, values = generator.integers(0, 4, (20, 5)), generator.standard_normal(20)
    distances, at = Distances.between(genes, genes), np.log([1.3, 0.4, 1.1, 2.2, 0.05])
    _, gradient = negative_log_likelihood(at, distances, values)
    for i, step in enumerate(1e-5 * np.eye(5)):
        above, below = (negative_log_likelihood(at + sign * step, distances, values)[0] for sign in (1, -1))
        assert gradient[i] == pytest.approx((above - below) / 2e-5, rel=1e-4, abs=1e-4)


def test_errors_that_are_all_alike_are_predicted() -> None:
    model = ErrorModel(np.log(PARAMETERS))
    model.fit(np.array([[0.0], [1.0]]), np.array([7.0, 7.0]), tune=False)
    mean, deviation = model.predict(np.array([[0.5]]))
    assert mean[0] == pytest.approx(log(7.0))
    assert 0 < deviation[0] < sqrt(sum(PARAMETERS[:2]))


@dataclass
class Previewed(Small):
    """Notes the errors that are predicted, and takes their product with the sum of genes for an objective."""

    predicted: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def preview(self, genes: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.predicted.append((genes.copy(), errors.copy()))
        return np.stack([errors, errors * genes.sum(1)], axis=1), np.zeros((len(genes), 1))


def test_a_learnt_error_is_taken_a_part_of_a_deviation_below_its_mean() -> None:
    """What is not known well is worth a look: by 0.3 deviations."""
    first = np.array([[0, 0, 9], [30, 30, 4], [11, 22, 16], [25, 3, 30]])
    space = Previewed(np.array([30, 30, 30]), first)

    def values(genes: list[int]) -> list[float]:
        return [50.0 - 0.2 * sum(genes) + 0.1 * genes[0], float(sum(genes))]

    batches = asked(Surrogate(), space, Settings(population=4, offspring=3), values, 2)
    model = ErrorModel.begin()
    errors = np.array([values(genes)[0] for genes in first.tolist()])
    model.fit(first, errors, tune=True)
    for_costs, *looks = space.predicted
    assert (for_costs[1] == np.median(errors)).all()
    assert len(looks) == 11  # the front of the additive model, and generations of the search on predictions
    for genes, found in looks:
        mean, deviation = model.predict(genes)
        assert found == pytest.approx(np.exp(mean - 0.3 * deviation), rel=1e-9)
    looked_at = {tuple(row) for genes, _ in looks for row in genes.tolist()}
    assert len(batches[1]) == 3
    assert {tuple(row) for row in batches[1]} <= looked_at - {tuple(row) for row in first.tolist()}


def promising(promises: list[Promise], known: list[tuple[float, float]], wanted: int, work: Any = None) -> list[int]:
    """The numbers of the promises that are chosen beside a front of these objectives."""

    def parts(genes: np.ndarray) -> list[Part]:
        return [Part(((int(genes[0]), 8),), work(genes.tolist()) if work else 1.0, False)]

    return [int(genes[0]) for genes in most_promising(promises, np.array(known), wanted, parts, Shared())]


def promise(number: int, *objectives: float, feasible: bool = True) -> Promise:
    return Promise(np.array([number]), np.array(objectives), feasible)


def test_what_promises_most_hypervolume_comes_first() -> None:
    """Beside (0, 4) and (4, 0) of a span of 4, up to 1.1 of it: (2, 2) adds 0.5·0.5, (1, 3) and (3, 1) 0.75·0.25, (1, 1)
    0.75·0.75; behind (1, 1) none of the others adds anything. What is not feasible is never chosen."""
    known = [(0.0, 4.0), (4.0, 0.0)]
    promises = [promise(1, 2, 2), promise(2, 1, 3), promise(3, 3, 1), promise(4, 0.5, 0.5, feasible=False)]
    assert promising(promises, known, 3) == [1, 2, 3]
    assert promising(promises, known, 1) == [1]
    assert promising([*promises, promise(5, 1, 1)], known, 3) == [5]
    assert promising(promises[-1:], known, 3) == []


def test_what_adds_nothing_for_rounding_is_chosen_last() -> None:
    """Between others whose volume sums to less with it, a point that is better in its last digit alone adds nothing."""
    generator = np.random.default_rng(1)
    for _ in range(311):  # the last of these is one
        known = generator.random((20, 3))
        near = known[generator.integers(20, size=1)].copy()
        near[0, 0] -= 1e-16 * generator.integers(1, 20)
    assert most_worth(near, known, np.ones(1), np.full(1, np.inf)) == (0, np.zeros(1))


def test_of_what_adds_nearly_as_much_what_takes_less_work_comes_first() -> None:
    """(2, 2) adds 0.5·0.5, (1.9, 2.1) 0.525·0.475, a little less; (1.2, 2.8) adds 0.7·0.3, too little for its work to
    count."""
    known = [(0.0, 4.0), (4.0, 0.0)]
    most, nearly, less = promise(1, 2, 2), promise(2, 1.9, 2.1), promise(3, 1.2, 2.8)
    assert promising([most, nearly, less], known, 1, lambda genes: 2.0 if genes == [1] else 1.0) == [2]
    assert promising([most, nearly, less], known, 1, lambda genes: 2.0 if genes == [2] else 1.0) == [1]
    assert promising([most, less], known, 1, lambda genes: 9.0 if genes == [1] else 1.0) == [1]
