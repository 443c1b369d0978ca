"""What a simulation tells: cycles, named stalls, utilisation, bits moved and energy, layer by layer, adding up to the
totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from simulators.hardware.arch import Arch
from simulators.inputs.csv_text import csv_of
from simulators.lowering.platform import DRAM
from simulators.lowering.segments import LayerWork
from simulators.run.lowered import Lowered
from simulators.workloads.trace import FRAME_MS, Chunk, Trace


@dataclass(frozen=True)
class LayerReport:
    """One layer. `compute_cycles` and the stalls add up to `cycles`; the energy's components to the layer's energy."""

    name: str
    cycles: int
    """Cycles of the makespan that are charged to this layer; where layers overlap, to the one whose compute unit was
    busy first."""
    compute_cycles: int
    stall_cycles: dict[str, int]
    """Cycles that are no layer's own work, by cause: what the compute unit waited for, or what else it did."""
    utilisation: float
    """Work done over the most that the layer's compute unit could have done at this precision, 0 to 1: in the layer's
    cycles, or, where they are fewer because it overlaps with another layer, in the cycles in which the unit was
    busy."""
    energy_uj: dict[str, float]
    bits: dict[str, int]
    """Traffic by level and direction, such as `dram_read`."""
    unit: str
    """What does the layer's work: the machine's name for the kind of its tasks."""
    macs: int
    """Effective multiply-accumulates, those that are done; 0 of an elementwise layer."""
    dense_equivalent_macs: int
    """Multiply-accumulates of the layer if nothing were skipped: more than `macs` where hardware skips what a delta
    network holds. EdgeDRNN's bias, which it multiplies as well, is in both."""
    work: int
    """What the unit does: multiply-accumulates, or elementwise operations."""
    peak_per_cycle: float
    """Most of that work in a cycle, at the layer's precision."""
    busy_cycles: int
    """Cycles in which the unit works on the layer, overlapped with another layer or not."""

    @property
    def spanned_cycles(self) -> int:
        """Cycles that utilisation and stalls are shares of: the layer's, or, where they are fewer because it overlaps
        with another layer, those in which its unit was busy."""
        return max(self.cycles, self.busy_cycles)

    @property
    def dominant_stall(self) -> str:
        """The stall with the most cycles; empty if there is none."""
        return max(self.stall_cycles, key=lambda cause: self.stall_cycles[cause], default="")

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "cycles": self.cycles,
            "compute_cycles": self.compute_cycles,
            "stall_cycles": self.stall_cycles,
            "utilisation": self.utilisation,
            "energy_uj": self.energy_uj,
            "bits": self.bits,
            "unit": self.unit,
            "macs": self.macs,
            "dense_equivalent_macs": self.dense_equivalent_macs,
            "work": self.work,
            "peak_per_cycle": self.peak_per_cycle,
            "busy_cycles": self.busy_cycles,
        }


@dataclass(frozen=True)
class Report:
    """One utterance of a trace on an architecture, or one batch of inputs."""

    arch: str
    trace: str
    steps: int
    has_frames: bool
    """Whether the steps are frames of 10 ms. Where they are not, there is no figure a frame and no real-time factor."""
    frequency_mhz: float
    layers: tuple[LayerReport, ...]
    bits_per_cycle: dict[str, float]
    """Bandwidth by level of memory, or by way of one (dram_read), for those whose `bits` are counted and whose
    bandwidth the spec gives."""
    chunk: Chunk | None = None
    """The chunk of a streaming network that was simulated, from a memory in which nothing lies yet: no later one, which
    finds as much there or more, takes longer."""

    @property
    def cycles(self) -> int:
        return sum(layer.cycles for layer in self.layers)

    @property
    def latency_ms(self) -> float:
        return self.cycles / self.frequency_mhz / 1e3

    @property
    def energy_uj(self) -> float:
        return add_up(add_up(layer.energy_uj.values()) for layer in self.layers)

    @property
    def dram_energy_uj(self) -> float:
        """What of the energy DRAM takes; 0 where the platform has no figure of it."""
        return add_up(layer.energy_uj.get(DRAM, 0.0) for layer in self.layers)

    @property
    def latency_ms_per_frame(self) -> float | None:
        return self.latency_ms / self.steps if self.has_frames else None

    @property
    def energy_uj_per_frame(self) -> float | None:
        return self.energy_uj / self.steps if self.has_frames else None

    @property
    def real_time_factor(self) -> float | None:
        """Latency over the duration of the utterance, or of a chunk's over the time until the next; below 1 is faster
        than speech."""
        if self.chunk is not None:
            return self.latency_ms / self.chunk.hop_ms
        return self.latency_ms / (self.steps * FRAME_MS) if self.has_frames else None

    @property
    def energy_delay_uj_ms(self) -> float:
        """Energy-delay product."""
        return self.energy_uj * self.latency_ms

    @property
    def stall_cycles(self) -> dict[str, int]:
        """Over all layers, the most first."""
        totals: dict[str, int] = {}
        for layer in self.layers:
            for cause, cycles in layer.stall_cycles.items():
                totals[cause] = totals.get(cause, 0) + cycles
        return dict(sorted(totals.items(), key=lambda item: -item[1]))

    @property
    def macs(self) -> int:
        """Effective multiply-accumulates over all layers."""
        return sum(layer.macs for layer in self.layers)

    @property
    def dense_equivalent_macs(self) -> int:
        """Multiply-accumulates over all layers if nothing were skipped."""
        return sum(layer.dense_equivalent_macs for layer in self.layers)

    @property
    def utilisation(self) -> float:
        """Effective multiply-accumulates over what the products' unit could have done at most in all cycles, 0 to 1."""
        return sum(layer.macs / layer.peak_per_cycle for layer in self.layers) / self.cycles

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "arch": self.arch,
            "trace": self.trace,
            "steps": self.steps,
            "cycles": self.cycles,
            "latency_ms": self.latency_ms,
            "latency_ms_per_frame": self.latency_ms_per_frame,
            "real_time_factor": self.real_time_factor,
            **(
                {}
                if self.chunk is None
                else {"chunk": self.chunk.model_dump(), "latency_ms_per_chunk": self.latency_ms}
            ),
            "energy_uj": self.energy_uj,
            "energy_uj_per_frame": self.energy_uj_per_frame,
            "energy_delay_uj_ms": self.energy_delay_uj_ms,
            "utilisation": self.utilisation,
            "macs": self.macs,
            "dense_equivalent_macs": self.dense_equivalent_macs,
            "bits_per_cycle": self.bits_per_cycle,
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def to_csv(self) -> str:
        """One row a layer; a column for every stall, energy component and traffic that occurs, named with its unit."""
        rows = []
        for layer in self.layers:
            row: dict[str, Any] = {"name": layer.name, "cycles": layer.cycles, "compute_cycles": layer.compute_cycles}
            row |= {f"stall_{cause}_cycles": n for cause, n in layer.stall_cycles.items()}
            row |= {"utilisation": layer.utilisation}
            row |= {"macs": layer.macs, "dense_equivalent_macs": layer.dense_equivalent_macs}
            row |= {f"energy_{component}_uj": x for component, x in layer.energy_uj.items()}
            row |= {f"{level}_bits": n for level, n in layer.bits.items()}
            rows.append(row)
        columns = list(dict.fromkeys(name for row in rows for name in row))
        return csv_of(rows, columns, missing=0)


