"""The segments that Bit Fusion's layers become, once tilings are chosen, and the energy of what they move and compute.

A convolution is a matrix product a group: the positions of its kernel one after the other, as in the released
simulator, so few channels leave lanes idle, unless its inputs lie expanded in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Run, Segment, Step
from simulators.platforms.bitfusion.costs import TiledProduct, op_cycles, transfer_cycles
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
from simulators.platforms.bitfusion.tiling import Hardware, Product, Tiling, Window, check_recurrent, precision
from simulators.workloads.trace import VECTOR_BITS, AnyLayer, Conv2d, Elementwise, Matmul

KEYS = 16
"""For how many specs what was found is kept."""


def tasks(layers: Sequence[AnyLayer], tiling: Tiling | None, spec: BitFusionSpec) -> Segment:
    """The tasks of a layer, or of a product with that tiling and the elementwise layer behind it. Raises InputError for
    what does not fit a buffer or cannot be expressed."""
    works = [work_of(layer, spec) for layer in layers]
    match layers:
        case [Elementwise() as layer]:
            return _elementwise(layer, works, spec)
        case [Matmul() | Conv2d() as layer, *behind]:
            fused = behind[0] if behind else None
            assert tiling is not None
            assert fused is None or isinstance(fused, Elementwise)
            return _tiled(layer, fused, works, tiling, spec)
    raise ValueError(f"{len(layers)} layers are no segment")


def timed(layer: Matmul, fused: Elementwise | None, tiling: Tiling, spec: BitFusionSpec) -> Segment:
    """The tasks alone of a product whose vectors do not wait for each other: what they move is not counted."""
    return _tiled(layer, fused, (), tiling, spec)


def stays(product: Product, spec: BitFusionSpec) -> bool:
    """Whether the whole weight buffer holds a product's weights."""
    return product.outputs * product.inputs * product.weight_bits <= spec.buffers.weight_kib * 8192


def _tiled(
    layer: Matmul | Conv2d, fused: Elementwise | None, works: Sequence[LayerWork], tiling: Tiling, spec: BitFusionSpec
) -> Segment:
    """A product, and the elementwise layer behind it if any, with that tiling."""
    product, recurrent = as_product(layer, spec)
    hardware = Hardware.of(spec)
    sparse = layer if spec.skips_inactive_inputs and isinstance(layer, Matmul) else None
    if not recurrent:
        active = sparse.mean_active if sparse else 1.0
        tiled = TiledProduct(spec, hardware, product, tiling, layer.output_bits, fused, active)
        return _counted(tiled.segment(tuple(works), layer.groups if isinstance(layer, Conv2d) else 1))
    step = Product(product.outputs, product.inputs, 1, product.weight_bits, product.activation_bits)
    check_recurrent(hardware, step)
    builder = SegmentBuilder(MACHINE, works)
    transmitted = sparse.transmitted() if sparse else [(product.vectors, product.inputs)]
    tiled = TiledProduct(spec, hardware, step, tiling, layer.output_bits, fused)
    tiled.emit_recurrent(builder, transmitted, stays(step, spec))
    return _counted(builder.segment())


