"""Limits on a design point: the key `constraints` of an experiment."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Constraints(BaseModel):
    """Limits on a candidate. One that is not named does not bind."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    memory_mib: Annotated[float, Field(gt=0)] | None = None
    """Weights at their bits and vectors at 16, in MiB. What exceeds it is not evaluated on speech at all."""
    error: Annotated[float, Field(gt=0)] | None = None
    """Largest phone error rate in percent."""
    error_increase: Annotated[float, Field(gt=0)] | None = None
    """Largest increase over the 16-bit baseline in percentage points (MOHAQ: 8)."""
