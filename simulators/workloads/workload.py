"""What a user names as the work: a trace, or a topology without bits, at the bits and frames asked for."""

from __future__ import annotations

import re
from pathlib import Path

from simulators.inputs.errors import InputError
from simulators.workloads.scale_sim import read_topology
from simulators.workloads.trace import Trace, load_trace

_PAIR = re.compile(r"(\d{1,2})(?:x(\d{1,2}))?")
MAX_STEPS = 1 << 20


def load_workload(name: str, bits: str | None = None, steps: int | None = None) -> Trace:
    """A trace's file or shipped name, or a SCALE-Sim topology (.csv).

    `bits`, as in `8` or `4x8` (weights x activations), replaces those of all products, and must be said for a topology;
    `steps` is the number of frames or inputs instead of the file's, or of one. Raises InputError.
    """
    pair = None if bits is None else _bits(bits)
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise InputError(f"steps: {steps}: it must lie between 1 and {MAX_STEPS}")
    if Path(name).suffix.lower() == ".csv":
        if pair is None:
            raise InputError(f"{name}: a topology says nothing of bits: give --bits, as in --bits 8 or --bits 4x8")
        return read_topology(name, *pair, steps=steps or 1)
    trace = load_trace(name)
    if pair is not None:
        trace = trace.at_bits(*pair)
    return trace if steps is None else trace.at_steps(steps)


def _bits(text: str) -> tuple[int, int]:
    match = _PAIR.fullmatch(text.strip())
    pair = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= min(pair) <= max(pair) <= 16:
        raise InputError(f"bits {text!r}: expected a width from 1 to 16, or weights x activations, as in 4x8")
    return pair
