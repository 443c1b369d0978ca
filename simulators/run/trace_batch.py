"""Candidates on one architecture after the other: what does not depend on hardware is found once.

A candidate that an architecture cannot run is left out with the reason, the others are simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from simulators.engine.program import Ints
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.lowering.platform import PlacedLayer, platform_named
from simulators.run.in_place import position
from simulators.run.network_walk import Floats, combined, simulate_networks
from simulators.run.simulation import Simulator, segment_lengths
from simulators.workloads.trace import Trace


@dataclass(frozen=True)
class Figures:
    """One utterance of each of N candidates on one architecture."""

    cycles: Ints
    """(N,) cycles; 0 where there is a reason."""
    energy_uj: Floats
    """(N,) µJ; 0 where there is a reason."""
    reason: Ints
    """(N,) number of the reason why the architecture cannot run the candidate, or -1."""
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Grouped:
    """The segments of all candidates on the platforms that group layers alike."""

    code: Ints
    """(N, segments of a network) numbers of the distinct ones."""
    parts: list[slice]
    """The layers of each segment of a network."""


@dataclass
class TraceBatch:
    """Traces of one network at N choices of bits. Raises InputError for traces of different networks."""

    traces: Sequence[Trace]
    _grouped: dict[tuple[int, ...], _Grouped] = field(default_factory=dict)
    _parameters: list[list[PlacedLayer]] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = {tuple(layer.name for layer in trace.layers) for trace in self.traces}
        if len(names) != 1:
            raise InputError(f"{len(self.traces)} traces of {len(names)} networks: they must be of one")

    def __len__(self) -> int:
        return len(self.traces)

    def on(self, arch: Arch) -> Figures:
        """Cycles and energy of all candidates on an architecture: those of `simulate`, to the last bit."""
        simulation = Simulator(arch)
        grouped = self._of_platform(arch.platform)
        reason = np.full(len(self), -1, np.int64)
        reasons: dict[str, int] = {}

        def why(error: InputError) -> int:
            return reasons.setdefault(str(error), len(reasons))

        places = self._places(simulation, reason, why)
        numbers = np.zeros_like(grouped.code)
        for g, part in enumerate(grouped.parts):
            where, rows = combined([grouped.code[:, g], places[:, part.start]])
            stands = position(g, len(grouped.parts))
            distinct, failed = np.zeros(len(rows), np.int64), np.full(len(rows), -1, np.int64)
            for i, row in enumerate(rows.tolist()):
                try:
                    layers = self.traces[row].layers[part]
                    distinct[i] = simulation.segment(layers, int(places[row, part.start]), stands)
                except InputError as error:
                    failed[i] = why(error)
            numbers[:, g] = distinct[where]
            reason = np.where(reason >= 0, reason, failed[where])
        runs = np.flatnonzero(reason < 0)
        cycles, energy_uj = np.zeros(len(self), np.int64), np.zeros(len(self))
        try:
            batch = simulate_networks(simulation, numbers[runs])
            cycles[runs], energy_uj[runs] = batch.cycles, batch.energy_uj
        except InputError:  # one of them takes longer than can be counted: each alone says which
            for row in runs.tolist():
                try:
                    alone = simulate_networks(simulation, numbers[row : row + 1])
                    cycles[row], energy_uj[row] = alone.cycles[0], alone.energy_uj[0]
                except InputError as error:
                    reason[row] = why(error)
        return Figures(cycles, energy_uj, reason, tuple(reasons))

    def _of_platform(self, name: str) -> _Grouped:
        platform = platform_named(name)
        lengths = tuple(segment_lengths(platform, self.traces[0].layers))
        if lengths not in self._grouped:
            if any(tuple(segment_lengths(platform, trace.layers)) != lengths for trace in self.traces[1:]):
                raise InputError(f"{len(self.traces)} traces of several networks: they must be of one")
            parts = [slice(*ends) for ends in pairwise(np.cumsum([0, *lengths]).tolist())]
            numbers: dict[tuple[object, ...], int] = {}
            code = np.zeros((len(self), len(lengths)), np.int64)
            for row, trace in enumerate(self.traces):
                for g, part in enumerate(parts):
                    shapes = tuple(layer.shape for layer in trace.layers[part])
                    code[row, g] = numbers.setdefault(shapes, len(numbers))
            self._grouped[lengths] = _Grouped(code, parts)
        return self._grouped[lengths]

    def _places(self, simulation: Simulator, reason: Ints, why: Callable[[InputError], int]) -> Ints:
        """Where each layer's parameters lie, (N, layers); reasons of candidates that have no place are entered."""
        places = np.zeros((len(self), len(self.traces[0].layers)), np.int64)
        if not self._parameters:
            self._parameters = [[PlacedLayer.of(layer) for layer in trace.layers] for trace in self.traces]
        for row, parameters in enumerate(self._parameters):
            try:
                of_row = simulation.places(parameters)
            except InputError as error:
                reason[row] = why(error)
                continue
            if of_row is None:
                break
            places[row] = of_row
        return places
