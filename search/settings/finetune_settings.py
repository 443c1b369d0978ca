"""How every candidate is retrained before it is evaluated: the key `finetune` of an experiment."""

from pydantic import BaseModel, ConfigDict, Field


class FinetuneSettings(BaseModel):
    """A retraining from the original parameters; HAQ's is one epoch."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    epochs: int = Field(default=1, ge=1, le=1000)
    """Passes over the training data."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """Learning rate of the retraining, a ratio."""
