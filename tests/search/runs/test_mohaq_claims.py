"""A published experiment's claims beside what was found: figures worked out by hand on made-up solutions."""

from dataclasses import replace
from pathlib import Path

import pytest
from stand_in import StandInModel

from search import Experiment, Run, run
from search.evaluation.quality import Cost, Quality
from search.runs.mohaq_claims import claims_of, table_of
from search.runs.results import Solution
from simulators import load_arch

BITS = {"L0": (4, 4)}


def solution(error: float, memory: float = 2.0, latency: float = 1.0, energy: float = 1.0, speedup: float = 1.0,
             closed_energy: float | None = 1.0, original: float | None = None) -> Solution:  # fmt: skip
    cost = Cost(1000, latency, energy, memory, speedup, closed_energy)
    return Solution(BITS, Quality(error, error, "b" if original else "", original), cost)


def finished(which: str, baselines: dict[int, Solution], *visited: Solution, **settings: object) -> Run:
    experiment = Experiment(name="x", published=which, **settings)
    return Run(
        experiment=experiment, folder=Path("x"), front=visited, visited=visited, feasible=(True,) * len(visited),
        baselines=baselines, set_aside=(), error_limit=None, evaluated=0, model=None, arch=load_arch("silago"),
    )  # fmt: skip


def test_compression_counts_from_32_bits() -> None:
    wide = solution(20.0, memory=10.0)
    (claim,) = claims_of(finished("memory", {16: wide}, solution(20.3, memory=2.0), solution(21.5, memory=1.0)))
    assert claim.figures == pytest.approx(
        {"compression_at_0.5": 10.0, "compression_at_1.0": 10.0, "compression_at_2.0": 20.0, "increase_at_8": 0.3}
    )


def test_an_increase_may_be_the_largest_that_counts() -> None:
    """Half a point more is within half a point, and so are a point and two; 32 bits of 10 MiB are 20, eightfold 2.5."""
    wide = solution(20.0, memory=10.0)
    found = [solution(20.5, memory=4.0), solution(21.0, memory=2.5), solution(22.0, memory=1.25)]
    (claim,) = claims_of(finished("memory", {16: wide}, *found))
    assert claim.figures == {
        "compression_at_0.5": 5.0, "compression_at_1.0": 8.0, "compression_at_2.0": 16.0, "increase_at_8": 1.0,
    }  # fmt: skip


def test_shares_are_of_what_4_bits_everywhere_give() -> None:
    wide = solution(20.0, latency=16.0, energy=16.0, speedup=1.0, closed_energy=6.0)
    narrow = solution(30.0, latency=4.0, energy=4.0, speedup=4.0, closed_energy=1.0)
    good = solution(20.4, latency=5.0, energy=8.0, speedup=3.6, closed_energy=1.25)
    closed, simulated = claims_of(finished("silago", {16: wide, 4: narrow}, good))
    assert (closed.figures["speedup_at_0.5"], closed.figures["saving_at_0.5"]) == pytest.approx((0.9, 0.8))
    assert (simulated.figures["speedup_at_0.5"], simulated.figures["saving_at_0.5"]) == pytest.approx((0.8, 0.5))


def test_a_beacons_gain_is_against_the_original_parameters() -> None:
    wide, helped = solution(20.0), solution(22.0, speedup=40.0, original=26.5)
    lowest, gain = claims_of(finished("bitfusion", {16: wide}, helped, beacons={}))
    assert lowest.figures == {"increase_at_20": 2.0, "increase_at_30": 2.0, "increase_at_40": 2.0}
    assert gain.figures == {"gain": 4.5}


@pytest.mark.slow
def test_a_run_without_claims_has_none(tmp_path: Path) -> None:
    result = run(Experiment(name="x", population=4, offspring=2, generations=1), tmp_path / "r", model=StandInModel())
    assert claims_of(result) == []
    assert not (tmp_path / "r" / "claims.md").exists()
    assert claims_of(replace(result, experiment=result.experiment.model_copy(update={"published": "memory"})))


@pytest.mark.slow
def test_a_published_experiment_leaves_its_claims(tmp_path: Path) -> None:
    experiment = Experiment(name="x", published="memory", population=6, offspring=2, generations=1)
    result = run(experiment, tmp_path / "r", model=StandInModel())
    text = (tmp_path / "r" / "claims.md").read_text()
    assert text == table_of([vars(claim) for claim in claims_of(result)])
    assert "32 bits" in text
