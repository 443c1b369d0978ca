"""Matrix products of integer codes, exact whatever the operands and the machine.

Operands of 9 to 16 bits are two bytes each, so that every product is one of bytes: an 8 by 16 bit product is two of
them, 16 by 16 bits four, added in float64 and rounded once. A product of bytes is computed in the fastest exact way of
this machine, found by measurement for each shape: int8 operands with int32 sums (`torch._int_mm`), or float32 with
bfloat16 operands where no sum can reach 2^24, or float64.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch

from quant.arithmetic import kernels
from quant.arithmetic.grid import Grid
from quant.sites.candidate import FIXED_POINT_BITS

EXACT_IN_FLOAT32 = 2.0**24
"""Integers below it, and so sums that cannot reach it, are exact in float32."""
ROWS = 1024
"""Rows at a time of a product that is added from several, whose sums then stay in the caches."""
HOPELESS = 8.0
"""An int8 product that takes so many times as long as the float32 one of a small shape has no code of its own on this
machine, and is not measured at others, where it would take seconds."""
_LARGEST_BYTE = 128
_LARGEST_SPLIT = 2**15 - 129  # 256 · 127 + 127: beyond it the upper signed byte overflows


@dataclass(frozen=True)
class OperandCodes:
    """Activation codes (…, K) as bytes: k = high where `low` is None, else 256 · high + low + 128."""

    high: torch.Tensor
    low: torch.Tensor | None = None


def encode(x: torch.Tensor, grid: Grid) -> OperandCodes:
    """The nearest codes of a tensor (…, K) on a grid, as bytes: float32, or int16 in gate steps."""
    rows = x.contiguous().reshape(-1, x.shape[-1])
    high = torch.empty(x.shape, dtype=torch.int8)
    reciprocal = np.float32((kernels.GATE_STEP if x.dtype is torch.int16 else 1.0) / grid.step)
    if grid.bits < FIXED_POINT_BITS:
        lowest, highest = np.float32(grid.lowest), np.float32(grid.highest)
        kernels.encode8(rows.numpy(), reciprocal, lowest, highest, high.view(rows.shape).numpy())
        return OperandCodes(high)
    low = torch.empty_like(high)
    kernels.encode16(rows.numpy(), reciprocal, high.view(rows.shape).numpy(), low.view(rows.shape).numpy())
    return OperandCodes(high, low)


def values(x: torch.Tensor) -> torch.Tensor:
    """What `encode` takes, as float32."""
    return x * kernels.GATE_STEP if x.dtype is torch.int16 else x


def split(codes: torch.Tensor, grid: Grid) -> OperandCodes:
    """Whole codes (…, K) int32 as bytes."""
    if grid.bits < FIXED_POINT_BITS:
        return OperandCodes(codes.to(torch.int8))
    return OperandCodes((codes >> 8).to(torch.int8), ((codes & 255) - 128).to(torch.int8))


@dataclass(frozen=True)
class Weights:
    """Codes (M, K), integer-valued float32, of one weight matrix, and the step of each row (M,) float32."""

    codes: torch.Tensor
    steps: torch.Tensor
    bits: int

    @cached_property
    def largest_row(self) -> float:
        """The largest Σ |code| of a row: times the largest activation code, what a sum can reach."""
        return float(self.codes.abs().double().sum(1).max())

    @cached_property
    def offset(self) -> np.ndarray:
        """What the 128 of a two-byte activation adds to every sum (M,), float64."""
        return 128.0 * self.codes.double().sum(1).numpy()

    @cached_property
    def parts(self) -> tuple["_Bytes", ...] | None:
        """The matrix as one byte, or as an upper and a lower one; None for a code that two signed bytes cannot hold
        (above 32,639)."""
        codes = self.codes.to(torch.int32)
        if self.bits < FIXED_POINT_BITS:
            return (_Bytes(codes.to(torch.int8)),)
        if int(codes.max()) > _LARGEST_SPLIT:
            return None
        upper = (codes + 128) >> 8
        return _Bytes(upper.to(torch.int8)), _Bytes((codes - (upper << 8)).to(torch.int8))

    @cached_property
    def doubles(self) -> torch.Tensor:
        return self.codes.double()

    def multiply(self, x: OperandCodes, room: torch.Tensor | None = None) -> torch.Tensor:
        """Sums (…, M) of the products: int32, or float32 that is the exact sum rounded once. `room` (N, M) int32 may be
        written to instead of new memory, which is not in the caches yet."""
        shape = (*x.high.shape[:-1], len(self.codes))
        high = x.high.reshape(-1, x.high.shape[-1])
        low = None if x.low is None else x.low.reshape(high.shape)
        if self.parts is None:
            codes = high.double() if low is None else 256.0 * high.double() + low.double() + 128.0
            return (codes @ self.doubles.T).float().view(shape)
        if len(self.parts) == 1 and low is None:
            return self.parts[0].multiply(high, room).view(shape)
        result = torch.empty(len(high), len(self.codes))
        for start in range(0, len(high), ROWS):
            rows = slice(start, start + ROWS)
            self._combined(high[rows], None if low is None else low[rows], result[rows])
        return result.view(shape)

    def _combined(self, high: torch.Tensor, low: torch.Tensor | None, result: torch.Tensor) -> None:
        assert self.parts is not None
        operands = [high] if low is None else [high, low]
        # upper · high, lower · high, upper · low, lower · low, of those that there are
        sums = [part.multiply(x).to(torch.int32).numpy() for x in operands for part in self.parts]
        offset = np.zeros(len(self.codes)) if low is None else self.offset
        combine = kernels.combine_two if len(sums) == 2 else kernels.combine_four
        combine(*sums, offset, result.numpy())


class _Bytes:
    """A matrix of bytes (M, K) as the right operand of exact products."""

    def __init__(self, codes: torch.Tensor):
        self.int8 = codes.t().contiguous()
        self.float32 = codes.float()
        reach = float(codes.to(torch.int32).abs().sum(1).max()) * _LARGEST_BYTE
        self._float = _in_float32 if reach < EXACT_IN_FLOAT32 else _in_float64

    def multiply(self, x: torch.Tensor, room: torch.Tensor | None = None) -> torch.Tensor:
        """x (N, K) int8 times the transpose: (N, M), int32, in `room` if there is one, or exact float32."""
        inputs, outputs = self.int8.shape
        if int8_pays(x.shape[0], inputs, outputs, self._float is _in_float64):
            return torch._int_mm(x, self.int8, out=room)
        return self._float(x, self.float32)


def _in_float32(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Exact at every precision that torch may be set to; fast where it may use bfloat16 operands (`in_threads`)."""
    return x.float() @ weight.t()


