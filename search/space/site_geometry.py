"""What a site's layers look like as convolutions, which matrix products are a case of."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.workloads.operations import Conv2d, Layer, Matmul


@dataclass(frozen=True)
class SiteGeometry:
    """The shape of a site's layer; a matrix product has stride 0 and kernel 1."""

    depthwise: bool = False
    """Whether every input channel is convolved alone."""
    in_channels: int = 0
    """Channels of the input, or columns of the matrix."""
    out_channels: int = 0
    """Channels of the result, or rows of the matrix; those of both directions where a site has two."""
    stride: int = 0
    """Distance of neighbouring windows, in elements."""
    kernel: int = 1
    """Height of the kernel."""
    positions: int = 0
    """Elements of one channel of the input; of a matrix the vectors that it is given at once: all frames, and one of a
    recurrent matrix."""


def geometry_of(layers: Sequence[Layer]) -> SiteGeometry:
    """The geometry of a site by its layers, which are alike; all 0 where none has weights."""
    weighted = [layer for layer in layers if isinstance(layer, Conv2d | Matmul)]
    if not weighted:
        return SiteGeometry()
    first = weighted[0]
    if isinstance(first, Conv2d):
        return SiteGeometry(
            depthwise=first.groups == first.in_channels > 1,
            in_channels=first.in_channels,
            out_channels=first.out_channels,
            stride=first.stride[0],
            kernel=first.kernel[0],
            positions=first.input_size[0] * first.input_size[1],
        )
    rows = sum(layer.out_features for layer in weighted if isinstance(layer, Matmul))
    positions = 1 if first.recurrent else first.steps
    return SiteGeometry(in_channels=first.in_features, out_channels=rows, positions=positions)
