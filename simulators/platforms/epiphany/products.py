"""A layer as what streams through a chain of cores: outputs that stay on their cores with their weights, and vectors
that flow past in stripes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from math import ceil
from typing import NamedTuple

from simulators.platforms.epiphany.core import HALF_WORD, WORD
from simulators.platforms.epiphany.spec import EpiphanySpec
from simulators.workloads.operations import ActivationMatmul, Conv2d, Layer, VectorLayer


def operand_bits(bits: int) -> int:
    """Width of activations in memory: a half word or a word."""
    return HALF_WORD if bits <= HALF_WORD else WORD


def on_chip(elements: int, width_bits: int, spec: EpiphanySpec) -> bool:
    """Whether what one layer leaves for another lies on the cores, spread evenly, in one half of their room for
    activations. It is asked of a tensor alone, so both layers know."""
    return elements * operand_bits(width_bits) <= spec.mesh.grid.nodes * spec.memory.activations_kib * 1024 * 8 / 2


class StreamedProduct(NamedTuple):
    """A product, a convolution or products of two activations."""

    outputs: int
    """Outputs of a vector, over all groups of a convolution."""
    inputs: int
    """Length of the reduction."""
    vectors: int
    """Vectors of a product: steps, or pixels."""
    products: int
    """Products that follow each other, each with weights of its own."""
    weight_bits: int
    activation_bits: int
    """Width of an activation in memory."""
    output_bits: int
    """Width of a result in memory."""
    recurrent: bool
    inputs_on_chip: bool
    outputs_on_chip: bool
    weights_are_activations: bool
    weights_on_chip: bool
    """Whether the second activation of products of two lies on the cores."""
    elementwise_cycles: int
    """Cycles of all elementwise work on a vector, on one core."""
    rest_bits: int
    """What the elementwise layer takes of each vector besides the results, from DRAM; 0 where it lies on the cores."""
    handed_on: int
    """Elements of a vector that are left: the elementwise layer's, where there is one."""
    constants_bits: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.outputs * self.inputs * self.vectors * self.products


def elementwise_cycles(layer: VectorLayer, spec: EpiphanySpec) -> int:
    """Cycles of a step's operations on one core. Raises KeyError for an operation without a figure."""
    cycles: dict[str, int] = {str(op): figure for op, figure in spec.core.cycles_per_op.items()}
    return sum(count * cycles[op] for op, count in layer.operations_per_step.items())


class Constants(Enum):
    """Where constants of elementwise work lie: where the network's weights do."""

    ON_CORES = "on the cores"
    IN_DRAM = "in DRAM"


def streamed_product(layers: Sequence[Layer], where: Constants, spec: EpiphanySpec) -> StreamedProduct:
    """The product of a segment's first layer, with the elementwise layer behind it where there is one."""
    layer = layers[0]
    gemm, (weight_bits, activation_bits) = layer.as_gemm(), layer.operand_bits
    assert gemm is not None
    convolves, pairs = isinstance(layer, Conv2d), isinstance(layer, ActivationMatmul)
    outputs, products = (gemm.m * gemm.products, 1) if convolves else (gemm.m, gemm.products)
    last = layers[-1]
    results = last.outputs_total()
    inputs = next(operand for operand in layer.operands() if operand.name == "activations")
    second = next((operand for operand in layer.operands() if operand.name == "second activations"), None)
    rest = cycles = constants = 0
    if isinstance(last, VectorLayer):
        elements = max(0, last.inputs_per_step - outputs)
        if not on_chip(elements * last.steps, last.activation_bits, spec):
            rest = elements * operand_bits(last.activation_bits)
        cycles = elementwise_cycles(last, spec)
        constants = last.vector_words * HALF_WORD if where is Constants.IN_DRAM else 0
    return StreamedProduct(
        outputs=outputs,
        inputs=gemm.k,
        vectors=gemm.n,
        products=products,
        weight_bits=operand_bits(weight_bits) if pairs else weight_bits,
        activation_bits=operand_bits(activation_bits),
        output_bits=operand_bits(results.width_bits),
        recurrent=layer.waits_for_itself,
        inputs_on_chip=on_chip(inputs.elements, inputs.width_bits, spec),
        outputs_on_chip=on_chip(results.elements, results.width_bits, spec),
        weights_are_activations=pairs,
        weights_on_chip=second is not None and on_chip(second.elements, second.width_bits, spec),
        elementwise_cycles=cycles,
        rest_bits=rest,
        handed_on=results.elements // (gemm.n * products),
        constants_bits=constants,
    )


def stripe_elements(layer: Layer, vectors: int) -> int:
    """Elements that flow past for so many vectors in a row: of a convolution the rectangle of the map beneath them,
    whole rows of it where they are more than one row, with the halo of the kernel and without padding; at most what an
    expanded map has."""
    gemm = layer.as_gemm()
    assert gemm is not None
    if not isinstance(layer, Conv2d):
        return gemm.k * vectors
    (height, width), (down, across) = layer.output_size, layer.stride
    expanded = gemm.k * layer.groups * vectors
    if layer.expanded:
        return expanded
    images, left = divmod(vectors, height * width)
    rows = ceil(left / width)
    tall = min(layer.covered_size[0], (rows - 1) * down + layer.kernel_extent[0]) if rows else 0
    wide = layer.covered_size[1]
    if rows == 1:
        wide = min(wide, (left - 1) * across + layer.kernel_extent[1])
    whole = layer.covered_size[0] * layer.covered_size[1]
    return min(expanded, layer.in_channels * (images * whole + tall * wide))
