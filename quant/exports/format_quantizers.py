"""How a format of ONNX says that values lie on a grid: by quantizers with types of 4, 8 and 16 bits, or by QONNX's
Quant nodes of any width.

Either way an activation is rounded and clipped by one quantizer with its scale, and a weight matrix stands behind one
with its scales; the reference's 16-bit fixed point is on a grid of its own wherever it is handed on.
"""

from typing import Protocol

import numpy as np

from quant.arithmetic.integer_reference import CARRIED
from quant.arithmetic.whole_numbers import Ints, shifted
from quant.exports.integer_program import IntegerSite
from quant.exports.onnx_builder import OPSET, OnnxBuilder
from quant.sites.candidate import FIXED_POINT_BITS
from simulators.inputs.errors import InputError

QUANT_DOMAIN = "qonnx.custom_op.general"
"""Domain of QONNX's operators (Pappalardo et al. 2022)."""
_TYPES = {8: np.int8, 16: np.int16}
_NUDGES = 4
"""Float32 numbers on either side of a step among which its scale is looked for."""
ENDS = 2 ** (FIXED_POINT_BITS - 1)


class Quantizers(Protocol):
    """What the graph of a recogniser asks of a format. Real values are float32."""

    def check(self, site: IntegerSite) -> None:
        """Raise InputError where the format has not the widths of a site."""
        ...

    def quantize(self, graph: OnnxBuilder, x: str, site: IntegerSite, scale: np.float32, name: str) -> str:
        """Real values of real values: those of the grid of a site's activations, with this scale."""
        ...

    def features(self, graph: OnnxBuilder, codes: str, site: IntegerSite, name: str) -> str:
        """Real values of codes that are neither rounded nor clipped yet."""
        ...

    def weight(self, graph: OnnxBuilder, site: IntegerSite) -> str:
        """Real values (K, M) of a site's matrix."""
        ...

    def held(self, graph: OnnxBuilder, codes: str, fraction: int, name: str) -> str:
        """Codes of 16 bits (float64) as they are handed on."""
        ...

    def real(self, graph: OnnxBuilder, held: str, fraction: int, name: str) -> str:
        """Real values of what is handed on."""
        ...

    def first(self, graph: OnnxBuilder, count: int) -> str:
        """Zeros (count,) as they are handed on."""
        ...

    def codes(self, graph: OnnxBuilder, held: str, fraction: int) -> str:
        """Codes (float64) of what is handed on."""
        ...


class LinearQuantizers:
    """QuantizeLinear and DequantizeLinear, as the standard has them: what is handed on is int16."""

    def check(self, site: IntegerSite) -> None:
        """Raise InputError for widths that the standard's integers do not have."""
        for what, bits in (("weights", site.weight_bits), ("activations", site.activations.bits)):
            if bits not in (4, *_TYPES):
                raise InputError(
                    f"--format qdq: {what} of {site.name} at {bits} bits: quantizers of ONNX's operators {OPSET} have "
                    "4, 8 and 16 (--format qonnx has any)"
                )

    def quantize(self, graph: OnnxBuilder, x: str, site: IntegerSite, scale: np.float32, name: str) -> str:
        """QuantizeLinear, then DequantizeLinear."""
        codes = self._quantized(graph, x, site, scale, name)
        return graph.op("DequantizeLinear", codes, graph.constant(scale, np.float32), name=f"{name}.dequantized")

    def features(self, graph: OnnxBuilder, codes: str, site: IntegerSite, name: str) -> str:
        """QuantizeLinear at a scale of 1, then DequantizeLinear at the activations' own."""
        quantized = self._quantized(graph, codes, site, np.float32(1), name)
        scale = graph.constant(np.float32(site.activations.step), np.float32)
        return graph.op("DequantizeLinear", quantized, scale, name=f"{name}.dequantized")

    def weight(self, graph: OnnxBuilder, site: IntegerSite) -> str:
        """DequantizeLinear of codes (K, M): one scale, or one a column."""
        codes, name = np.ascontiguousarray(site.codes.T), f"{site.name}.codes"
        if site.weight_bits == 4:
            stored = graph.four_bits(codes, name)
        else:
            stored = graph.constant(codes.astype(_TYPES[site.weight_bits]), name=name)
        steps = site.weight_steps[0] if site.alike else site.weight_steps
        scale = graph.constant(np.asarray(steps, np.float32), np.float32)
        return graph.op("DequantizeLinear", stored, scale, name=f"{site.name}.weights", axis=1)

    def held(self, graph: OnnxBuilder, codes: str, fraction: int, name: str) -> str:
        """Codes as int16."""
        return graph.cast(codes, np.int16, name)

    def real(self, graph: OnnxBuilder, held: str, fraction: int, name: str) -> str:
        """DequantizeLinear by a power of two."""
        return graph.op("DequantizeLinear", held, graph.constant(2.0**-fraction, np.float32), name=name)

    def first(self, graph: OnnxBuilder, count: int) -> str:
        """Zeros of int16."""
        return graph.constant(np.zeros(count, np.int16))

    def codes(self, graph: OnnxBuilder, held: str, fraction: int) -> str:
        """Codes as float64."""
        return graph.cast(held, np.float64)

    def _quantized(self, graph: OnnxBuilder, x: str, site: IntegerSite, scale: np.float32, name: str) -> str:
        bits = site.activations.bits
        if bits == 4:
            zero = graph.four_bits(np.zeros((), np.int64), "zero_of_4_bits")
        else:
            zero = graph.constant(np.zeros((), _TYPES[bits]))
        return graph.op("QuantizeLinear", x, graph.constant(scale, np.float32), zero, name=f"{name}.quantized")


