"""Sweeps of networks without a model: weight bits of traces on variants of one architecture.

Nothing is evaluated but cycles and energy, so there are no errors and no front: what it shows is how frames a second,
utilisation and where weights lie depend on bits, memory and cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from search.settings.experiment import find_experiment
from simulators.hardware.arch import Arch, load_arch
from simulators.inputs.documents import read_document, validate
from simulators.inputs.errors import InputError
from simulators.run.simulation import simulate, simulator
from simulators.views.technologies import different_technologies
from simulators.workloads.trace import Trace, load_trace

NODE = "technology_nm"
"""The key of a spec that says which process its energies and areas are of."""
MOST_POINTS = 20_000
"""Points of one sweep."""
Texts = Annotated[tuple[str, ...], Field(strict=False, max_length=64)]
Values = Annotated[tuple[int | float | str | bool, ...], Field(strict=False, min_length=1, max_length=256)]
Width = Annotated[int, Field(ge=1, le=32)]


class NetworkPoint(NamedTuple):
    """One network at one width on one variant."""

    network: str
    variant: str
    """Name of the variant."""
    grid: str
    """Values of the grid, as `memory.total_kib=64`."""
    weight_bits: int
    """Width of all weights."""
    cycles: int
    """Cycles of all frames."""
    frames_per_s: float
    """Frames a second."""
    gmac_per_s: float
    """10^9 multiply-accumulates a second."""
    utilisation: float
    """Share of what all cores could do, 0 to 1."""
    energy_mj: float
    """Energy of a frame in mJ."""
    dram_mib: float
    """Traffic of a frame to DRAM and from it in MiB."""
    residence: str
    """How many layers' weights lie where, as the platform's mapping says; empty where it does not."""


class Pair(NamedTuple):
    """A network on one variant."""

    trace: Trace
    variant: str
    """Name of the variant."""
    grid: str
    """Values of the grid, as `memory.total_kib=64`."""
    arch: Arch


class NetworkSweep(BaseModel):
    """What a file of such a sweep may say."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80)
    networks: Annotated[tuple[str, ...], Field(strict=False, min_length=1, max_length=64)]
    """Traces: names or files."""
    arch: str
    weight_bits: Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=32)]
    activation_bits: Annotated[int, Field(ge=1, le=16)] = 16
    """Width in bits of what products read, and so of the results that they read."""
    variants: Annotated[dict[str, Texts], Field(min_length=1)] = {"as it is": ()}
    """Changes of the architecture by the name of a variant."""
    grid: dict[str, Values] = {}
    """Values of keys, each with each."""

    @property
    def count(self) -> int:
        """How many points it has."""
        of_grid = prod(len(values) for values in self.grid.values())
        return len(self.networks) * len(self.variants) * of_grid * len(self.weight_bits)

    def architectures(self) -> list[tuple[str, str, Arch]]:
        """(variant, values of the grid, architecture) of all. Raises InputError for one that cannot be."""
        settings = [[f"{key}={value}" for value in values] for key, values in self.grid.items()]
        return [
            (name, " ".join(of_grid), load_arch(self.arch, [*changes, *of_grid]))
            for name, changes in self.variants.items()
            for of_grid in product(*settings)
        ]

    def pairs(self) -> list[Pair]:
        """Each network on each variant, network by network. Raises InputError for too many points, and for a network
        or a variant that cannot be."""
        if self.count > MOST_POINTS:
            raise InputError(f"{self.name}: {self.count} points: at most {MOST_POINTS}")
        archs = self.architectures()
        return [Pair(trace, *variant) for trace in map(load_trace, self.networks) for variant in archs]

    def points_of(self, pair: Pair) -> list[NetworkPoint]:
        """The points of a pair, a width each. Raises InputError that names the variant which cannot run one."""
        found = []
        for bits in self.weight_bits:
            try:
                trace = pair.trace.at_bits(bits, self.activation_bits)
                found.append(_point((pair.variant, pair.grid, bits), trace, pair.arch))
            except InputError as error:
                where = " ".join((pair.variant, pair.grid)).strip()
                raise InputError(f"{where}, {bits} bits: {error}") from None
        return found

    def technologies(self) -> str:
        """Technologies of the variants in one line, where they differ, as where a key of theirs is `technology_nm`; or
        nothing. Raises InputError for a variant that cannot be."""
        changes = [change for of_variant in self.variants.values() for change in of_variant]
        if not any(change.strip().startswith(NODE) for change in (*changes, *self.grid)):
            return ""
        return different_technologies(
            (" ".join((name, of_grid)).strip(), arch.spec.technology_nm) for name, of_grid, arch in self.architectures()
        )

    def points(self) -> list[NetworkPoint]:
        """All points, network by network. Raises InputError as `pairs` and `points_of` do."""
        return [point for pair in self.pairs() for point in self.points_of(pair)]


@dataclass(frozen=True)
class PairsOnEach:
    """Pairs of a sweep by the digest of their architecture, for processes that have one architecture after the
    other."""

    sweep: NetworkSweep
    pairs: Mapping[str, Pair]

    @classmethod
    def of(cls, sweep: NetworkSweep, pairs: Iterable[Pair]) -> Self:
        """Pairs of one network. Variants of another name with the same architecture have the same points."""
        return cls(sweep, {pair.arch.digest: pair for pair in pairs})

    def on(self, arch: Arch) -> list[NetworkPoint]:
        """The points of the pair with an architecture. Raises InputError that names the variant which cannot run
        one."""
        return self.sweep.points_of(self.pairs[arch.digest])


def _point(where: tuple[str, str, int], trace: Trace, arch: Arch) -> NetworkPoint:
    variant, of_grid, bits = where
    report = simulate(trace, arch)
    lies = Counter(str(row.get("weights", row.get("choice", ""))) for _, row in simulator(arch).mappings(trace.layers))
    moved = sum(
        bits for layer in report.layers for level, bits in layer.bits.items() if level in ("dram_read", "dram_write")
    )
    seconds = report.latency_ms / 1e3 / trace.steps
    return NetworkPoint(
        trace.name, variant, of_grid, bits, report.cycles, 1 / seconds, trace.macs / trace.steps / seconds / 1e9,
        report.utilisation, report.energy_uj / trace.steps / 1e3, moved / trace.steps / 8 / 2**20,
        " ".join(f"{count} {place}" for place, count in sorted(lies.items()) if place),
    )  # fmt: skip


def network_sweep_of(name: str) -> NetworkSweep | None:
    """The sweep of a file, or of a shipped experiment by its name; None for one of a model. Raises InputError with
    file, line, column and key."""
    document = read_document(Path(find_experiment(name)))
    if not isinstance(document.data, dict) or "networks" not in document.data:
        return None
    return validate(document, NetworkSweep)
