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
    packed = bytearray()
    for step, mask in enumerate(masks):
        if not _HEXADECIMAL.fullmatch(mask):
            raise InputError(f"mask {mask[:40]!r} of step {step}: expected a hexadecimal number")
        value = int(mask, 16)
        if value >> elements:
            raise InputError(f"mask {mask[:40]!r} of step {step}: bit {value.bit_length() - 1} of {elements} elements")
        packed += value.to_bytes(size, "little")
    return np.frombuffer(bytes(packed), np.uint8).reshape(len(masks), size)


def unpacked_masks(packed: NDArray[np.uint8]) -> list[str]:
    """Hexadecimal masks, one a step, of bytes as `packed_masks` makes them."""
    return [f"{int.from_bytes(row.tobytes(), 'little'):x}" for row in packed]


def sent_of(masks: Sequence[str], elements: int) -> Sent:
    """The sent elements (steps, elements) of hexadecimal masks. Raises InputError as `packed_masks` does."""
    return np.unpackbits(packed_masks(masks, elements), axis=1, count=elements, bitorder="little")


def masks_of(sent: Sent) -> list[str]:
    """Hexadecimal masks, one a step, of the sent elements (steps, elements)."""
    return unpacked_masks(np.packbits(np.asarray(sent, bool), axis=1, bitorder="little"))
