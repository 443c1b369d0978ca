"""What a product on SiLago reads of its inputs from DRAM, where the tiles for activations do not hold them all."""

from __future__ import annotations

from simulators.platforms.silago.fabric import tile_bits
from simulators.platforms.silago.spec import SilagoSpec
from simulators.workloads.operations import Conv2d, Layer


def input_read_bits(layer: Layer, spec: SilagoSpec) -> int:
    """Bits of inputs that come from DRAM over all steps. A convolution reads each element of its map once if the tiles
    for activations hold the rows under its kernel, which the next row of results shares; if they hold what is under the
    kernel alone, a window moves along a row and the map is read once for each row of the kernel; else each window is
    read by itself. Padding is not read."""
    *_, inputs = layer.operands()
    if not isinstance(layer, Conv2d) or layer.expanded:
        return inputs.bits
    channels, holds = layer.in_channels // layer.groups, tile_bits(spec.dimarch.activation_tiles, spec)
    (height, width), (down, across) = layer.covered_size, layer.kernel_extent
    row_taps, column_taps = layer.taps
    rows, columns = min(height, row_taps), min(width, column_taps)  # strides may leave some out
    element_bits = channels * layer.activation_bits
    if down * width * element_bits > holds:
        rows = row_taps
        if down * across * element_bits > holds:
            columns = column_taps
    return rows * columns * layer.in_channels * layer.steps * layer.activation_bits
