"""What a layer is for the columns: a product that streams, or a convolution that slides; and the rows that it moves."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from simulators.platforms.drra2.product_programs import (
    ProductSizes,
    SlidingSizes,
    product_program,
    product_share,
    sliding_program,
    vectors_at_once,
)
from simulators.platforms.drra2.program_parts import ColumnProgram
from simulators.platforms.drra2.spec import Drra2Spec
from simulators.workloads.operations import Conv2d, Layer


class RowTraffic(NamedTuple):
    """Rows of all columns."""

    buffer_read: int
    """From the input buffers into the SRAMs."""
    sram_read: int
    """From there into register files."""
    results: int
    """From register files into SRAMs, and from there to the output buffers."""


def sizes_of(layer: Layer, spec: Drra2Spec) -> ProductSizes | SlidingSizes:
    """A convolution slides where the words under a row of outputs fit one register file and a kernel another; else the
    host lays its windows out one behind the other, and they stream like vectors. The two are not compared: sliding is
    what hand-scheduled programs do and mostly moves far fewer rows, though streaming may take fewer cycles."""
    gemm = layer.as_gemm()
    assert gemm is not None
    if isinstance(layer, Conv2d) and not layer.expanded:
        words, (height, width) = spec.fabric.register_file_words, layer.output_size
        along = 1 if width > 1 or height == 1 else 0  # a map of one column is a row
        results = min(spec.fabric.row_words, layer.output_size[along])
        under = (results - 1) * layer.stride[along] + layer.kernel_extent[along]
        window_words = layer.in_channels // layer.groups * layer.kernel[1 - along] * under
        if gemm.k <= words and window_words <= words:
            maps = gemm.m * gemm.products * layer.steps
            return SlidingSizes(maps * height * width, maps, gemm.k, window_words)
    return ProductSizes(gemm.m, gemm.n, gemm.k, gemm.products, layer.waits_for_itself)


def program_of(sizes: ProductSizes | SlidingSizes, spec: Drra2Spec) -> ColumnProgram:
    """The program of a product or of a convolution that slides. Raises InputError for one that the cell does not
    hold."""
    return product_program(sizes, spec) if isinstance(sizes, ProductSizes) else sliding_program(sizes, spec)


def row_traffic(layer: Layer, sizes: ProductSizes | SlidingSizes, spec: Drra2Spec) -> RowTraffic:
    """Rows that a product or a convolution moves. Weights are read again for each vector, from the SRAMs where they fit
    beside it, else from the buffers."""
    row = spec.fabric.row_words
    *_, activations = layer.operands()
    results = ceil(layer.outputs_total().elements / row)
    if isinstance(sizes, SlidingSizes):
        assert isinstance(layer, Conv2d)
        of_map = ceil(layer.in_channels // layer.groups * layer.input_size[0] * layer.input_size[1] / row)
        # Each map of results reads its map of inputs, or what lies under its windows where these are far apart.
        under = ceil(sizes.outputs / sizes.maps / row) * ceil(sizes.window_words / row)
        kernels, read = sizes.maps * ceil(sizes.taps / row), sizes.maps * min(of_map, under)
        return RowTraffic(max(read, ceil(activations.elements / row)) + kernels, read + kernels, results)
    _, _, used = product_share(sizes, spec)
    vector, vectors = ceil(sizes.inputs / row), sizes.vectors * sizes.products
    if sizes.inputs <= spec.fabric.register_file_words:
        weights = ceil(sizes.outputs * sizes.inputs / row)
        loads = ceil(sizes.vectors / vectors_at_once(sizes, spec)) * sizes.products
        into_files = ceil(vectors * sizes.inputs / row) + loads  # each load begins with a row of its own
        from_buffer = max(into_files, ceil(activations.elements / row)) * used
        into_files *= used
    else:
        weights = sizes.outputs * vector
        into_files = sizes.outputs * vectors * vector
        stays = vector + 2 * spec.fabric.file_rows <= spec.fabric.sram_rows
        from_buffer = max(vectors * vector * used, ceil(activations.elements / row)) if stays else into_files
    beside = ceil(weights / used) + vector <= spec.fabric.sram_rows
    streamed = weights * vectors
    return RowTraffic(from_buffer + (weights * sizes.products if beside else streamed), into_files + streamed, results)
