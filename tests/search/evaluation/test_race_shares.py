"""What the utterances that were evaluated tell of the others: shares, and what is expected of all."""

import numpy as np
import pytest

from quant.evaluation.rates import ScoredUtterances
from search.evaluation.race_shares import DRAWS, SeenShare, drawn_shares
from simulators import InputError

SCORED = ScoredUtterances(10 + np.arange(80) % 5, np.arange(80) % 4)


def test_shares_take_as_much_of_each_group_and_leave_nothing_out() -> None:
    parts = drawn_shares(SCORED, (0.1, 0.5), seed=3)
    assert [len(part) for part in parts] == [8, 32, 40]
    assert sorted(i for part in parts for i in part) == [*range(80)]
    for part in parts:
        assert set(np.bincount(SCORED.subset_of[[*part]]).tolist()) == {len(part) // 4}
    assert parts == drawn_shares(SCORED, (0.1, 0.5), seed=3) != drawn_shares(SCORED, (0.1, 0.5), seed=4)
    two = ScoredUtterances(SCORED.reference_phones, np.zeros(80, np.int64))
    with pytest.raises(InputError, match=r"fidelity.shares\[0\]: 0.02: 2 utterances tell nothing of the others"):
        drawn_shares(two, (0.02,), seed=3)
    with pytest.raises(InputError, match=r"fidelity.shares: 80 utterances are too few for these shares"):
        drawn_shares(SCORED, (0.01, 0.5), seed=3)


def test_what_all_utterances_tell_is_certain() -> None:
    generator = np.random.default_rng(1)
    edits, known = generator.integers(0, 5, 80).astype(float), generator.integers(0, 5, 80).astype(float)
    worst, plain = SeenShare(SCORED, np.arange(80), 1).expected(edits, known)
    rates = [100 * edits[group::4].sum() / SCORED.reference_phones[group::4].sum() for group in range(4)]
    assert worst.shape == plain.shape == (DRAWS,)
    assert worst == pytest.approx(np.full(DRAWS, max(rates)))
    assert plain == pytest.approx(np.full(DRAWS, 100 * edits.sum() / SCORED.reference_phones.sum()))


def test_the_unseen_differ_as_polyas_urn_has_them() -> None:
    """One group of n seen and m unseen: the sum of the unseen differences d has mean m·mean(d) and variance
    m·(m + n - 2) / (n - 1)·var(d): Dirichlet-multinomial, of n weights of 1 - 2 / n."""
    scored = ScoredUtterances(np.full(60, 10), np.zeros(60, np.int64))
    generator = np.random.default_rng(2)
    known, differences = generator.integers(0, 5, 60).astype(float), generator.integers(0, 4, 20).astype(float)
    seen = SeenShare(scored, np.arange(20), 1)
    worst, plain = seen.expected(known[:20] + differences, known)
    assert worst == pytest.approx(plain)
    unseen = plain / 100 * 600 - known.sum() - differences.sum()
    assert seen.share == 20 / 60
    assert unseen.mean() == pytest.approx(40 * differences.mean(), rel=0.05)
    assert unseen.var() == pytest.approx(40 * 58 / 19 * differences.var(), rel=0.15)
