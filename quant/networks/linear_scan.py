"""A state that is linear in the one before, s = a s' + b elementwise, over all steps: differentiable by hand."""

from typing import Any

import torch

from quant.networks.time_order import before


class _Scan(torch.autograd.Function):
    """Backward in time, the gradient of s is the sum of its own and of that of the next state, times a."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        s = torch.empty_like(b)
        state = torch.zeros_like(b[0])
        for t in range(len(b)):
            state = torch.addcmul(b[t], a[t] if a.dim() == b.dim() else a, state)
            s[t] = state
        ctx.save_for_backward(a, s)
        return s

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, s = ctx.saved_tensors
        by_step = a.dim() == s.dim()
        turned, grad_b = a.conj(), torch.empty_like(s)
        carry = torch.zeros_like(s[0])
        for t in range(len(s) - 1, -1, -1):
            carry = carry + grad[t]
            grad_b[t] = carry
            carry = carry * (turned[t] if by_step else turned)
        grad_a = grad_b * before(s).conj()
        return grad_a if by_step else grad_a.sum(0).sum_to_size(a.shape), grad_b


def linear_scan(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """All states (T, …) from zero on: b (T, …) enters; a, of the same shape or of one step's, is the share that is kept
    of the state before. Real or complex."""
    s: torch.Tensor = _Scan.apply(a, b)
    return s
