"""Maps in other sizes (Resize): the nearest element, or a weighted sum of some, axis by axis."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np
import torch

from quant.graphs.call import Call, Operation


@dataclass(frozen=True)
class _Axis:
    """An axis that gets another size."""

    size: int
    """Elements of the map."""
    made: int
    """Elements of the result."""
    scale: float
    """How many elements of the result an element of the map becomes."""
    start: float
    """Where the part that is taken begins, of tf_crop_and_resize: 0 is the first element, 1 the last."""
    end: float
    """Where it ends."""


def _align_corners(at: torch.Tensor, axis: _Axis) -> torch.Tensor:
    return at * (axis.size - 1) / (axis.made - 1) if axis.made > 1 else torch.zeros_like(at)


def _half_pixel(at: torch.Tensor, axis: _Axis) -> torch.Tensor:
    return (at + 0.5) / axis.scale - 0.5


def _symmetric(at: torch.Tensor, axis: _Axis) -> torch.Tensor:
    """Half pixels around the middle of the map, also where the scale does not make a whole number of elements."""
    size, scale = np.float32(axis.size), np.float32(axis.scale)
    offset = size / 2 * (1 - np.float32(axis.made) / (scale * size))  # in float32, as ONNX Runtime
    return float(offset) + (at + 0.5) / axis.scale - 0.5


def _cropped(at: torch.Tensor, axis: _Axis) -> torch.Tensor:
    last = axis.size - 1
    if axis.made == 1:
        return torch.full_like(at, 0.5 * (axis.start + axis.end) * last)
    return axis.start * last + at * (axis.end - axis.start) * last / (axis.made - 1)


_CROP = "tf_crop_and_resize"
_PLACES: dict[str, Callable[[torch.Tensor, _Axis], torch.Tensor]] = {
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _symmetric,
    "pytorch_half_pixel": lambda at, axis: _half_pixel(at, axis) if axis.made > 1 else torch.zeros_like(at),
    "asymmetric": lambda at, axis: at / axis.scale,
    "tf_half_pixel_for_nn": lambda at, axis: (at + 0.5) / axis.scale,
    "align_corners": _align_corners,
    _CROP: _cropped,
}
"""Where an element of a result lies in the map, by ONNX's name of the rule."""

_NEAREST: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}
"""Which element is nearest, by ONNX's name of the rule."""
_REACH = {"linear": 1, "cubic": 2}
"""Elements on either side that a sum reads."""


def _resize(call: Call) -> torch.Tensor:
    x, mode = call.input(0), str(call.attribute("mode", "nearest"))
    if mode not in ("nearest", *_REACH):
        raise call.node.error(f"mode {mode}: expected nearest, linear or cubic")
    rule = str(call.attribute("coordinate_transformation_mode", "half_pixel"))
    if rule not in _PLACES:
        raise call.node.error(f"coordinate_transformation_mode {rule}: expected one of {', '.join(_PLACES)}")
    axes = _axes(call, x, rule)
    call.room([axis.made for axis in axes])
    outside = torch.zeros([1] * x.dim(), dtype=torch.bool)
    for number, axis in enumerate(axes):
        if rule != _CROP and axis.size == axis.made and axis.scale == 1.0:
            continue
        if rule == _CROP and axis.size == axis.made and (axis.start, axis.end) == (0.0, 1.0):
            continue
        at = _PLACES[rule](torch.arange(axis.made, dtype=torch.float32), axis)
        if rule == _CROP:
            outside = outside | _along((at < 0) | (at > axis.size - 1), x.dim(), number)
        if mode == "nearest":
            x = _nearest(call, x, number, at)
        elif mode == "linear" and not (call.attribute("antialias", 0) or call.attribute("exclude_outside", 0)):
            x = _linear(call, x, number, at)
        else:
            x = _weighted(call, x, number, at, axis.scale)
    if bool(outside.any()):
        x = torch.where(outside, torch.tensor(call.attribute("extrapolation_value", 0.0), dtype=x.dtype), x)
    return x


