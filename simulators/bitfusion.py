"""Bit Fusion: how a trace's layers become tasks on a DRAM channel, a systolic array and post-processing units.

Modelled: double-buffered input, weight and output buffers; tiles chosen by `tiling.py`, edge tiles at their size;
weights of the next layer prefetched into a free half while the current one computes; a product's results handed to
the elementwise layer behind it under the array's columns, without a trip to DRAM; recurrent products step by step,
their weights kept on chip where the whole weight buffer holds them, and streamed again at every step where it does
not. Not modelled: bank conflicts, DRAM rows and refresh, the control processor. A convolution is expanded to a matrix
product, its inputs read once for every kernel position.

A period of the program is one tile of the outer loop, one time step of a recurrent product, or one chunk of an
elementwise layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil

from simulators.errors import InputError
from simulators.lowering import Builder, Label, LayerWork, Lowered, Step
from simulators.machine import COMPUTE, Machine, Queue
from simulators.specs import BitFusionSpec
from simulators.tiling import Hardware, Product, Tiling, choose, precision, resident, tile_cycles
from simulators.trace import VECTOR_BITS, Conv2d, Elementwise, Matmul, Trace

_DRAM, _ARRAY, _PIPELINE, _POST = range(4)
# Queues in order of priority: a tile's inputs come before the next tile's weights, results leave when nothing is
# loaded.
LOAD_INPUTS, LOAD_WEIGHTS, STORE, MULTIPLY, DRAIN, PROCESS = range(6)
_, WEIGHTS, INPUTS, OUTPUTS, DRAINING, PROCESSING, RECURRENCE = range(7)
MACHINE = Machine(
    servers=("dram", "array", "array pipeline", "post-processing"),
    compute_servers=(False, True, False, True),
    queues=(
        Queue("load inputs", _DRAM),
        Queue("load weights", _DRAM),
        Queue("store outputs", _DRAM),
        Queue("multiply", _ARRAY),
        Queue("drain", _PIPELINE),
        Queue("process", _POST),
    ),
    kinds=("compute", "weights", "inputs", "outputs", "drain", "post-processing", "recurrence"),
)


def lower(trace: Trace, spec: BitFusionSpec) -> Lowered:
    """The tasks of one utterance. Raises InputError for what does not fit a buffer or cannot be expressed."""
    works = [_work(layer, spec) for layer in trace.layers]
    builder = Builder(works)
    hosts: dict[int, tuple[int, int]] = {}
    i = 0
    while i < len(trace.layers):
        layer = trace.layers[i]
        if isinstance(layer, Elementwise):
            _elementwise(builder, spec, i, layer)
            hosts[i] = (i, PROCESSING)
            i += 1
            continue
        following = trace.layers[i + 1] if i + 1 < len(trace.layers) else None
        fused = following if isinstance(following, Elementwise) and _can_fuse(layer, following) else None
        _product(builder, spec, i, layer, fused)
        if fused is not None:
            hosts[i + 1] = (i, PROCESSING)
        i += 2 if fused is not None else 1
    for work in works:
        _dynamic_energy(work, spec)
    leakage = spec.energy.sram_leakage_mw + spec.energy.core_leakage_mw if spec.corrections.leakage else 0.0
    return Lowered(MACHINE, builder.program(), tuple(works), hosts, leakage, spec.frequency_mhz)


def _can_fuse(layer: Matmul | Conv2d, following: Elementwise) -> bool:
    """An elementwise layer that takes a product's results, step by step; what else it reads comes from DRAM."""
    return isinstance(layer, Matmul) and layer.steps == following.steps and following.inputs >= layer.out_features


