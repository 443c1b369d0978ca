"""Elementwise work on Bit Fusion whose inputs lie in DRAM, chunk by chunk: into how many chunks it is cut, and their
tasks.

The first chunk's load and the last one's store overlap with nothing, so few chunks are slow; each transfer takes whole
cycles, so many are. The numbers of chunks that are tried are the same for all hardware, and of those whose chunks fit
the fewest cycles win: a larger output buffer can be used in the chunks of a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np

from simulators.engine.program import Ints
from simulators.inputs.errors import InputError
from simulators.inputs.jit import compiled
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Segment, Step
from simulators.platforms.bitfusion.costs import op_cycles, transfer_cycles
from simulators.platforms.bitfusion.machine import (
    INPUTS,
    LOAD_INPUTS,
    LOAD_WEIGHTS,
    MACHINE,
    OUTPUTS,
    PROCESS,
    PROCESSING,
    STORE,
    WEIGHTS,
)
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiling import TilingHardware
from simulators.workloads.operations import VECTOR_BITS, VectorLayer

FINENESS = 8
"""Numbers of chunks that are tried between one and its double."""

MOST_CHUNKS = 1 << 14
"""Numbers of chunks up to which the best is looked for: beyond, a chunk more or less is no difference."""


class _Alike(NamedTuple):
    """Chunks that follow each other and take the same."""

    number: int
    """How many they are."""
    read_bits: int
    """Bits that each reads."""
    written_bits: int
    """Bits that each writes."""
    load_cycles: int
    """Cycles of its load."""
    process_cycles: int
    """Cycles of its operations on all lanes."""
    store_cycles: int
    """Cycles of its store."""


def elementwise(layer: VectorLayer, works: Sequence[LayerWork], spec: BitFusionSpec) -> Segment:
    """The tasks of elementwise work by itself. Raises InputError for an output buffer that does not hold an element."""
    builder = SegmentBuilder(MACHINE, works)
    if layer.vector_words:  # biases and recurrent vectors, once
        bits = layer.vector_words * VECTOR_BITS
        moved = ((0, "dram_read", bits),)
        vectors = Step(("vectors",), LOAD_WEIGHTS, transfer_cycles(bits, spec), WEIGHTS, (EVERYTHING_BEFORE,), moved)
        builder.emit(1, [(1, [vectors])])
    for chunk in _chunks(layer, spec, number_of_chunks(layer, spec)):
        builder.emit(chunk.number, [(1, _steps(layer, spec, chunk))])
    return builder.segment()


def number_of_chunks(layer: VectorLayer, spec: BitFusionSpec) -> int:
    """The number of chunks that takes the fewest cycles, of those whose chunks fit a part of the output buffer. Raises
    InputError for one that does not hold an element."""
    hardware = TilingHardware.of(spec)
    capacity = hardware.capacity_bits(spec.buffers.output_kib)
    element = max(layer.activation_bits, layer.output_bits)
    if capacity < element:
        raise InputError(
            f"{spec.name}: buffers.output_kib: {spec.buffers.output_kib:g}: an element of layer {layer.name} has "
            f"{element} bits: {element - capacity} too many for a chunk"
        )
    vectors = transfer_cycles(layer.vector_words * VECTOR_BITS, spec) if layer.vector_words else 0
    least = ceil(max(layer.operands()[-1].bits, layer.outputs_total().bits) / capacity)
    fewest, best = 0, 0
    for count in _counts(least):
        # A chunk is two transfers of a cycle at least.
        if best and (2 * count >= fewest or count > MOST_CHUNKS):
            break
        if count > MOST_CHUNKS:
            return count
        if best and _least_cycles(layer, spec, count) >= fewest:
            continue
        parts = _chunks(layer, spec, count)
        services = np.array([(part.number, *part[-3:]) for part in parts], np.int64)
        cycles = chunk_cycles(services, hardware.buffer_parts, vectors)
        if not best or cycles < fewest:
            fewest, best = cycles, count
    return best


def _least_cycles(layer: VectorLayer, spec: BitFusionSpec, count: int) -> int:
    """Cycles that so many chunks take at least: DRAM and the lanes are busy, and the buffer holds one or two at a
    time."""
    load, busy, store = _service_cycles(spec, *(total // count for total in _totals(layer, spec)))
    one = load + busy + store
    in_turn = count // TilingHardware.of(spec).buffer_parts * one
    return max(count * (load + store), count * busy + load + store, in_turn)


def _totals(layer: VectorLayer, spec: BitFusionSpec) -> tuple[int, int, int]:
    """Bits that are read and written, and cycles of one lane, over all chunks."""
    return layer.operands()[-1].bits, layer.outputs_total().bits, op_cycles(layer, spec) * layer.steps


def _service_cycles(spec: BitFusionSpec, read_bits: int, written_bits: int, lane_cycles: int) -> tuple[int, int, int]:
    """Cycles of a chunk's load, processing and store."""
    busy = max(1, -(-lane_cycles // spec.post_processing.lanes))
    return transfer_cycles(read_bits, spec), busy, transfer_cycles(written_bits, spec)


def _counts(least: int) -> Iterator[int]:
    """1, 2, 3, ... and then FINENESS in each doubling, from the first that is not below."""
    count, step = 1, 1
    while True:
        if count >= least:
            yield count
        count += step
        if count == 2 * FINENESS * step:
            step *= 2


def _chunks(layer: VectorLayer, spec: BitFusionSpec, count: int) -> list[_Alike]:
    """So many chunks, as equal as whole bits and cycles allow: what is left over goes to the first ones, one each."""
    totals = _totals(layer, spec)
    ends = sorted({total % count for total in totals} - {0} | {count})
    parts = []
    for begin, end in pairwise([0, *ends]):
        read, written, lane_cycles = (total // count + (begin < total % count) for total in totals)
        parts.append(_Alike(end - begin, read, written, *_service_cycles(spec, read, written, lane_cycles)))
    return parts


def _steps(layer: VectorLayer, spec: BitFusionSpec, chunk: _Alike) -> list[Step]:
    """A chunk's load into a free part of the output buffer, its processing and its store."""
    free: tuple[Label, ...] = (("outputs free", TilingHardware.of(spec).buffer_parts), EVERYTHING_BEFORE)
    needs: tuple[Label, ...] = (("inputs", 1), *((("vectors", 1),) if layer.vector_words else ()))
    _, read, written, load_cycles, process_cycles, store_cycles = chunk
    loaded = ((0, "dram_read", read), (0, "output_buffer_write", read), (0, "output_buffer_read", read))
    stored = ((0, "dram_write", written), (0, "output_buffer_write", written), (0, "output_buffer_read", written))
    return [
        Step(("inputs",), LOAD_INPUTS, load_cycles, INPUTS, free, loaded),
        Step(("process",), PROCESS, process_cycles, PROCESSING, needs, works_on=0),
        Step(("store", "outputs free"), STORE, store_cycles, OUTPUTS, (("process", 1),), stored),
    ]


@compiled
def chunk_cycles(services: Ints, depth: int, vectors: int) -> int:
    """Cycles of chunks by the machine's rules, behind nothing. services (P, 4): for some chunks alike their number and
    the cycles of load, processing and store; depth: 1 or 2 chunks that the buffer holds; vectors: cycles of what is
    loaded for all of them, or 0. DRAM takes loads before stores before that."""
    count = services[:, 0].sum()
    ends = np.cumsum(services[:, 0])
    loaded, processed, stored = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64)  # the last two
    loads, stores, of_load, of_store = 0, 0, 0, 0
    now, processing, there, started = 0, 0, 0, 0  # `started`: chunks whose processing is known
    waiting = vectors > 0
    while stores < count:
        can_load = loads < count and loads - stores < depth
        load_at = stored[(loads - depth) % 2] if loads >= depth else 0
        can_store = stores < started
        store_at = processed[stores % 2]
        if not waiting:
            earliest = load_at if can_load else store_at
            if can_load and can_store:
                earliest = min(load_at, store_at)
            now = max(now, earliest)
        if can_load and load_at <= now:
            while loads >= ends[of_load]:
                of_load += 1
            now += services[of_load, 1]
            loaded[loads % 2] = now
            loads += 1
        elif can_store and store_at <= now:
            while stores >= ends[of_store]:
                of_store += 1
            now += services[of_store, 3]
            stored[stores % 2] = now
            stores += 1
        else:
            now += vectors
            there, waiting = now, False
        while started < loads and not waiting:
            of = 0
            while started >= ends[of]:
                of += 1
            processing = max(processing, loaded[started % 2], there) + services[of, 2]
            processed[started % 2] = processing
            started += 1
    return int(now)
