"""Operators of torch that choose elements: extremes with their places, indices, windows, other sizes of maps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from quant.graphs.torch_programs.building import GraphBuilder
from simulators.inputs.errors import InputError

Arguments = dict[str, Any]
Translation = Callable[[GraphBuilder, Arguments], Any]
_FLOAT = 1
"""ONNX's number of float32."""


def _extreme(name: str) -> Translation:
    """The largest or least element: of all, of two tensors, or along a dimension with its place."""

    def translate(build: GraphBuilder, a: Arguments) -> Any:
        if "other" in a:
            return build.emit(name, a["self"], a["other"])
        if a.get("dim") is None:
            return build.emit(f"Reduce{name}", a["self"], keepdims=0)
        keep = int(bool(a.get("keepdim")))
        value = build.emit(f"Reduce{name}", a["self"], build.sizes([a["dim"]]), keepdims=keep)
        return [value, build.emit(f"Arg{name}", a["self"], axis=a["dim"], keepdims=keep)]

    return translate


def _size(build: GraphBuilder, x: Any, dim: int) -> Any:
    """The size of a dimension as a list of one number."""
    return build.emit("Gather", build.emit("Shape", x), torch.tensor([dim % x.meta["val"].dim()]))


def _largest(build: GraphBuilder, a: Arguments) -> Any:
    """The k largest along a dimension, or the least, with their places."""
    return build.emit(
        "TopK", a["self"], build.sizes([a["k"]]), axis=a["dim"], largest=int(a["largest"]), sorted=1, results=2
    )


def _sorted(build: GraphBuilder, a: Arguments) -> Any:
    return build.emit(
        "TopK", a["self"], _size(build, a["self"], a["dim"]), axis=a["dim"], largest=int(a["descending"]), sorted=1,
        results=2,
    )  # fmt: skip


def _indexed(build: GraphBuilder, a: Arguments) -> Any:
    """x[..., places, ...]: places along one dimension, or along several beside each other, which become one."""
    x, shape = a["self"], a["self"].meta["val"].shape
    dims = [dim for dim, places in enumerate(a["indices"]) if places is not None]
    first, last = dims[0], dims[-1]
    if any(places.meta["val"].dtype is torch.bool for places in a["indices"] if isinstance(places, fx.Node)):
        raise InputError(f"{build.path}: elements that a mask chooses cannot be translated: their number is open")
    if len(dims) == 1:
        return build.emit("Gather", x, a["indices"][first], axis=first)
    if last - first + 1 != len(dims):
        raise InputError(f"{build.path}: places along dimensions that are apart cannot be translated")
    sizes = {dim: _one_size(build, x, dim) for dim in range(first, len(shape))}
    place = build.emit("Mod", a["indices"][first], sizes[first])
    for dim in dims[1:]:
        own = build.emit("Mod", a["indices"][dim], sizes[dim])
        place = build.emit("Add", build.emit("Mul", place, sizes[dim]), own)
    kept = build.sizes([0] * first + [-1] + [sizes[dim] for dim in range(last + 1, len(shape))])
    return build.emit("Gather", build.emit("Reshape", x, kept), place, axis=first)


def _one_size(build: GraphBuilder, x: Any, dim: int) -> Any:
    """The size of a dimension, as a number or as the value that it is computed to."""
    size = x.meta["val"].shape[dim]
    return size if isinstance(size, int) else build.emit("Gather", build.emit("Shape", x), torch.tensor(dim))


def _replaced(build: GraphBuilder, a: Arguments) -> Any:
    """A tensor with other elements at one place, or from one place to another, of a dimension."""
    x, shape = a["self"], a["self"].meta["val"].shape
    dim, source = a["dim"] % len(shape), a["src"]
    if "index" in a:
        source = build.emit("Unsqueeze", source, build.sizes([dim]))
        a = a | {"start": a["index"], "end": a["index"] + 1 if a["index"] != -1 else None, "step": 1}
    if a["step"] != 1:
        raise InputError(f"{build.path}: elements in steps of {a['step']} that are replaced cannot be translated")
    begin = build.emit("Slice", x, *map(build.sizes, ([0], [a["start"] or 0], [dim], [1])))
    parts = [begin, source]
    if a["end"] is not None and a["end"] < 2**62:
        parts.append(build.emit("Slice", x, *map(build.sizes, ([a["end"]], [2**62], [dim], [1]))))
    return build.emit("Concat", *parts, axis=dim)


def _windows(build: GraphBuilder, a: Arguments) -> Any:
    """Windows along a dimension, whose elements become the last one."""
    x, size, step = a["self"], a["size"], a["step"]
    dims = x.meta["val"].dim()
    dim, length = a["dimension"] % dims, x.meta["val"].shape[a["dimension"]]
    places = torch.arange(0, int(length) - size + 1, step)[:, None] + torch.arange(size)
    taken = build.emit("Gather", x, places, axis=dim)
    order = [axis for axis in range(dims + 1) if axis != dim + 1] + [dim + 1]
    return build.emit("Transpose", taken, perm=tuple(order))