@dataclass(frozen=True)
class _Context:
    """One product on its way to tasks."""

    spec: BitFusionSpec
    layer: int
    product: Product
    tiling: Tiling
    output_bits: int
    fused: Elementwise | None

    @property
    def depth(self) -> int:
        """Tiles that a buffer holds at a time."""
        return 2 if self.spec.buffers.double_buffered else 1

    def dram(self, bits: float) -> tuple[int, int]:
        """Whole bits, and cycles on the channel."""
        whole = ceil(bits)
        return whole, max(1, -(-whole // self.spec.dram.bits_per_cycle))


def _product(builder: Builder, spec: BitFusionSpec, i: int, layer: Matmul | Conv2d, fused: Elementwise | None) -> None:
    product, recurrent = _as_product(layer, spec)
    if fused is not None:
        _vectors(builder, spec, i + 1, fused)
    hardware = Hardware.of(spec)
    if not recurrent:
        tiling = choose(hardware, product)
        context = _Context(spec, i, product, tiling, layer.output_bits, fused)
        _stationary(builder, context)
        return
    step = Product(product.outputs, product.inputs, 1, product.weight_bits, product.activation_bits)
    stays = product.outputs * product.inputs * product.weight_bits <= spec.buffers.weight_kib * 8192
    tiling = resident(hardware, step) if stays and spec.mapping is None else choose(hardware, step)
    context = _Context(spec, i, step, tiling, layer.output_bits, fused)
    _recurrent(builder, context, product.vectors, stays)


def _as_product(layer: Matmul | Conv2d, spec: BitFusionSpec) -> tuple[Product, bool]:
    if isinstance(layer, Conv2d):
        if layer.groups != 1:
            raise InputError(
                f"layer {layer.name}: groups {layer.groups}: grouped convolutions are not modelled on Bit Fusion"
            )
        height, width = layer.output_size
        inputs = layer.in_channels * layer.kernel[0] * layer.kernel[1]
        shape = (layer.out_channels, inputs, layer.steps * height * width)
        return Product(*shape, layer.weight_bits, layer.activation_bits), False
    inputs = ceil(layer.in_features * layer.active) if spec.skips_inactive_inputs else layer.in_features
    return Product(layer.out_features, inputs, layer.steps, layer.weight_bits, layer.activation_bits), layer.recurrent


def _stationary(builder: Builder, context: _Context) -> None:
    """A product whose vectors do not depend on each other: one period a tile of the outer loop."""
    p, t, layer = context.product, context.tiling, context.layer
    parts_m, parts_k, parts_n = ceil(p.outputs / t.m), ceil(p.inputs / t.k), ceil(p.vectors / t.n)
    outputs_outer = t.outer == "outputs"
    outer, inner = (parts_m, parts_n) if outputs_outer else (parts_n, parts_m)
    inputs_stay = outputs_outer and parts_n == 1 and parts_k == 1
    if inputs_stay:
        bits, cycles = context.dram(p.inputs * p.vectors * p.activation_bits)
        moved = ((layer, "dram_read", bits), (layer, "input_buffer_write", bits))
        after = (("store", -1), ("inputs free", -context.depth))
        builder.emit(layer, 1, lambda _: [Step(("inputs",), LOAD_INPUTS, cycles, INPUTS, after, moved)])

    def make(o: int) -> list[Step]:
        steps: list[Step] = []
        for x in range(inner):
            i, j = (o, x) if outputs_outer else (x, o)
            m, n = min(t.m, p.outputs - i * t.m), min(t.n, p.vectors - j * t.n)
            tile = o * inner + x
            for q in range(parts_k):
                k = min(t.k, p.inputs - q * t.k)
                c = tile * parts_k + q
                first, last = x == 0 and q == 0, x == inner - 1 and q == parts_k - 1
                roles, needs = ["multiply"], []
                if not (outputs_outer and parts_k == 1):
                    steps.append(_load(context, "weights", m * k * p.weight_bits, c))
                    needs.append(("weights", c))
                    roles.append("weights free")
                else:
                    if first:
                        steps.append(_load(context, "weights", m * k * p.weight_bits, o))
                    needs.append(("weights", o))
                    roles += ["weights free"] * last
                if inputs_stay:
                    needs.append(("inputs", -1))
                    roles.append("inputs free")
                elif outputs_outer or parts_k > 1:
                    steps.append(_load(context, "inputs", n * k * p.activation_bits, c, first=c == 0))
                    needs.append(("inputs", c))
                    roles.append("inputs free")
                else:
                    if first:
                        steps.append(_load(context, "inputs", n * k * p.activation_bits, o, first=o == 0))
                    needs.append(("inputs", o))
                    roles += ["inputs free"] * last
                if q == 0:
                    needs.append(("outputs free", tile - context.depth))
                steps += _multiply(context, tuple(roles), tuple(needs), m, k, n, q, c, tile)
            steps += _finish(context, m, n, tile, ("multiply", tile * parts_k + parts_k - 1), ())
        return steps

    builder.emit(layer, outer, make)


def _recurrent(builder: Builder, context: _Context, time_steps: int, stays: bool) -> None:
    """A product whose next vector needs this one's result: one period a time step."""
    p, t, layer, spec = context.product, context.tiling, context.layer, context.spec
    parts_m, parts_k = ceil(p.outputs / t.m), ceil(p.inputs / t.k)
    if p.inputs * p.activation_bits > spec.buffers.input_kib * 8192:
        raise InputError(
            f"{spec.name}: buffers.input_kib: {spec.buffers.input_kib:g}: a recurrent vector of {p.inputs} elements "
            f"has {p.inputs * p.activation_bits - int(spec.buffers.input_kib * 8192)} bits too many"
        )
    if stays:
        bits, cycles = context.dram(p.outputs * p.inputs * p.weight_bits)
        moved = ((layer, "dram_read", bits), (layer, "weight_buffer_write", bits))
        load = Step(("weights",), LOAD_WEIGHTS, cycles, WEIGHTS, (("weights free", -1),), moved)
        builder.emit(layer, 1, lambda _: [load])

    def make(time: int) -> list[Step]:
        steps: list[Step] = []
        for i in range(parts_m):
            m = min(t.m, p.outputs - i * t.m)
            tile = time * parts_m + i
            for q in range(parts_k):
                k = min(t.k, p.inputs - q * t.k)
                c = tile * parts_k + q
                last = i == parts_m - 1 and q == parts_k - 1
                roles: tuple[str, ...]
                needs: list[Label] = [("result", time - 1)] if time else [("store", -1)]
                if stays:
                    needs.append(("weights", -1))
                    roles = ("multiply", *(("weights free", "inputs free") if last else ()))
                else:
                    steps.append(_load(context, "weights", m * k * p.weight_bits, c))
                    needs.append(("weights", c))
                    roles = ("multiply", "weights free", *(("inputs free",) if last else ()))
                if q == 0:
                    needs.append(("outputs free", tile - context.depth))
                steps += _multiply(context, roles, tuple(needs), m, k, 1, q, c, tile)
            ending = ("result",) if i == parts_m - 1 else ()
            steps += _finish(context, m, 1, tile, ("multiply", tile * parts_k + parts_k - 1), ending)
        return steps

    builder.emit(layer, time_steps, make)


def _load(context: _Context, what: str, bits: int, index: int, first: bool = False) -> Step:
    """A tile of weights or inputs into a free part of its buffer; a layer's first inputs wait for the results before
    it."""
    whole, cycles = context.dram(bits)
    buffer = "weight_buffer_write" if what == "weights" else "input_buffer_write"
    queue, kind = (LOAD_WEIGHTS, WEIGHTS) if what == "weights" else (LOAD_INPUTS, INPUTS)
    after: tuple[Label, ...] = ((f"{what} free", index - context.depth), *((("store", -1),) if first else ()))
    moved = ((context.layer, "dram_read", whole), (context.layer, buffer, whole))
    return Step((what,), queue, cycles, kind, after, moved)


def _multiply(
    context: _Context,
    roles: tuple[str, ...],
    needs: tuple[Label, ...],
    m: int,
    k: int,
    n: int,
    q: int,
    c: int,
    tile: int,
) -> list[Step]:
    """One tile on the array, behind the preload of its partial sums where the published model has one."""
    spec, p, layer = context.spec, context.product, context.layer
    shape = (m, k, n) if spec.corrections.true_edge_tiles else (context.tiling.m, context.tiling.k, context.tiling.n)
    cycles = tile_cycles(Hardware.of(spec), p, *shape)
    sums = n * m * spec.buffers.partial_sum_bits
    readers = ceil(m / spec.array.columns) if spec.corrections.share_inputs_in_row else m
    moved = [
        (layer, "input_buffer_read", n * k * p.activation_bits * readers),
        (layer, "weight_buffer_read", n * m * k * p.weight_bits),
        (layer, "output_buffer_write", sums),
        (layer, "busy_cycles", cycles),
    ]
    if q > 0 or not spec.corrections.skip_first_preload:
        moved.append((layer, "output_buffer_read", sums))
    steps = []
    if q == 0 and not spec.corrections.skip_first_preload:
        whole, preload = context.dram(sums)
        traffic = ((layer, "dram_read", whole), (layer, "output_buffer_write", whole))
        free = (("outputs free", tile - context.depth),)
        steps.append(Step(("preload",), LOAD_INPUTS, preload, OUTPUTS, free, traffic))
        needs = (*needs, ("preload", tile))
    steps.append(Step(roles, MULTIPLY, cycles, COMPUTE, needs, tuple(moved)))
    return steps


def _finish(context: _Context, m: int, n: int, tile: int, behind: Label, ending: tuple[str, ...]) -> list[Step]:
    """A tile's results leave the array: through the pipeline, the elementwise work behind it if any, and to DRAM."""
    spec, p, layer, fused = context.spec, context.product, context.layer, context.fused
    waiting = RECURRENCE if ending else DRAINING  # the next step of a recurrent product waits for this one's result
    pipeline = Hardware.of(spec).pipeline_cycles
    sums = (layer, "output_buffer_read", n * m * spec.buffers.partial_sum_bits)
    if fused is None:
        bits, cycles = context.dram(
            n * m * (context.output_bits if spec.corrections.true_output_bits else spec.buffers.partial_sum_bits)
        )
        return [
            Step(("drain", *ending), DRAIN, pipeline, waiting, (behind,)),
            Step(
                ("store", "outputs free"),
                STORE,
                cycles,
                OUTPUTS,
                (("drain", tile),),
                (sums, (layer, "dram_write", bits)),
            ),
        ]
    steps = [Step(("drain",), DRAIN, pipeline, waiting, (behind,))]
    share = n * m / p.outputs
    needs: list[Label] = [("drain", tile), ("vectors", -1)]
    owner = layer + 1
    extra = fused.inputs - p.outputs
    if extra:
        bits, cycles = context.dram(extra * share * fused.activation_bits)
        traffic = (
            (owner, "dram_read", bits),
            (owner, "output_buffer_write", bits),
            (owner, "output_buffer_read", bits),
        )
        free: tuple[Label, ...] = (("outputs free", tile - context.depth), *((("store", -1),) if tile == 0 else ()))
        steps.append(Step(("extra",), LOAD_INPUTS, cycles, INPUTS, free, traffic))
        needs.append(("extra", tile))
    bits, cycles = context.dram(fused.outputs * share * fused.output_bits)
    results = ((owner, "output_buffer_write", bits), (owner, "output_buffer_read", bits), (owner, "dram_write", bits))
    busy = max(1, ceil(_op_cycles(fused, spec) * share / spec.post_processing.lanes))
    steps.append(
        Step(("process", *ending), PROCESS, busy, PROCESSING, tuple(needs), (sums, (owner, "busy_cycles", busy)))
    )
    steps.append(Step(("store", "outputs free"), STORE, cycles, OUTPUTS, (("process", tile),), results))
    return steps


def _vectors(builder: Builder, spec: BitFusionSpec, i: int, layer: Elementwise) -> None:
    """Biases and recurrent vectors, loaded once."""
    if layer.vector_parameters:
        bits = layer.vector_parameters * VECTOR_BITS
        cycles = -(-bits // spec.dram.bits_per_cycle)
        step = Step(("vectors",), LOAD_WEIGHTS, cycles, WEIGHTS, (), ((i, "dram_read", bits),))
        builder.emit(i, 1, lambda _: [step])


def _elementwise(builder: Builder, spec: BitFusionSpec, i: int, layer: Elementwise) -> None:
    """Elementwise work whose inputs lie in DRAM: in chunks that fill half of the output buffer."""
    _vectors(builder, spec, i, layer)
    hardware = Hardware.of(spec)
    capacity = hardware.capacity_bits(spec.buffers.output_kib)
    widest = max(layer.inputs * layer.activation_bits, layer.outputs * layer.output_bits) * layer.steps
    chunks = max(1, ceil(widest / capacity))
    depth = 2 if spec.buffers.double_buffered else 1

    def part(total: int, c: int) -> int:
        """Chunk c's share of a total: equal, and what is left over in the last."""
        return total // chunks + (total % chunks if c == chunks - 1 else 0)

    def make(c: int) -> list[Step]:
        read, written = (
            part(layer.inputs * layer.steps * layer.activation_bits, c),
            part(layer.outputs * layer.steps * layer.output_bits, c),
        )
        cycles = partial(_transfer, spec)
        first: tuple[Label, ...] = (("store", -1),) if c == 0 else ()
        busy = max(1, ceil(part(_op_cycles(layer, spec) * layer.steps, c) / spec.post_processing.lanes))
        return [
            Step(("inputs",), LOAD_INPUTS, cycles(read), INPUTS, (("outputs free", c - depth), *first),
                 ((i, "dram_read", read), (i, "output_buffer_write", read), (i, "output_buffer_read", read))),
            Step(("process",), PROCESS, busy, PROCESSING, (("inputs", c), ("vectors", -1)),
                 ((i, "busy_cycles", busy),)),
            Step(("store", "outputs free"), STORE, cycles(written), OUTPUTS, (("process", c),),
                 ((i, "dram_write", written), (i, "output_buffer_write", written), (i, "output_buffer_read", written))),
        ]  # fmt: skip

    builder.emit(i, chunks, make)


def _transfer(spec: BitFusionSpec, bits: int) -> int:
    return max(1, -(-bits // spec.dram.bits_per_cycle))


def _op_cycles(layer: Elementwise, spec: BitFusionSpec) -> int:
    """Lane cycles of one step. Raises InputError for an operation that the post-processing units do not have."""
    return sum(
        count * _figure(spec.post_processing.cycles_per_op, op, layer, "cycles_per_op")
        for op, count in layer.ops.items()
    )


def _figure(table: dict, op: str, layer: Elementwise, key: str):  # type: ignore[no-untyped-def,type-arg]
    if op not in table:
        raise InputError(f"layer {layer.name}: ops.{op}: the architecture's post_processing.{key} has no figure for it")
    return table[op]


def _work(layer: Matmul | Conv2d | Elementwise, spec: BitFusionSpec) -> LayerWork:
    if isinstance(layer, Elementwise):
        energy = sum(
            count * _figure(spec.post_processing.pj_per_op, op, layer, "pj_per_op") for op, count in layer.ops.items()
        )
        return LayerWork(
            layer.name, layer.ops_total, spec.post_processing.lanes, energy_pj={"post_processing": energy * layer.steps}
        )
    fused = precision(layer.weight_bits, layer.activation_bits, spec.array.unit_operand_bits)
    peak = spec.array.rows * spec.array.columns * fused.products / fused.passes
    return LayerWork(layer.name, layer.macs, peak)


def _dynamic_energy(work: LayerWork, spec: BitFusionSpec) -> None:
    """Energy of what was moved and computed, by component, in pJ."""
    e, bits = spec.energy, work.bits
    work.busy_cycles = bits.pop("busy_cycles")
    if "post_processing" not in work.energy_pj:
        work.energy_pj["array"] = work.busy_cycles * e.unit_pj_per_cycle * spec.array.rows * spec.array.columns
    work.energy_pj["dram"] = (bits.get("dram_read", 0) + bits.get("dram_write", 0)) * spec.dram.pj_per_bit
    for buffer, figure in (
        ("input_buffer", e.input_buffer_pj_per_bit),
        ("weight_buffer", e.weight_buffer_pj_per_bit),
        ("output_buffer", e.output_buffer_pj_per_bit),
    ):
        read, written = bits.get(f"{buffer}_read", 0), bits.get(f"{buffer}_write", 0)
        work.energy_pj[buffer] = read * figure.read + written * figure.write
