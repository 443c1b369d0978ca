from dataclasses import replace
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.speech.features import Features
from quant.speech.phones import PHONES_39, SILENCE_INDEX
from quant.speech.scoring import Decoder, Score, score, speaker_subsets, tune_decoder
from quant.speech.scoring_kernels import viterbi

PHONES = BOUNDARY = len(PHONES_39)

sequences = st.lists(st.integers(0, 3), max_size=7)


def brute_force_distance(a: list[int], b: list[int]) -> int:
    @cache
    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(
            distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (a[i - 1] != b[j - 1])
        )  # fmt: skip

    return distance(len(a), len(b))


@given(sequences, sequences)
@settings(max_examples=300)
def test_levenshtein_agrees_with_the_recursion(reference: list[int], hypothesis: list[int]) -> None:
    found = score(reference, hypothesis)
    assert found.substitutions + found.insertions + found.deletions == brute_force_distance(reference, hypothesis)
    assert found.insertions - found.deletions == len(hypothesis) - len(reference)
    assert found.substitutions + found.deletions <= len(reference)
    assert found.reference == len(reference)


def test_error_kinds_and_rates() -> None:
    assert score([1, 2, 3], [1, 2, 3]) == Score(0, 0, 0, 3)
    assert score([1, 2, 3], [1, 9, 3]) == Score(1, 0, 0, 3)
    assert score([1, 2, 3], [1, 2, 9, 3]) == Score(0, 1, 0, 3)
    assert score([1, 2, 3], [1, 3]) == Score(0, 0, 1, 3)
    assert score([], [1]) == Score(0, 1, 0, 0)
    total = score([1, 2, 3, 4], [1, 9, 3, 4]) + score([1, 2, 3, 4], [])
    assert total == Score(1, 0, 4, 8)
    assert total.error_rate == pytest.approx(62.5)


def exhaustive(emissions: np.ndarray, transitions: np.ndarray, phones: int, states: int) -> tuple[float, list[int]]:
    """The best score and phone sequence over every legal path, by enumeration. transitions[to, from]."""
    best, best_path = -np.inf, None
    everything = list(product(range(phones), range(states)))
    for path in product(everything, repeat=len(emissions)):
        if path[0][1] != 0 or path[-1][1] != states - 1:
            continue
        total, sequence = float(transitions[phones, path[0][0]]), [path[0][0]]
        for (p, s), (q, r) in pairwise(path):
            if (q, r) in ((p, s), (p, s + 1)):
                continue
            if s == states - 1 and r == 0:
                total += float(transitions[p, q])
                sequence.append(q)
            else:
                break
        else:
            total += sum(float(emissions[t, p * states + s]) for t, (p, s) in enumerate(path))
            total += float(transitions[path[-1][0], phones])
            if total > best:
                best, best_path = total, sequence
    assert best_path is not None
    return best, best_path


@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.integers(2, 5))
@settings(max_examples=40)
def test_viterbi_agrees_with_an_exhaustive_search(seed: int, states: int, steps: int) -> None:
    phones = 2
    rng = np.random.default_rng(seed)
    emissions = rng.normal(size=(steps, phones * states)).astype(np.float32)
    transitions = rng.normal(size=(phones + 1, phones + 1)).astype(np.float32)
    out = np.empty(steps, np.int16)
    length = viterbi(emissions, transitions, out)
    if steps < states:
        assert length == 0
        return
    assert out[:length].tolist() == exhaustive(emissions, transitions, phones, states)[1]


def features_of(references: list[list[int]]) -> Features:
    """Each phone lasts four frames: states 0, 1, 1, 2."""
    labels = [np.array([3 * p + s for p in r for s in (0, 1, 1, 2)], np.int16) for r in references]
    mats = [np.zeros((len(label), 23), np.float32) for label in labels]
    names = [str(i) for i in range(len(references))]
    return Features("train", "", names, names, mats, labels, [np.array(r, np.int16) for r in references])


REFERENCES = [[SILENCE_INDEX, 3, 7, 7, 9, SILENCE_INDEX], [SILENCE_INDEX, 7, 3, SILENCE_INDEX], [SILENCE_INDEX]]


