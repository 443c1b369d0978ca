"""Both directions of time side by side: the second one's frames in reverse order, utterance by utterance."""

import torch


def side_by_side(u: torch.Tensor, lengths: torch.Tensor, directions: int) -> torch.Tensor:
    """(T, B, D·M) → (T, D, B, M), the second of two directions in its own order of time."""
    if directions == 1:
        return u[:, None]
    forward, backward = u.chunk(2, -1)
    return torch.stack((forward, turned(backward, lengths)), 1)


def in_time(h: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(T, D, B, C), the second of two directions in its own order of time → (T, B, D, C)."""
    if h.shape[1] == 1:
        return h.transpose(1, 2)
    return torch.stack((h[:, 0], turned(h[:, 1], lengths)), 2)


def turned(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Every utterance's true frames of x (T, B, …) in reverse order; what lies behind them is left where it is."""
    steps = torch.arange(len(x))[:, None]
    order = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return x[order, torch.arange(x.shape[1])]


def true_frames(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """(T, B): whether a frame of x (T, B, …) is one of its utterance."""
    return torch.arange(len(x))[:, None] < lengths


def before(x: torch.Tensor) -> torch.Tensor:
    """The values of the step before, of x (T, …); zero before the first."""
    return torch.cat((torch.zeros_like(x[:1]), x[:-1]))
