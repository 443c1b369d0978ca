"""The seam between a network and the numbers that it is computed in.

A network says what is multiplied and which layer recurs; an arithmetic says in which numbers. A recurrent layer's cell
has a pass for each kind of numbers (`quant.networks.recurrent_cell`), and an arithmetic calls the one that is its own,
so that neither side has to know all of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from quant.arithmetic.float_arithmetic import FloatArithmetic
    from quant.arithmetic.integer import QuantizedArithmetic
    from quant.arithmetic.integer_reference import IntegerArithmetic
    from quant.arithmetic.observer import Observer


class Arithmetic(Protocol):
    """What a network asks of whoever computes it."""

    integer_products: bool
    """Whether operands of products are whole numbers of at most 9 bits, which bfloat16 holds exactly."""

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """x (..., K) times weight (M, K) transposed, plus bias (M,): (..., M)."""
        ...

    def recurrence(self, layer: RecurrentLayer, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """A bidirectional recurrent layer with its input product: x (T, B, K), lengths (B,) in frames → h (T, B, 2, C),
        zero past an utterance's end."""
        ...


class RecurrentLayer(Protocol):
    """What an arithmetic asks of a layer: x (T, B, K) and lengths (B,) in frames → h (T, B, 2, C), zero past an
    utterance's end, in each kind of numbers."""

    def in_float(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: FloatArithmetic) -> torch.Tensor:
        """Float32, differentiable."""
        ...

    def observed(self, x: torch.Tensor, lengths: torch.Tensor, observer: Observer) -> torch.Tensor:
        """Float32, while the observer is told the inputs, results and states of the layer's sites."""
        ...

    def in_fixed_point(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: QuantizedArithmetic) -> torch.Tensor:
        """Products of integer codes, everything else in 16-bit fixed point. The result may be int16 in gate steps,
        which `quant.arithmetic.products.encode` knows."""
        ...

    def in_integers(self, x: torch.Tensor, lengths: torch.Tensor, arithmetic: IntegerArithmetic) -> torch.Tensor:
        """Whole numbers alone. Raises InputError for a cell that has no such pass."""
        ...
