"""The search's methods: what they ask for, and what a learnt error is worth."""

from pathlib import Path

import numpy as np
import pytest
from pymoo.indicators.hv import Hypervolume
from stand_in import StandInModel
from threadpoolctl import threadpool_limits

from quant.evaluation.work_estimate import Part, Shared
from quant.sites.candidate import Bits
from search import Experiment, Run, run
from search.methods import METHODS
from search.methods.error_model import ErrorModel
from search.methods.promise import Promise, most_promising


def searched(folder: Path, method: str, model: StandInModel | None = None, **settings: object) -> Run:
    experiment = Experiment(
        name="methods", method=method, **{"population": 20, "offspring": 5, "generations": 8, **settings}
    )
    return run(experiment, folder, model=model or StandInModel())


def volume(result: Run) -> float:
    values = np.array([[s.quality.error, np.log(s.cost.latency_ms), np.log(s.cost.energy_uj)] for s in result.front])
    narrow, wide = result.baselines[2].cost, result.baselines[16].cost
    low = np.array([15.0, np.log(narrow.latency_ms), np.log(narrow.energy_uj)])
    high = np.array([result.error_limit, np.log(wide.latency_ms), np.log(wide.energy_uj)])
    return float(Hypervolume(ref_point=np.ones(3)).do((values - low) / (high - low)))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS.names())
def test_a_method_repeats_from_its_seed_and_keeps_to_its_budget(tmp_path: Path, method: str) -> None:
    first, again = (searched(tmp_path / name, method) for name in ("first", "again"))
    assert [s.bits for s in first.visited] == [s.bits for s in again.visited]
    assert 20 + 5 * 8 <= len(first.visited) < 20 + 5 * 9
    assert first.front


@pytest.mark.slow
@pytest.mark.parametrize("method", ["surrogate", "greedy", "nsga3"])
def test_a_method_that_was_stopped_continues_to_the_same_front(tmp_path: Path, method: str) -> None:
    whole = searched(tmp_path / "whole", method)

    class Stop(Exception):
        pass

    class Stopping:
        def started(self, candidates: int) -> None: ...
        def evaluated(self, bits: object, quality: object) -> None: ...
        def generation(self, number: int, of: int, candidates: int, front: int) -> None:
            if number == 4:
                raise Stop

    experiment = Experiment(name="methods", method=method, population=20, offspring=5, generations=8)
    with pytest.raises(Stop):
        run(experiment, tmp_path / "stopped", model=StandInModel(), progress=Stopping())
    rest = run(experiment, tmp_path / "stopped", resume=True, model=StandInModel())
    assert [s.name for s in rest.front] == [s.name for s in whole.front]
    assert rest.evaluated < whole.evaluated


@pytest.mark.slow
def test_random_candidates_are_never_asked_for_twice(tmp_path: Path) -> None:
    assert len(searched(tmp_path / "run", "random").visited) == 20 + 5 * 8


@pytest.mark.slow
def test_greedy_narrows_every_gene_alone_first(tmp_path: Path) -> None:
    visited = searched(tmp_path / "run", "greedy").visited
    widest = visited[0].bits
    assert set(widest.values()) == {(16, 16)}
    changes = [sum(a != b for x, y in zip(s.bits.values(), widest.values(), strict=True) for a, b in zip(x, y, strict=True))
               for s in visited[1:25]]  # fmt: skip
    assert changes == [1] * 24


@pytest.mark.slow
def test_a_learnt_error_finds_more_than_chance_on_the_same_budget(tmp_path: Path) -> None:
    for seed in (1, 2):
        learnt, drawn = (volume(searched(tmp_path / f"{m}{seed}", m, seed=seed)) for m in ("surrogate", "random"))
        assert learnt > drawn + 0.02


class StandInThatShares(StandInModel):
    """Its first sites take nearly all of the time, and keep their results."""

    def parts(self, bits: Bits) -> list[Part]:
        return [Part((pair,), work, True) for pair, work in zip(bits.values(), (10.0, 5.0, 2.0, 1.0), strict=True)]


@pytest.mark.slow
def test_a_learnt_error_is_asked_for_where_it_takes_less_work(tmp_path: Path) -> None:
    sharing = StandInThatShares()
    work, volumes = {}, {}
    for name, model in (("alike", sharing), ("other", StandInModel())):
        result = searched(tmp_path / name, "surrogate", model=model)
        shared, work[name] = Shared(), 0.0
        for s in result.visited:
            work[name] += shared.left(sharing.parts(s.bits)) / len(result.visited)
            shared.add_all(sharing.parts(s.bits))
        volumes[name] = volume(result)
    assert work["alike"] < work["other"]
    assert volumes["alike"] > volumes["other"] - 0.01


