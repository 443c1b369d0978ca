"""Masks of sent deltas: as hexadecimal numbers (element 0 is the least significant bit) and as arrays of bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.errors import InputError

Sent = NDArray[np.uint8]
"""Array of (steps, elements): 1 where an element's delta was sent, else 0."""
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")


def packed_masks(masks: Sequence[str], elements: int) -> NDArray[np.uint8]:
    """Bytes (steps, (elements + 7) // 8) of hexadecimal masks, one a step, element 0 the least significant bit of the
    first. Raises InputError for a text that is no mask, and for a bit beyond the elements."""
    size = (elements + 7) // 8
    for step, mask in enumerate(masks):
        if not _HEXADECIMAL.fullmatch(mask):
            raise InputError(f"mask {mask[:40]!r} of step {step}: expected a hexadecimal number")
        if 4 * len(mask) > elements and int(mask, 16) >> elements:
            highest = int(mask, 16).bit_length() - 1
            raise InputError(f"mask {mask[:40]!r} of step {step}: bit {highest} of {elements} elements")
    digits = "".join([mask[-2 * size :].rjust(2 * size, "0") for mask in masks])
    return np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(len(masks), size)[:, ::-1]


def unpacked_masks(packed: NDArray[np.uint8]) -> list[str]:
    """Hexadecimal masks, one a step, of bytes as `packed_masks` makes them."""
    digits, size = packed[:, ::-1].tobytes().hex(), 2 * packed.shape[1]
    return [digits[begin : begin + size].lstrip("0") or "0" for begin in range(0, len(digits), size)]


def sent_of(masks: Sequence[str], elements: int) -> Sent:
    """The sent elements (steps, elements) of hexadecimal masks. Raises InputError as `packed_masks` does."""
    return np.unpackbits(packed_masks(masks, elements), axis=1, count=elements, bitorder="little")


def masks_of(sent: Sent) -> list[str]:
    """Hexadecimal masks, one a step, of the sent elements (steps, elements)."""
    return unpacked_masks(np.packbits(np.asarray(sent, bool), axis=1, bitorder="little"))
