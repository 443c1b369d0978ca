"""What every architecture file may say; a platform's own model is beside its lowering. Units stand in the key names.

There are no silent defaults for physical figures: a file, or one that it extends, gives every one of them, with its
source in a comment. Only switches of the model have defaults.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from simulators.inputs.fields import whole

Units = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 20)]
"""A number of hardware units, or bits a cycle: at least one."""
Cycles = Annotated[int, BeforeValidator(whole), Field(ge=0, le=1 << 20)]
ServiceCycles = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 20)]
Figure = Annotated[float, Field(ge=0, le=1e9)]
"""A physical figure (energy, power): finite, not negative."""
Kib = Annotated[float, Field(gt=0, le=1 << 22)]
Pair = tuple[int, int]


class SpecPart(BaseModel):
    """A mapping in a spec: immutable, without unknown keys, NaN or silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _pairs(value: object) -> object:
    """YAML has lists; a precision is a pair."""
    if isinstance(value, list):
        return tuple(tuple(x) if isinstance(x, list) else x for x in value)
    return value


def precisions_shown(pairs: Sequence[Pair]) -> str:
    """`2/4 x 2/4/8` (weights x activations), or `4x4, 8x8` where not every combination is there."""
    weights, activations = sorted({w for w, _ in pairs}), sorted({a for _, a in pairs})
    if len(pairs) == len(weights) * len(activations):
        return f"{'/'.join(map(str, weights))} x {'/'.join(map(str, activations))}"
    return ", ".join(f"{w}x{a}" for w, a in pairs)


class PlatformSpec(SpecPart):
    """What every platform has; a platform's own derives from it."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\s,:/]+$")
    platform: str
    """The name under which its lowering is known."""
    description: str = ""
    frequency_mhz: Annotated[float, Field(gt=0, le=1e5)]
    precisions: Annotated[tuple[Pair, ...], BeforeValidator(_pairs), Field(min_length=1, max_length=256)]
    """Legal (weight bits, activation bits): what a search may choose from."""

    @model_validator(mode="after")
    def _legal(self) -> PlatformSpec:
        for pair in self.precisions:
            if min(pair) < 1 or max(pair) > 16:
                raise ValueError(f"precisions: {list(pair)}: bits are 1 to 16")
        if len(set(self.precisions)) < len(self.precisions):
            raise ValueError("precisions: a pair is listed twice")
        return self

    def area_parts_mm2(self) -> dict[str, float] | None:
        """By component; None where there are no figures: area is then refused, not zero."""
        return None

    @cached_property
    def canonical(self) -> str:
        """JSON with sorted keys and no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def __hash__(self) -> int:
        return hash(self.canonical)


class Dram(SpecPart):
    """The off-chip channel."""

    bits_per_cycle: Units
    pj_per_bit: Figure