def as_product(layer: Matmul | Conv2d, spec: BitFusionSpec) -> tuple[Product, bool]:
    """The matrix product of a layer, or of one group of a convolution, and whether its vectors wait for each other."""
    if isinstance(layer, Conv2d):
        height, width = layer.output_size
        inputs = layer.in_channels // layer.groups * layer.kernel[0] * layer.kernel[1]
        shape = (layer.out_channels // layer.groups, inputs, layer.steps * height * width)
        window = None if layer.expanded else Window(layer.kernel, layer.stride, layer.output_size)
        return Product(*shape, layer.weight_bits, layer.activation_bits, window), False
    return Product(
        layer.out_features, layer.in_features, layer.steps, layer.weight_bits, layer.activation_bits
    ), layer.recurrent


def _elementwise(layer: Elementwise, works: Sequence[LayerWork], spec: BitFusionSpec) -> Segment:
    """Elementwise work whose inputs lie in DRAM: in chunks that fill half of the output buffer."""
    builder = SegmentBuilder(MACHINE, works)
    if layer.vector_parameters:  # biases and recurrent vectors, once
        bits = layer.vector_parameters * VECTOR_BITS
        moved = ((0, "dram_read", bits),)
        vectors = Step(("vectors",), LOAD_WEIGHTS, transfer_cycles(bits, spec), WEIGHTS, (EVERYTHING_BEFORE,), moved)
        builder.emit(1, [(1, [vectors])])
    capacity = Hardware.of(spec).capacity_bits(spec.buffers.output_kib)
    widest = max(layer.inputs * layer.activation_bits, layer.outputs * layer.output_bits) * layer.steps
    chunks = max(1, ceil(widest / capacity))
    depth = 2 if spec.buffers.double_buffered else 1

    def chunk(last: bool) -> list[Run]:
        """One chunk: equal shares, and what is left over in the last."""

        def part(total: int) -> int:
            return total // chunks + (total % chunks if last else 0)

        read = part(layer.inputs * layer.steps * layer.activation_bits)
        written = part(layer.outputs * layer.steps * layer.output_bits)
        busy = max(1, ceil(part(op_cycles(layer, spec) * layer.steps) / spec.post_processing.lanes))
        free: tuple[Label, ...] = (("outputs free", depth), EVERYTHING_BEFORE)
        needs: tuple[Label, ...] = (("inputs", 1), *((("vectors", 1),) if layer.vector_parameters else ()))
        loaded = ((0, "dram_read", read), (0, "output_buffer_write", read), (0, "output_buffer_read", read))
        stored = ((0, "dram_write", written), (0, "output_buffer_write", written), (0, "output_buffer_read", written))
        return [(1, [
            Step(("inputs",), LOAD_INPUTS, transfer_cycles(read, spec), INPUTS, free, loaded),
            Step(("process",), PROCESS, busy, PROCESSING, needs, ((0, "busy_cycles", busy),)),
            Step(("store", "outputs free"), STORE, transfer_cycles(written, spec), OUTPUTS, (("process", 1),), stored),
        ])]  # fmt: skip

    builder.emit(chunks, chunk(False), chunk(True) if chunks > 1 else None)
    return _counted(builder.segment())


def work_of(layer: AnyLayer, spec: BitFusionSpec) -> LayerWork:
    """What a layer does, without traffic. Raises InputError for an operation that the post-processing units do not
    have."""
    if isinstance(layer, Elementwise):
        post = spec.post_processing
        for op in layer.ops:
            for key, table in (("cycles_per_op", post.cycles_per_op), ("pj_per_op", post.pj_per_op)):
                if op not in table:
                    raise InputError(
                        f"layer {layer.name}: ops.{op}: the architecture's post_processing.{key} has no figure for it"
                    )
        return LayerWork(layer.ops_total, post.lanes, PROCESSING)
    fused = precision(layer.weight_bits, layer.activation_bits, spec.array.unit_operand_bits)
    peak = spec.array.rows * spec.array.columns * fused.products / fused.passes
    return LayerWork(layer.macs, peak, COMPUTE)


def leakage_mw(spec: BitFusionSpec) -> float:
    """Of SRAM and core."""
    return spec.leakage_mw


def _counted(segment: Segment) -> Segment:
    """The same; busy cycles were counted as traffic is."""
    for work in segment.works:
        work.busy_cycles = work.bits.pop("busy_cycles")
    return segment


@lru_cache(maxsize=KEYS)
def _buffer_energy(spec: BitFusionSpec) -> list[tuple[str, str, str, float, float]]:
    """By buffer: its name, how its traffic is called, and pJ a bit read and written."""
    names = ("input_buffer", "weight_buffer", "output_buffer")
    figures = [spec.buffer_energy(name) for name in names]
    return [(n, f"{n}_read", f"{n}_write", f.read, f.write) for n, f in zip(names, figures, strict=True)]


def energies_pj(layers: Sequence[AnyLayer], works: Sequence[LayerWork], spec: BitFusionSpec) -> list[dict[str, float]]:
    """Energy of what was moved and computed, by layer and component."""
    unit_pj, post_pj, dram_pj = spec.energy.unit_pj_per_cycle, spec.post_processing.pj_per_op, spec.dram.pj_per_bit
    buffers, found = _buffer_energy(spec), []
    for layer, work in zip(layers, works, strict=True):
        bits = work.bits
        if isinstance(layer, Elementwise):
            per_step = sum(count * post_pj[op] for op, count in layer.ops.items())
            energy = {"post_processing": per_step * layer.steps}
        else:
            energy = {"array": work.busy_cycles * unit_pj * spec.array.rows * spec.array.columns}
        energy["dram"] = (bits.get("dram_read", 0) + bits.get("dram_write", 0)) * dram_pj
        for name, read, write, read_pj, write_pj in buffers:
            energy[name] = bits.get(read, 0) * read_pj + bits.get(write, 0) * write_pj
        found.append(energy)
    return found