def _upsample(call: Call) -> torch.Tensor:
    """Resize as it was called before version 10: by scales from the first element on."""
    given = call.node.attributes
    scales = torch.tensor(given["scales"]) if "scales" in given else call.input(1)
    attributes = {"mode": "nearest", **given, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    node = replace(call.node, op="Resize", attributes=attributes)
    return _resize(Call(node, [call.input(0), None, scales], call.run, call.scope))


def _axes(call: Call, x: torch.Tensor, rule: str) -> list[_Axis]:
    """All axes of x, with the sizes that they get."""
    roi, scales, sizes = call.optional(1), call.optional(2), call.optional(3)
    given = sizes if sizes is not None and sizes.numel() else scales
    named = call.attribute("axes", tuple(range(x.dim())))
    numbers = [axis % x.dim() for axis in named if -x.dim() <= axis < x.dim()]
    if len({*numbers}) != len(named):
        raise call.node.error(f"axes {list(named)} of {x.dim()} dimensions")
    if given is None or given.numel() != len(numbers):
        raise call.node.error(f"scales or sizes of {len(numbers)} axes are missing")
    is_cropped = rule == _CROP
    if is_cropped and (roi is None or roi.numel() != 2 * len(numbers)):
        raise call.node.error(f"a part (roi) of {len(numbers)} axes is missing")
    axes = [_Axis(size, size, 1.0, 0.0, 1.0) for size in x.shape]
    bounds = roi.double().tolist() if is_cropped and roi is not None else [0.0] * len(numbers) + [1.0] * len(numbers)
    wanted = _scales(call, x, numbers, given, given is sizes)
    for place, (number, (scale, made)) in enumerate(zip(numbers, wanted, strict=True)):
        if not made > 0:
            raise call.node.error(f"{made} elements along axis {number}")
        axes[number] = _Axis(x.shape[number], made, scale, bounds[place], bounds[len(numbers) + place])
    return axes


def _scales(
    call: Call, x: torch.Tensor, numbers: list[int], given: torch.Tensor, are_sizes: bool
) -> list[tuple[float, int]]:
    """The scale of each axis that is named, and the elements that it gets."""
    values = [float(value) for value in given.tolist()]
    if not are_sizes:
        for number, scale in zip(numbers, values, strict=True):
            if not 0 < scale < inf:
                raise call.node.error(f"scale {scale:g} along axis {number}: expected a positive, finite number")
        # In float32, as ONNX Runtime multiplies: 10 elements by 0.7 are 7 there, and 6 in exact numbers.
        made = [
            int(np.float32(x.shape[number]) * np.float32(scale)) for number, scale in zip(numbers, values, strict=True)
        ]
        return [*zip(values, made, strict=True)]
    ratios = [value / x.shape[number] for number, value in zip(numbers, values, strict=True)]
    policy = str(call.attribute("keep_aspect_ratio_policy", "stretch"))
    if policy == "stretch":
        return [(ratio, int(value)) for ratio, value in zip(ratios, values, strict=True)]
    if policy not in ("not_larger", "not_smaller"):
        raise call.node.error(f"keep_aspect_ratio_policy {policy}: expected stretch, not_larger or not_smaller")
    common = min(ratios) if policy == "not_larger" else max(ratios)
    return [(common, int(common * x.shape[number] + 0.5)) for number in numbers]


def _along(values: torch.Tensor, dims: int, axis: int) -> torch.Tensor:
    """Values of each place along an axis as they meet a map."""
    return values.reshape([-1 if i == axis else 1 for i in range(dims)])


def _nearest(call: Call, x: torch.Tensor, axis: int, at: torch.Tensor) -> torch.Tensor:
    rule = str(call.attribute("nearest_mode", "round_prefer_floor"))
    if rule not in _NEAREST:
        raise call.node.error(f"nearest_mode {rule}")
    return x.index_select(axis, _NEAREST[rule](at).long().clamp(0, x.shape[axis] - 1))


def _linear(call: Call, x: torch.Tensor, axis: int, at: torch.Tensor) -> torch.Tensor:
    at = at.clamp(0, x.shape[axis] - 1)
    before = at.floor().long()
    share = _along((at - before).to(x.dtype), x.dim(), axis)
    a, b = (x.index_select(axis, place) for place in (before, (before + 1).clamp(max=x.shape[axis] - 1)))
    result = a + share * (b - a)
    call.cost({"add": result.numel(), "multiply_add": result.numel()}, 2 * result.numel(), result.numel())
    return result


def _weighted(call: Call, x: torch.Tensor, axis: int, at: torch.Tensor, scale: float) -> torch.Tensor:
    """Sums over the elements that a filter reaches around each place, wider by 1/scale where a smaller map is to have
    no aliases. What it reaches beyond the map is the element at its edge, or nothing."""
    mode, size = str(call.attribute("mode", "nearest")), x.shape[axis]
    narrowed = min(1.0, scale) if call.attribute("antialias", 0) else 1.0
    reach = _REACH[mode] / narrowed
    first = torch.floor(at - reach).long() + 1
    places = first[:, None] + torch.arange(int(2 * reach) + 2)
    apart = (places - at[:, None]).abs() * narrowed
    a = call.attribute("cubic_coeff_a", -0.75)
    weights = (1 - apart).clamp(min=0) if mode == "linear" else _keys(apart, a)
    if call.attribute("exclude_outside", 0):
        weights = weights * ((places >= 0) & (places < size))
    weights = (weights / weights.sum(1, keepdim=True)).to(x.dtype)
    places = places.clamp(0, size - 1)
    result = torch.zeros_like(x.index_select(axis, places[:, 0]))
    used = [tap for tap in range(places.shape[1]) if bool(weights[:, tap].any())]
    for tap in used:
        result = result + _along(weights[:, tap], x.dim(), axis) * x.index_select(axis, places[:, tap])
    read = len(used) * result.numel()
    call.cost({"multiply_add": read}, read, result.numel())
    return result


def _keys(apart: torch.Tensor, a: float) -> torch.Tensor:
    """The cubic filter of Keys (IEEE Trans. Acoustics, Speech, and Signal Processing 29, 1981), for distances."""
    near = ((a + 2) * apart - (a + 3)) * apart**2 + 1
    far = ((apart - 5) * apart + 8) * apart * a - 4 * a
    return torch.where(apart <= 1, near, torch.where(apart < 2, far, torch.zeros_like(apart)))


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


RESIZING: dict[str, Operation] = {"Resize": _resize, "Upsample": _upsample, "TopK": _top_k}
