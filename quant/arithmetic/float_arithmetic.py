"""Networks in float32, as they are trained and as every quantized result is compared with."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch.nn import functional

from quant.arithmetic.protocol import RecurrentLayer

Rounding = Callable[[torch.Tensor], torch.Tensor]


def exactly(x: torch.Tensor) -> torch.Tensor:
    """No rounding."""
    return x


@runtime_checkable
class ReadsInOrder(Protocol):
    """What a recurrent product makes of the states that it reads, one step after the other: it depends on the steps
    before, as what a delta network holds does. One is of one pass through time."""

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """What the next step multiplies of its state (D, B, C)."""
        ...

    def of_all(self, x: torch.Tensor) -> torch.Tensor:
        """What all steps multiply of theirs (T, D, B, C), from the first on."""
        ...


def read_by_all(read: Rounding, states: torch.Tensor) -> torch.Tensor:
    """What a recurrent product made of the states of all steps (T, D, B, C)."""
    return read.of_all(states) if isinstance(read, ReadsInOrder) else read(states)


class FloatArithmetic:
    """Float32, differentiable. What derives from it may round operands on their way into a product."""

    integer_products = False

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """x (..., K) times weight (M, K) transposed, plus bias (M,): (..., M)."""
        return functional.linear(x, weight, bias)

    def recurrence(self, layer: RecurrentLayer, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """A recurrent layer of D directions: x (T, B, K), lengths (B,) in frames → h (T, B, D, C)."""
        return layer.in_float(x, lengths, self)

    def recurrent_weight(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        """The weights (M, C) that a recurrent product multiplies."""
        return weight

    def recurrent_input(self, site: str) -> Rounding:
        """What a recurrent product does to the states that it reads in one pass through time; gradients pass it as it
        is."""
        return exactly
