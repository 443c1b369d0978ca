"""Short-time Fourier transforms, as products of frames with the sines and cosines that a window scales: a site."""

from math import pi

import torch

from quant.graphs.call import Call, Operation
from quant.graphs.operations.site_products import site_product


def _stft(call: Call) -> torch.Tensor:
    """Real signals (B, L) or (B, L, 1) → (B, frames, bins, 2)."""
    x, step, window, length = call.input(0), call.input(1), call.optional(2), call.optional(3)
    x = x[..., 0] if x.dim() == 3 and x.shape[2] == 1 else x
    if x.dim() != 2:
        raise call.node.error(f"a signal of sizes {list(x.shape)}: expected real ones, (batch, length, 1)")
    if not call.is_constant(1) or not (window is None or call.is_constant(2)):
        raise call.node.error("its step or window is computed: only constant ones make a site")
    given = [int(length)] if length is not None else [] if window is None else [window.numel()]
    if not given:
        raise call.node.error("window and frame_length are missing")
    n, hop = given[0], int(step)
    if hop < 1 or not 1 <= n <= x.shape[1] or (window is not None and window.numel() != n):
        raise call.node.error(f"frames of {n} elements every {hop} of {x.shape[1]}")
    onesided = bool(call.attribute("onesided", 1))
    bins = n // 2 + 1 if onesided else n
    call.room([2 * bins, n])
    shape = torch.ones(n) if window is None else window
    source = call.input(1) if window is None else window
    matrix = call.run.sites.kept(source, f"transform {n} {bins}", lambda _: _basis(shape, bins))
    y = site_product(call, x.unfold(1, n, hop), matrix.unsqueeze(0), 0, None)
    apart: torch.Tensor = y.unflatten(-1, (2, bins))
    return apart.transpose(-1, -2)


def _basis(window: torch.Tensor, bins: int) -> torch.Tensor:
    """(2·bins, n): the real parts' rows, then the imaginary ones'."""
    n = len(window)
    turns = torch.outer(torch.arange(bins), torch.arange(n)) % n
    angles = turns.double() * (2 * pi / n)
    return (torch.cat((angles.cos(), -angles.sin())) * window.double()).float()


FOURIER: dict[str, Operation] = {"STFT": _stft}
"""Transforms, by ONNX's name."""
