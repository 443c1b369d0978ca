"""How much of the lowest of many errors is luck.

The lowest of N measured errors is lower than what its candidate errs on other speech, for it was chosen by the noise of
these utterances too. Halves of them repeat that choice: the candidate that errs least on one half errs more on the
other, on which it was not chosen. The noise of a mean falls with the root of its utterances, so of all of them it is
that difference over √2: exact where candidates do not differ, up to a third too much where they do (for the choice on a
half is then among more of them), as `tests/search/held_out/test_luck.py` has it of errors whose truth is known. Of
near-ties, which a part of these utterances has chosen already, it is too little by what that choice was luck.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from quant.evaluation.rates import ScoredUtterances
from search.evaluation.model import CountsEdits, Model
from search.evaluation.quality import Quality
from search.held_out.resampling import SEED, edits_of, rates
from search.objectives import Floats

HALVINGS = 500
"""Halves that are drawn."""
AT_ONCE = 256
"""Candidates that are counted together, which bounds memory."""


@dataclass(frozen=True)
class Luck:
    """The lowest error of a search, and how far it is expected to be too low."""

    candidates: int
    """Candidates that it is the lowest of."""
    lowest: float
    """Percent."""
    points: float
    """Percentage points of it that are the luck of the choice."""


def luck(edits: Floats, scored: ScoredUtterances, plain: bool = False) -> Luck | None:
    """The luck of the lowest error among candidates with these edits (N, U): the worst group's, or that over all
    speakers. None where there is no candidate, or nothing to halve."""
    count, utterances = edits.shape
    if not count or utterances < 2:
        return None
    halves, lowest = _halves(utterances), np.inf
    best, elsewhere = np.full(HALVINGS, np.inf), np.zeros(HALVINGS)
    for first in range(0, count, AT_ONCE):
        some = edits[first : first + AT_ONCE]
        measured, on_one, on_other = (
            rates(some, scored, times).of(plain) for times in (np.ones((1, utterances)), *halves)
        )
        lowest = min(lowest, float(measured.min()))
        taken = np.arange(HALVINGS), on_one.argmin(axis=1)
        better = on_one[taken] < best
        best[better], elsewhere[better] = on_one[taken][better], on_other[taken][better]
    return Luck(count, lowest, max(0.0, float((elsewhere - best).mean()) / 2**0.5))


def luck_of(qualities: Iterable[Quality | None], model: Model, plain: bool) -> Luck | None:
    """The luck of the lowest of some candidates' errors on a model's data; None where its edits are not counted."""
    counted = [quality.edits for quality in qualities if quality is not None and quality.edits]
    if not counted or not isinstance(model, CountsEdits):
        return None
    return luck(edits_of(counted, model.scored), model.scored, plain)


def _halves(utterances: int) -> tuple[Floats, Floats]:
    """Two (HALVINGS, utterances), with 1 for each utterance of a random half and of the rest, as many; of an odd number
    one is left out."""
    places = np.random.default_rng(SEED).random((HALVINGS, utterances)).argsort(axis=1)
    half = utterances // 2
    return (places < half).astype(np.float64), ((places >= half) & (places < 2 * half)).astype(np.float64)
