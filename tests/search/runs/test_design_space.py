"""What becomes of gene vectors that are asked for: objectives, and how far each limit is exceeded, by hand."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in import StandInError, StandInModel, StandInSite

from quant.sites.candidate import Bits
from search import Experiment
from search.evaluation.evaluator import Evaluator
from search.evaluation.executors.executor import Inline
from search.evaluation.ledger import Ledger
from search.objectives.objective import NOT_EVALUATED
from search.runs.design_space import DesignSpace
from search.runs.initial import initial_candidates
from search.runs.point_costs import PointCosts
from search.runs.searched_points import front_of
from search.runs.session import hardware_of
from search.settings.constraints import Constraints
from search.space.design_genome import OneVariantGenome
from search.space.genome import Genome
from simulators import load_arch, simulate

MIB = 8 * 2**20


class TwoSites(StandInModel):
    """A matrix of 1 MiB at 8 bits, and one of half of that; an error of the bits that are missing to 16."""

    def __init__(self) -> None:
        super().__init__(sites=(StandInSite("A", 1024, 1024), StandInSite("B", 512, 1024)))

    def evaluate(self, bits: Bits) -> StandInError:  # type: ignore[override]
        self.evaluations.append(dict(bits))
        missing = sum(16 - pair[0] for pair in bits.values())
        return StandInError(20.0 + missing, 19.0 + missing)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.sqlite")) as opened:
        yield opened


def space(ledger: Ledger, model: TwoSites, error_limit: float | None, **settings: Any) -> DesignSpace:
    """SiLago's: one gene a site, of 4, 8 or 16 bits."""
    experiment = Experiment(name="x", arch="silago", steps=2, **settings)
    (variant,) = hardware_of(experiment)
    evaluator = Evaluator(model, variant.arch, 2, ledger, Inline())
    genome = OneVariantGenome(Genome(("A", "B"), variant.arch.precisions), variant)
    points = PointCosts(experiment.constraints, genome, {variant.number: evaluator})
    return DesignSpace(experiment, points, error_limit, np.zeros((0, 2), np.int64))


def test_objectives_and_excesses(ledger: Ledger) -> None:
    """Memory is 1 MiB of 8-bit weights of A and 0.5 of B; what is over its limit is not evaluated."""
    model = TwoSites()
    of = space(
        ledger, model, 30.0, constraints={"memory_mib": 1.5}, objectives=["error", "memory", "mohaq_speedup", "latency"]
    )
    trials = of.evaluate(np.array([[1, 1], [0, 0], [2, 0], [1, 2], [0, 1]]))
    assert [trial.name for trial in trials] == [
        "A=8x8,B=8x8",
        "A=4x4,B=4x4",
        "A=16x16,B=4x4",
        "A=8x8,B=16x16",
        "A=4x4,B=8x8",
    ]
    memory = [1.5, 0.75, 2.25, 2.0, 1.0]
    errors = [36.0, 44.0, None, None, 40.0]
    assert [trial.error for trial in trials] == errors
    assert len(model.evaluations) == of.evaluator.evaluated == 3
    of.evaluate(np.array([[1, 1], [0, 0]]))
    assert len(model.evaluations) == of.evaluator.evaluated == 3
    assert not any(of.evaluator.why_unknown(trial.bits) for trial in trials)
    # Two thirds of the products are A's; 16 over the bits.
    speedups = [2.0, 4.0, 2 / 3 + 4 / 3, 4 / 3 + 1 / 3, 8 / 3 + 2 / 3]
    for trial, mib, error, speedup in zip(trials, memory, errors, speedups, strict=True):
        over = [max(0.0, mib - 1.5), 0.0 if error is None else error - 30.0, 0.0]
        assert trial.violations.tolist() == pytest.approx(over)
        latency = simulate(model.trace(trial.bits, 2), load_arch("silago")).latency_ms
        expected = [NOT_EVALUATED if error is None else error, mib, -speedup, latency]
        assert trial.objectives.tolist() == pytest.approx(expected, rel=1e-12)
        assert not trial.feasible
    values, violations = of.preview(np.array([[1, 1], [2, 0]]), np.array([29.0, 31.0]))
    assert values[:, :3].tolist() == [[29.0, 1.5, -2.0], [31.0, 2.25, -2.0]]
    assert violations.tolist() == [[0.0, 0.0, 0.0], [0.75, 1.0, 0.0]]


def test_limits_may_be_reached(ledger: Ledger) -> None:
    of = space(ledger, TwoSites(), 36.0, constraints={"memory_mib": 1.5})
    (trial,) = of.evaluate(np.array([[1, 1]]))
    assert trial.feasible
    assert trial.violations.tolist() == [0.0] * 3


def test_the_front_is_of_what_is_feasible(ledger: Ledger) -> None:
    of = space(ledger, TwoSites(), 41.0, objectives=["error", "memory"])
    trials = of.evaluate(np.array([[0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [1, 2]]))
    # Errors 44 (infeasible), 40, 40, 36, 20, 28 at 0.75, 1, 1.25, 1.5, 3 and 2 MiB.
    assert [trial.name for trial in front_of(trials)] == [
        "A=4x4,B=8x8",
        "A=8x8,B=8x8",
        "A=16x16,B=16x16",
        "A=8x8,B=16x16",
    ]
    assert front_of(trials[:1]) == []


GENOME = Genome(("A", "B"), ((4, 4), (8, 8), (16, 16)))
(SILAGO,) = hardware_of(Experiment(name="x", arch="silago"))
POINTS = PointCosts(Constraints(), OneVariantGenome(GENOME, SILAGO), {})


def test_a_search_begins_with_one_width_and_then_with_neighbours() -> None:
    """The widths from the widest on, then the narrowest feasible one with each gene a step narrower."""
    experiment = Experiment(name="x", arch="silago", population=6, seed=3)
    feasible = [{"A": (16, 16), "B": (16, 16)}, {"A": (8, 8), "B": (8, 8)}]
    found = initial_candidates(experiment, GENOME, feasible, POINTS).tolist()
    assert found[:5] == [[2, 2], [1, 1], [0, 0], [0, 1], [1, 0]]
    assert len(found) == 6
    assert found[5] not in found[:5]
    assert initial_candidates(experiment, GENOME, [], POINTS).tolist()[:3] == [[2, 2], [1, 1], [0, 0]]


def test_neighbours_below_the_narrowest_width_are_left_out() -> None:
    experiment = Experiment(name="x", arch="silago", population=2, seed_homogeneous=False)
    feasible = [{"A": (4, 4), "B": (8, 8)}]
    assert initial_candidates(experiment, GENOME, feasible, POINTS).tolist()[:1] == [[0, 0]]


def test_a_population_is_not_larger_than_the_space() -> None:
    experiment = Experiment(name="x", arch="silago", population=40, seed_neighbours=False)
    found = initial_candidates(experiment, GENOME, [], POINTS).tolist()
    assert sorted(found) == [[a, b] for a in range(3) for b in range(3)]
    few = Experiment(name="x", arch="silago", population=2, seed_homogeneous=False, seed_neighbours=False, seed=5)
    generator = np.random.default_rng(5)
    drawn = [generator.integers(0, np.array([3, 3])).tolist() for _ in range(9)]
    assert initial_candidates(few, GENOME, [], POINTS).tolist() == list(map(list, dict.fromkeys(map(tuple, drawn))))[:2]
