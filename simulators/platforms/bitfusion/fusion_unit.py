"""What a Bit Fusion unit computes: a multiplication put together from bit-bricks (Sharma et al., ISCA 2018, section 3).

A bit-brick multiplies two 2-bit digits, each with a sign of its own: an operand's top digit is signed if the operand
is, the others are not. Shifted by the weight of their digits, the bricks' products add up to the product.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulators.engine.program import Ints
from simulators.inputs.errors import InputError

DIGIT_BITS = 2
BRICKS = 16
"""Bit-bricks of one fusion unit."""
WIDTHS = (2, 4, 8, 16)


def digits(values: ArrayLike, bits: int, signed: bool) -> NDArray[np.int64]:
    """2-bit digits of integers, least significant first: (..., bits / 2). Raises InputError for values out of range."""
    if bits not in WIDTHS:
        raise InputError(f"{bits} bits: a fusion unit takes operands of {', '.join(map(str, WIDTHS))}")
    values = np.asarray(values, np.int64)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    if values.size and (values.min() < low or values.max() > high):
        raise InputError(f"values from {values.min()} to {values.max()}: {bits} bits hold {low} to {high}")
    parts = np.stack([(values >> shift) & 3 for shift in range(0, bits, DIGIT_BITS)], axis=-1)
    if signed:
        parts[..., -1] -= 4 * (parts[..., -1] >> 1)
    return parts


def multiply(
    activations: ArrayLike, weights: ArrayLike, activation_bits: int, weight_bits: int,
    activations_signed: bool = True, weights_signed: bool = True,
) -> NDArray[np.int64]:  # fmt: skip
    """Element-wise products as the bricks make them, exact for every pair of widths (16 x 16 bits fit int64)."""
    a = digits(activations, activation_bits, activations_signed)
    w = digits(weights, weight_bits, weights_signed)
    bricks = a[..., :, None] * w[..., None, :]
    shifts = DIGIT_BITS * (np.arange(a.shape[-1])[:, None] + np.arange(w.shape[-1]))
    products: Ints = (bricks << shifts).sum(axis=(-2, -1))
    return products


def products_per_cycle(activation_bits: int, weight_bits: int) -> float:
    """Products of one unit in a cycle: 16 bricks over the bricks of one product; below 1 for operands of 16 bits."""
    return BRICKS / ((activation_bits // DIGIT_BITS) * (weight_bits // DIGIT_BITS))