@dataclass(frozen=True)
class PartialReport:
    """A report without the layers that a model knows nothing of."""

    report: Report
    left_out: tuple[str, ...]
    """Names of those layers."""
    energy_of: str = ""
    """What energies are from, where that is not the spec."""


def add_up(values: Iterable[float]) -> float:
    """The sum from the left to the right, each partial sum rounded, as arrays of candidates are added up in `batch.py`;
    `sum` rounds otherwise from Python 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total


class ChargedCycles(NamedTuple):
    """What the cycles of one segment are charged to."""

    by_kind: tuple[int, ...]
    """Cycles by kind of work or of stall."""
    by_layer: list[int]
    """Cycles by layer: each has its own work's, the first those in which no layer works as well."""


def charged_cycles(works: Sequence[LayerWork], by_kind: tuple[int, ...]) -> ChargedCycles:
    """The cycles of one segment by kind and by layer."""
    kinds = [work.own_kind for work in works]
    own = [by_kind[kind] for kind in kinds]
    own[0] += sum(by_kind) - sum([by_kind[kind] for kind in set(kinds)])
    return ChargedCycles(by_kind, own)


def make_report(trace: Trace, arch: Arch, lowered: Lowered, charged: Sequence[ChargedCycles]) -> Report:
    """Bring what ran and what was moved together, a layer at a time; `charged` is by segment."""
    reports: list[LayerReport] = []
    for segment, energies_pj, cycles in zip(lowered.segments, lowered.energies_pj, charged, strict=True):
        _add_segment(reports, trace, segment.works, energies_pj, cycles, lowered)
    return Report(
        arch=arch.name,
        trace=trace.name,
        steps=trace.steps,
        has_frames=trace.has_frames,
        frequency_mhz=arch.frequency_mhz,
        layers=tuple(reports),
        bits_per_cycle=dict(lowered.bits_per_cycle),
        chunk=trace.chunk,
    )


def _add_segment(
    reports: list[LayerReport], trace: Trace, works: Sequence[LayerWork], energies_pj: Sequence[Mapping[str, float]],
    charged: ChargedCycles, lowered: Lowered,
) -> None:  # fmt: skip
    """Append the layers of one segment, whose stalls are its first layer's."""
    kinds, by_kind = lowered.machine.kinds, charged.by_kind
    own = [work.own_kind for work in works]
    stalls = {kinds[kind]: cycles for kind, cycles in enumerate(by_kind) if cycles and kind not in own}
    for work, moved_pj, cycles in zip(works, energies_pj, charged.by_layer, strict=True):
        layer = trace.layers[len(reports)]
        energy = {component: pj * 1e-6 for component, pj in moved_pj.items()}
        if lowered.leakage_mw:
            energy["leakage"] = lowered.leakage_mw * cycles / lowered.frequency_mhz * 1e-3
        reports.append(
            LayerReport(
                name=layer.name,
                cycles=cycles,
                compute_cycles=by_kind[work.own_kind],
                stall_cycles=stalls,
                utilisation=work.work / (max(cycles, work.busy_cycles, 1) * work.peak_per_cycle),  # 1: nothing was sent
                energy_uj=energy,
                bits=dict(work.bits),
                unit=kinds[work.own_kind],
                macs=work.work if layer.is_product else 0,
                dense_equivalent_macs=layer.macs + work.never_skipped,
                work=work.work,
                peak_per_cycle=work.peak_per_cycle,
                busy_cycles=work.busy_cycles,
            )
        )
        stalls = {}
