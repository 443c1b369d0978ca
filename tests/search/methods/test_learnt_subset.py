"""What an error model learns from where there is more than it can take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in import StandInModel

from search import Experiment, run
from search.methods import learnt_errors
from search.methods.error_model import ErrorModel
from search.methods.learnt_subset import learnt_subset


def test_fronts_behind_one_another_are_learnt_first_and_the_farthest_of_the_rest() -> None:
    """Of 8 candidates on a line, 4: the front, both of it, one of the next front, the farther; then the farthest of what is
    left, feasible or not."""
    genes = np.array([[4], [5], [6], [9], [7], [0], [1], [2]])
    objectives = np.array([[0, 1], [1, 0], [1, 2], [2, 1], [5, 5], [0, 0], [0, 0], [0, 0]], float)
    feasible = np.arange(5)
    assert learnt_subset(genes, feasible, objectives, 4).tolist() == [0, 1, 3, 5]
    assert learnt_subset(genes, feasible, objectives, 8).tolist() == [*range(8)]
    assert learnt_subset(genes, np.arange(0), objectives, 2).tolist() == [0, 3]


def test_a_front_that_is_too_large_is_thinned_evenly() -> None:
    genes = np.arange(101)[:, None]
    objectives = np.hstack([genes, -genes]).astype(float)
    rows = learnt_subset(genes, np.arange(101), objectives, 8)
    assert len(rows) == 8
    assert {0, 50, 100} <= {*rows.tolist()}
    assert max(np.diff(rows)) <= 26


@pytest.mark.slow
def test_a_search_learns_from_no_more_than_it_is_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And fits its kernel ever less often."""
    fits = list[tuple[int, bool]]()

    class Noting(ErrorModel):
        def fit(self, x: Any, error: Any, tune: bool) -> None:
            fits.append((len(x), tune))
            super().fit(x, error, tune)

    monkeypatch.setattr(learnt_errors, "ErrorModel", Noting)
    monkeypatch.setattr(learnt_errors, "MOST_LEARNT", 20)
    settings = Experiment(name="bounded", population=12, offspring=4, generations=25, steps=5)
    found = run(settings, tmp_path / "run", model=StandInModel())
    assert len(found.visited) == 112
    assert [size for size, _ in fits] == [12, 16, *[20] * 23]
    # After 12, 16 and 20 candidates, then 28, 36, 48, 60, 76 and 96: a quarter more than the last time.
    assert [i for i, (_, tune) in enumerate(fits, 1) if tune] == [1, 2, 3, 5, 7, 10, 13, 17, 22]
