"""Cycles and bits of single tasks on Bit Fusion, by docs/machine-model.md; shares and quotients are exact."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from simulators import ActivationMatmul, Conv2d, Matmul
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.workloads.operations import Layer, VectorLayer

BRICK_BITS = 2
"""Width of the operands of a bit-brick, of which a fusion unit has as many as its widest product takes."""


def transfer(bits: int, spec: BitFusionSpec) -> int:
    """Cycles of so many bits on the DRAM channel."""
    return max(1, ceil(Fraction(bits, spec.dram.bits_per_cycle)))


def half(kib: float, spec: BitFusionSpec) -> int:
    """Bits that one tile may fill of a buffer."""
    return int(Fraction(kib) * 8192 / parts(spec))


def parts(spec: BitFusionSpec) -> int:
    """Parts of a buffer."""
    return 2 if spec.buffers.double_buffered else 1


def pipeline(spec: BitFusionSpec) -> int:
    """Cycles from a tile's last inputs to its results."""
    return max(1, spec.array.rows + spec.array.columns - 2)


def lane_cycles(layer: VectorLayer, spec: BitFusionSpec) -> int:
    """Cycles of one lane for one step of an elementwise layer."""
    return sum(n * spec.post_processing.cycles_per_op[op] for op, n in layer.operations_per_step.items())


def active_share(layer: Layer, spec: BitFusionSpec) -> Fraction:
    """Share of a product's inputs that independent vectors have."""
    if not (isinstance(layer, Matmul) and spec.skips_inactive_inputs):
        return Fraction(1)
    if not isinstance(layer.active, tuple):
        return Fraction(layer.active).limit_denominator(10**6)
    return Fraction(sum(count * inputs for count, inputs in layer.transmitted()), layer.steps * layer.in_features)


def positions(layer: Layer) -> int:
    """Positions of a convolution's kernel, one of any other product or of inputs that lie expanded in memory."""
    return layer.kernel[0] * layer.kernel[1] if isinstance(layer, Conv2d) and not layer.expanded else 1


def array_cycles(layer: Layer, spec: BitFusionSpec, outputs: int, inputs: int, vectors: int) -> int:
    """Cycles of the array on a tile."""
    unit, products, passes = spec.array.unit_operand_bits, 1, 1
    for bits in layer.operand_bits:
        width = BRICK_BITS
        while width < bits:
            width *= 2
        products *= max(1, unit // width)
        passes *= max(1, width // unit)
    each = Fraction(inputs, positions(layer))
    reduction = positions(layer) * ceil(each / (spec.array.rows * products))
    return passes * vectors * ceil(Fraction(outputs, spec.array.columns)) * reduction


def input_elements(layer: Layer, vectors: int, inputs: int) -> int:
    """Elements that a tile of inputs takes in memory: neighbouring results of a convolution share them."""
    if not isinstance(layer, Conv2d) or layer.expanded:
        return vectors * inputs
    height, width = layer.output_size
    images, rest = divmod(vectors, height * width)
    pixels = images * _under(layer, height, width)
    if rest:
        pixels += _under(layer, ceil(Fraction(rest, width)), min(rest, width))
    return min(vectors * inputs, inputs // positions(layer) * pixels)


def _under(layer: Conv2d, rows: int, columns: int) -> int:
    """Elements of a channel that so many rows and columns of results see."""
    (high, wide), (down, across) = layer.kernel_extent, layer.stride
    return ((rows - 1) * down + high) * ((columns - 1) * across + wide)


def weight_bits(layer: Layer) -> int:
    """Width of what lies in the weight buffer."""
    return layer.second_bits if isinstance(layer, ActivationMatmul) else layer.operand_bits[0]


def chunks(layer: VectorLayer, spec: BitFusionSpec) -> int:
    """Chunks of an elementwise layer whose inputs lie in DRAM."""
    read, written = elementwise_bits(layer)
    return max(1, ceil(Fraction(max(read, written), half(spec.buffers.output_kib, spec))))


def elementwise_bits(layer: VectorLayer) -> tuple[int, int]:
    """Bits that an elementwise layer reads and writes over all steps."""
    return (
        layer.inputs_per_step * layer.steps * layer.activation_bits,
        layer.outputs_per_step * layer.steps * layer.output_bits,
    )
