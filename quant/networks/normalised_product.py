"""Batch normalisation of an input product, as weights and a shift.

Mean and variance of y = W x over N frames follow from those of x, so that y (N, R) with its R rows, far wider than x
(N, K), is multiplied once and never read again:

    mean y = W mean x,    var y_r = w_r C w_r',    C the covariance of x (K, K)
"""

import torch
from torch import nn

MOMENTUM = 0.1
"""Share of a batch in the running statistics, torch's default."""


def normalised_product(
    norm: nn.BatchNorm1d, weight: torch.Tensor, frames: torch.Tensor | None, shifted: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (R, K) and shift (R,) whose product is that of `weight`, normalised.

    `frames` (N, K) are the inputs of a training pass, over which it is normalised, and which move the running
    statistics; without them these normalise. `shifted` (R,) is 0 for rows that are scaled alone, and 1 for others.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance = norm.running_mean, norm.running_var
    if frames is not None:
        mean, variance = product_moments(weight, frames)
        with torch.no_grad():
            norm.running_mean.lerp_(mean, MOMENTUM)
            norm.running_var.lerp_(variance, MOMENTUM)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    shift = norm.bias - mean * scale
    return weight * scale[:, None], shift if shifted is None else shift * shifted


def product_moments(weight: torch.Tensor, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance (R,) each, of the product of weights (R, K) with frames (N, K), differentiable."""
    centre = frames.mean(0)
    centred = frames - centre
    covariance = centred.T @ centred / len(frames)
    return weight @ centre, ((weight @ covariance) * weight).sum(1)
