"""Cycles and bits of single tasks on Bit Fusion, by docs/machine-model.md; shares and quotients are exact."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from independent.dram import dram_cycles
from simulators import ActivationMatmul, Conv2d, Matmul
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.workloads.operations import Layer, VectorLayer

BRICK_BITS = 2
"""Width of the operands of a bit-brick, of which a fusion unit has as many as its widest product takes."""


def transfer(bits: int, spec: BitFusionSpec) -> int:
    """Cycles of so many bits on the DRAM channel."""
    return dram_cycles(bits, spec.dram, spec.frequency_mhz)


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


def input_bits(layer: Layer, vectors: int, inputs: int, edge: bool) -> int:
    """Bits that a tile of inputs takes in memory: neighbouring results of a convolution share them, and padding is not
    there. A full tile has the mean of full ones, rounded up; the edge what lies under the last results."""
    most = vectors * inputs * layer.activation_bits
    if not isinstance(layer, Conv2d) or layer.expanded:
        return most
    height, width = layer.output_size
    images, rest = divmod(vectors, height * width)
    pixels = Fraction(images * len(_under(layer, 0, range(height))) * len(_under(layer, 1, range(width))))
    if rest:
        down, across = _tiles(height, ceil(Fraction(rest, width)), edge), _tiles(width, min(rest, width), edge)
        covered = [len(_under(layer, 0, rows)) * len(_under(layer, 1, columns)) for rows in down for columns in across]
        pixels += Fraction(sum(covered), len(covered))
    return min(most, ceil(Fraction(inputs, positions(layer)) * pixels * layer.activation_bits))


def _tiles(whole: int, tile: int, edge: bool) -> list[range]:
    """The full tiles of rows or columns of results, from the first one on; as `edge`, the one that ends with the
    last."""
    if edge:
        return [range(whole - tile, whole)]
    return [range(begin, begin + tile) for begin in range(0, whole - tile + 1, tile)]


def _under(layer: Conv2d, axis: int, results: range) -> list[int]:
    """Rows (axis 0) or columns (1) of the map, from the first to the last under some rows or columns of results."""
    stride, padding = layer.stride[axis], layer.padding[axis]
    end = results[-1] * stride + layer.kernel_extent[axis]
    return [at - padding for at in range(results[0] * stride, end) if 0 <= at - padding < layer.input_size[axis]]


def weight_bits(layer: Layer) -> int:
    """Width of what lies in the weight buffer."""
    return layer.second_bits if isinstance(layer, ActivationMatmul) else layer.operand_bits[0]


def elementwise_bits(layer: VectorLayer) -> tuple[int, int]:
    """Bits that an elementwise layer reads and writes over all steps."""
    return (
        layer.inputs_per_step * layer.steps * layer.activation_bits,
        layer.outputs_per_step * layer.steps * layer.output_bits,
    )