def _in_float64(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (x.double() @ weight.double().t()).to(torch.int32)


def int8_pays(rows: int, inputs: int, outputs: int, beyond_float32: bool) -> bool:
    """Whether the int8 product is exact here and faster than the other, by one measurement for each shape."""
    rows = min(4096, 1 << rows.bit_length())
    return _exact_int8() and _worthwhile_int8() and _faster(rows, inputs, outputs, beyond_float32)


@cache
def _exact_int8() -> bool:
    """Whether int8 products are there, and right at their extremes: without VNNI some libraries saturate pairs at 16
    bits."""
    try:
        x = torch.full((16, 64), -128, dtype=torch.int8)
        return bool((torch._int_mm(x, x.t().contiguous()) == 64 * 2**14).all())
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


@cache
def _worthwhile_int8() -> bool:
    """Whether the machine multiplies int8 operands at all faster than one by one."""
    int8, float32 = _seconds_of(128, 256, 256, _in_float32)
    return int8 < HOPELESS * float32


@cache
def _faster(rows: int, inputs: int, outputs: int, beyond_float32: bool) -> bool:
    int8, other = _seconds_of(rows, inputs, outputs, _in_float64 if beyond_float32 else _in_float32)
    return int8 < other


def _seconds_of(rows: int, inputs: int, outputs: int, other: Callable[..., torch.Tensor]) -> tuple[float, float]:
    """Seconds of the int8 product of a shape (rows, inputs) · (inputs, outputs), and of another product of it."""
    x, weight = torch.ones(rows, inputs, dtype=torch.int8), torch.ones(outputs, inputs, dtype=torch.int8)
    turned, as_float = weight.t().contiguous(), weight.float()
    return _seconds(lambda: torch._int_mm(x, turned)), _seconds(lambda: other(x, as_float))


def _seconds(work: Callable[[], object]) -> float:
    """The shortest of four runs, after one that makes things ready."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times[1:])
