"""From state posteriors to a phone error rate: Viterbi decoding with a phone bigram, and Levenshtein distance.

A phone is a left-to-right model of three states with self loops, entered in its first and left from its last. The
score of a path is

    Σ_frames [log p(state | features) - prior_scale · log p(state)]
    + Σ_phones [bigram_scale · log p(phone | phone before) + insertion]

that is, scaled likelihoods by Bayes' rule (Bourlard & Morgan 1994) with a scaled phone bigram, whose extra class is
the utterance's boundary. Phone error rate = (substitutions + insertions + deletions) / reference phones, runs of
silence merged in both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from quant.speech.features import Features
from quant.speech.scoring_kernels import decode_all, edits
from quant.speech.units import PHONES, Units

TUNING_GRID = ((0.5, 1.0, 1.5, 2.0), (0.1, 0.2, 0.4, 0.6), (0.0, 1.0, 2.0, 3.0))
"""Bigram scales, prior scales and insertion terms that `tune_decoder` tries: 64 decodings, 3 s for 9 minutes."""


@dataclass(frozen=True)
class Decoder:
    """A phone bigram and the weights of its terms."""

    log_bigram: np.ndarray
    """log p(column | row), float32 (units + 1, units + 1); the last row and column are the boundary, which stands
    before an utterance's first unit and after its last one."""
    log_priors: np.ndarray
    """log p(state) in the training set, float32 (states,)."""
    bigram_scale: float = 1.0
    """Factor of the phone bigram's log probability."""
    prior_scale: float = 0.5
    """Factor of the state priors' log probability."""
    insertion: float = 0.0
    """Added for each phone: negative values make phones rarer."""
    units: Units = PHONES

    @classmethod
    def estimate(cls, training: Features, smoothing: float = 0.5) -> "Decoder":
        """Bigram of the training transcriptions with `smoothing` added to every count, and smoothed state priors."""
        boundary = len(training.units.names)
        counts = np.full((boundary + 1, boundary + 1), smoothing)
        for phones in training.phones:
            path = np.concatenate([[boundary], phones, [boundary]])
            np.add.at(counts, (path[:-1], path[1:]), 1.0)
        states = training.state_counts() + 1.0
        return cls(
            log_bigram=np.log(counts / counts.sum(axis=1, keepdims=True)).astype(np.float32),
            log_priors=np.log(states / states.sum()).astype(np.float32),
            units=training.units,
        )

    def decode(self, log_posteriors: Sequence[np.ndarray]) -> list[list[int]]:
        """Phone indices of each utterance, runs of silence merged. `log_posteriors` are float32 (T, states)."""
        lengths = np.array([len(x) for x in log_posteriors])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        emissions = np.concatenate(log_posteriors) - np.float32(self.prior_scale) * self.log_priors
        transitions = np.float32(self.bigram_scale) * self.log_bigram + np.float32(self.insertion)
        phones = np.empty(offsets[-1], np.int16)
        counts = np.empty(len(lengths), np.int64)
        decode_all(emissions, transitions, offsets, phones, counts)
        return [
            self.units.merged(phones[start : start + n].tolist()) for start, n in zip(offsets[:-1], counts, strict=True)
        ]


@dataclass(frozen=True)
class Score:
    """Edits that turn a reference into a hypothesis."""

    substitutions: int = 0
    """Phones that stand for others."""
    insertions: int = 0
    """Phones that the reference lacks."""
    deletions: int = 0
    """Phones that the hypothesis lacks."""
    reference: int = 0
    """Phones of the reference."""

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.substitutions + other.substitutions,
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.reference + other.reference,
        )

    @property
    def edits(self) -> int:
        """Edits of all kinds."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def error_rate(self) -> float:
        """Percent; more than 100 is possible."""
        return 100.0 * self.edits / self.reference


def score(reference: Sequence[int] | np.ndarray, hypothesis: Sequence[int] | np.ndarray) -> Score:
    """Levenshtein alignment; among alignments of equal cost, substitutions are preferred."""
    changes = edits(np.asarray(reference, np.int64), np.asarray(hypothesis, np.int64))
    return Score(int(changes[1]), int(changes[2]), int(changes[3]), len(reference))


def score_all(
    references: Iterable[Sequence[int] | np.ndarray], hypotheses: Iterable[Sequence[int]], units: Units
) -> Score:
    """Edits of several utterances together, counting what the units' error rate counts."""
    pairs = zip(references, hypotheses, strict=True)
    return sum((score(units.scored(r), units.scored(h)) for r, h in pairs), Score())


def speaker_subsets(speakers: Sequence[str], weights: Sequence[int], count: int) -> np.ndarray:
    """Subset of each utterance, 0 … count - 1: all of a speaker's utterances in one, the sums of `weights` (reference
    phones) even.

    Speakers go, heaviest first and by name among equals, to the lightest subset: a function of the arguments alone.
    """
    totals: dict[str, int] = {}
    for speaker, weight in zip(speakers, weights, strict=True):
        totals[speaker] = totals.get(speaker, 0) + weight
    loads = [0] * count
    subset: dict[str, int] = {}
    for speaker in sorted(totals, key=lambda name: (-totals[name], name)):
        subset[speaker] = loads.index(min(loads))
        loads[subset[speaker]] += totals[speaker]
    return np.array([subset[speaker] for speaker in speakers])


def tune_decoder(decoder: Decoder, log_posteriors: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> Decoder:
    """The decoder of lowest phone error rate over a small grid of its three weights (ties: the first)."""
    best, best_rate = decoder, float("inf")
    for bigram_scale, prior_scale, insertion in product(*TUNING_GRID):
        candidate = replace(decoder, bigram_scale=bigram_scale, prior_scale=prior_scale, insertion=insertion)
        rate = score_all(references, candidate.decode(log_posteriors), decoder.units).error_rate
        if rate < best_rate:
            best, best_rate = candidate, rate
    return best
