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
    """Phone error rates in percent. `error_max` is the largest over `subsets`, four groups of speakers: what a search
    minimises, so that a candidate does not overfit one of them (MOHAQ, section 4.3). `error` is that of the whole
    split."""

    error_max: float
    error: float
    subsets: tuple[float, ...]
    substitutions: int
    insertions: int
    deletions: int
    reference_phones: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class DeltaResult:
    """What a delta network errs and saves: shares of its inputs that it transmits, by site, and the share of all
    multiply-accumulates that are therefore not done."""

    rate: ErrorRate
    active: dict[str, float]
    eliminated: float


@dataclass(frozen=True)
class ReferenceCheck:
    """Error rates in percent by the integer-only reference and by the fast path on the same utterances, the share of
    frames whose likeliest state is the same, and the bits that each site's accumulators took."""

    reference_error: float
    fast_error: float
    agreement: float
    accumulator_bits: dict[str, int]
