"""How much of the lowest error is luck, against truths that were drawn and against all halves of a few utterances."""

from itertools import combinations

import numpy as np
import pytest

from quant.evaluation.rates import ScoredUtterances
from search.held_out.luck import luck


def scored(utterances: int) -> ScoredUtterances:
    return ScoredUtterances(np.full(utterances, 25), np.arange(utterances) % 4)


def test_of_one_candidate_and_of_equal_ones_there_is_none() -> None:
    edits = np.random.default_rng(0).poisson(5, (1, 60)).astype(float)
    assert luck(edits[:0], scored(60)) is None
    assert luck(edits[:, :1], scored(1)) is None
    for equal in (edits, np.repeat(edits, 5, axis=0)):
        found = luck(equal, scored(60), plain=True)
        assert found is not None
        assert found.candidates == len(equal)
        assert found.lowest == pytest.approx(100 * edits.sum() / 25 / 60)
        assert found.points < 0.1


def test_it_is_the_mean_over_all_halves() -> None:
    """Four utterances have six halves."""
    edits = np.array([[3.0, 5.0, 6.0, 9.0], [7.0, 4.0, 5.0, 6.0], [5.0, 8.0, 2.0, 8.0]])
    differences = []
    for half in combinations(range(4), 2):
        rest = [u for u in range(4) if u not in half]
        best = edits[:, list(half)].sum(axis=1).argmin()
        differences.append(100 * (edits[best, rest].sum() - edits[best, list(half)].sum()) / 50)
    found = luck(edits, scored(4), plain=True)
    assert found is not None
    assert found.points == pytest.approx(max(0.0, np.mean(differences)) / 2**0.5, abs=0.6)
    assert np.mean(differences) > 2


def test_it_does_not_depend_on_how_many_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    edits = np.random.default_rng(0).poisson(5, (30, 60)).astype(float)
    whole = luck(edits, scored(60))
    monkeypatch.setattr("search.held_out.luck.AT_ONCE", 7)
    assert luck(edits, scored(60)) == whole


@pytest.mark.parametrize(("spread", "least", "most"), [(0.0, 0.85, 1.15), (0.4, 0.9, 1.5), (2.0, 0.8, 1.6)])
@pytest.mark.parametrize("plain", [True, False])
def test_it_is_about_what_the_lowest_error_is_too_low(spread: float, least: float, most: float, plain: bool) -> None:
    """Over 40 sets of utterances, candidates whose expected edits are known: what the one that errs least on a set errs
    on others, beside the mean of all candidates, which is no choice."""
    generator = np.random.default_rng(7)
    truth, estimated = [], []
    expected = 5 + spread * generator.exponential(size=40)

    def measured() -> tuple[np.ndarray, np.ndarray]:
        edits = generator.poisson(expected[:, np.newaxis], (40, 80)).astype(float)
        return edits, edits.sum(axis=1) / 20 if plain else edits.reshape(40, 20, 4).sum(axis=1).max(axis=1) / 5

    usual = np.mean([measured()[1] for _ in range(400)], axis=0)
    for _ in range(40):
        edits, errors = measured()
        truth.append(usual[errors.argmin()] - errors.min() - (usual - errors).mean())
        found = luck(edits, scored(80), plain)
        assert found is not None
        assert found.lowest == pytest.approx(errors.min())
        estimated.append(found.points)
    assert least <= np.mean(estimated) / np.mean(truth) <= most
