"""When a candidate becomes a beacon, and how it is retrained: the key `beacons` of an experiment."""

from pydantic import BaseModel, ConfigDict, Field


class BeaconSettings(BaseModel):
    """When a candidate is retrained, and how long; the defaults are the published code's, but for the training."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    threshold: float = Field(default=5.0, ge=0)
    """What a new beacon's distance from all others exceeds: Σ |log2(weight_bits) difference| over the sites, and with
    thresholds Σ |log2(1 + threshold / 16) difference|, thresholds in 1/256."""
    above: float = Field(default=3.0)
    """Error over the base, in percentage points, from which a candidate is worth retraining …"""
    below: float = Field(default=14.0)
    """… and up to which it can be saved, in percentage points."""
    minimum_speedup: float | None = Field(default=None, gt=0)
    """`mohaq_speedup`, a ratio, from which a candidate is worth retraining (published: 20, later 10)."""
    most: int = Field(default=4, ge=1, le=100)
    """How many beacons there are at most."""
    epochs: int = Field(default=2, ge=1, le=1000)
    """Passes over the training data of a retraining."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Learning rate of a retraining."""
    carry: tuple[str, ...] = Field(default=(), strict=False)
    """Folders of other runs whose beacons are there from the beginning."""
