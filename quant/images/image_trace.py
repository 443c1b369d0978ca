"""What a convolutional network computes, as the simulators take it."""

from quant.images.image_networks import CLASSIFIER, ConvLayer, ImageNetwork
from quant.sites.candidate import Bits
from simulators import Conv2d, Elementwise, Matmul, Pool2d, Trace
from simulators.workloads.operations import VECTOR_BITS, ElementwiseOp

_Layer = Conv2d | Elementwise | Matmul | Pool2d


def image_trace(network: ImageNetwork, name: str, size: int, bits: Bits, steps: int) -> Trace:
    """The layers of a candidate for so many pictures of `size` rows and columns. Results have the width of the product
    that reads them, the widest of several, and 16 bits where a sum, a ReLU or the mean does."""
    sizes, layers = network.sizes(size), list[_Layer]()
    for layer in network.layers:
        layers += _convolution(network, layer, sizes, bits, steps)
    last = network.layers[-1]
    left = sizes[last.name]
    w, a = bits[CLASSIFIER]
    layers += [
        Pool2d(name="mean", kind="average", channels=last.outputs, input_size=(left, left), kernel=(left, left),
               stride=(left, left), steps=steps, activation_bits=VECTOR_BITS, output_bits=a),
        Matmul(name=CLASSIFIER, out_features=network.classes, in_features=network.features, steps=steps, weight_bits=w,
               activation_bits=a, output_bits=VECTOR_BITS),
    ]  # fmt: skip
    return Trace(name=name, steps=steps, layers=tuple(layers))


def _convolution(
    network: ImageNetwork, layer: ConvLayer, sizes: dict[str, int], bits: Bits, steps: int
) -> list[_Layer]:
    """A convolution, and its sum and ReLU, where it has them."""
    before, (w, a) = sizes[layer.source], bits[layer.name]
    elements = layer.outputs * sizes[layer.name] ** 2
    after: list[tuple[ElementwiseOp, int]] = []
    if layer.added is not None:
        after.append(("add", 2))
    if layer.relu:
        after.append(("relu", 1))
    left = _output_bits(network, layer, bits)
    made: list[_Layer] = [
        Conv2d(name=layer.name, in_channels=layer.inputs, out_channels=layer.outputs,
               kernel=(layer.kernel, layer.kernel), input_size=(before, before), stride=(layer.stride, layer.stride),
               padding=(layer.kernel // 2, layer.kernel // 2), groups=layer.groups, steps=steps, weight_bits=w,
               activation_bits=a, output_bits=VECTOR_BITS if after else left)
    ]  # fmt: skip
    for number, (op, operands) in enumerate(after, 1):
        made.append(
            Elementwise(name=f"{layer.name}.{op}", ops={op: elements}, inputs=operands * elements, outputs=elements,
                        steps=steps, output_bits=left if number == len(after) else VECTOR_BITS)
        )  # fmt: skip
    return made


def _output_bits(network: ImageNetwork, layer: ConvLayer, bits: Bits) -> int:
    """The width of what a layer leaves behind its sum and ReLU."""
    widths = [bits[other.name][1] for other in network.layers if other.source == layer.name]
    added = any(other.added == layer.name for other in network.layers)
    return VECTOR_BITS if added or not widths else max(widths)
