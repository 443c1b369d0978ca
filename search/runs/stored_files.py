"""What a run's folder holds in JSON, as it is read back: all that is used of it, checked.

A folder may come from others. What it says ends in tables, in a page and in commands that are offered to copy: names of
candidates are bits, numbers are finite, and a solution's name leads to no other folder.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quant.sites.site import NAME_CHARACTERS
from search.objectives.columns import HELD_OUT
from search.runs.budget_limits import BudgetLimit

MOST_BYTES = 64 << 20
"""Size of a file of results: a sweep of a hundred thousand variants has fifty megabytes."""

Name = Annotated[str, Field(max_length=4096)]
_SITE = rf"[{NAME_CHARACTERS}]*=[0-9]{{1,2}}x[0-9]{{1,2}}(?:@[0-9]{{1,5}})?"
Bits = Annotated[str, Field(pattern=rf"\A{_SITE}(,{_SITE})*\z", max_length=1 << 16)]
"""A candidate's name: `L0=8x8,P1=4x8`, with thresholds `L0=8x8@16,P1=4x8`."""
Beacon = Annotated[str, Field(pattern=rf"\A({_SITE}(,{_SITE})*)?\z", max_length=1 << 16)]
"""The name of the candidate whose parameters were used, or nothing."""
SolutionName = Annotated[str, Field(pattern=r"\A([0-9]{3,9}|[0-9]{1,2}-bit)\z")]
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Digest = Annotated[str, Field(max_length=4096)]


class Stored(BaseModel):
    """A mapping in a file of a run: other keys may stand beside those that are used, as other versions write them."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)


class StoredExperiment(Stored):
    """An experiment, as far as lists and tables name it."""

    name: Name
    model: Name
    arch: Name
    set: list[Name]
    objectives: list[Name]
    steps: Count
    generations: Count


class StoredIdentity(Stored):
    """What a run's results depend on."""

    experiment: StoredExperiment
    digests: dict[str, Digest]


class StoredNetworks(Stored):
    """A sweep of networks, as far as messages name it."""

    name: Name
    networks: list[Name]
    arch: Name


class StoredNetworkIdentity(Stored):
    """What a sweep of networks depends on."""

    experiment: StoredNetworks
    digests: dict[str, Digest]


class StoredNetworkState(Stored):
    """`networks-state.json`."""

    identity: StoredNetworkIdentity
    generations: dict[str, Digest]
    """None: parts say how far it came."""


class StoredState(Stored):
    """`state.json`, or `sweep-state.json` of a co-design."""

    identity: StoredIdentity
    generations: dict[str, Digest]
    """Digest of the gene vectors of each generation, by its number."""


class Row(Stored):
    """A design point: beside these keys a number, or null, for each objective of a plugin."""

    __pydantic_extra__: dict[str, float | None] = Field(init=False)

    bits: Bits
    cycles: Count
    error: float | None
    error_plain: float | None
    latency_ms: float
    energy_uj: float
    memory_mib: float
    dominated_on_test_by: Annotated[str, Field(pattern=r"\A([0-9]{3,9})?\z")] = ""


_WORDS = HELD_OUT[-2:]
_CHANGES = ("test_change", "test_change_plain")
_ON_TEST = tuple(name for name in HELD_OUT if name.startswith(("error_test", *_CHANGES)))


