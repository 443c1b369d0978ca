"""Roots, whose slope is infinite at zero."""

from collections.abc import Callable

import torch


def flat_at_zero(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """A root of x, through which no gradient passes where x is 0: an infinite one, times the zero that a square in
    front of it has there, is no number, and silence has many such magnitudes of a spectrum."""
    if not (x.requires_grad and torch.is_grad_enabled()):
        return function(x)
    is_zero = x == 0
    return torch.where(is_zero, function(x.detach()), function(torch.where(is_zero, torch.ones_like(x), x)))


def square_root(x: torch.Tensor) -> torch.Tensor:
    """√x; see `flat_at_zero`."""
    return flat_at_zero(torch.sqrt, x)
