"""How far error rates are chance: the bootstrap over utterances (Efron 1979; of recognisers, paired: Bisani and Ney,
ICASSP 2004). A resample draws as many utterances as there are, with replacement, and counts edits and reference phones
of what it drew. All candidates are counted on the same resamples, so that what is hard for all of them cancels in
differences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quant.evaluation.rates import ScoredUtterances
from search.objectives import Floats
from simulators.inputs.errors import InputError

RESAMPLES = 2_000
"""Resamples of an interval: its ends move by some hundredths of its width from seed to seed."""
CONFIDENCE = 0.95
"""Share of resamples within an interval."""
SEED = 1
"""What resamples follow from: figures of one run come out alike wherever they are computed."""


class Difference(NamedTuple):
    """A difference of two error rates, and its interval."""

    points: float
    """Percentage points."""
    low: float
    """Percentage points: the lower end of the interval."""
    high: float
    """Percentage points: the upper end."""


@dataclass(frozen=True)
class Resampled:
    """Error rates in percent of N candidates on B resamples, (B, N) each."""

    worst: Floats
    """The largest of the groups of speakers, of those that were drawn."""
    plain: Floats
    """Over all speakers."""

    def of(self, plain: bool) -> Floats:
        """Error rates over all speakers, or the worst group's, (B, N)."""
        return self.plain if plain else self.worst


def drawn(utterances: int, resamples: int, seed: int = SEED) -> Floats:
    """(resamples, utterances): how often each utterance is drawn."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(utterances, np.full(utterances, 1 / utterances), resamples).astype(np.float64)


def rates(edits: Floats, scored: ScoredUtterances, times: Floats) -> Resampled:
    """Error rates of candidates with these edits (N, U), each utterance counted so many `times` (B, U)."""
    count = int(scored.subset_of.max()) + 1
    sums = np.zeros((len(times), len(edits)))
    worst = np.full((len(times), len(edits)), -np.inf)
    for subset in range(count):
        members = scored.subset_of == subset
        of_subset = times[:, members] @ edits[:, members].T
        phones = times[:, members] @ scored.reference_phones[members]
        sums += of_subset
        said = phones > 0
        worst[said] = np.maximum(worst[said], 100.0 * of_subset[said] / phones[said, np.newaxis])
    return Resampled(worst, 100.0 * sums / (times @ scored.reference_phones)[:, np.newaxis])


def edits_of(counts: Sequence[Sequence[int]], scored: ScoredUtterances) -> Floats:
    """(N, U) Edits of candidates. Raises InputError for counts of other utterances."""
    utterances = len(scored.reference_phones)
    for of_candidate in counts:
        if len(of_candidate) != utterances:
            raise InputError(f"edits of {len(of_candidate)} utterances, where the model has {utterances}")
    return np.array(counts, np.float64).reshape(len(counts), utterances)


def changes(edits: Floats, base: Floats, scored: ScoredUtterances) -> tuple[list[Difference], list[Difference]]:
    """What the error of each candidate (N, U) is over that of a base (U,), in percentage points: of the worst group of
    speakers, and of all speakers."""
    together = np.concatenate([edits, base[np.newaxis]])
    measured = rates(together, scored, np.ones((1, len(base))))
    resampled = rates(together, scored, drawn(len(base), RESAMPLES))
    return tuple(
        _intervals(of_all[0, :-1] - of_all[0, -1], of_resamples[:, :-1] - of_resamples[:, -1:])
        for of_all, of_resamples in ((measured.worst, resampled.worst), (measured.plain, resampled.plain))
    )  # type: ignore[return-value]


def _intervals(points: Floats, resampled: Floats) -> list[Difference]:
    """Percentile intervals of differences (N,) from those of resamples (B, N)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return [Difference(*ends) for ends in zip(points.tolist(), low.tolist(), high.tolist(), strict=True)]