def _rolled(build: GraphBuilder, a: Arguments) -> Any:
    """Elements moved along dimensions, those beyond the end to the beginning."""
    x, made = a["self"], build.value(a["self"])
    if not a["dims"]:
        raise InputError(f"{build.path}: a roll over all elements in a row cannot be translated")
    for shift, dim in zip(a["shifts"], a["dims"], strict=True):
        size = int(x.meta["val"].shape[dim])
        if size and shift % size:
            made = build.emit("Concat", *(
                build.emit("Slice", made, *(build.sizes([bound]) for bound in (first, last, dim, 1)))
                for first, last in ((size - shift % size, size), (0, size - shift % size))
            ), axis=dim)  # fmt: skip
    return made


def _range(build: GraphBuilder, a: Arguments) -> Any:
    bounds = [a.get("start", 0), a["end"], a.get("step", 1)]
    kind = torch.float32 if any(isinstance(x, float) for x in bounds) else torch.int64
    made = build.emit("Range", *(torch.tensor(x, dtype=kind) if isinstance(x, int | float) else x for x in bounds))
    is_float = a.get("dtype") is not None and a["dtype"].is_floating_point
    return build.emit("Cast", made, to=_FLOAT) if is_float else made


def _apart(build: GraphBuilder, a: Arguments) -> Any:
    """Distances of each of some points from each of others."""
    if a["p"] != 2:
        raise InputError(f"{build.path}: a distance of order {a['p']} cannot be translated")
    each = build.emit("Unsqueeze", a["x1"], build.sizes([-2]))
    other = build.emit("Unsqueeze", a["x2"], build.sizes([-3]))
    return build.emit("ReduceL2", build.emit("Sub", each, other), build.sizes([-1]), keepdims=0)


def _resized(mode: str) -> Translation:
    """Maps of another size, to the nearest element or by lines between them."""

    def translate(build: GraphBuilder, a: Arguments) -> Any:
        x = a["input"] if "input" in a else a["self"]
        factors, sizes = a.get("scale_factors"), a.get("output_size")
        if mode == "nearest":
            how: Arguments = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        else:
            corners = "align_corners" if a.get("align_corners") else "pytorch_half_pixel"
            how = {"coordinate_transformation_mode": corners}
        if factors is not None:
            scales = torch.tensor([1.0, 1.0, *map(float, factors)])
            return build.emit("Resize", x, None, scales, mode=mode, **how)
        if sizes is None or not all(isinstance(size, int) for size in sizes):
            raise InputError(f"{build.path}: a map of sizes that are computed cannot be translated")
        outer = [int(size) for size in x.meta["val"].shape[:2]]
        return build.emit("Resize", x, None, None, build.sizes([*outer, *sizes]), mode=mode, **how)

    return translate


def adaptive_pool(op: str) -> Translation:
    """Windows as many as the result has elements; all of one size, one over the whole map, or each on its own."""

    def translate(build: GraphBuilder, a: Arguments) -> Any:
        x, made = a["self"], list(a["output_size"])
        if set(made) == {1}:
            pooled = build.emit(f"Global{op}", x)
        else:
            sizes = x.meta["val"].shape[-len(made) :]
            if not all(isinstance(size, int) or str(size).isdigit() for size in sizes):
                raise InputError(f"{build.path}: a pooling to {made} of sizes that are open cannot be translated")
            pooled = _pooled(build, op, x, [int(size) for size in sizes], made)
        return [pooled, None] if op == "MaxPool" else pooled

    return translate


def _pooled(build: GraphBuilder, op: str, x: Any, sizes: list[int], made: list[int]) -> Any:
    if not any(size % count for size, count in zip(sizes, made, strict=True)):
        kernel = tuple(size // count for size, count in zip(sizes, made, strict=True))
        return build.emit(op, x, kernel_shape=kernel, strides=kernel)
    reduce = "ReduceMax" if op == "MaxPool" else "ReduceMean"
    for axis, (size, count) in enumerate(zip(sizes, made, strict=True), -len(made)):
        bounds = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        windows = [
            build.emit(reduce, build.emit("Slice", x, *map(build.sizes, ([first], [last], [axis], [1]))),
                       build.sizes([axis]), keepdims=1)
            for first, last in bounds
        ]  # fmt: skip
        x = build.emit("Concat", *windows, axis=axis)
    return x


def first_of(translation: Translation) -> Translation:
    """What an operator leaves first of two results; of the second there is nothing."""
    return lambda build, a: [translation(build, a), None]


SELECTING: dict[str, Translation] = {
    "max": _extreme("Max"), "min": _extreme("Min"), "topk": _largest, "sort": _sorted, "index": _indexed,
    "gather": lambda build, a: build.emit("GatherElements", a["self"], a["index"], axis=a["dim"]),
    "select_scatter": _replaced, "slice_scatter": _replaced,
    "copy": lambda build, a: build.emit("Expand", a["src"], build.emit("Shape", a["self"])),
    "unfold": _windows, "roll": _rolled, "arange": _range, "_cdist_forward": _apart, "cdist": _apart,
    "upsample_nearest1d": _resized("nearest"), "upsample_nearest2d": _resized("nearest"),
    "upsample_linear1d": _resized("linear"), "upsample_bilinear2d": _resized("linear"),
    "adaptive_avg_pool1d": adaptive_pool("AveragePool"), "adaptive_avg_pool2d": adaptive_pool("AveragePool"),
    "adaptive_max_pool1d": adaptive_pool("MaxPool"), "adaptive_max_pool2d": adaptive_pool("MaxPool"),
}  # fmt: skip
"""How each is translated, by its name. Of a list a program takes what it reads."""
