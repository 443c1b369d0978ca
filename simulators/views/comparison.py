"""Several architectures on one trace, side by side, with ratios to the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulators.hardware.arch import Arch
from simulators.hardware.area import area_mm2
from simulators.inputs.csv_text import csv_of
from simulators.inputs.errors import InputError
from simulators.run.report import Report
from simulators.run.simulation import simulate
from simulators.views.roofline import roofline
from simulators.views.technologies import different_technologies
from simulators.workloads.trace import Trace


@dataclass(frozen=True)
class Comparison:
    """One variant."""

    name: str
    """The architecture's, with what was changed."""
    report: Report
    latency_ratio: float
    """Latency as a multiple of the first variant's: 0.5 is twice as fast."""
    energy_ratio: float | None
    """None: the first one takes no energy."""
    energy_delay_ratio: float | None
    area_mm2: float | None
    """None: the spec has no figures."""
    technology_nm: float | None
    """Node of the process that the spec's energies and areas are of; None: it does not say."""

    def to_dict(self) -> dict[str, Any]:
        report = self.report
        return {
            "arch": self.name,
            "cycles": report.cycles,
            "latency_ms": report.latency_ms,
            "latency_ratio": self.latency_ratio,
            "energy_uj": report.energy_uj,
            "energy_ratio": self.energy_ratio,
            "energy_delay_uj_ms": report.energy_delay_uj_ms,
            "energy_delay_ratio": self.energy_delay_ratio,
            "area_mm2": self.area_mm2,
            "technology_nm": self.technology_nm,
            "utilisation": report.utilisation,
            "dominant_stall": next(iter(report.stall_cycles), ""),
            "bound": roofline(report).bound,
        }


def compare(trace: Trace, variants: Sequence[tuple[str, Arch]]) -> list[Comparison]:
    """Simulate each (name, architecture). Raises InputError that names the variant which cannot run the trace."""
    reports: list[tuple[str, Report]] = []
    for name, arch in variants:
        if name in (known for known, _ in reports):
            raise InputError(f"{name}: the same variant twice")
        try:
            reports.append((name, simulate(trace, arch)))
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    first = reports[0][1]
    return [
        Comparison(
            name,
            report,
            report.latency_ms / first.latency_ms,
            report.energy_uj / first.energy_uj if first.energy_uj else None,
            report.energy_delay_uj_ms / first.energy_delay_uj_ms if first.energy_uj else None,
            None if arch.spec.area_parts_mm2() is None else sum(area_mm2(arch).values()),
            arch.spec.technology_nm,
        )
        for (name, report), (_, arch) in zip(reports, variants, strict=True)
    ]


def technologies(comparisons: Sequence[Comparison]) -> str:
    """The nodes of the variants in words; nothing where they are the same."""
    return different_technologies((variant.name, variant.technology_nm) for variant in comparisons)


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """One row a variant."""
    rows = [comparison.to_dict() for comparison in comparisons]
    return csv_of(rows, list(rows[0]))
