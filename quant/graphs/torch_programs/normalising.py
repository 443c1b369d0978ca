"""Normalisations of torch, and gated linear units."""

from typing import Any

import torch

from quant.graphs.torch_programs.building import GraphBuilder
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]


def batch_norm(build: GraphBuilder, a: Arguments) -> Any:
    """Normalisation by the statistics of training."""
    if a.get("training") or a["running_mean"] is None:
        raise InputError(f"{build.path}: batch normalisation in training cannot be translated: call eval()")
    mean = build.tensor(a["running_mean"], "a mean")
    scale, shift = _factors(a, len(mean))
    return build.emit("BatchNormalization", a["input"], scale, shift, mean, a["running_var"], epsilon=float(a["eps"]))


def layer_norm(build: GraphBuilder, a: Arguments) -> Any:
    """Over the last axes."""
    shape = list(a["normalized_shape"])
    weight = torch.ones(shape) if a["weight"] is None else a["weight"]
    bias = [] if a["bias"] is None else [a["bias"]]
    return build.emit("LayerNormalization", a["input"], weight, *bias, axis=-len(shape), epsilon=float(a["eps"]))


def group_norm(build: GraphBuilder, a: Arguments) -> Any:
    """Over groups of channels, which lie in axis 1."""
    scale, shift = _factors(a, int(a["input"].meta["val"].shape[1]))
    return build.emit(
        "GroupNormalization", a["input"], scale, shift, num_groups=a["num_groups"], epsilon=float(a["eps"])
    )


def instance_norm(build: GraphBuilder, a: Arguments) -> Any:
    """Normalisation of each channel by itself, or by the statistics of training where the module has tracked them."""
    if not a["use_input_stats"]:
        return batch_norm(build, a)
    scale, shift = _factors(a, int(a["input"].meta["val"].shape[1]))
    return build.emit("InstanceNormalization", a["input"], scale, shift, epsilon=float(a["eps"]))


def rms_norm(build: GraphBuilder, a: Arguments) -> Any:
    """Division by the root of the mean square over the last axes."""
    x, axes = a["input"], build.sizes(list(range(-len(a["normalized_shape"]), 0)))
    epsilon = torch.finfo(x.meta["val"].dtype).eps if a["eps"] is None else float(a["eps"])
    mean = build.emit("ReduceMean", build.emit("Mul", x, x), axes, keepdims=1)
    y = build.emit("Div", x, build.emit("Sqrt", build.emit("Add", mean, epsilon)))
    return y if a["weight"] is None else build.emit("Mul", y, a["weight"])


def glu(build: GraphBuilder, a: Arguments) -> Any:
    """The first half along an axis times the sigmoid of the second."""
    half = a["self"].meta["val"].shape[a["dim"]] // 2
    first, second = build.emit("Split", a["self"], build.sizes([int(half)] * 2), axis=a["dim"], results=2)
    return build.emit("Mul", first, build.emit("Sigmoid", second))


def _factors(a: Arguments, channels: int) -> tuple[Any, Any]:
    """The factor and the summand of each channel: 1 and 0 where there are none."""
    return (
        torch.ones(channels) if a["weight"] is None else a["weight"],
        torch.zeros(channels) if a["bias"] is None else a["bias"],
    )
