"""How a model's products and recurrences are computed: the seam between a network and the number formats it runs in.

A model says *what* is multiplied (`product`) and *what* recurs (`sru`); an arithmetic says *how*. Training runs in
`FloatArithmetic`; `quant.ptq` supplies one that records ranges and one that quantizes.
"""

from typing import Protocol

import torch
from torch.nn import functional

from quant.models.recurrence import sru_recurrence


class Arithmetic(Protocol):
    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """x (..., K) times weight (M, K) transposed, plus bias (M,): (..., M)."""
        ...

    def sru(self, site: str, u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The recurrence behind the product of `site`: see `quant.models.recurrence`."""
        ...


class FloatArithmetic:
    """Float32, differentiable."""

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        return functional.linear(x, weight, bias)

    def sru(self, site: str, u: torch.Tensor, vectors: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return sru_recurrence(u, vectors, lengths)
