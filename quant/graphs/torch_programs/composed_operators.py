"""Operators of torch that are several of ONNX's, or one in another form."""

from collections.abc import Callable
from math import prod
from typing import Any

import torch

from quant.graphs.torch_programs.building import GraphBuilder
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]
_FLOAT = 1
"""ONNX's number of float32."""


def log1p(build: GraphBuilder, a: Arguments) -> Any:
    """The logarithm of 1 + x."""
    return build.emit("Log", build.emit("Add", a["self"], 1.0))


def masked_fill(build: GraphBuilder, a: Arguments) -> Any:
    """A number where a mask is set."""
    value = a["value"]
    filler = torch.tensor(value, dtype=a["self"].meta["val"].dtype) if isinstance(value, int | float) else value
    return build.emit("Where", a["mask"], filler, a["self"])


def cumulative_sum(build: GraphBuilder, a: Arguments) -> Any:
    """Sums up to each element of an axis."""
    return build.emit("CumSum", a["self"], torch.tensor(a["dim"]))


def triangle(upper: int) -> Callable[[GraphBuilder, Arguments], Any]:
    """What lies on one side of a diagonal: below it, or with `upper` above it."""
    return lambda build, a: build.emit("Trilu", a["self"], torch.tensor(a["diagonal"]), upper=upper)


def variance(build: GraphBuilder, a: Arguments) -> Any:
    """The mean square of what the mean leaves, by n or by n less a correction."""
    x, dims, correction = a["self"], a.get("dim"), a.get("correction", int(a.get("unbiased", True)))
    shape = x.meta["val"].shape
    along = list(range(len(shape))) if dims is None else [dims] if isinstance(dims, int) else list(dims)
    axes = build.sizes(along)
    apart = build.emit("Sub", x, build.emit("ReduceMean", x, axes, keepdims=1))
    keep = int(bool(a.get("keepdim")))
    mean = build.emit("ReduceMean", build.emit("Mul", apart, apart), axes, keepdims=keep)
    correction = 1 if correction is None else correction
    if correction == 0:
        return mean
    if all(isinstance(shape[axis], int) for axis in along):
        n = prod(int(shape[axis]) for axis in along)
        return build.emit("Mul", mean, n / max(0.0, n - correction))
    sizes = build.emit("Gather", build.emit("Shape", x), torch.tensor([axis % len(shape) for axis in along]))
    count = build.emit("Cast", build.emit("ReduceProd", sizes, keepdims=0), to=_FLOAT)
    return build.emit("Mul", mean, build.emit("Div", count, build.emit("Sub", count, float(correction))))


def vector_norm(build: GraphBuilder, a: Arguments) -> Any:
    """The root of the sum of squares along axes, or the sum of magnitudes."""
    orders = {1: "ReduceL1", 2: "ReduceL2"}
    if a["ord"] not in orders:
        raise InputError(f"{build.path}: a norm of order {a['ord']} cannot be translated")
    dims = a.get("dim")
    axes = [] if dims is None else [build.sizes([dims] if isinstance(dims, int) else list(dims))]
    return build.emit(orders[a["ord"]], a["self"], *axes, keepdims=int(bool(a.get("keepdim"))))
