"""The functions of whole numbers (`quant.arithmetic.whole_numbers`) as nodes of ONNX: codes are float64, which holds
every number that there is exactly, but for the products of a multiplier, which are int64."""

import numpy as np

from quant.arithmetic.integer_reference import CARRIED
from quant.arithmetic.whole_numbers import Ints, Multiplier, sigmoid, tanh
from quant.exports.format_quantizers import ENDS, Quantizers
from quant.exports.integer_program import IntegerSite
from quant.exports.onnx_builder import OnnxBuilder

_ABOVE = 62  # 2^62 makes what is shifted positive: division of negative numbers rounds towards zero


def shift(graph: OnnxBuilder, x: str, right: int) -> str:
    """x / 2^right to the nearest whole number, ties to even; a negative shift multiplies."""
    if right == 0:
        return x
    scaled = graph.op("Mul", x, graph.constant(2.0**-right))
    return graph.op("Round", scaled) if right > 0 else scaled


def saturate(graph: OnnxBuilder, x: str) -> str:
    """The nearest number that a signed 16-bit word holds."""
    return graph.op("Clip", x, graph.constant(float(-ENDS)), graph.constant(float(ENDS - 1)))


def rounded_sum(graph: OnnxBuilder, *terms: tuple[str, int], to: int) -> str:
    """The sum of terms of their own fractional bits, rounded once and saturated to 16 bits."""
    fine = max(fraction for _, fraction in terms)
    total, *others = (shift(graph, x, fraction - fine) for x, fraction in terms)
    for other in others:
        total = graph.op("Add", total, other)
    return saturate(graph, shift(graph, total, fine - to))


def gate(graph: OnnxBuilder, function: str, x: str, fraction: int) -> str:
    """`sigmoid` or `tanh` of saturated codes, from a table of all 65,536 of them, in units of 2^-14."""
    words = np.arange(-ENDS, ENDS)
    table = {"sigmoid": sigmoid, "tanh": tanh}[function](words, fraction).astype(np.int16)
    place = graph.cast(graph.op("Add", x, graph.constant(float(ENDS))), np.int64)
    found = graph.op("Gather", graph.constant(table, name=f"{function}_of_{fraction}_bits"), place, name=function)
    return graph.cast(found, np.float64)


def matrix(graph: OnnxBuilder, quantizers: Quantizers, site: IntegerSite) -> str:
    """The codes (K, M), float64, of a site's weights, which stand behind a quantizer."""
    steps = np.asarray(site.weight_steps[0] if site.alike else site.weight_steps, np.float32)
    return _whole(graph, quantizers.weight(graph, site), steps)


def product(graph: OnnxBuilder, site: IntegerSite, w: str, real: str, scale: np.float32) -> str:
    """Saturated results (…, M) of a site's `matrix` and quantized real values (…, K), whose scale is given. Both are
    multiplied as the whole numbers that they are, for products of float32 values would be rounded."""
    x = _whole(graph, real, scale)
    sums = graph.cast(graph.op("MatMul", x, w, name=f"{site.name}.sums"), np.int64)
    results = times(graph, sums, site.rescale, site.bias)
    ends = graph.constant(-ENDS, np.int64), graph.constant(ENDS - 1, np.int64)
    return graph.cast(graph.op("Clip", results, *ends), np.float64, f"{site.name}.results")


def times(graph: OnnxBuilder, x: str, factor: Multiplier, plus: Ints | None = None) -> str:
    """x · factor to the nearest whole number, ties to even, and what is added then: int64."""
    if np.any(factor.first):
        x = _first_shift(graph, x, factor.first)
    lowest, highest = graph.constant(-(2**31), np.int64), graph.constant(2**31 - 1, np.int64)
    narrow = graph.op("Clip", x, lowest, highest)
    divisor = 1 << _one(factor.second)
    above = np.int64(1) << _ABOVE
    moved = graph.op("Add", graph.op("Mul", narrow, _integers(graph, _one(factor.m))), _integers(graph, above))
    quotient = graph.op("Div", moved, _integers(graph, divisor))
    rest = graph.op("Mod", moved, _integers(graph, divisor))
    odd = graph.op("Mod", quotient, _integers(graph, np.int64(2)))
    twice = graph.op("Add", graph.op("Add", rest, rest), odd)
    up = graph.cast(graph.op("Greater", twice, _integers(graph, divisor)), np.int64)
    offset = -(above // divisor) if plus is None else plus - above // divisor
    return graph.op("Add", graph.op("Add", quotient, up), _integers(graph, offset))


def _first_shift(graph: OnnxBuilder, x: str, first: Ints) -> str:
    """floor(x / 2^first), the last bit set where anything fell away."""
    divisor, above = np.int64(1) << _one(first), np.int64(1) << _ABOVE
    moved = graph.op("Add", x, _integers(graph, above))
    quotient = graph.op("Div", moved, _integers(graph, divisor))
    fell = graph.op("Greater", graph.op("Mod", moved, _integers(graph, divisor)), _integers(graph, np.int64(0)))
    even = graph.op("Equal", graph.op("Mod", quotient, _integers(graph, np.int64(2))), _integers(graph, np.int64(0)))
    sticky = graph.cast(graph.op("And", fell, even), np.int64)
    return graph.op("Add", graph.op("Add", quotient, sticky), _integers(graph, -(above // divisor)))


def read(graph: OnnxBuilder, quantizers: Quantizers, held: str, fraction: int, name: str) -> str:
    """Real values of what is handed on, in units of 2^-14 at the finest: what a site's encoding reads."""
    if fraction <= CARRIED:
        return quantizers.real(graph, held, fraction, name)
    codes = shift(graph, quantizers.codes(graph, held, fraction), fraction - CARRIED)
    return graph.cast(graph.op("Mul", codes, graph.constant(2.0**-CARRIED)), np.float32, name)


def _whole(graph: OnnxBuilder, real: str, scale: np.ndarray | np.float32) -> str:
    """The codes (float64) of values that lie on a grid of this scale."""
    by_scale = graph.op("Div", graph.cast(real, np.float64), graph.constant(np.asarray(scale, np.float64)))
    return graph.op("Round", by_scale)


def _integers(graph: OnnxBuilder, values: np.int64 | Ints) -> str:
    return graph.constant(np.asarray(values, np.int64))


def _one(values: Ints) -> Ints:
    """One number where all are the same."""
    flat = np.ravel(np.asarray(values, np.int64))
    return flat[0] if (flat == flat[0]).all() else flat
