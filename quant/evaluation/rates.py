"""What evaluations find: error rates, and what they were bought with."""

from dataclasses import asdict, dataclass
from typing import Any


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
    """The largest of the groups: what a search minimises, so that a candidate does not overfit one of them (MOHAQ,
    section 4.3)."""
    error: float
    """That of the whole split."""
    subsets: tuple[float, ...]
    """Those of four groups of speakers."""
    substitutions: int
    insertions: int
    deletions: int
    reference_phones: int
    """Phones that are said, which the edits are divided by."""

    def to_dict(self) -> dict[str, Any]:
        """What `mohaq evaluate --json` prints."""
        return asdict(self)


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
