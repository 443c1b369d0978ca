"""What every architecture file may say; a platform's own model is beside its lowering. Units stand in the key names.

There are no silent defaults for physical figures: a file, or one that it extends, gives every one of them, with its
source in a comment. Only switches of the model have defaults.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from simulators.inputs.fields import whole

Units = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 20)]
"""A number of hardware units, or bits a cycle: at least one."""
Cycles = Annotated[int, BeforeValidator(whole), Field(ge=0, le=1 << 20)]
ServiceCycles = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 20)]
Figure = Annotated[float, Field(ge=0, le=1e9)]
"""A physical figure (energy, power): finite, not negative."""
Megahertz = Annotated[float, Field(ge=0.01, le=1e5)]
"""A clock, from 10 kHz on: with one near zero seconds would be infinite, and another clock's cycles beyond 64 bits."""
GbPerSecond = Annotated[float, Field(ge=1e-3, le=1e6)]
"""Rate in 10^9 bytes a second, from 1 MB/s on: cycles of a transfer fit 64 bits."""
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
    technology_nm: Annotated[float, Field(gt=0, le=1e5)] | None = None
    """Node of the process that energies and areas are of; None: not said."""
    frequency_mhz: Megahertz
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
        """Area in mm² by component; None where there are no figures: area is then refused, not zero."""
        return None

    @cached_property
    def canonical(self) -> str:
        """JSON with sorted keys and no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def __hash__(self) -> int:
        return hash(self.canonical)


class Channel(NamedTuple):
    """What a channel to memory moves, as exact ratios: whole cycles follow without rounding on the way."""

    bits: int
    """So many bits ..."""
    clocks: int
    """... in so many cycles of the channel's own clock."""
    array_cycles: int = 1
    """So many cycles of the array take as long ..."""
    channel_cycles: int = 1
    """... as so many of the channel."""

    def cycles(self, bits: int) -> int:
        """Cycles of the array that a transfer takes: whole cycles of the channel, and of the array, at least one."""
        clocks = -(-bits * self.clocks // self.bits)
        return max(1, -(-clocks * self.array_cycles // self.channel_cycles))

    @property
    def rate(self) -> Fraction:
        """Bits in a cycle of the array."""
        return Fraction(self.bits * self.channel_cycles, self.clocks * self.array_cycles)

    @property
    def bits_per_cycle(self) -> float:
        """Bits in a cycle of the array, an int where they are whole."""
        return self.rate.numerator if self.rate.denominator == 1 else float(self.rate)


class Dram(SpecPart):
    """The off-chip channel. Its rate is said in one of two ways."""

    gb_per_s: GbPerSecond | None = None
    """Rate whatever the clock of the array."""
    bits_per_cycle: Units | None = None
    """Rate in bits in a cycle of `frequency_mhz`."""
    frequency_mhz: Megahertz | None = None
    """The channel's own clock, of which a transfer takes whole cycles; without it that is the array's."""
    pj_per_bit: Figure
    """Energy of a bit read or written, in pJ."""

    @model_validator(mode="after")
    def _one_rate(self) -> Dram:
        if self.gb_per_s is None and self.bits_per_cycle is None:
            raise ValueError("bits_per_cycle: expected a rate, here or in gb_per_s")
        if self.gb_per_s is not None and self.bits_per_cycle is not None:
            raise ValueError(f"gb_per_s: {self.gb_per_s}: bits_per_cycle says the rate too: leave one of them out")
        return self

    def channel(self, frequency_mhz: float) -> Channel:
        """The channel as an array at that clock sees it."""
        array = Fraction(repr(frequency_mhz))
        own = array if self.frequency_mhz is None else Fraction(repr(self.frequency_mhz))
        bits = self.bits_per_cycle
        rate = Fraction(repr(self.gb_per_s)) * 8000 / own if bits is None else Fraction(bits)
        return Channel(*rate.as_integer_ratio(), *(array / own).as_integer_ratio())


SAID_ONCE: Final = (("dram", "gb_per_s"), ("dram", "bits_per_cycle"))
"""Keys that say one thing in different ways: one that a file or an option gives replaces the others beneath it."""