def certain(features: Features, confidence: float) -> list[np.ndarray]:
    """Log-posteriors of a model that is right about each frame."""
    posteriors = []
    for labels in features.labels:
        p = np.full((len(labels), 3 * PHONES), (1 - confidence) / (3 * PHONES - 1), np.float32)
        p[np.arange(len(labels)), labels] = confidence
        posteriors.append(np.log(p))
    return posteriors


def test_the_bigram_is_a_distribution_learnt_from_the_transcriptions() -> None:
    decoder = Decoder.estimate(features_of(REFERENCES), smoothing=0.5)
    bigram = np.exp(decoder.log_bigram.astype(float))
    np.testing.assert_allclose(bigram.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.exp(decoder.log_priors).sum(), 1.0, rtol=1e-5)
    row = 0.5 * (PHONES + 1) + 3  # three utterances begin with silence
    assert bigram[BOUNDARY, SILENCE_INDEX] == pytest.approx(3.5 / row, rel=1e-4)
    assert bigram[7, 9] > bigram[7, 8]


def test_a_certain_model_is_decoded_without_error_also_where_a_phone_repeats() -> None:
    features = features_of(REFERENCES)
    hypotheses = Decoder.estimate(features).decode(certain(features, 0.99))
    assert hypotheses == REFERENCES


def test_decoding_does_not_depend_on_company_or_threads() -> None:
    import numba

    features = features_of(REFERENCES)
    rng = np.random.default_rng(0)
    posteriors = [rng.normal(size=(n, 3 * PHONES)).astype(np.float32) for n in (50, 2, 80, 3, 0, 120)]
    decoder = Decoder.estimate(features)
    together = decoder.decode(posteriors)
    assert together == [decoder.decode([p])[0] for p in posteriors]
    assert together[1] == together[4] == []  # too short for a phone of three states
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        assert decoder.decode(posteriors) == together
    finally:
        numba.set_num_threads(threads)


def test_tuning_finds_weights_at_least_as_good() -> None:
    features = features_of(REFERENCES)
    rng = np.random.default_rng(1)
    posteriors = [p + rng.normal(scale=2.0, size=p.shape).astype(np.float32) for p in certain(features, 0.3)]
    bad = replace(Decoder.estimate(features), insertion=-20.0)

    def errors(decoder: Decoder) -> float:
        return sum(map(score, features.phones, decoder.decode(posteriors)), Score()).error_rate

    assert errors(tune_decoder(bad, posteriors, features.phones)) < errors(bad)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 50)), min_size=1), st.integers(1, 4))
def test_subsets_keep_speakers_whole_and_even(utterances: list[tuple[int, int]], count: int) -> None:
    speakers, weights = [f"S{s}" for s, _ in utterances], [w for _, w in utterances]
    subset = speaker_subsets(speakers, weights, count)
    assert len({(name, k) for name, k in zip(speakers, subset, strict=True)}) == len(set(speakers))
    loads = [sum(w for w, k in zip(weights, subset, strict=True) if k == i) for i in range(count)]
    heaviest = max(sum(w for n, w in zip(speakers, weights, strict=True) if n == name) for name in set(speakers))
    assert max(loads) - min(loads) <= heaviest
    backwards = speaker_subsets(speakers[::-1], weights[::-1], count)[::-1]
    assert (subset == backwards).all()


def test_speakers_go_heaviest_first_to_the_lightest_subset() -> None:
    """Weights of 9, 7, 6, 5 and 4: 9 | 7, then 9 | 7+6, 9+5 | 13 and 14 | 13+4. Lightest first, they would be
    4+6+9 | 5+7."""
    speakers, weights = ["e", "d", "a", "b", "c", "a"], [4, 5, 4, 7, 6, 5]
    assert speaker_subsets(speakers, weights, 2).tolist() == [1, 0, 0, 1, 1, 0]


def test_speakers_of_one_weight_go_by_name_to_the_first_of_equal_subsets() -> None:
    assert speaker_subsets(["d", "b", "a", "c"], [3] * 4, 3).tolist() == [0, 1, 0, 2]
