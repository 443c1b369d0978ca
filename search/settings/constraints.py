"""Limits on a design point: the key `constraints` of an experiment."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0)]


class Budget(BaseModel):
    """What a candidate may cost, as shares of what 8 bits everywhere cost on the same hardware."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    latency: Share | None = None
    """Share of the simulated latency, a ratio."""
    energy: Share | None = None
    """Share of the simulated energy, a ratio."""
    memory: Share | None = None
    """Share of the memory, weights at their bits and vectors at 16; a ratio."""

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self.shares:
            raise ValueError("of nothing: name latency, energy or memory, as {latency: 0.6}")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """The shares that it names."""
        return {name: share for name, share in self.model_dump().items() if share is not None}


class Constraints(BaseModel):
    """Limits on a candidate. One that is not named does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    memory_mib: Annotated[float, Field(gt=0)] | None = None
    """Weights at their bits and vectors at 16, in MiB. What exceeds it is not evaluated on speech at all."""
    error: Annotated[float, Field(gt=0)] | None = None
    """Largest phone error rate in percent."""
    error_increase: Annotated[float, Field(gt=0)] | None = None
    """Largest increase over the 16-bit baseline in percentage points (MOHAQ: 8)."""
    budget: Budget | None = None
    """Shares of the cost of 8 bits (HAQ: latency, 0.6). What exceeds one is not evaluated at all."""

    def kept_by(self, memory_mib: float, error: float | None, error_limit: float | None) -> bool:
        """Whether a candidate of this size in MiB keeps all limits with this error in percent (None: not known, which
        keeps no limit on it). `error_limit` is what `error` or `error_increase` come to in percent; None: there is
        none."""
        if self.memory_mib is not None and memory_mib > self.memory_mib:
            return False
        return error_limit is None or (error is not None and error <= error_limit)
