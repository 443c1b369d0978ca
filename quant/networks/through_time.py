"""Cells that go through time by hand: faster than differentiating a step."""

from abc import abstractmethod
from typing import Any

import torch

from quant.arithmetic.float_arithmetic import Rounding, exactly
from quant.networks.gated import GatedCell
from quant.networks.step import Tensors


class _ByHand(torch.autograd.Function):
    """A recurrence whose cell goes through time by hand, in both directions of differentiation."""

    @staticmethod
    def forward(
        ctx: Any, cell: "CellWithBackward", u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding
    ) -> torch.Tensor:
        ctx.cell, ctx.read = cell, read
        h, *kept = cell.forward(u, w, bias, read)
        ctx.save_for_backward(w, bias, h, *kept)
        return h

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        w, bias, *kept = ctx.saved_tensors
        return None, *ctx.cell.backward(grad.contiguous(), w, bias, tuple(kept), ctx.read), None


class CellWithBackward(GatedCell):
    """A cell whose passes through time are written by hand: the graph of a step is never built, and the gradient of the
    weights is left to one product over all steps."""

    @abstractmethod
    def forward(self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding = exactly) -> Tensors:
        """h of every step, and what `backward` wants: arguments as of `differentiable`."""

    @abstractmethod
    def backward(
        self, grad: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, kept: Tensors, read: Rounding = exactly
    ) -> Tensors:
        """Gradients of u, w and bias from that of h, with `kept` the results of `forward`; what `read` does passes
        gradients as they are."""

    def memory(self, kept: Tensors) -> torch.Tensor:
        """What is kept from step to step at full width, from the results of `forward`: h."""
        return kept[0]

    def differentiable(
        self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor, read: Rounding = exactly
    ) -> torch.Tensor:
        """h (T, 2, B, C), differentiated by `backward`: see `GatedCell.differentiable`."""
        h: torch.Tensor = _ByHand.apply(self, u, w, bias, read)
        return h

    def outputs_and_memory(
        self, u: torch.Tensor, w: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """h of every step, and what is kept, from one `forward`: see `GatedCell.outputs_and_memory`."""
        kept = self.forward(u, w, bias)
        return kept[0], self.memory(kept)


def weight_gradient(grad_a: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """Σ over steps and utterances of grad_a (T, 2, B, M) times the product's inputs (T, 2, B, C): (2, M, C)."""
    a, b = (x.transpose(0, 1).flatten(1, 2) for x in (grad_a, inputs))
    return torch.bmm(a.transpose(1, 2), b)