def _check_rows_on_test(name: str, rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Raise ValueError for a row without one of these columns, or with a change on test but not its interval."""
    for i, row in enumerate(rows):
        values = row.model_dump(exclude_unset=True)
        for column in columns:
            if column not in values:
                raise ValueError(f"{name}.{i}.{column}: missing")
        for change in _CHANGES:
            for end in ("_low", "_high"):
                if values.get(change) is not None and values.get(change + end) is None:
                    raise ValueError(f"{name}.{i}.{change}{end}: expected a number beside {change}")


class SearchRow(Row):
    """A design point of a search."""

    beacon: Beacon
    error_original: float | None


class VisitedRow(SearchRow):
    """A design point that a search looked at."""

    feasible: bool
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the utterances that its error was measured on."""


class SolutionRow(SearchRow):
    """A row of the front, or a baseline."""

    solution: SolutionName


class StoredClaim(Stored):
    """A published claim beside what was found."""

    claim: Name
    published: Name
    measured: Name


class StoredLuck(Stored):
    """How far the lowest error is luck."""

    candidates: Count
    lowest: float
    points: float


class StoredCheck(Stored):
    """What holds of a front on test."""

    why_not: Annotated[str, Field(max_length=4096)]
    utterances: Count
    luck: StoredLuck | None


class StoredRetraining(Stored):
    """What retrainings cost."""

    retrained: Count
    again: Count
    training_frames: Count | None
    evaluation_frames: Count | None
    evaluations: Annotated[float, Field(ge=0)] | None


class SearchResults(Stored):
    """`pareto.json`."""

    experiment: StoredExperiment
    error_limit: float | None
    budget: Annotated[list[BudgetLimit], Field(max_length=3)] = []
    float_error: float | None = None
    retraining: StoredRetraining | None = None
    candidates: Count
    screened: Count
    set_aside: list[Bits] = []
    no_number: list[Bits] = []
    front: Annotated[list[SolutionRow], Field(fail_fast=True)]
    baselines: Annotated[list[SolutionRow], Field(fail_fast=True)]
    visited: Annotated[list[VisitedRow], Field(fail_fast=True)] = []
    claims: list[StoredClaim] = []
    confirmed: Count = 0
    held_out: StoredCheck | None = None

    @model_validator(mode="after")
    def _rows_tell_of_test(self) -> Self:
        tells = any(row.model_dump().get("test_change") is not None for row in self.front)
        _check_rows_on_test("front", self.front, (_ON_TEST if tells else ()) + (_WORDS if self.held_out else ()))
        _check_rows_on_test("baselines", self.baselines, (*_ON_TEST, *_WORDS) if tells else ())
        return self

    @model_validator(mode="after")
    def _front_was_visited(self) -> Self:
        visited = {row.bits for row in self.visited}
        for i, row in enumerate(self.front if self.visited else []):
            if row.bits not in visited:
                raise ValueError(f"front.{i}.bits: {row.bits}: it is not among what was visited")
        return self


class SweepRow(Row):
    """A design point of a co-design."""

    solution: SolutionName
    variant: Count
    hardware: Name
    area_mm2: float | None


class VariantRow(Stored):
    """A variant of the hardware."""

    variant: Count
    hardware: Name
    arch: Name
    changes: dict[str, Any]
    joint_front: Count


class SweepResults(Stored):
    """`sweep.json`."""

    experiment: StoredExperiment
    error_limit: float | None
    variants: Count
    repeated_variants: Count = 0
    candidates: Count
    points: Count
    left_out: dict[str, Count]
    technologies: Annotated[str, Field(max_length=1 << 16)] = ""
    """Technologies of the variants in one line, where they differ and an objective depends on that."""
    held_out: StoredCheck | None = None
    front: Annotated[list[SweepRow], Field(fail_fast=True)]
    hardware: Annotated[list[VariantRow], Field(fail_fast=True)]

    @model_validator(mode="after")
    def _rows_tell_of_test(self) -> Self:
        _check_rows_on_test("front", self.front, _WORDS if self.held_out else ())
        return self

    @model_validator(mode="after")
    def _variants_are_there(self) -> Self:
        if len(self.hardware) != self.variants:
            raise ValueError(f"variants: {self.variants}: hardware has {len(self.hardware)}")
        for i, row in enumerate(self.front):
            if row.variant >= self.variants:
                raise ValueError(f"front.{i}.variant: {row.variant}: there are {self.variants}")
        return self
