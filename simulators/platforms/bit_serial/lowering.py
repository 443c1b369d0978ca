"""How a layer runs on a bit-serial array.

Fetch, execute and result stage work at the same time, in order each, and wait for each other by tokens: a block that
has arrived, a half of a buffer that is free, a block of results that was written. A layer begins when all results of
the one before are in memory. Elementwise work has lanes of its own beside the array.

A period of the program is a block of the outer operand against a tile of the inner one, or one step of an elementwise
layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Repetition, Segment, Step
from simulators.platforms.bit_serial.cost_model import binary_operations_per_cycle
from simulators.platforms.bit_serial.machine import ACTIVATIONS, FETCH, MACHINE, PROCESS, RESULT, RESULTS, WEIGHTS
from simulators.platforms.bit_serial.mapping import SerialMapping, inner_tile, other, outer_held, tile_pairs
from simulators.platforms.bit_serial.products import SerialProduct, Side, sides
from simulators.platforms.bit_serial.published import Outer
from simulators.platforms.bit_serial.runs import BlockRun, Labels, Phase, stages_of
from simulators.platforms.bit_serial.spec import BitSerialSpec
from simulators.workloads.operations import VECTOR_BITS, Layer, VectorLayer

LONGEST_PERIOD = 512
"""Repetitions of a period up to which a run that comes again is one: longer ones are written run by run."""


def tasks(layer: Layer, mapping: SerialMapping | None, spec: BitSerialSpec) -> Segment:
    """The tasks of one layer, a product as it is mapped. Raises InputError for an elementwise operation without a
    figure."""
    if isinstance(layer, VectorLayer):
        return _elementwise(layer, spec)
    assert mapping is not None
    product, outer = mapping
    units = spec.array.rows * spec.array.columns * spec.array.word_bits
    peak = units / (product.weight_bits * product.activation_bits)
    builder = SegmentBuilder(MACHINE, [LayerWork(layer.macs, peak, COMPUTE)])
    runs = list(_runs(product, outer, spec))
    if product.dependent and len(runs) > 1:
        builder.emit(product.rows * product.times, [step for many, run in runs for step in _flat(run.phases()) * many])
        return builder.segment()
    for many, run in runs:
        phases, times = list(run.phases()), many * product.times
        nested = any(len(phase.repetitions) > 1 for phase in phases)
        if nested and (times == 1 or sum(phase.periods * len(phase.repetitions) for phase in phases) > LONGEST_PERIOD):
            for _ in range(times):
                for phase in phases:
                    builder.emit(phase.periods, phase.repetitions)
        else:
            builder.emit(times, _flat(phases))
    return builder.segment()


def _flat(phases: Iterable[Phase]) -> list[Repetition]:
    """Phases as one period."""
    flat: list[Repetition] = []
    for periods, repetitions in phases:
        if len(repetitions) == 1:
            ((count, steps),) = repetitions
            flat.append((periods * count, steps))
        else:
            flat += repetitions * periods
    return flat


def _runs(product: SerialProduct, outer_name: Outer, spec: BitSerialSpec) -> Iterator[tuple[int, BlockRun]]:
    """(how many, run) of one product, in order."""
    both, stages = sides(product, spec), stages_of(spec)
    outer, inner = both[outer_name], both[other(outer_name)]
    if not spec.corrections.overlap_tiles:
        for many, outer_piece, inner_piece in tile_pairs(outer, inner):
            yield many, BlockRun(stages, outer_piece, inner_piece, (("run", 1),), (), ())
        return
    tile = inner_tile(inner)
    tiles = _cut(inner, tile.blocks)
    inner_free: Labels = ((inner.free, tile.held),)
    outer_free: Labels = ((outer.free, outer_held(outer)),)
    if product.dependent:
        # A vector is there when the results of the one before are; it is loaded anew for each further tile of weights.
        step_done: Labels = (("results" if spec.corrections.write_results else "executed", 1),)
        if sum(many for many, _ in tiles) == 1:  # weights that stay
            yield 1, BlockRun(stages, outer, inner, (), (*outer_free, *step_done), inner_free)
            return
        outer = outer.piece(1)
        (many, first), *behind = tiles
        yield 1, BlockRun(stages, outer, first, (), (*outer_free, *step_done), inner_free)
        tiles = [(many - 1, first), *behind] if many > 1 else behind
    for many, piece in tiles:
        yield many, BlockRun(stages, outer, piece, (), outer_free, inner_free)


def _cut(side: Side, blocks: int) -> list[tuple[int, Side]]:
    """(how many, tile) of the tiles of so many blocks that an operand is cut into; the last may be smaller."""
    full = (side.rows - 1) // (blocks * side.height)
    last = side.rows - full * blocks * side.height
    tiles = [(full, side.piece(blocks * side.height))] if full else []
    return [*tiles, (1, side.piece(last))]


def _elementwise(layer: VectorLayer, spec: BitSerialSpec) -> Segment:
    """Step by step: what a step reads is fetched, worked on by the lanes, and stored; constants once, before all."""
    work = spec.elementwise
    for op in layer.operations_per_step:
        for key in ("cycles_per_op", "binary_operations_per_op"):
            if op not in getattr(work, key):
                raise InputError(
                    f"layer {layer.name}: ops.{op}: the architecture's elementwise.{key} has no figure for it"
                )
    builder = SegmentBuilder(MACHINE, [LayerWork(layer.elementwise_operations, work.lanes, COMPUTE)])
    needs: list[Label] = [EVERYTHING_BEFORE]
    if layer.vector_words:
        bits = layer.vector_words * VECTOR_BITS
        cycles = ceil(bits / spec.dram.read_bits_per_cycle)
        constants = Step(("weights",), FETCH, cycles, WEIGHTS, (EVERYTHING_BEFORE,), ((0, "dram_read", bits),))
        builder.emit(1, [(1, [constants])])
        needs.append(("weights", 1))
    steps = []
    if layer.inputs_per_step:
        bits = layer.inputs_per_step * layer.activation_bits
        cycles = ceil(bits / spec.dram.read_bits_per_cycle)
        after: tuple[Label, ...] = (EVERYTHING_BEFORE, ("activations free", 2))
        steps.append(Step(("activations",), FETCH, cycles, ACTIVATIONS, after, ((0, "dram_read", bits),)))
        needs.append(("activations", 1))
    written = layer.outputs_per_step * layer.output_bits
    if written:
        needs.append(("results free", spec.array.result_blocks))
    operations = sum(count * work.cycles_per_op[op] for op, count in layer.operations_per_step.items())
    roles = ("processed", "activations free")
    steps.append(Step(roles, PROCESS, ceil(operations / work.lanes), COMPUTE, tuple(needs), works_on=0))
    if written:
        cycles = ceil(written / spec.dram.write_bits_per_cycle)
        moved = ((0, "dram_write", written),)
        steps.append(Step(("results", "results free"), RESULT, cycles, RESULTS, (("processed", 1),), moved))
    builder.emit(layer.steps, [(1, steps)])
    return builder.segment()


def binary_operations(layer: Layer, work: LayerWork, spec: BitSerialSpec) -> int:
    """Binary operations that a layer takes: all of the array's while it works on the layer, whether they are of use or
    not, or those that elementwise operations count as."""
    if isinstance(layer, VectorLayer):
        counts = spec.elementwise.binary_operations_per_op
        return sum(count * counts[op] for op, count in layer.operations_per_step.items()) * layer.steps
    return work.busy_cycles * binary_operations_per_cycle(spec.published_array)
