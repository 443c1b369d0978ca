"""The hardware of a co-design: variants of architectures, as grids and lists over the keys of their specs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from simulators import Arch, load_arch
from simulators.area import area_mm2
from simulators.errors import InputError

MOST_VARIANTS = 100_000

Choice = tuple[int, ...]
"""Positions: of the architecture, of the entry of the list, and of a value of each key of the grid."""


Values = Annotated[tuple[Any, ...], Field(strict=False, min_length=1)]


class HardwareBlock(BaseModel):
    """Architectures, each with every entry of `list` and every combination of `grid`'s values."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    archs: tuple[str, ...] = Field(default=(), strict=False)
    """Shipped names or YAML files, which may extend others; none: the experiment's `arch`."""
    grid: dict[str, Values] = {}
    """Key of the spec → its values: `array.rows: [8, 16, 32]`."""
    list: tuple[dict[str, Any], ...] = Field(default=(), strict=False)
    """Changes that belong together: `{array.rows: 8, array.columns: 16}`."""

    def lengths(self) -> Choice:
        """How many there are of each position."""
        return (max(1, len(self.archs)), max(1, len(self.list)), *(len(values) for values in self.grid.values()))

    def changes(self, choice: Choice) -> dict[str, Any]:
        """Key → value of a variant."""
        _, entry, *of_grid = choice
        changed = dict(self.list[entry]) if self.list else {}
        return changed | {key: self.grid[key][i] for key, i in zip(self.grid, of_grid, strict=True)}


@dataclass(frozen=True)
class Variant:
    """One architecture of a co-design."""

    number: int
    name: str
    """The architecture's, with what was changed, as `mohaq compare --arch` takes it."""
    arch: Arch
    area_mm2: float | None
    """None: the spec has no figures."""
    changes: Mapping[str, Any]


class Hardware:
    """All variants of an experiment, by number and by choice. Raises InputError for one that cannot be."""

    def __init__(self, blocks: Sequence[HardwareBlock], arch: str, changes: Sequence[str], needs_area: bool):
        self.blocks = tuple(blocks) or (HardwareBlock(),)
        self._arch, self._changes, self._needs_area = arch, tuple(changes), needs_area
        count = sum(prod(block.lengths()) for block in self.blocks)
        if not 1 <= count <= MOST_VARIANTS:
            raise InputError(f"hardware: {count} variants: there may be 1 to {MOST_VARIANTS}")
        self.variants: list[Variant] = []
        self._numbers: dict[tuple[int, Choice], int] = {}
        by_digest: dict[str, int] = {}
        for b, block in enumerate(self.blocks):
            for choice in product(*(range(n) for n in block.lengths())):
                variant = self._make(block, choice)
                # A list's entry may repeat what a grid has.
                number = by_digest.setdefault(variant.arch.digest, len(self.variants))
                if number == len(self.variants):
                    self.variants.append(variant)
                self._numbers[b, choice] = number

    def __iter__(self) -> Iterator[Variant]:
        return iter(self.variants)

    def __len__(self) -> int:
        return len(self.variants)

    def at(self, block: int, choice: Choice) -> Variant:
        """The variant of a choice."""
        return self.variants[self._numbers[block, choice]]

    @property
    def precisions(self) -> tuple[tuple[int, int], ...]:
        """What any of them offers, in order."""
        return tuple(sorted({pair for variant in self.variants for pair in variant.arch.precisions}))

    def _make(self, block: HardwareBlock, choice: Choice) -> Variant:
        base = block.archs[choice[0]] if block.archs else self._arch
        changes = block.changes(choice)
        words = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        name = ",".join([base, *(f"{key}={_word(value)}" for key, value in changes.items())])
        try:
            arch = load_arch(base, [*self._changes, *words])
            area = self._area(arch)
        except InputError as error:
            raise InputError(f"hardware: {name}: {error}") from None
        return Variant(len(self.variants), name, arch, area, changes)

    def _area(self, arch: Arch) -> float | None:
        try:
            return sum(area_mm2(arch).values())
        except InputError:
            if self._needs_area:
                raise
            return None


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
