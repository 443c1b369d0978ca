"""On how many utterances a candidate is evaluated before it is let go: the key `fidelity` of an experiment."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class FidelitySettings(BaseModel):
    """Shares of the utterances on which a candidate is evaluated one after the other, the last before all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    shares: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1, max_length=8)] = Field(
        default=(0.125, 0.25, 0.5, 0.75), strict=False
    )
    """Rising; what was evaluated on a smaller one is not evaluated again."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Probability of being dominated on all utterances, or over the limit, from which a candidate is let go."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for i, (smaller, larger) in enumerate(pairwise(self.shares)):
            if larger <= smaller:
                raise ValueError(f"shares.{i + 1}: {larger}: it must be larger than the one before, {smaller}")
        return self
