"""What evaluations find: error rates, and what they were bought with."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Rates:
    """Error rates in percent of a model that counts right and wrong."""

    error_max: float
    """The largest over the parts of the data."""
    error: float
    """Over all data."""


@dataclass(frozen=True)
class ErrorRate:
    """Phone error rates in percent, and the edits that they count."""

    error_max: float
    """Phone error rate in percent, the largest of the groups: what a search minimises, so that a candidate does not
    overfit one of them (MOHAQ, section 4.3)."""
    error: float
    """Phone error rate in percent over the whole split."""
    subsets: tuple[float, ...]
    """Phone error rates in percent of four groups of speakers."""
    substitutions: int
    """Phones recognised as others."""
    insertions: int
    """Phones recognised and not said."""
    deletions: int
    """Phones said and not recognised."""
    reference_phones: int
    """Phones that are said, which the edits are divided by."""
    edits: tuple[int, ...] = ()
    """Edits of each utterance, in the order of the corpus."""

    def to_dict(self) -> dict[str, Any]:
        """What `mohaq evaluate --json` prints: all but the edits of single utterances."""
        return {name: value for name, value in asdict(self).items() if name != "edits"}


@dataclass(frozen=True)
class ScoredUtterances:
    """What error rates of a split are counted over: U utterances, in the order of the corpus."""

    reference_phones: np.ndarray
    """(U,) int64 Phones of each that are said."""
    subset_of: np.ndarray
    """(U,) int64 Group of speakers of each, from 0."""


@dataclass(frozen=True)
class DeltaResult:
    """What a delta network errs and saves."""

    rate: ErrorRate
    active: dict[str, float]
    """The share of each site's inputs that it transmits."""
    eliminated: float
    """The share of all multiply-accumulates that are therefore not done."""


@dataclass(frozen=True)
class ReferenceCheck:
    """The integer-only reference and the fast path on the same utterances."""

    reference_error: float
    """Error rate in percent by the reference."""
    fast_error: float
    """Error rate in percent by the fast path."""
    agreement: float
    """The share of frames whose likeliest state is the same by both."""
    accumulator_bits: dict[str, int]
    """Bits that the largest sum of each site took."""
