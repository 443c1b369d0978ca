"""Dropout with one mask for all time steps of an utterance."""

import torch


def drop(x: torch.Tensor, rate: float, generator: torch.Generator | None) -> torch.Tensor:
    """x (T, B, C) with a share of its (utterance, channel) pairs zeroed and the others scaled up; without a generator,
    x."""
    if generator is None or not rate:
        return x
    keep = 1.0 - rate
    return x * (torch.rand(1, x.shape[1], x.shape[2], generator=generator) < keep).div(keep)
