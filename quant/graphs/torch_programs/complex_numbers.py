"""Short-time Fourier transforms of torch, whose complex numbers are pairs along a last axis."""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from quant.graphs.torch_programs.building import GraphBuilder
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]


def stft(build: GraphBuilder, a: Arguments) -> Any:
    """`stft`: signals (B, L) or (L,) → (B, bins, frames), each a pair, of frames that lie in the signal."""
    x, n, window = a["self"], int(a["n_fft"]), a["window"]
    if a.get("center") or (a.get("return_complex") is False):
        raise InputError(f"{build.path}: stft: expected complex results, and padding by torch.stft itself")
    weights = torch.ones(int(a["win_length"] or n)) if window is None else build.tensor(window, "a window")
    before = (n - len(weights)) // 2
    weights = torch.nn.functional.pad(weights, (before, n - len(weights) - before))
    if a["normalized"]:
        weights = weights * n**-0.5
    is_single = x.meta["val"].dim() == 1
    signal = build.emit("Unsqueeze", x, build.sizes([0])) if is_single else x
    hop = torch.tensor(int(a["hop_length"] or n // 4))
    onesided = int(a["onesided"] is None or a["onesided"])
    y = build.emit("STFT", build.emit("Unsqueeze", signal, build.sizes([2])), hop, weights, onesided=onesided)
    turned = build.emit("Transpose", y, perm=(0, 2, 1, 3))
    return build.emit("Squeeze", turned, build.sizes([0])) if is_single else turned


def _magnitude(build: GraphBuilder, a: Arguments) -> Any:
    return build.emit("ReduceL2", a["self"], build.sizes([-1]), keepdims=0)


def _part(number: int) -> Callable[[GraphBuilder, Arguments], Any]:
    return lambda build, a: build.emit("Gather", a["self"], torch.tensor(number), axis=-1)


OF_COMPLEX: dict[str, Callable[[GraphBuilder, Arguments], Any]] = {
    "abs": _magnitude, "real": _part(0), "imag": _part(1),
    "view_as_real": lambda build, a: build.value(a["self"]),
}  # fmt: skip
"""How operators of complex numbers are translated, by their names."""


def reads_complex(node: fx.Node) -> bool:
    """Whether an operator is given complex numbers."""
    values = (source.meta.get("val") for source in node.all_input_nodes)
    return any(isinstance(value, torch.Tensor) and value.is_complex() for value in values)
