"""How a format of ONNX says that values of a graph lie on a grid: nodes that round, and weights that are integers.

Values are multiplied by the reciprocal of a grid's step in front of a quantizer of scale 1, as they are where the
candidate is evaluated: a quantizer that divides by the step would round otherwise where a value lies between two codes.
"""

from typing import Protocol

import numpy as np

from quant.arithmetic.grid import Grid
from quant.exports.format_quantizers import QUANT_DOMAIN
from quant.exports.onnx_builder import OPSET, OnnxBuilder
from simulators.inputs.errors import InputError

_TYPES = {8: np.int8, 16: np.int16}


class GridNodes(Protocol):
    """What the writing of a graph asks of a format."""

    domains: tuple[str, ...]
    """Domains of its operators besides ONNX's own."""

    def check(self, site: str, weight_bits: int, grid: Grid) -> None:
        """Raise InputError where the format has not the widths of a site."""
        ...

    def codes(self, graph: OnnxBuilder, x: str, grid: Grid, name: str) -> str:
        """The codes (float32) of the nearest values on a grid."""
        ...

    def weight(
        self, graph: OnnxBuilder, codes: np.ndarray, steps: np.ndarray, axis: int | None, bits: int, name: str
    ) -> str:
        """Values of weights: codes with one step, or one for each place along an axis."""
        ...


def on_grid(nodes: GridNodes, graph: OnnxBuilder, x: str, grid: Grid, name: str) -> str:
    """The nearest values on a grid."""
    codes = nodes.codes(graph, x, grid, name)
    return graph.op("Mul", codes, graph.constant(np.float32(grid.step), np.float32), name=f"{name}.value")


def _scaled(graph: OnnxBuilder, x: str, grid: Grid, name: str) -> str:
    return graph.op("Mul", x, graph.constant(np.float32(1.0 / grid.step), np.float32), name=f"{name}.scaled")


class LinearNodes:
    """QuantizeLinear and DequantizeLinear of ONNX's own."""

    domains: tuple[str, ...] = ()

    def check(self, site: str, weight_bits: int, grid: Grid) -> None:
        """Raise InputError for widths that the standard's integers do not have."""
        for what, bits in (("weights", weight_bits), ("activations", grid.bits)):
            if bits not in (4, *_TYPES):
                raise InputError(
                    f"format qdq: {what} of {site} at {bits} bits: quantizers of ONNX's operators "
                    f"{OPSET} have 4, 8 and 16 (qonnx has any)"
                )
        if grid.highest - grid.lowest != (1 << grid.bits) - 1:
            raise InputError(f"format qdq: activations of {site}: codes {grid.lowest} to {grid.highest}")

    def codes(self, graph: OnnxBuilder, x: str, grid: Grid, name: str) -> str:
        """QuantizeLinear and DequantizeLinear of scale 1."""
        point = -(1 << (grid.bits - 1)) - grid.lowest
        if grid.bits == 4:
            zero = graph.four_bits(np.asarray(point), f"point_of_4_bits_{point}")
        else:
            zero = graph.constant(np.asarray(point, _TYPES[grid.bits]))
        one = graph.constant(np.float32(1), np.float32)
        codes = graph.op("QuantizeLinear", _scaled(graph, x, grid, name), one, zero, name=f"{name}.quantized")
        return graph.op("DequantizeLinear", codes, one, zero, name=f"{name}.dequantized")

    def weight(
        self, graph: OnnxBuilder, codes: np.ndarray, steps: np.ndarray, axis: int | None, bits: int, name: str
    ) -> str:
        """DequantizeLinear of integers, by halves of the steps, and twice that. Where a matrix product reads integers
        behind DequantizeLinear alone, ONNX Runtime rounds what they are multiplied with to 8 bits."""
        whole = codes.astype(np.int64)
        stored = graph.four_bits(whole, f"{name}.codes") if bits == 4 else graph.constant(
            whole.astype(_TYPES[bits]), name=f"{name}.codes"
        )  # fmt: skip
        halves = graph.constant(np.asarray(steps, np.float32) / np.float32(2), np.float32)
        real = graph.op("DequantizeLinear", stored, halves, name=f"{name}.halves", axis=axis or 0)
        return graph.op("Mul", real, graph.constant(np.float32(2), np.float32), name=f"{name}.weights")


class QuantNodesOfGraphs:
    """Quant nodes of QONNX, of any width."""

    domains: tuple[str, ...] = (QUANT_DOMAIN,)

    def check(self, site: str, weight_bits: int, grid: Grid) -> None:
        """Nothing: all widths can be said."""

    def codes(self, graph: OnnxBuilder, x: str, grid: Grid, name: str) -> str:
        """A Quant node of scale 1."""
        narrow = grid.highest - grid.lowest == (1 << grid.bits) - 2
        point = float(narrow - (1 << (grid.bits - 1)) - grid.lowest)
        one = graph.constant(np.float32(1), np.float32)
        return self._quant(graph, _scaled(graph, x, grid, name), one, point, grid.bits, f"{name}.quantized", narrow)

    def weight(
        self, graph: OnnxBuilder, codes: np.ndarray, steps: np.ndarray, axis: int | None, bits: int, name: str
    ) -> str:
        """A Quant node of values that lie on its grid already."""
        shape = [1] * codes.ndim
        if axis is not None:
            shape[axis] = -1
        scale = np.asarray(steps, np.float32).reshape(shape if axis is not None else ())
        stored = graph.constant(codes.astype(np.float32) * scale, name=f"{name}.values")
        return self._quant(graph, stored, graph.constant(scale, np.float32), 0.0, bits, f"{name}.weights")

    def _quant(
        self, graph: OnnxBuilder, x: str, scale: str, point: float, bits: int, name: str, narrow: bool = False
    ) -> str:
        zero, width = graph.constant(point, np.float32), graph.constant(float(bits), np.float32)
        return graph.op(
            "Quant", x, scale, zero, width, name=name, domain=QUANT_DOMAIN, signed=1, narrow=int(narrow),
            rounding_mode="ROUND",
        )  # fmt: skip
