"""The hardware of a co-design: variants of architectures, as grids and lists over the keys of their specs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from simulators import Arch, load_arch
from simulators.hardware.arch import Change, arch_of, read_arch
from simulators.hardware.spec import precisions_shown
from simulators.inputs.errors import InputError
from simulators.inputs.fields import whole
from simulators.inputs.source_locations import Document, Elsewhere, KeyedError, KeyPath, or_else_under, shown

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

    def check_distinct(self, key: KeyPath) -> None:
        """Raise KeyedError for an architecture, an entry of `list` or a value of a key of `grid` that stands twice: a
        variant would be there twice. `key` is the block's in the experiment."""
        axes: dict[KeyPath, tuple[Any, ...]] = {("archs",): self.archs, ("list",): self.list}
        axes.update({("grid", name): values for name, values in self.grid.items()})
        for axis, values in axes.items():
            seen: dict[str, Any] = {}
            for i, value in enumerate(values):
                first = seen.setdefault(json.dumps(whole(value), sort_keys=True), (i, value))
                if first[0] < i:
                    raise KeyedError((*key, *axis, i), f"{shown(value)}: given twice, first as {shown(first[1])}")

    def changes(self, choice: Choice, key: KeyPath) -> Sequence[Change]:
        """What a variant changes in its spec; `key` is the block's in the experiment."""
        _, entry, *of_grid = choice
        changed: dict[str, Change] = {}
        for name, value in self.list[entry].items() if self.list else ():
            at = (*key, "list", entry, name)
            changed[name] = Change(name, value, Elsewhere(at, at))
        for name, i in zip(self.grid, of_grid, strict=True):
            at = (*key, "grid", name)
            changed[name] = Change(name, self.grid[name][i], Elsewhere(at, (*at, i)))
        return [*changed.values()]


@dataclass(frozen=True)
class Variant:
    """One architecture of a co-design."""

    number: int
    """Its position among all variants."""
    name: str
    """The architecture's, with what was changed, as `mohaq compare --arch` takes it."""
    arch: Arch
    area_mm2: float | None
    """None: the spec has no figures."""
    precisions: tuple[tuple[int, int], ...]
    """(weight bits, activation bits) that it offers to the model of the run."""
    changes: Mapping[str, Any]
    """Key of the spec → its value, for those that the block changes."""
    options: tuple[str, ...]
    """`--arch` and every `--set` of `mohaq simulate`, those that all variants have in common included."""


def pairs_of(widths: Sequence[int], precisions: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Pairs of widths, of those that are offered, that have these widths alone."""
    return tuple(pair for pair in precisions if {*pair} <= {*widths})


class Hardware:
    """All variants of an experiment, by number and by choice. Raises InputError for one that cannot be."""

    def __init__(self, blocks: Sequence[HardwareBlock], arch: str, changes: Sequence[str], area_for: str = ""):
        """`arch` is that of blocks which name none, and of no blocks at all; `changes` hold for all variants;
        `area_for` names an objective that needs figures of area."""
        self.blocks = tuple(blocks) or (HardwareBlock(),)
        self.varied = bool(blocks)
        self._arch, self._area_for = arch, area_for
        self._changes = spec_changes(changes)
        self._read: dict[str, Document] = {}
        count = sum(prod(block.lengths()) for block in self.blocks)
        if not 1 <= count <= MOST_VARIANTS:
            raise KeyedError(("hardware",), f"{count} variants: there may be 1 to {MOST_VARIANTS}")
        self.variants: list[Variant] = []
        self._numbers: dict[tuple[int, Choice], int] = {}
        by_digest: dict[str, int] = {}
        for b, block in enumerate(self.blocks):
            block.check_distinct(("hardware", b))
            for choice in product(*(range(n) for n in block.lengths())):
                variant = self._make(b, choice)
                # A list's entry may repeat what a grid has, and a block what another has.
                number = by_digest.setdefault(variant.arch.digest, len(self.variants))
                if number == len(self.variants):
                    self.variants.append(variant)
                self._numbers[b, choice] = number

    def __iter__(self) -> Iterator[Variant]:
        return iter(self.variants)

    def __len__(self) -> int:
        return len(self.variants)

    @property
    def repeated(self) -> int:
        """How many choices of all blocks are hardware that another choice is too."""
        return len(self._numbers) - len(self.variants)

    def at(self, block: int, choice: Choice) -> Variant:
        """The variant of a choice in a block."""
        return self.variants[self._numbers[block, choice]]

    @property
    def precisions(self) -> tuple[tuple[int, int], ...]:
        """(weight bits, activation bits) that any of them offers, rising."""
        return tuple(sorted({pair for variant in self.variants for pair in variant.precisions}))

    def offer_widths(self, widths: Sequence[int]) -> None:
        """Leave out pairs with other widths than a model takes. Raises KeyedError for a variant that has no others."""
        for i, variant in enumerate(self.variants):
            taken = pairs_of(widths, variant.precisions)
            if not taken:
                offered, taken_widths = precisions_shown(variant.precisions), ", ".join(map(str, widths))
                rule = f"{variant.name}: it offers {offered} bits, and the model takes {taken_widths}"
                raise KeyedError(("hardware",) if self.varied else ("arch",), rule)
            self.variants[i] = replace(variant, precisions=taken)

    def _make(self, number: int, choice: Choice) -> Variant:
        block, key = self.blocks[number], ("hardware", number)
        base = block.archs[choice[0]] if block.archs else self._arch
        named_by = (*key, "archs", choice[0]) if block.archs else ("arch",)
        if base not in self._read:  # what is wrong without changes is not blamed on them
            self._with_area(experiment_arch(base, self._changes, named_by), named_by)
            self._read[base] = read_arch(base)
        changes = block.changes(choice, key)
        name = ",".join([base, *(f"{change.key}={_word(change.value)}" for change in changes)])
        with or_else_under(*key, about=f"{name}: "):
            arch = arch_of(self._read[base], [*self._changes, *changes])
            area = self._with_area(arch, key)
        words = (f"{change.key}={json.dumps(change.value)}" for change in (*self._changes, *changes))
        options = ("--arch", base, *(word for change in words for word in ("--set", change)))
        changed = {change.key: change.value for change in changes}
        return Variant(len(self.variants), name, arch, area, arch.precisions, changed, options)

    def _with_area(self, arch: Arch, key: KeyPath) -> float | None:
        try:
            parts = arch.spec.area_parts_mm2()
        except InputError as error:
            if self._area_for:
                raise KeyedError(key, f"{arch.name}: {error}") from None
            return None
        if parts is None and self._area_for:
            rule = f"its spec has no key `area`, whose figures the objective `{self._area_for}` needs"
            raise KeyedError(key, f"{arch.name}: {rule}")
        return None if parts is None else sum(parts.values())


def spec_changes(texts: Sequence[str]) -> list[Change]:
    """An experiment's `set`. Raises KeyedError for what is no change."""
    changes = []
    for i, text in enumerate(texts):
        at = ("set", i)
        changes.append(Change.parse(text, Elsewhere(at, at, shown(text)[1:-1])))
    return changes


def experiment_arch(name: str, changes: Sequence[Change], key: KeyPath = ("arch",)) -> Arch:
    """An architecture that an experiment names under a key. Raises KeyedError."""
    with or_else_under(*key):
        return load_arch(name, changes)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
