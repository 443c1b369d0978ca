"""Bootstrap figures against what they are by other means: all resamples of three utterances, closed forms, and a
truth that was drawn."""

from itertools import product

import numpy as np
import pytest

from quant.evaluation.rates import ScoredUtterances
from search.held_out.resampling import changes, drawn, edits_of, rates
from simulators import InputError

THREE = ScoredUtterances(np.array([10, 20, 30]), np.array([0, 1, 0]))
EDITS = np.array([[1.0, 5.0, 3.0], [2.0, 2.0, 9.0]])


def rates_of(drawn_utterances: tuple[int, ...], edits: np.ndarray) -> tuple[float, float]:
    """Worst group's and whole error rate, one utterance after the other."""
    by_group: dict[int, tuple[float, float]] = {}
    for u in drawn_utterances:
        count, phones = by_group.get(int(THREE.subset_of[u]), (0.0, 0.0))
        by_group[int(THREE.subset_of[u])] = (count + edits[u], phones + float(THREE.reference_phones[u]))
    counts, phones = zip(*by_group.values(), strict=True)
    return max(100 * c / p for c, p in by_group.values()), 100 * sum(counts) / sum(phones)


def test_rates_of_every_resample_of_three_utterances() -> None:
    everything = list(product(range(3), repeat=3))
    times = np.array([np.bincount(draw, minlength=3) for draw in everything], float)
    found = rates(EDITS, THREE, times)
    for i, draw in enumerate(everything):
        for candidate in range(2):
            worst, plain = rates_of(draw, EDITS[candidate])
            assert found.worst[i, candidate] == pytest.approx(worst)
            assert found.plain[i, candidate] == pytest.approx(plain)


def test_intervals_are_those_of_all_resamples() -> None:
    """With three utterances all 27 resamples are known: a quantile of the drawn ones is one of theirs."""
    everything = [rates_of(draw, EDITS[0])[1] - rates_of(draw, EDITS[1])[1] for draw in product(range(3), repeat=3)]
    _, (plain,) = changes(EDITS[:1], EDITS[1], THREE)
    assert plain.points == pytest.approx(100 * (9 - 13) / 60)
    assert plain.low == pytest.approx(np.quantile(everything, 0.025, method="inverted_cdf"))
    assert plain.high == pytest.approx(np.quantile(everything, 0.975, method="inverted_cdf"))


def test_an_interval_of_equal_utterances_is_the_normal_one() -> None:
    """Utterances of one length: the difference is a mean, whose interval is 1.96 standard errors to both sides."""
    generator = np.random.default_rng(3)
    scored = ScoredUtterances(np.full(400, 25), np.arange(400) % 4)
    edits = generator.poisson(5, (2, 400)).astype(float)
    difference = 100 * (edits[0] - edits[1]) / 25
    half = 1.959964 * difference.std() / 400**0.5
    _, (change,) = changes(edits[:1], edits[1], scored)
    assert change.points == pytest.approx(difference.mean())
    assert (change.high - change.low) / 2 == pytest.approx(half, rel=0.04)
    assert (change.high + change.low) / 2 == pytest.approx(difference.mean(), abs=0.06 * half)


def test_a_candidate_is_no_other_than_itself() -> None:
    (worst,), (plain,) = changes(EDITS[:1], EDITS[0], THREE)
    assert worst == plain == (0.0, 0.0, 0.0)


def test_resamples_are_the_same_from_the_same_seed() -> None:
    assert (drawn(50, 10) == drawn(50, 10)).all()
    assert (drawn(50, 10) != drawn(50, 10, seed=2)).any()
    assert (drawn(50, 10).sum(axis=1) == 50).all()


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Over 100 sets of utterances with a known difference."""
    generator = np.random.default_rng(5)
    scored = ScoredUtterances(np.full(60, 30), np.arange(60) % 4)
    held = 0
    for _ in range(100):
        hard = generator.gamma(4, 0.25, 60)
        edits = generator.poisson(np.outer([6.5, 6.0], hard)).astype(float)
        _, (change,) = changes(edits[:1], edits[1], scored)
        held += change.low <= 100 * 0.5 / 30 <= change.high
    assert 0.87 <= held / 100 <= 0.99


def test_edits_of_other_utterances_are_refused() -> None:
    with pytest.raises(InputError, match="edits of 2 utterances, where the model has 3"):
        edits_of([(1, 2)], THREE)
