"""Many candidates at once: the cycles and the energy of each, without a report.

Candidates of one network share segments (a layer at some bits) and timings (a segment between its neighbours), so the
network is walked layer by layer with all candidates in step (`network_walk.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from simulators.engine.program import Ints
from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.lowering.platform import PlacedLayer
from simulators.run.in_place import position
from simulators.run.network_walk import Batch, for_each_distinct, simulate_networks
from simulators.run.simulation import Simulator, simulator
from simulators.workloads.operations import VECTOR_BITS, AnyLayer, Layer
from simulators.workloads.trace import Trace

_Result = TypeVar("_Result")


def simulate_batch(traces: Sequence[Trace] | Trace, arch: Arch, bits: ArrayLike | None = None) -> Batch:
    """Simulate several traces, or one network at many bit-widths.

    With `bits` (N, products, 2), `traces` is one trace: its products, in order, take these (weight bits, activation
    bits), and results are as wide as what reads them (see `Trace.widths`). The figures are those of `simulate`. Raises
    InputError that names the candidate, counted from 0, for what the architecture cannot run.
    """
    simulation = simulator(arch)
    if bits is not None:
        if not isinstance(traces, Trace):
            raise InputError(f"{len(traces)} traces: bits are for one")
        return simulate_networks(simulation, _at_bits(simulation, traces, np.asarray(bits)))
    if isinstance(traces, Trace):
        traces = [traces]
    lengths = [simulation.lengths(trace.layers) for trace in traces]
    numbers = [_named(i, simulation.grouped, trace.layers, lengths[i]) for i, trace in enumerate(traces)]
    cycles = np.zeros(len(numbers), np.int64)
    energy, dram = np.zeros(len(numbers)), np.zeros(len(numbers))
    alike: dict[tuple[int, ...], list[int]] = {}
    for i, of_trace in enumerate(lengths):
        alike.setdefault(tuple(of_trace), []).append(i)
    for rows in alike.values():
        batch = simulate_networks(simulation, np.array([numbers[i] for i in rows]))
        cycles[rows], energy[rows], dram[rows] = batch.cycles, batch.energy_uj, batch.dram_energy_uj
    return Batch(cycles, cycles / arch.frequency_mhz / 1e3, energy, dram)


def simulate_at_widths(trace: Trace, arch: Arch, widths: Ints) -> Batch:
    """Simulate one network at many widths of all that its layers read and leave: `widths` (N, layers, 3) are of the
    operand that a candidate calls weights, of the activations and of the results, as `Layer.at_bits` takes them."""
    simulation = simulator(arch)
    return simulate_networks(simulation, _at_widths(simulation, trace, tuple(np.moveaxis(widths, 2, 0))))


def _named(candidate: int, make: Callable[..., _Result], *arguments: object) -> _Result:
    """Call; an InputError says which candidate it is about."""
    try:
        return make(*arguments)
    except InputError as error:
        raise InputError(f"candidate {candidate}: {error}") from None


def _at_bits(simulation: Simulator, trace: Trace, bits: Ints) -> Ints:
    """Numbers of the segments of one network at many bit-widths, (N, segments)."""
    products = len(trace.products)
    if bits.ndim != 3 or bits.shape[1:] != (products, 2) or not np.issubdtype(bits.dtype, np.integer):
        raise InputError(
            f"bits: an array of {bits.dtype} {bits.shape}: it must be integers (candidates, {products}, 2)"
        )
    if bits.size and (bits.min() < 1 or bits.max() > 16):
        raise InputError(f"bits: {bits.min()} to {bits.max()}: widths are 1 to 16")
    return _at_widths(simulation, trace, trace.widths(bits))


def _at_widths(simulation: Simulator, trace: Trace, widths: tuple[Ints, ...]) -> Ints:
    """Numbers of the segments of one network at many widths (N, layers) of three kinds, (N, segments)."""
    if not simulation.platform.counts_output_bits:
        first, activation, output = widths
        output = output.copy()
        output[:, trace.products] = VECTOR_BITS
        widths = first, activation, output
    places = _places(simulation, trace.layers, widths[0])
    numbers, i = [], 0
    lengths = simulation.lengths(trace.layers)
    for at, length in enumerate(lengths):
        positions, where = range(i, i + length), position(at, len(lengths))

        def make(row: int, positions: range = positions, where: int = where) -> int:
            layers = [_with_bits(trace.layers[j], *(int(of[row, j]) for of in widths)) for j in positions]
            return _named(row, simulation.segment, layers, int(places[row, positions[0]]), where)

        columns = [places[:, i], *(of[:, j] for j in positions for of in widths)]
        numbers.append(for_each_distinct(columns, make))
        i += length
    return np.stack(numbers, axis=1)


@lru_cache(maxsize=4096)
def _with_bits(layer: AnyLayer, first: int, activation: int, output: int) -> AnyLayer:
    return layer.at_bits(first, activation, output)


def _places(simulation: Simulator, layers: Sequence[Layer], first_bits: Ints) -> Ints:
    """Where each layer's parameters lie, (N, layers)."""
    counts = [(layer.name, layer.stored_parameters, layer.index_bits, layer.is_product) for layer in layers]
    rows = []
    for candidate, widths in enumerate(first_bits.tolist()):
        parameters = [
            PlacedLayer(name, count * width + indices, is_product)
            for (name, count, indices, is_product), width in zip(counts, widths, strict=True)
        ]
        places = _named(candidate, simulation.places, parameters)
        if places is None:
            break
        rows.append(places)
    return np.array(rows, np.int64).reshape(first_bits.shape) if rows else np.zeros(first_bits.shape, np.int64)
