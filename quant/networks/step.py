"""One step of a recurrence: how its values are held."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from quant.arithmetic.float_arithmetic import Rounding, exactly

Tensors = tuple[torch.Tensor, ...]

FastStep = Callable[..., None]
"""A compiled step with roundings: see `quant.arithmetic.kernels.lstm_step` for its arguments."""


@dataclass(frozen=True)
class StepRoundings:
    """How a step holds its values."""

    gate: Rounding = exactly
    """Holds gates, and other values in [-1, 1]."""
    memory: Rounding = exactly
    """Holds what is kept from step to step, and sums on the way to it."""
    sum: Rounding = exactly
    """Holds sums before a gate."""


@dataclass(frozen=True)
class Fractions:
    """Fractional bits of a step in whole numbers; gates have `quant.arithmetic.whole_numbers.GATE_FRACTION`."""

    sum: int
    """Bits of sums before a gate."""
    memory: int
    """Bits of what is kept from step to step."""