class QuantNodes:
    """Quant nodes of QONNX, which leave real values: what is handed on is float32."""

    def check(self, site: IntegerSite) -> None:
        """Nothing: all widths can be said."""

    def quantize(self, graph: OnnxBuilder, x: str, site: IntegerSite, scale: np.float32, name: str) -> str:
        """A Quant node."""
        grid = site.activations
        return self._quant(graph, x, scale, grid.bits, f"{name}.quantized", narrow=grid.lowest == -grid.highest)

    def features(self, graph: OnnxBuilder, codes: str, site: IntegerSite, name: str) -> str:
        """A Quant node at a scale of 1, and the multiplication by the activations' own."""
        rounded = self.quantize(graph, codes, site, np.float32(1), name)
        return graph.op("Mul", rounded, graph.constant(np.float32(site.activations.step), np.float32), name=name)

    def weight(self, graph: OnnxBuilder, site: IntegerSite) -> str:
        """A Quant node of real values (K, M) that lie on its grid already."""
        steps = np.asarray(site.weight_steps[0] if site.alike else site.weight_steps[None], np.float32)
        values = site.codes.T.astype(np.float32) * steps
        stored = graph.constant(np.ascontiguousarray(values), name=f"{site.name}.values")
        return self._quant(graph, stored, steps, site.weight_bits, f"{site.name}.weights")

    def held(self, graph: OnnxBuilder, codes: str, fraction: int, name: str) -> str:
        """A Quant node of 16 bits behind the real values."""
        real = graph.op("Mul", graph.cast(codes, np.float32), graph.constant(2.0**-fraction, np.float32))
        return self._quant(graph, real, np.float32(2.0**-fraction), FIXED_POINT_BITS, name)

    def real(self, graph: OnnxBuilder, held: str, fraction: int, name: str) -> str:
        """What is handed on itself."""
        return held

    def first(self, graph: OnnxBuilder, count: int) -> str:
        """Zeros of float32."""
        return graph.constant(np.zeros(count, np.float32))

    def codes(self, graph: OnnxBuilder, held: str, fraction: int) -> str:
        """The values by their step, exactly: a power of two."""
        return graph.op("Mul", graph.cast(held, np.float64), graph.constant(2.0**fraction))

    def _quant(
        self, graph: OnnxBuilder, x: str, scale: np.ndarray | np.float32, bits: int, name: str, narrow: bool = False
    ) -> str:
        zero, width = graph.constant(0.0, np.float32), graph.constant(float(bits), np.float32)
        return graph.op(
            "Quant", x, graph.constant(np.asarray(scale, np.float32), np.float32), zero, width, name=name,
            domain=QUANT_DOMAIN, signed=1, narrow=int(narrow), rounding_mode="ROUND",
        )  # fmt: skip


def said_scale(site: IntegerSite, fraction: int) -> np.float32:
    """The float32 scale by which rounding x / scale gives the reference's code of each of the 65,536 values of so many
    fractional bits: the activations' step, or a neighbour of it where a value lies between two codes. Raises
    InputError where there is none."""
    values = shifted(np.arange(-ENDS, ENDS), fraction - CARRIED)
    grid = site.activations
    codes = np.clip(site.encode(values), grid.lowest, grid.highest)
    real = (values * 2.0**-CARRIED).astype(np.float32)
    below = above = np.float32(grid.step)
    for _ in range(_NUDGES + 1):
        for scale in {below, above}:
            if np.array_equal(_rounded(real, scale, grid.lowest, grid.highest), codes):
                return scale
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
    raise InputError(f"site {site.name}: no scale of 32 bits near {grid.step!r} has the codes of the reference")


def _rounded(real: np.ndarray, scale: np.float32, lowest: int, highest: int) -> Ints:
    codes: Ints = np.clip(np.rint(real / scale), lowest, highest).astype(np.int64)
    return codes
