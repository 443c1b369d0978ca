"""A product that is taken at every step of a recurrence, whose weights' gradient is left to one product over all steps:
step by step it would be a matrix of their size each time."""

from typing import Any

import torch

Pairs = list[tuple[torch.Tensor, torch.Tensor]]
"""What each step read (B, C), and the gradient of what it left (B, M)."""


class StepwiseProduct:
    """Weights (M, C) times what each step reads."""

    def __init__(self, weight: torch.Tensor):
        self._pairs: Pairs = []
        self._weight = weight
        if weight.requires_grad and torch.is_grad_enabled():
            self._weight = _Gathered.apply(weight, self._pairs)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, C) → (B, M)."""
        if self._weight.requires_grad:
            y: torch.Tensor = _OneStep.apply(x, self._weight, self._pairs)
            return y
        return x @ self._weight.T


class _Gathered(torch.autograd.Function):
    """The weights, whose gradient is that of all steps: torch asks for it when it has gone back through all of them."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.pairs = pairs
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        if not ctx.pairs:
            return grad, None
        read, left = (torch.cat(parts) for parts in zip(*ctx.pairs, strict=True))
        ctx.pairs.clear()
        return left.T @ read, None


class _OneStep(torch.autograd.Function):
    """One step's product, which only notes what its weights' gradient is made of."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, pairs: Pairs) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.pairs = pairs
        return x @ weight.T

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        x, weight = ctx.saved_tensors
        ctx.pairs.append((x, grad))
        return (grad @ weight if ctx.needs_input_grad[0] else None), None, None
