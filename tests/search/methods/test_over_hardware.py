"""The default method where genes choose the hardware too: errors are those of bits, hardware is that of the front and
some around it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymoo.indicators.hv import Hypervolume
from stand_in import StandInModel
from watched_method import Watched

from search import Experiment
from search.codesign.hardware_search import search_hardware
from search.methods import Trial
from search.methods.learnt_errors import LearntErrors
from search.methods.promising_hardware import promising_hardware
from search.methods.registry import method_named

SETTINGS = {
    "name": "over hardware", "objectives": ["error", "latency", "energy", "area"], "population": 20, "offspring": 5,
    "generations": 8, "steps": 5, "hardware": {"grid": {"array.rows": [4, 8, 16], "array.columns": [4, 8, 16]}},
}  # fmt: skip


def searched(folder: Path, name: str, seed: int = 1) -> Watched:
    watched = Watched(method_named(name))
    experiment = Experiment.model_validate({**SETTINGS, "seed": seed})
    search_hardware(experiment, folder, model=StandInModel(), method=watched)
    return watched


@pytest.mark.slow
def test_more_is_found_than_by_nsga2_on_the_same_budget(tmp_path: Path) -> None:
    fronts = {name: searched(tmp_path / name, name).trials for name in ("surrogate", "nsga2")}
    values = {name: np.array([t.objectives for t in trials if t.feasible]) for name, trials in fronts.items()}
    scaled = {name: np.column_stack([of[:, :1], np.log(of[:, 1:])]) for name, of in values.items()}
    every = np.concatenate(list(scaled.values()))
    low, high = every.min(axis=0), every.max(axis=0)
    volume = {name: Hypervolume(ref_point=np.ones(4)).do((of - low) / (high - low)) for name, of in scaled.items()}
    assert volume["surrogate"] > 1.1 * volume["nsga2"]


@pytest.mark.slow
def test_an_error_is_that_of_bits_and_known_on_all_hardware(tmp_path: Path) -> None:
    watched = searched(tmp_path / "run", "random")
    errors = LearntErrors(watched.space, alone=False)
    assert not errors.learn(watched.trials[:1], watched.space.initial[:0])
    assert errors.learn(watched.trials, watched.space.initial[:0])
    genes = np.array([trial.genes for trial in watched.trials])
    elsewhere = genes.copy()
    elsewhere[:, -2:] = watched.space.upper[-2:] - elsewhere[:, -2:]
    assert errors.predict(elsewhere) == pytest.approx([trial.error for trial in watched.trials])
    unknown = genes.copy()
    unknown[:, 0] = (unknown[:, 0] + 1) % 4
    assert (errors.predict(unknown) > 0).all()
    other = unknown.copy()
    other[:, -2:] = 0
    assert errors.predict(unknown) == pytest.approx(errors.predict(other))


def trial(genes: list[int], *objectives: float) -> Trial:
    return Trial(str(genes), np.array(genes), {}, 0, np.array(objectives), np.zeros(1), objectives[0])


@pytest.mark.slow
def test_hardware_with_most_of_the_front_comes_first_and_some_around_it_behind() -> None:
    trials = [trial([0, 1, 5], 3, 1), trial([1, 2, 6], 2, 2), trial([2, 2, 6], 1, 3), trial([3, 7, 7], 4, 4)]
    chosen = promising_hardware(trials, np.array([3, 9, 9]), 2, np.random.default_rng(1)).tolist()
    assert chosen[:2] == [[2, 6], [1, 5]]  # two solutions, one; [7, 7] is dominated
    assert 2 < len(chosen) <= 6
    assert len({tuple(row) for row in chosen}) == len(chosen)
    for row in chosen[2:]:  # one gene differs
        assert min(sum(a != b for a, b in zip(row, known, strict=True)) for known in chosen[:2]) <= 1
        assert all(0 <= gene <= 9 for gene in row)


class Always:
    """A generator that always steps by so much, and draws the first of what it chooses among, and 1 of a gene."""

    def __init__(self, step: int, share: float):
        self.step, self.share = step, share

    def choice(self, steps: list[int]) -> int:
        assert self.step in steps
        return self.step

    def random(self) -> float:
        return self.share

    def integers(self, low: int, high: int | None = None) -> int:
        return 0 if high is None else min(1, high - 1)


@pytest.mark.parametrize(
    ("known", "step", "share", "new"),
    [(2, -1, 0.4, 1), (1, -1, 0.4, 0), (2, 1, 0.4, 3), (3, 1, 0.4, 1), (0, -1, 0.4, 1), (3, -1, 0.6, 1)],
)
def test_a_step_stays_within_the_gene_or_is_anything(known: int, step: int, share: float, new: int) -> None:
    """Of 0 … 3: to both ends, and not beyond them; half of the new choices are no steps."""
    generator: Any = Always(step, share)
    chosen = promising_hardware([trial([0, known, 5], 1, 1)], np.array([3, 3, 9]), 2, generator).tolist()
    assert chosen == [[known, 5]] + ([[new, 5]] if new != known else [])
