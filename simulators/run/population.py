"""The same candidates on one architecture after the other: what does not depend on hardware is found once.

A candidate that an architecture cannot run is left out with the reason, the others are simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulators.engine.machine import Ints
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.run.batch import Floats, combined, figures
from simulators.run.simulation import PLATFORMS, Simulator
from simulators.workloads.trace import AnyLayer, Trace


@dataclass(frozen=True)
class Figures:
    """One utterance of each of N candidates on one architecture."""

    cycles: Ints
    """(N,); 0 where there is a reason."""
    energy_uj: Floats
    """(N,); 0 where there is a reason."""
    reason: Ints
    """(N,) number of the reason why the architecture cannot run the candidate, or -1."""
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Grouped:
    """The segments of all candidates on the platforms that group layers alike."""

    segments: list[list[AnyLayer]]
    code: Ints
    """(N, segments of a network) numbers of segments."""
    firsts: list[int]
    """By segment of a network, its first layer."""


@dataclass
class Population:
    """Traces of one network at N choices of bits. Raises InputError for traces of different networks."""

    traces: Sequence[Trace]
    _grouped: dict[tuple[int, ...], _Grouped] = field(default_factory=dict)
    _parameters: list[list[tuple[str, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = {tuple(layer.name for layer in trace.layers) for trace in self.traces}
        if len(names) != 1:
            raise InputError(f"{len(self.traces)} traces of {len(names)} networks: they must be of one")

    def __len__(self) -> int:
        return len(self.traces)

    def on(self, arch: Arch, known: Simulator | None = None) -> Figures:
        """Cycles and energy of all candidates on an architecture: those of `simulate`, to the last bit."""
        known = known or Simulator(arch)
        grouped = self._of_platform(arch.platform)
        reason = np.full(len(self), -1, np.int64)
        reasons: dict[str, int] = {}

        def why(error: InputError) -> int:
            return reasons.setdefault(str(error), len(reasons))

        placed = self._placed(arch, reason, why)
        numbers = np.zeros_like(grouped.code)
        for g, first in enumerate(grouped.firsts):
            where, rows = combined([grouped.code[:, g], placed[:, first]])
            made, failed = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int64)
            for i, row in enumerate(rows.tolist()):
                try:
                    made[i] = known.segment(grouped.segments[grouped.code[row, g]], int(placed[row, first]))
                except InputError as error:
                    failed[i] = why(error)
            numbers[:, g] = made[where]
            reason = np.where(reason >= 0, reason, failed[where])
        runs = np.flatnonzero(reason < 0)
        cycles, energy_uj = np.zeros(len(self), np.int64), np.zeros(len(self))
        if len(runs):
            batch = figures(known, numbers[runs])
            cycles[runs], energy_uj[runs] = batch.cycles, batch.energy_uj
        return Figures(cycles, energy_uj, reason, tuple(reasons))

    def _of_platform(self, name: str) -> _Grouped:
        lengths = tuple(PLATFORMS[name].group(self.traces[0].layers))
        if lengths not in self._grouped:
            firsts = np.cumsum([0, *lengths[:-1]]).tolist()
            known: dict[tuple[object, ...], int] = {}
            segments: list[list[AnyLayer]] = []
            code = np.zeros((len(self), len(lengths)), np.int64)
            for row, trace in enumerate(self.traces):
                for g, (first, length) in enumerate(zip(firsts, lengths, strict=True)):
                    layers = list(trace.layers[first : first + length])
                    shapes = tuple(layer.shape for layer in layers)
                    number = known.setdefault(shapes, len(segments))
                    if number == len(segments):
                        segments.append(layers)
                    code[row, g] = number
            self._grouped[lengths] = _Grouped(segments, code, firsts)
        return self._grouped[lengths]

    def _placed(self, arch: Arch, reason: Ints, why) -> Ints:  # type: ignore[no-untyped-def]
        """Where each layer's parameters are kept, (N, layers); reasons of candidates that have no place are entered."""
        placed = np.zeros((len(self), len(self.traces[0].layers)), np.int64)
        place = PLATFORMS[arch.platform].placed
        if place is None:
            return placed
        if not self._parameters:
            self._parameters = [[(x.name, x.parameter_bits) for x in trace.layers] for trace in self.traces]
        for row, parameters in enumerate(self._parameters):
            try:
                placed[row] = place(parameters, arch.spec)
            except InputError as error:
                reason[row] = why(error)
        return placed
