"""What the published closed form takes of a trace's layers."""

from __future__ import annotations

from simulators.inputs.errors import InputError
from simulators.platforms.bit_serial.published import (
    PublishedArray,
    PublishedProduct,
    convolution,
    depthwise,
    fully_connected,
)
from simulators.workloads.operations import Conv2d, Layer, Matmul


def product_of(layer: Layer, array: PublishedArray) -> PublishedProduct:
    """A convolution, an image after the other; a product of all its vectors at once, or, where it is recurrent, of one
    after the other. Raises InputError that names the layer for what the closed form does not know."""
    if layer.index_bits:
        raise InputError(f"layer {layer.name}: weight_sparsity: the published model knows dense weights only")
    if isinstance(layer, Matmul):
        product = fully_connected(array, layer.in_features, layer.out_features, 1 if layer.recurrent else layer.steps)
        return product._replace(times=layer.steps if layer.recurrent else 1)
    if not isinstance(layer, Conv2d):
        raise InputError(f"layer {layer.name}: {layer.op}: the published model has no such operation")
    taps, pixels = layer.kernel[0] * layer.kernel[1], layer.output_size[0] * layer.output_size[1]
    if layer.groups == 1:
        return convolution(array, layer.in_channels, layer.out_channels, taps, pixels, layer.steps)
    if not layer.groups == layer.in_channels == layer.out_channels:
        raise InputError(
            f"layer {layer.name}: {layer.groups} groups of {layer.in_channels} to {layer.out_channels} channels: the "
            "published model has convolutions of one group, and depthwise ones"
        )
    return depthwise(array, layer.out_channels, taps, pixels, layer.steps)
