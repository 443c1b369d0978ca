"""The segments that Bit Fusion's layers become, once tilings are chosen, and the energy of what they move and compute.

A convolution is a matrix product a group: the positions of its kernel one after the other, as in the released
simulator, so few channels leave lanes idle, unless its inputs lie expanded in memory. A product of two activations is
one whose weights are results of earlier layers. Pooling is elementwise work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.bitfusion.chunks import elementwise
from simulators.platforms.bitfusion.costs import TiledProduct
from simulators.platforms.bitfusion.machine import (
    MACHINE,
    PROCESSING,
)
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware, Window, check_recurrent, precision
from simulators.workloads.operations import (
    ActivationMatmul,
    Conv2d,
    Layer,
    Matmul,
    VectorLayer,
    index_width,
)

KEYS = 16
"""Specs for which figures of buffers, and what was tried of mappings, are kept."""


def tasks(layers: Sequence[Layer], tiling: Tiling | None, spec: BitFusionSpec) -> Segment:
    """The tasks of a layer, or of a product with that tiling and the elementwise layer behind it. Raises InputError for
    what does not fit a buffer or cannot be expressed."""
    works = [work_of(layer, spec) for layer in layers]
    first, fused = layers[0], layers[1] if len(layers) > 1 else None
    if isinstance(first, VectorLayer):
        return elementwise(first, works, spec)
    assert tiling is not None
    assert fused is None or isinstance(fused, VectorLayer)
    return tiled(first, fused, works, tiling, spec)


def stays(product: Product, spec: BitFusionSpec) -> bool:
    """Whether the whole weight buffer holds a product's weights."""
    return product.stored_bits(product.outputs * product.inputs) <= spec.buffers.weight_kib * 8192


def tiled(
    layer: Layer, fused: VectorLayer | None, works: Sequence[LayerWork], tiling: Tiling, spec: BitFusionSpec
) -> Segment:
    """A product, and the elementwise layer behind it if any, with that tiling. Without works, what they move is not
    counted."""
    product, hardware, gemm = as_product(layer), TilingHardware.of(spec), layer.as_gemm()
    assert gemm is not None
    results = layer.outputs_total().elements // layer.steps
    sparse = layer if spec.skips_inactive_inputs and isinstance(layer, Matmul) else None
    if not layer.waits_for_itself:
        active = _mean_active(sparse) if sparse else Fraction(1)
        computed = isinstance(layer, ActivationMatmul)
        whole = TiledProduct(spec, hardware, product, tiling, layer.output_bits, fused, results, active, computed)
        return whole.segment(tuple(works), gemm.products)
    step = product.step()
    check_recurrent(hardware, step)
    builder = SegmentBuilder(MACHINE, works)
    transmitted = sparse.transmitted() if sparse else [(product.vectors, product.inputs)]
    of_step = fused and fused.but(name="", steps=1)  # so that layers and utterances share their time steps
    stepwise = TiledProduct(spec, hardware, step, tiling, layer.output_bits, of_step, results)
    stepwise.emit_recurrent(builder, transmitted, stays(step, spec))
    return builder.segment()


def _mean_active(layer: Matmul) -> Fraction:
    """Share of the inputs that vectors have in the mean; a share that a file gives is meant to six digits."""
    if not isinstance(layer.active, tuple):
        return Fraction(layer.active).limit_denominator(10**6)
    return Fraction(sum(count * inputs for count, inputs in layer.transmitted()), layer.steps * layer.in_features)


def as_product(layer: Layer) -> Product:
    """The matrix product of a layer, or of one group of a convolution."""
    gemm = layer.as_gemm()
    assert gemm is not None
    window = None
    if isinstance(layer, Conv2d) and not layer.expanded:
        window = Window(
            layer.kernel, layer.kernel_extent, layer.stride, layer.output_size, layer.padding, layer.input_size
        )
    product = Product(gemm.m, gemm.k, gemm.n, *layer.operand_bits, window)
    if isinstance(layer, Matmul | Conv2d) and layer.weight_sparsity is not None:
        product = replace(product, kept_inputs=layer.kept_inputs, index_bits=index_width(layer.weight_sparsity))
    return product


def work_of(layer: Layer, spec: BitFusionSpec) -> LayerWork:
    """What a layer does, without traffic. Raises InputError for an operation that the post-processing units do not
    have."""
    if isinstance(layer, VectorLayer):
        post = spec.post_processing
        for op in layer.operations_per_step:
            for key, table in (("cycles_per_op", post.cycles_per_op), ("pj_per_op", post.pj_per_op)):
                if op not in table:
                    raise InputError(
                        f"layer {layer.name}: ops.{op}: the architecture's post_processing.{key} has no figure for it"
                    )
        return LayerWork(layer.elementwise_operations, post.lanes, PROCESSING)
    fused = precision(*layer.operand_bits, spec.array.unit_operand_bits)
    peak = spec.array.rows * spec.array.columns * fused.products / fused.passes
    return LayerWork(layer.effective_macs(spec.skips_inactive_inputs, spec.skips_pruned_weights), peak, COMPUTE)


@lru_cache(maxsize=KEYS)
def _buffer_energy(spec: BitFusionSpec) -> list[tuple[str, str, str, float, float]]:
    """For each buffer its name, how its traffic is called, and pJ a bit read and written."""
    names = ("input_buffer", "weight_buffer", "output_buffer")
    figures = [spec.buffer_energy(name) for name in names]
    return [(n, f"{n}_read", f"{n}_write", f.read, f.write) for n, f in zip(names, figures, strict=True)]


def energy_pj(layer: Layer, work: LayerWork, spec: BitFusionSpec) -> dict[str, float]:
    """Energy in pJ of what was moved and computed, by component."""
    bits = work.bits
    if isinstance(layer, VectorLayer):
        pj_per_op = spec.post_processing.pj_per_op
        per_step = sum(count * pj_per_op[op] for op, count in layer.operations_per_step.items())
        energy = {"post_processing": per_step * layer.steps}
    else:
        units = spec.array.rows * spec.array.columns
        energy = {"array": work.busy_cycles * spec.energy.unit_pj_per_cycle * units}
    energy["dram"] = (bits.get("dram_read", 0) + bits.get("dram_write", 0)) * spec.dram.pj_per_bit
    for name, read, write, read_pj, write_pj in _buffer_energy(spec):
        energy[name] = bits.get(read, 0) * read_pj + bits.get(write, 0) * write_pj
    return energy
