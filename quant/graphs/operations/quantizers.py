"""Quantizers of a graph's own (QDQ): as the file has them in float, and the grids of sites where these have widths."""

import torch

from quant.arithmetic.grid import Grid
from quant.graphs.call import Call, Operation

_RANGES = {
    torch.int8: (8, -128, 127), torch.uint8: (8, 0, 255), torch.int16: (16, -32768, 32767),
    torch.uint16: (16, 0, 65535), torch.int32: (32, -(2**31), 2**31 - 1),
}  # fmt: skip
"""Bits, least and largest integer of a type."""


def _along(call: Call, x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Scales or zero points as they meet x: one for all, or one for each place along an axis."""
    if values.dim() == 0 or values.numel() == 1:
        return values.reshape(())
    if values.dim() != 1 or "block_size" in call.node.attributes:
        raise call.node.error("scales of blocks cannot be computed")
    shape = [1] * x.dim()
    shape[call.axis(1, x.dim())] = -1
    return values.reshape(shape)


def _quantize(call: Call) -> torch.Tensor:
    x, scale, zero = call.input(0), call.input(1), call.optional(2)
    kind = torch.uint8 if zero is None else zero.dtype
    if kind not in _RANGES:
        raise call.node.error(f"integers of type {kind}")
    _, lowest, highest = _RANGES[kind]
    offset = torch.zeros(()) if zero is None else _along(call, x, zero).float()
    if call.run.quantized:
        return x
    codes = torch.round(x / _along(call, x, scale)) + offset
    call.cost({"multiply_add": x.numel(), "max": 2 * x.numel()}, x.numel(), x.numel())
    return codes.clamp(lowest, highest).to(kind)


def _dequantize(call: Call) -> torch.Tensor:
    x, scale, zero = call.input(0), call.input(1), call.optional(2)
    known = call.is_constant(0)
    bits, lowest, highest = _RANGES.get(torch.uint8 if zero is None else zero.dtype, (32, 0, 0))
    if not known and scale.numel() == 1 and bits < 32:
        point = 0 if zero is None else int(zero)
        call.scope.grids[call.node.outputs[0]] = Grid(bits, float(scale), lowest - point, highest - point)
    if call.run.quantized and x.is_floating_point():
        return x
    offset = torch.zeros(()) if zero is None else _along(call, x, zero).float()
    if not known:
        call.cost({"multiply_add": x.numel()}, x.numel(), x.numel())
    return (x.float() - offset) * _along(call, x, scale)


QUANTIZERS: dict[str, Operation] = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
