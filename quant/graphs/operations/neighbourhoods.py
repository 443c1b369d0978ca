"""Norms of neighbours: of channels beside each other, and of windows over maps; and the constants that a graph makes
itself for them."""

from math import pi

import torch
from torch.nn import functional

from quant.graphs.call import Call, Operation
from quant.graphs.onnx_tensors import computed_dtype
from quant.graphs.operations.reducing import window_pads


def _response(call: Call) -> torch.Tensor:
    """LRN: each element by a power of the squares of channels around it."""
    x, size = call.input(0), int(call.attribute("size", 1))
    if size < 1 or x.dim() < 2:
        raise call.node.error(f"{size} channels of {x.dim()} dimensions")
    alpha, beta = call.attribute("alpha", 1e-4), call.attribute("beta", 0.75)
    sides = [0, 0] * (x.dim() - 2) + [(size - 1) // 2, size // 2]
    sums = functional.pad(x.square(), sides).unfold(1, size, 1).sum(-1)
    n = x.numel()
    call.cost({"multiply": 3 * n, "add": (size - 1) * n, "multiply_add": n, "exp": 2 * n, "divide": n}, n, n)
    around: torch.Tensor = call.attribute("bias", 1.0) + alpha / size * sums
    made: torch.Tensor = x / around**beta
    return made


def _root_of_powers(call: Call, x: torch.Tensor, order: int) -> None:
    """Tell of the cost of a norm of windows or maps, before their sums."""
    n = x.numel()
    call.cost({"max": n, "add": n, **({"multiply": (order - 1) * n} if order > 1 else {})}, n, n)


def _norm_of_windows(call: Call) -> torch.Tensor:
    """LpPool, in one or two dimensions."""
    x, order = call.input(0), int(call.attribute("p", 2))
    kernel = list(call.attribute("kernel_shape", ()))
    dims = x.dim() - 2
    stride, dilation = call.steps("strides", dims), call.steps("dilations", dims)
    if dims not in (1, 2) or len(kernel) != dims or set(dilation) != {1} or order < 1:
        raise call.node.error(f"kernel {kernel} over {dims} dimensions, p {order}, dilations {dilation}")
    pads = window_pads(call, x.shape, kernel, stride, dilation)
    flat = [side for axis in range(dims - 1, -1, -1) for side in (pads[axis], pads[dims + axis])]
    powers = functional.pad(x.abs() ** order, flat)
    for axis in range(dims):
        powers = powers.unfold(2 + axis, kernel[axis], stride[axis])
    _root_of_powers(call, x, order)
    return powers.flatten(2 + dims).sum(-1) ** (1.0 / order)


def _norm_of_maps(call: Call) -> torch.Tensor:
    """GlobalLpPool."""
    x, order = call.input(0), int(call.attribute("p", 2))
    _root_of_powers(call, x, order)
    sums = (x.abs() ** order).sum(list(range(2, x.dim())), keepdim=True)
    return sums ** (1.0 / order)


def _identity_matrix(call: Call) -> torch.Tensor:
    x, given = call.input(0), call.node.attributes.get("dtype")
    if x.dim() != 2:
        raise call.node.error(f"a matrix like one of {x.dim()} dimensions")
    kind = x.dtype if given is None else computed_dtype(int(given), f"node {call.node.name}")
    made = torch.zeros(x.shape, dtype=kind)
    made.diagonal(int(call.attribute("k", 0))).fill_(1)
    return made


def _window(terms: tuple[float, ...]) -> Operation:
    """A sum of cosines over a window, of alternating sign."""

    def operation(call: Call) -> torch.Tensor:
        size = int(call.input(0))
        call.room([size])
        steps = size if call.attribute("periodic", 1) else size - 1
        turns = torch.arange(size, dtype=torch.float64) * (2 * pi / max(1, steps))
        made = sum((-1) ** i * term * torch.cos(i * turns) for i, term in enumerate(terms))
        assert isinstance(made, torch.Tensor)
        return made.to(computed_dtype(int(call.attribute("output_datatype", 1)), f"node {call.node.name}"))

    return operation


def _one_largest(call: Call) -> torch.Tensor:
    """Hardmax: 1 where the first largest element along an axis is, else 0."""
    x = call.input(0)
    axis = call.axis(-1, x.dim())
    call.cost({"max": x.numel()}, x.numel(), x.numel())
    return torch.zeros_like(x).scatter(axis, x.argmax(axis, keepdim=True), 1.0)


NEIGHBOURHOODS: dict[str, Operation] = {
    "LRN": _response, "LpPool": _norm_of_windows, "GlobalLpPool": _norm_of_maps, "EyeLike": _identity_matrix,
    "Hardmax": _one_largest, "HannWindow": _window((0.5, 0.5)),
    "HammingWindow": _window((25 / 46, 21 / 46)), "BlackmanWindow": _window((0.42, 0.5, 0.08)),
}  # fmt: skip
"""How each is computed, by ONNX's name."""
