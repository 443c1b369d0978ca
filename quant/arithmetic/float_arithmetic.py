"""Networks in float32, as they are trained and as every quantized result is compared with."""

from collections.abc import Callable

import torch
from torch.nn import functional

from quant.arithmetic.protocol import RecurrentLayer

Rounding = Callable[[torch.Tensor], torch.Tensor]


def exactly(x: torch.Tensor) -> torch.Tensor:
    """No rounding."""
    return x


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
        """What a recurrent product does to the state that it reads; gradients pass it as it is."""
        return exactly
