"""What a ledger's rows hold, checked when they are read: a ledger may be a copy of another's."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from simulators.inputs.documents import validate
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import Document


class LedgerUnusable(InputError):
    """A ledger cannot be read or written, or is not as mohaq writes it: of what was asked nothing is known."""


WORDS = ("nan", "inf", "-inf")
"""What stands in a row for a number that is none: JSON has no such numbers."""


def in_words(result: Mapping[str, Any]) -> dict[str, Any]:
    """A row's result as JSON can hold it."""
    return {
        name: str(float(value)) if isinstance(value, float) and not isfinite(value) else value
        for name, value in result.items()
    }


def _of_word(value: object) -> object:
    return float(value) if isinstance(value, str) and value in WORDS else value


Measured = Annotated[float, BeforeValidator(_of_word)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ErrorRow(BaseModel):
    """The error of a candidate, in percent, as the model measured it: it may be no number."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    error: Measured
    error_plain: Measured
    edits: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, fail_fast=True)] = ()
    """Edits of each utterance, where the model counts them."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the search's utterances that the error was measured on."""


class CostRow(BaseModel):
    """What a trace costs on an architecture."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    cycles: Annotated[int, Field(ge=0, le=1 << 53)]
    latency_ms: Figure
    energy_uj: Figure
    dram_energy_uj: Figure | None = None
    """None: the platform has no figure of it."""


class SentCostRow(CostRow):
    """What a candidate of a delta network costs on an architecture by what it sends."""

    latency_worst_ms: Figure
    energy_worst_uj: Figure
    shares: dict[str, Annotated[float, Field(ge=0, le=1)]]
    """The share of each site's input that was sent."""


class CannotRunRow(BaseModel):
    """In place of what a candidate of a delta network costs on an architecture that cannot run it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    reason: str


_Row = TypeVar("_Row", bound=BaseModel)


def row_of(model: type[_Row], found: Mapping[str, Any], path: Path) -> _Row:
    """A row's result as a model. Raises LedgerUnusable that names the ledger for one that is not as mohaq writes it."""
    try:
        return validate(Document(str(path), dict(found)), model)
    except InputError as error:
        raise LedgerUnusable(f"{error}: the ledger was changed: a search made anew writes its own") from None
