"""How layers become tasks of the mesh: products that stream, recurrent products whose states are exchanged, elementwise
work spread over all cores."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Repetition, Segment, Step
from simulators.platforms.epiphany.elementwise import elementwise_segment
from simulators.platforms.epiphany.exchange import exchange_steps, state_label
from simulators.platforms.epiphany.machine import ELEMENTWISE, WEIGHTS, machine_of
from simulators.platforms.epiphany.mapping import StreamingTiles
from simulators.platforms.epiphany.products import Constants, elementwise_cycles
from simulators.platforms.epiphany.spec import EpiphanySpec, exact
from simulators.platforms.epiphany.streams import PRODUCT, TileSteps
from simulators.workloads.operations import Layer, VectorLayer


def tasks(layers: Sequence[Layer], tiles: StreamingTiles | Constants, spec: EpiphanySpec) -> Segment:
    """The tasks of a segment: a product as it is mapped, with the elementwise layer behind it, or other work."""
    machine = machine_of(spec.mesh.grid)
    if isinstance(tiles, Constants):
        (layer,) = layers
        assert isinstance(layer, VectorLayer)
        return elementwise_segment(layer, tiles, spec, machine)
    works = [LayerWork(layers[0].macs, spec.mesh.grid.nodes, COMPUTE)]
    if len(layers) > 1:
        works.append(_elementwise_work(layers[-1], spec))
    steps = TileSteps(tiles, spec, behind=len(layers) - 1 if len(layers) > 1 else None)
    builder = SegmentBuilder(machine, works)
    if tiles.product.constants_bits:
        builder.emit(1, [(1, [_constants(steps, spec)])])
    if tiles.product.recurrent:
        _recurrent(builder, steps, layers)
    else:
        _streaming(builder, steps)
    product = tiles.product
    results = product.handed_on * product.vectors * product.products
    works[-1].move("sram_write", results * product.output_bits)
    return builder.segment()


def _elementwise_work(layer: Layer, spec: EpiphanySpec) -> LayerWork:
    """All cores' operations: what each takes is a mean over its kinds."""
    assert isinstance(layer, VectorLayer)
    operations = layer.elementwise_operations
    peak = spec.mesh.grid.nodes * operations / (layer.steps * elementwise_cycles(layer, spec))
    return LayerWork(operations, peak, ELEMENTWISE)


def _constants(steps: TileSteps, spec: EpiphanySpec) -> Step:
    bits = steps.tiles.product.constants_bits
    cycles = max(1, ceil(bits / 8 * exact(spec.dram.read_cycles_per_byte)))
    moved = ((steps.behind or PRODUCT, "dram_read", bits),)
    return Step(("constants",), steps.queues.read_weights, cycles, WEIGHTS, (EVERYTHING_BEFORE,), moved)


def _streaming(builder: SegmentBuilder, steps: TileSteps) -> None:
    """Stripe by stripe, all alike: each has its share of the next tile of weights, and of the results that leave."""
    tiles = steps.tiles
    served = tiles.stripes if tiles.input_tiles > 1 else tiles.stripes * tiles.vector_tiles
    weight_tiles = tiles.product.products * tiles.stripes * tiles.blocks // served
    if tiles.resident:
        builder.emit(weight_tiles * served, [(1, steps.stripe(1))])
        return
    builder.emit(1, [(1, steps.load(1))])
    builder.emit((weight_tiles - 1) * served, [(1, [*steps.load(served), *steps.stripe(2)])])
    builder.emit(served, [(1, steps.stripe(1))])


def _recurrent(builder: SegmentBuilder, steps: TileSteps, layers: Sequence[Layer]) -> None:
    """Step by step: every core multiplies the state, which all of them have, then what they made is exchanged."""
    tiles, product = steps.tiles, steps.tiles.product
    weight_tiles = tiles.output_tiles * tiles.input_tiles
    multiplied = [
        steps.multiply(core, (EVERYTHING_BEFORE, state_label(steps, core), *steps.weights_of(core, 1)))
        for core in steps.cores
    ]
    period: list[Repetition]
    if tiles.resident or tiles.weights_fit:
        if not tiles.resident:
            builder.emit(1, [(1, steps.load(1))])
        period = [(weight_tiles, multiplied)]
    else:
        period = [(weight_tiles, [*steps.load(1), *multiplied])]
    ending: list[Step] = []
    role = "done"
    if steps.behind is not None:
        waits = ["done {core}"]
        if product.rest_bits:
            free: Label = (f"finished {steps.cores[0]}", 2)
            ending.append(steps.rest(product.rest_bits, (EVERYTHING_BEFORE, free)))
            waits.append("rest")
        whole = tiles._replace(output_tiles=1, input_tiles=1, stripes=1)
        ending += TileSteps(whole, steps.spec, steps.behind).elementwise(tuple(waits), 1)
        role = "finished"
    ending += exchange_steps(steps, role)
    layer = PRODUCT if steps.behind is None else steps.behind
    after = tuple((f"{role} {core}", 1) for core in steps.cores)
    bits = product.handed_on * product.output_bits
    ending += steps.store("stored 0", bits, after, layer, steps.cores[0])
    builder.emit(product.vectors, [*period, (1, ending)])


def check_operations(layers: Sequence[Layer], spec: EpiphanySpec) -> None:
    """Raise InputError for an elementwise operation without a figure."""
    for layer in layers:
        for op in layer.operations_per_step if isinstance(layer, VectorLayer) else ():
            if op not in spec.core.cycles_per_op:
                raise InputError(f"layer {layer.name}: ops.{op}: {spec.name}: core.cycles_per_op has no figure for it")
