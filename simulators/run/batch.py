"""Many candidates at once: the cycles and the energy of each, without a report.

Candidates of one network share segments (a layer at some bits) and passages (a segment between its neighbours), so the
network is walked layer by layer with all candidates in step, and what is new is run once however many have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulators.engine.fast import Ahead
from simulators.engine.machine import Ints
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.run.simulation import NOTHING, Simulator, Store, simulator
from simulators.workloads.trace import AnyLayer, Elementwise, Trace

Floats = NDArray[np.float64]
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Batch:
    """One utterance of each of N candidates."""

    cycles: Ints
    """(N,)"""
    latency_ms: Floats
    """(N,)"""
    energy_uj: Floats
    """(N,)"""


def simulate_batch(traces: Sequence[Trace] | Trace, arch: Arch, bits: ArrayLike | None = None) -> Batch:
    """Simulate several traces, or one network at many bit-widths.

    With `bits` (N, products, 2), `traces` is one trace: its matrix products and convolutions, in order, take these
    (weight bits, activation bits), and results are as wide as what reads them (see `Trace.widths`). The figures are
    those of `simulate`. Raises InputError that names the candidate, counted from 0, for what the architecture cannot
    run.
    """
    known = simulator(arch)
    if bits is not None:
        if not isinstance(traces, Trace):
            raise InputError(f"{len(traces)} traces: bits are for one")
        return figures(known, _of_genomes(known, traces, np.asarray(bits)))
    if isinstance(traces, Trace):
        traces = [traces]
    numbers = [_named(i, known.segments, trace.layers) for i, trace in enumerate(traces)]
    cycles, energy = np.zeros(len(numbers), np.int64), np.zeros(len(numbers))
    by_length: dict[int, list[int]] = {}
    for i, of_trace in enumerate(numbers):
        by_length.setdefault(len(of_trace), []).append(i)
    for rows in by_length.values():
        found = figures(known, np.array([numbers[i] for i in rows]))
        cycles[rows], energy[rows] = found.cycles, found.energy_uj
    return Batch(cycles, cycles / arch.frequency_mhz / 1e3, energy)


def _named(candidate: int, make: Callable[..., _Result], *arguments: object) -> _Result:
    """Call; an InputError says which candidate it is about."""
    try:
        return make(*arguments)
    except InputError as error:
        raise InputError(f"candidate {candidate}: {error}") from None


def _of_genomes(known: Simulator, trace: Trace, bits: Ints) -> Ints:
    """Segment numbers, (N, segments)."""
    products = [i for i, layer in enumerate(trace.layers) if not isinstance(layer, Elementwise)]
    if bits.ndim != 3 or bits.shape[1:] != (len(products), 2) or not np.issubdtype(bits.dtype, np.integer):
        raise InputError(
            f"bits: an array of {bits.dtype} {bits.shape}: it must be integers (candidates, {len(products)}, 2)"
        )
    if bits.size and (bits.min() < 1 or bits.max() > 16):
        raise InputError(f"bits: {bits.min()} to {bits.max()}: widths are 1 to 16")
    weight, activation, output = trace.widths(bits)
    placed = _placed(known, trace.layers, weight)
    numbers, i = [], 0
    for length in known.platform.group(trace.layers):
        columns = [placed[:, i]]
        for j in range(i, i + length):
            columns += [weight[:, j], activation[:, j], output[:, j]]

        def make(row: int, i: int = i, length: int = length) -> int:
            layers = [
                _with_bits(trace.layers[j], int(weight[row, j]), int(activation[row, j]), int(output[row, j]))
                for j in range(i, i + length)
            ]
            return _named(row, known.segment, layers, int(placed[row, i]))

        numbers.append(_distinct(columns, make))
        i += length
    return np.stack(numbers, axis=1)


@lru_cache(maxsize=4096)
def _with_bits(layer: AnyLayer, weight: int, activation: int, output: int) -> AnyLayer:
    return layer.but(weight_bits=weight, activation_bits=activation, output_bits=output)


def _placed(known: Simulator, layers: Sequence[AnyLayer], weight: Ints) -> Ints:
    """Where each layer's parameters are kept, (N, layers)."""
    if known.platform.placed is None:
        return np.zeros(weight.shape, np.int64)
    counts = [layer.parameter_bits // layer.weight_bits for layer in layers]
    names = [layer.name for layer in layers]
    spec = known.arch.spec
    rows = []
    for candidate, widths in enumerate(weight.tolist()):
        sizes = [(name, count * w) for name, count, w in zip(names, counts, widths, strict=True)]
        rows.append(_named(candidate, known.platform.placed, sizes, spec))
    return np.array(rows, np.int64).reshape(weight.shape)


@dataclass(frozen=True)
class _Column:
    """How the candidates pass one segment of their network."""

    which: Ints
    """(N,) which of the passages below."""
    number: Ints
    """(P,) the segment's."""
    cycles: Ints
    """(P,)"""
    of_layers: Ints
    """(P, layers of the segment) cycles that are charged to each."""


WALKS = 8
"""Populations for which a store keeps how they pass."""


def figures(known: Simulator, numbers: Ints) -> Batch:
    """Cycles and energy of networks of equally many segments, (N, segments)."""
    walks, key = known.store.walks, (numbers.shape, numbers.tobytes())
    columns = walks.get(key)
    if columns is None:
        if len(walks) >= WALKS:
            walks.clear()
        columns = walks[key] = _walk(known.store, numbers)
    cycles, energy_uj = np.zeros(len(numbers), np.int64), np.zeros(len(numbers))
    for column in columns:
        cycles += column.cycles[column.which]
        # Layer by layer and component by component, in the order of a report, so that the figures are a report's to
        # the last bit.
        for of_layer in _energies_uj(known, column).T:
            energy_uj += of_layer[column.which]
    return Batch(cycles, cycles / known.arch.frequency_mhz / 1e3, energy_uj)


def _energies_uj(known: Simulator, column: _Column) -> Floats:
    """(P, layers of the segment)"""
    distinct, where = np.unique(column.number, return_inverse=True)
    energies = [[list(of.values()) for of in known.energies_pj(number)] for number in distinct.tolist()]
    most = max((len(of_layer) for of_segment in energies for of_layer in of_segment), default=0)
    filled = [[of_layer + [0.0] * (most - len(of_layer)) for of_layer in of_segment] for of_segment in energies]
    components = np.array(filled).reshape(len(distinct), column.of_layers.shape[1], most) * 1e-6
    total = np.zeros(column.of_layers.shape)
    for c in range(most):
        total += components[where, :, c]
    if known.leakage_mw:
        total += known.leakage_mw * column.of_layers / known.arch.frequency_mhz * 1e-3
    return total


def _walk(store: Store, numbers: Ints) -> list[_Column]:
    """Take all candidates through their network, segment by segment."""
    n, count = numbers.shape
    behind = np.full(n, NOTHING, np.int64)
    aheads = np.empty_like(numbers)
    for g in range(count - 1, -1, -1):
        aheads[:, g] = behind

        def look(row: int, g: int = g, behind: Ints = behind) -> int:
            return store.lookahead(int(numbers[row, g]), int(behind[row]))

        behind = _distinct([numbers[:, g], behind], look)
    state = np.full(n, store.state(Ahead()), np.int64)
    columns = []
    for g in range(count if n else 0):
        which, first = combined([numbers[:, g], aheads[:, g], state])
        met = numbers[first, g]
        crossed = [
            store.crossing(*key)
            for key in zip(*(x[first].tolist() for x in (numbers[:, g], aheads[:, g], state)), strict=True)
        ]
        state = np.array([crossing.state for crossing in crossed], np.int64)[which]
        columns.append(
            _Column(
                which,
                met,
                np.array([crossing.cycles for crossing in crossed], np.int64),
                np.array([crossing.of_layers for crossing in crossed], np.int64),
            )
        )
    return columns


def _distinct(columns: Sequence[Ints], make: Callable[[int], int]) -> Ints:
    """make(row) of the first row with each combination of the columns' values, for every row."""
    code, first = combined(columns)
    values = np.array([make(row) for row in first.tolist()], np.int64)
    return values[code] if len(values) else code


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
        code, first = dense(code * (int(column.max()) + 1) + column)  # small numbers: they do not overflow
    return code, first


FEW = 48
"""Rows up to which a dictionary is quicker than arrays."""

DENSE = 1 << 20
"""Values up to which a table is quicker than sorting."""


def dense(values: Ints) -> tuple[Ints, Ints]:
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
