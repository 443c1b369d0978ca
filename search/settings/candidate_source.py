"""Where a sweep's candidates come from: the key `candidates` of an experiment."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SweepCandidates(BaseModel):
    """A finished run, a list, or chance. In a file a text alone is a run's folder, and a list alone one of bits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run: str | None = None
    """Folder of a search, whose ledger is read too."""
    take: Literal["front", "evaluated"] = "front"
    """Which of that run's candidates."""
    bits: tuple[str, ...] = Field(default=(), strict=False)
    """Candidates as `mohaq evaluate --bits` takes them."""
    random: int | None = Field(default=None, ge=1, le=1_000_000)
    """How many distinct ones are drawn, of the widths that any of the hardware offers."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"run": data}
        if isinstance(data, list | tuple):  # `8` is a number in YAML
            return {"bits": [str(bits) if type(bits) is int else bits for bits in data]}
        return data

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.run is not None) + bool(self.bits) + (self.random is not None) != 1:
            raise ValueError("expected one of run, bits and random")
        return self
