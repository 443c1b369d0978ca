"""Layers whose outputs each see a window of a map."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import model_validator

from simulators.workloads.layer import Layer
from simulators.workloads.layer_fields import Extent, Margin


class WindowedLayer(Layer):
    """A layer whose outputs each see a window of a map of channels."""

    input_size: Extent
    """Height, width of the map, without padding."""
    kernel: Extent
    """Height, width of a window, in elements."""
    stride: Extent = (1, 1)
    """Distance of neighbouring windows, in elements down and across."""
    padding: Margin = (0, 0)
    """Zeros on either side of the map, above and below, left and right."""
    dilation: Extent = (1, 1)
    """Distance of neighbouring elements of the kernel on the map."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.output_size) < 1:
            raise ValueError(f"kernel {self.kernel}, dilation {self.dilation}: larger than the padded input")
        return self

    @property
    def kernel_extent(self) -> tuple[int, int]:
        """Height, width of what the kernel covers on the map."""
        (height, width), (down, across) = self.kernel, self.dilation
        return (height - 1) * down + 1, (width - 1) * across + 1

    @property
    def covered_size(self) -> tuple[int, int]:
        """Height, width of the part of the map that windows touch, from the first element to the last: what they touch
        of the padding is no part of it."""
        height, width = (
            min(size, max(0, (results - 1) * stride + kernel - margin))
            for size, margin, kernel, stride, results in zip(
                self.input_size, self.padding, self.kernel_extent, self.stride, self.output_size, strict=True
            )
        )
        return height, width

    @property
    def taps(self) -> tuple[int, int]:
        """Rows of the map under the kernel's rows, summed over the rows of the result, and columns likewise: without
        those in the padding."""
        height, width = (
            sum(_on_map(tap * apart - margin, stride, results, size) for tap in range(kernel))
            for kernel, apart, margin, stride, results, size in zip(
                self.kernel, self.dilation, self.padding, self.stride, self.output_size, self.input_size, strict=True
            )
        )
        return height, width

    @cached_property
    def output_size(self) -> tuple[int, int]:
        """Height, width of the result."""
        height, width = (
            (size + 2 * margin - kernel) // stride + 1
            for size, margin, kernel, stride in zip(
                self.input_size, self.padding, self.kernel_extent, self.stride, strict=True
            )
        )
        return height, width


def _on_map(first: int, stride: int, count: int, size: int) -> int:
    """How many of `count` positions, `stride` apart from the first, lie on a map of that size."""
    begin = max(0, -(first // stride))
    return max(0, min(count, -((first - size) // stride)) - begin)
