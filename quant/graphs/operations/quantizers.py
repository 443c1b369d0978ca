"""Quantizers of a graph's own (QDQ): as the file has them in float, and the grids of sites where these have widths.

Those of 16 bits are never left out: a narrower grid behind them loses nothing by them, and what reads their integers,
as a table does, counts on their range.
"""

from dataclasses import replace

import torch

from quant.arithmetic.grid import Grid
from quant.graphs.call import Call, Operation
from quant.graphs.onnx_tensors import DTYPES, FOUR_BITS
from quant.sites.candidate import FIXED_POINT_BITS

_RANGES = {
    torch.int8: (8, -128, 127), torch.uint8: (8, 0, 255), torch.int16: (16, -32768, 32767),
    torch.uint16: (16, 0, 65535), torch.int32: (32, -(2**31), 2**31 - 1),
}  # fmt: skip
"""Bits, least and largest integer of a type."""
_LARGEST_BYTE = 255
_FOUR_BITS = {torch.int8: (4, -8, 7), torch.uint8: (4, 0, 15)}
"""Bits, least and largest integer of types of 4 bits, which are held in bytes."""


def _along(call: Call, x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Scales or zero points as they meet x: one for all, or one for each place along an axis."""
    if values.dim() == 0 or values.numel() == 1:
        return values.reshape(())
    if values.dim() != 1 or "block_size" in call.node.attributes:
        raise call.node.error("scales of blocks cannot be computed")
    shape = [1] * x.dim()
    shape[call.axis(1, x.dim())] = -1
    return call.fitted(values.reshape(shape), x)


def _range_of(call: Call, kind: torch.dtype, has_four_bits: bool) -> tuple[int, int, int]:
    ranges = _FOUR_BITS if has_four_bits else _RANGES
    if kind not in ranges:
        raise call.node.error(f"integers of type {kind}")
    return ranges[kind]


def _of_results(call: Call) -> tuple[torch.dtype, tuple[int, int, int]]:
    """The type of what a quantizer makes, and its range: the zero point's, the attribute's, or that of bytes."""
    zero = call.optional(2)
    if zero is not None:
        return zero.dtype, _range_of(call, zero.dtype, call.stored_bits(2) == 4)
    number = int(call.attribute("output_dtype", 0)) or 2
    if number not in DTYPES:
        raise call.node.error(f"output_dtype {number}")
    return DTYPES[number], _range_of(call, DTYPES[number], number in FOUR_BITS)


def _quantize(call: Call) -> torch.Tensor:
    x, scale, zero = call.input(0), call.input(1), call.optional(2)
    kind, (bits, lowest, highest) = _of_results(call)
    offset = torch.zeros(()) if zero is None else _along(call, x, zero).float()
    if scale.numel() == 1 and offset.numel() == 1:
        point = int(offset)
        call.scope.grids[call.node.outputs[0]] = Grid(bits, float(scale), lowest - point, highest - point)
    if call.run.quantized and bits != FIXED_POINT_BITS:
        return x
    codes = torch.round(x / _along(call, x, scale)) + offset
    call.cost({"multiply_add": x.numel(), "max": 2 * x.numel()}, x.numel(), x.numel())
    return codes.clamp(lowest, highest).to(kind)


def _quantize_dynamically(call: Call) -> tuple[torch.Tensor, ...]:
    """The values of bytes whose scale spans x and zero, with a scale of 1 and a zero point of 0: what reads them
    multiplies with these (`quant.graphs.dynamic_quantizers`)."""
    x = call.input(0)
    one, zero = torch.ones(()), torch.zeros((), dtype=torch.uint8)
    if call.run.quantized:
        return x, one, zero
    lowest, highest = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (highest - lowest) / _LARGEST_BYTE
    if not bool(scale > 0):
        return x, one, zero
    point = torch.round(-lowest / scale).clamp(0, _LARGEST_BYTE)
    codes = (torch.round(x / scale) + point).clamp(0, _LARGEST_BYTE)
    call.cost({"multiply_add": x.numel(), "max": 4 * x.numel()}, x.numel(), x.numel())
    return (codes - point) * scale, one, zero


def _dequantize(call: Call) -> torch.Tensor:
    x, scale, zero = call.input(0), call.input(1), call.optional(2)
    known, grid = call.is_constant(0), call.grid(0)
    if grid is None and not known and x.dtype in _RANGES and (zero is None or zero.numel() == 1):  # given as integers
        bits, lowest, highest = _range_of(call, x.dtype, zero is not None and call.stored_bits(2) == 4)
        point = 0 if zero is None else int(zero)
        grid = Grid(bits, 1.0, lowest - point, highest - point)
    if grid is not None and scale.numel() == 1:
        call.scope.grids[call.node.outputs[0]] = replace(grid, step=float(scale))
    if call.run.quantized and x.is_floating_point():
        return x
    offset = torch.zeros(()) if zero is None else _along(call, x, zero).float()
    if not known:
        call.cost({"multiply_add": x.numel()}, x.numel(), x.numel())
    return (x.float() - offset) * _along(call, x, scale)


QUANTIZERS: dict[str, Operation] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _quantize_dynamically,
}
