"""Many networks of equally many segments on one architecture: all walk through their segments in step, and what is new
is run once however many have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.engine.program import Ints
from simulators.lowering.platform import DRAM
from simulators.run.in_place import WORTH_A_LOOK, position, settled
from simulators.run.segment_cache import AT_THE_BEGINNING, NOTHING_AHEAD, SegmentCache
from simulators.run.simulation import Simulator

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """One utterance of each of N candidates."""

    cycles: Ints
    """(N,) cycles."""
    latency_ms: Floats
    """(N,) ms."""
    energy_uj: Floats
    """(N,) µJ."""
    dram_energy_uj: Floats
    """(N,) µJ of it that DRAM takes; NaN on a platform without such a figure."""


@dataclass(frozen=True)
class _Column:
    """How N candidates pass one segment of their networks, in P ways."""

    which: Ints
    """(N,) which of the ways below."""
    number: Ints
    """(P,) the segment's number."""
    cycles: Ints
    """(P,) cycles of the segment."""
    layer_cycles: Ints
    """(P, layers of the segment) cycles that are charged to each layer."""


def simulate_networks(simulator: Simulator, numbers: Ints) -> Batch:
    """Cycles and energy of networks, given by the numbers of their segments (N, segments), once they are settled."""
    cycles, energy_uj = np.zeros(len(numbers), np.int64), np.zeros(len(numbers))
    dram_uj = np.full(len(numbers), 0.0 if simulator.platform.has_dram_energy(simulator.arch.spec) else np.nan)
    for column in _settled_walk(simulator, numbers):
        cycles += column.cycles[column.which]
        # Layer by layer and component by component, in the order of a report, so that the figures are a report's to
        # the last bit.
        whole, of_dram = _energies_uj(simulator, column)
        for of_layer in whole.T:
            energy_uj += of_layer[column.which]
        for of_layer in of_dram.T:
            dram_uj += of_layer[column.which]
    return Batch(cycles, cycles / simulator.arch.frequency_mhz / 1e3, energy_uj, dram_uj)


def _energies_uj(simulator: Simulator, column: _Column) -> tuple[Floats, Floats]:
    """Energy by way and layer of the segment, (P, layers), in µJ, and what of it DRAM takes."""
    distinct, where = np.unique(column.number, return_inverse=True)
    by_name = [simulator.energies_pj(number) for number in distinct.tolist()]
    energies = [[list(of.values()) for of in of_segment] for of_segment in by_name]
    most = max((len(of_layer) for of_segment in energies for of_layer in of_segment), default=0)
    filled = [[of_layer + [0.0] * (most - len(of_layer)) for of_layer in of_segment] for of_segment in energies]
    components = np.array(filled).reshape(len(distinct), column.layer_cycles.shape[1], most) * 1e-6
    total = np.zeros(column.layer_cycles.shape)
    for c in range(most):
        total += components[where, :, c]
    if simulator.leakage_mw:
        total += simulator.leakage_mw * column.layer_cycles / simulator.arch.frequency_mhz * 1e-3
    of_dram = np.array([[of.get(DRAM, 0.0) for of in of_segment] for of_segment in by_name]) * 1e-6
    return total, of_dram.reshape(len(distinct), column.layer_cycles.shape[1])[where]


def _settled_walk(simulator: Simulator, numbers: Ints) -> list[_Column]:
    """Take all candidates through their networks, and again with other choices those whose segments are disturbed."""
    columns = _walk(simulator.cache, numbers)
    excess, total = np.zeros(len(numbers)), np.zeros(len(numbers), np.int64)
    for at, column in enumerate(columns):
        where = position(at, len(columns))
        undisturbed = np.array([simulator.undisturbed_cycles(number, where) for number in column.number.tolist()])
        excess += np.maximum(0, column.cycles - undisturbed)[column.which]
        total += column.cycles[column.which]
    rows = excess > WORTH_A_LOOK * total
    if not rows.any():
        return columns
    numbers = numbers.copy()
    for row in np.flatnonzero(rows).tolist():
        numbers[row] = settled(simulator, numbers[row].tolist())
    return _walk(simulator.cache, numbers)


def _walk(cache: SegmentCache, numbers: Ints) -> list[_Column]:
    """Take all candidates through their networks, segment by segment."""
    n, count = numbers.shape
    behind = np.full(n, NOTHING_AHEAD, np.int64)
    aheads = np.empty_like(numbers)
    for g in range(count - 1, -1, -1):
        aheads[:, g] = behind

        def look(row: int, g: int = g, behind: Ints = behind) -> int:
            return cache.lookahead(int(numbers[row, g]), int(behind[row]))

        behind = for_each_distinct([numbers[:, g], behind], look)
    state = np.full(n, AT_THE_BEGINNING, np.int64)
    columns = []
    for g in range(count if n else 0):
        which, first = combined([numbers[:, g], aheads[:, g], state])
        met = numbers[first, g]
        timings = [
            cache.timing(*key)
            for key in zip(met.tolist(), aheads[first, g].tolist(), state[first].tolist(), strict=True)
        ]
        state = np.array([timing.state for timing in timings], np.int64)[which]
        cycles = np.array([timing.cycles for timing in timings], np.int64)
        columns.append(_Column(which, met, cycles, np.array([timing.charged.by_layer for timing in timings], np.int64)))
    return columns


def for_each_distinct(columns: Sequence[Ints], make: Callable[[int], int]) -> Ints:
    """make(row) of the first row with each combination of the columns' values, for every row."""
    code, first = combined(columns)
    values = np.array([make(row) for row in first.tolist()], np.int64)
    return values[code] if len(values) else code


FEW = 48
"""Rows up to which a dictionary is quicker than arrays."""

DENSE = 1 << 20
"""Values up to which a table is quicker than sorting."""


def combined(columns: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Which combination of the columns' values, any whole numbers, each row has, counted from 0, and the first row that
    has each."""
    if len(columns[0]) <= FEW:
        numbers: dict[tuple[int, ...], int] = {}
        rows = list(zip(*[column.tolist() for column in columns], strict=True))
        which = [numbers.setdefault(row, len(numbers)) for row in rows]
        return np.array(which, np.int64), np.array([which.index(n) for n in range(len(numbers))], np.int64)
    code = np.zeros(len(columns[0]), np.int64)
    first = code[:0]
    for column in columns:
        if column.min() < 0 or column.max() >= DENSE:
            column = np.unique(column, return_inverse=True)[1]
        code, first = _dense(code * (int(column.max()) + 1) + column)  # small numbers: they do not overflow
    return code, first


def _dense(values: Ints) -> tuple[Ints, Ints]:
    """(N,) values, not negative, as numbers from 0 in the same order, and the first row that has each."""
    size = int(values.max(initial=0)) + 1
    if size > DENSE:
        _, first, code = np.unique(values, return_index=True, return_inverse=True)
        return code, first
    there = np.zeros(size, np.int64)
    there[values] = 1
    code = (np.cumsum(there) - 1)[values]
    first = np.empty(int(there.sum()), np.int64)
    first[code[::-1]] = np.arange(len(values) - 1, -1, -1)  # the last that is written stays
    return code, first