def test_the_error_model_predicts_an_additive_error_it_has_not_seen() -> None:
    generator = np.random.default_rng(1)
    weights = generator.uniform(0.5, 2.0, 8)
    x = generator.integers(0, 4, (150, 8)).astype(float)
    error = 15.0 + (weights * 4.0**-x).sum(1)
    model = ErrorModel.begin()
    model.fit(x[:100], error[:100], tune=True)
    mean, deviation = model.predict(x[100:])
    assert np.corrcoef(mean, np.log(error[100:]))[0, 1] > 0.97
    assert np.mean(np.abs(mean - np.log(error[100:])) < 3 * deviation + 0.01) > 0.9
    at_known, _ = model.predict(x[:100])
    assert np.abs(at_known - np.log(error[:100])).max() < np.log(error).std()


def test_errors_of_nothing_are_learnt_too() -> None:
    x = np.arange(12.0)[:, None] % 4
    error = np.where(x[:, 0] < 2, 5.0, 0.0)
    model = ErrorModel.begin()
    model.fit(x, error, tune=True)
    mean, _ = model.predict(np.array([[0.0], [3.0]]))
    assert np.exp(mean[0]) == pytest.approx(5.0, rel=0.2)
    assert np.exp(mean[1]) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["surrogate", "nsga2"])
@pytest.mark.parametrize("fixed", [["L0"], ["L0", "P1", "L1"]])
def test_a_space_that_is_smaller_than_the_budget_is_searched_to_its_end(
    tmp_path: Path, method: str, fixed: list[str]
) -> None:
    result = searched(tmp_path / "run", method, arch="silago", fixed=dict.fromkeys(fixed, "8x8"))
    assert len(result.visited) == 3 ** (4 - len(fixed))


@pytest.mark.slow
def test_candidates_are_not_asked_for_again_by_other_genes(tmp_path: Path) -> None:
    result = searched(tmp_path / "run", "surrogate", minimum_activation_bits={"FC": 16, "L0": 8})
    assert len(result.visited) > 50


@pytest.mark.slow
def test_what_promises_to_be_feasible_is_tried_where_nothing_is_yet(tmp_path: Path) -> None:
    limits = {"error": 17.8, "memory_mib": 0.0016}
    result = searched(
        tmp_path / "run", "surrogate", constraints=limits, seed_homogeneous=False, seed_neighbours=False,
        population=10, seed=2,
    )  # fmt: skip
    assert result.front
    assert not any(result.feasible[:10])


def test_what_begins_with_the_bits_of_one_that_is_chosen_comes_next() -> None:
    """At both sides of the first two add equally much: that comes next which shares most with it."""

    def parts(genes: np.ndarray) -> list[Part]:
        return [Part(((int(gene), 8),), 1.0, False) for gene in genes]

    values = np.array([[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]])
    for genes in ([[1, 1, 1], [2, 1, 1], [1, 1, 2]], [[1, 1, 1], [1, 2, 1], [3, 1, 1]]):
        promises = [Promise(np.array(row), of, True) for row, of in zip(genes, values, strict=True)]
        first, second = (x.tolist() for x in most_promising(promises, np.zeros((0, 2)), 2, parts, Shared()))
        assert (first[0], second[0]) == (1, 1)


@pytest.mark.slow
def test_a_learnt_error_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    visited = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            result = searched(tmp_path / str(threads), "surrogate", population=40, offspring=10, generations=6, seed=2)
        visited.append([s.name for s in result.visited])
    assert visited[0] == visited[1]


def test_greedy_leaves_out_what_costs_more_with_fewer_bits(tmp_path: Path) -> None:
    """Of these limits the widest candidate keeps one that a narrower one is over: its array is fed worse."""
    settings = Experiment.model_validate({
        "name": "t", "model": "none", "steps": 50, "arch": "bitfusion", "method": "greedy", "population": 30,
        "offspring": 8, "generations": 3, "constraints": {"budget": {"energy": 1.2785}},
    })  # fmt: skip
    found = run(settings, tmp_path / "run", model=StandInModel(), check=False)
    assert all(found.budget.kept_by(solution.cost) for solution in found.visited)
