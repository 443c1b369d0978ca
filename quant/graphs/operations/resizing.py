"""Maps in other sizes (Resize): the nearest element, or the line between two, axis by axis."""

from collections.abc import Callable

import torch

from quant.graphs.call import Call, Operation

Places = Callable[[torch.Tensor, int, int, float], torch.Tensor]


def _align_corners(at: torch.Tensor, size: int, made: int, scale: float) -> torch.Tensor:
    return at * (size - 1) / (made - 1) if made > 1 else torch.zeros_like(at)


_PLACES: dict[str, Places] = {
    "half_pixel": lambda at, size, made, scale: (at + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda at, size, made, scale: (at + 0.5) / scale - 0.5 if made > 1 else torch.zeros_like(at),
    "asymmetric": lambda at, size, made, scale: at / scale,
    "align_corners": _align_corners,
}
"""Where an element of a result lies in the map, by ONNX's name of the rule."""

_NEAREST: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}
"""Which element is nearest, by ONNX's name of the rule."""
_NEVER = {"antialias": 0, "exclude_outside": 0, "keep_aspect_ratio_policy": "stretch"}
"""Attributes that must be as they are without them."""


def _resize(call: Call) -> torch.Tensor:
    x, mode = call.input(0), str(call.attribute("mode", "nearest"))
    for name, value in _NEVER.items():
        if call.attribute(name, value) != value:
            raise call.node.error(f"{name} {call.attribute(name, value)} cannot be computed")
    if mode not in ("nearest", "linear"):
        raise call.node.error(f"mode {mode}: expected nearest or linear")
    scales, sizes = _scales_and_sizes(call, x)
    rule = str(call.attribute("coordinate_transformation_mode", "half_pixel"))
    if rule not in _PLACES:
        raise call.node.error(f"coordinate_transformation_mode {rule} cannot be computed")
    call.room(sizes)
    for axis, (size, scale) in enumerate(zip(sizes, scales, strict=True)):
        if size == x.shape[axis] and scale == 1.0:
            continue
        at = _PLACES[rule](torch.arange(size, dtype=torch.float64), x.shape[axis], size, scale)
        x = _nearest(call, x, axis, at) if mode == "nearest" else _linear(call, x, axis, at)
    return x


def _scales_and_sizes(call: Call, x: torch.Tensor) -> tuple[list[float], list[int]]:
    """The scale of every axis, and the elements that it gets."""
    scales, sizes = call.optional(2), call.optional(3)
    given = sizes if sizes is not None and sizes.numel() else scales
    axes = [axis % x.dim() for axis in call.attribute("axes", tuple(range(x.dim())))]
    if given is None or given.numel() != len(axes):
        raise call.node.error(f"scales or sizes of {len(axes)} axes are missing")
    made, factors = list(x.shape), [1.0] * x.dim()
    for axis, value in zip(axes, given.tolist(), strict=True):
        factors[axis] = float(value) / x.shape[axis] if given is sizes else float(value)
        made[axis] = int(value) if given is sizes else int(x.shape[axis] * float(value))
        if not made[axis] > 0:
            raise call.node.error(f"{made[axis]} elements along axis {axis}")
    return factors, made


def _nearest(call: Call, x: torch.Tensor, axis: int, at: torch.Tensor) -> torch.Tensor:
    rule = str(call.attribute("nearest_mode", "round_prefer_floor"))
    if rule not in _NEAREST:
        raise call.node.error(f"nearest_mode {rule}")
    return x.index_select(axis, _NEAREST[rule](at).long().clamp(0, x.shape[axis] - 1))


def _linear(call: Call, x: torch.Tensor, axis: int, at: torch.Tensor) -> torch.Tensor:
    at = at.clamp(0, x.shape[axis] - 1)
    before = at.floor().long()
    share = (at - before).to(x.dtype).reshape([-1 if i == axis else 1 for i in range(x.dim())])
    a, b = (x.index_select(axis, place) for place in (before, (before + 1).clamp(max=x.shape[axis] - 1)))
    result = a + share * (b - a)
    call.cost({"add": result.numel(), "multiply_add": result.numel()}, 2 * result.numel(), result.numel())
    return result


def _top_k(call: Call) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest along an axis, or the smallest, in their order, the first of equals before others; and where they
    are. As many comparisons are counted as a heap of k takes."""
    x = call.input(0)
    given = call.whole_numbers(1, "k")
    axis = call.axis(-1, x.dim())
    k = given[0] if given else 0
    if given is None or not 0 <= k <= x.shape[axis]:
        raise call.node.error(f"k {given}: expected 0 to {x.shape[axis]}")
    values, places = torch.sort(x, dim=axis, descending=bool(call.attribute("largest", 1)), stable=True)
    comparisons = x.numel() * max(1, (max(k, 1) - 1).bit_length())
    call.cost({"max": comparisons}, x.numel(), 2 * k * (x.numel() // max(1, x.shape[axis])))
    return values.narrow(axis, 0, k), places.narrow(axis, 0, k)


RESIZING: dict[str, Operation] = {"Resize": _resize, "TopK": _top_k}
