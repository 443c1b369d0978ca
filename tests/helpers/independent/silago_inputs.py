"""What a product on SiLago reads of its inputs from DRAM where tiles do not hold them, counted element by element."""

from __future__ import annotations

from simulators import Conv2d
from simulators.workloads.operations import Layer


def read_bits(layer: Layer, holds: int) -> int:
    """Bits of inputs over all steps, with tiles for activations of so many bits. Of a convolution each element is read
    once where the rows under its kernel fit, once for each row of the kernel where only its window does, else once
    for each place of the kernel; padding never."""
    if not isinstance(layer, Conv2d) or layer.expanded:
        return layer.operands()[-1].bits
    element = layer.in_channels // layer.groups * layer.activation_bits
    (row_taps, column_taps), (height, width) = (_on_map(layer, 0), _on_map(layer, 1)), layer.kernel_extent
    covered_columns = _covered(layer, 1)
    rows, columns = min(_covered(layer, 0), len(row_taps)), min(covered_columns, len(column_taps))
    if height * covered_columns * element > holds:
        rows = len(row_taps)
        if height * width * element > holds:
            columns = len(column_taps)
    return rows * columns * element * layer.groups * layer.steps


def _covered(layer: Conv2d, axis: int) -> int:
    """Rows or columns of the map from its first to the last that lies under a window, between taps or at one."""
    end = (layer.output_size[axis] - 1) * layer.stride[axis] + layer.kernel_extent[axis]
    return len([at for at in range(layer.input_size[axis]) if at + layer.padding[axis] < end])


def _on_map(layer: Conv2d, axis: int) -> list[int]:
    """Rows (axis 0) or columns (1) of the map under those of the kernel, for each of the result in turn."""
    under = (
        result * layer.stride[axis] - layer.padding[axis] + tap * layer.dilation[axis]
        for result in range(layer.output_size[axis])
        for tap in range(layer.kernel[axis])
    )
    return [at for at in under if 0 <= at < layer.input_size[axis]]
