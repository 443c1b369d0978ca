"""Operations that compute nothing: they make sizes and constants, and put elements in other places. A lookup in a table
of the network's (an embedding) moves elements, and its table is memory of the network."""

from math import prod
from typing import Any

import torch
from torch.nn import functional

from quant.graphs.call import Call, Operation
from quant.graphs.onnx_tensors import computed_dtype


def _reshape(call: Call) -> torch.Tensor:
    x, sizes = call.input(0), call.whole_numbers(1, "shape")
    if sizes is None:
        raise call.node.error("input 1 is missing")
    if not call.attribute("allowzero", 0):
        sizes = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return x.reshape(sizes)


def _transpose(call: Call) -> torch.Tensor:
    x = call.input(0)
    order = call.node.attributes.get("perm")
    return x.permute(tuple(order) if order is not None else tuple(range(x.dim() - 1, -1, -1)))


def _squeeze(call: Call) -> torch.Tensor:
    x, axes = call.input(0), call.whole_numbers(1, "axes")
    if axes is None:
        return x.squeeze()
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        if x.shape[axis] != 1:
            raise call.node.error(f"axis {axis} has {x.shape[axis]} elements: only one can be left out")
        x = x.squeeze(axis)
    return x


def _unsqueeze(call: Call) -> torch.Tensor:
    x, axes = call.input(0), call.whole_numbers(1, "axes")
    if axes is None:
        raise call.node.error("axes are missing")
    dims = x.dim() + len(axes)
    for axis in sorted(axis % dims for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _flatten(call: Call) -> torch.Tensor:
    x = call.input(0)
    axis = int(call.attribute("axis", 1))
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(int(torch.tensor(x.shape[:axis]).prod()), -1)


def _concat(call: Call) -> torch.Tensor:
    inputs = call.inputs
    call.room([sum(x.numel() for x in inputs)])
    return torch.cat(inputs, call.axis(0, inputs[0].dim()))


def _split(call: Call) -> tuple[torch.Tensor, ...]:
    x = call.input(0)
    axis = call.axis(0, x.dim())
    sizes = call.whole_numbers(1, "split")
    if sizes is None:
        parts = int(call.attribute("num_outputs", len(call.node.outputs)))
        each = -(-x.shape[axis] // parts)
        sizes = [max(0, min(each, x.shape[axis] - each * i)) for i in range(parts)]
    return torch.split(x, sizes, axis)


def _slice(call: Call) -> torch.Tensor:
    x = call.input(0)
    starts, ends = call.whole_numbers(1, "starts"), call.whole_numbers(2, "ends")
    if starts is None or ends is None or len(starts) != len(ends):
        raise call.node.error("starts and ends must be given, as many of one as of the other")
    axes = call.whole_numbers(3, "axes") or list(range(len(starts)))
    steps = call.whole_numbers(4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise call.node.error("a step of 0")
        if not -x.dim() <= axis < x.dim():
            raise call.node.error(f"axis {axis} of {x.dim()} dimensions")
        taken = range(x.shape[axis])[start:end:step]
        if step > 0:
            x = x[(slice(None),) * (axis % x.dim()) + (slice(taken.start, taken.stop, step),)]
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64))
    return x


def _gather(call: Call) -> torch.Tensor:
    x, indices = call.input(0), call.input(1).long()
    axis = call.axis(0, x.dim())
    size = x.shape[axis]
    if indices.numel() and not (-size <= int(indices.min()) and int(indices.max()) < size):
        raise call.node.error(f"index {int(indices.max())} of {size} along axis {axis}")
    shape = call.room((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    is_table = call.is_constant(0) and not call.is_constant(1) and x.is_floating_point() and x.dim() > 1
    site = call.run.sites.of_table(call.node, x) if is_table else None
    table = x if site is None else call.run.roundings.weight(site, x)
    result = table.index_select(axis, (indices % max(size, 1)).flatten()).reshape(shape)
    if is_table:  # the memory of a table that is a site's matrix too is the site's
        kept = x.numel() if site is None and call.is_first_table(x) else 0
        call.cost({"max": result.numel()}, result.numel(), result.numel(), kept)
    return result


def _gather_elements(call: Call) -> torch.Tensor:
    x, indices = call.input(0), call.input(1).long()
    axis = call.axis(0, x.dim())
    return torch.gather(x, axis, torch.where(indices < 0, indices + x.shape[axis], indices))


def _gather_nd(call: Call) -> torch.Tensor:
    """Parts of x that the rows of the indices name, within each of the batches in front."""
    x, indices, batches = call.input(0), call.input(1).long(), int(call.attribute("batch_dims", 0))
    named = indices.shape[-1] if indices.dim() else 0
    if not 0 <= batches < min(x.dim(), indices.dim()) or not 1 <= named <= x.dim() - batches:
        raise call.node.error(f"indices of sizes {list(indices.shape)} in {list(x.shape)}, batch_dims {batches}")
    sizes = torch.tensor(x.shape[batches : batches + named])
    if bool(((indices < -sizes) | (indices >= sizes)).any()):
        raise call.node.error(f"an index beyond sizes {sizes.tolist()}")
    front, rest = x.shape[:batches], x.shape[batches + named :]
    inner = indices.shape[batches:-1]
    rows = x.reshape(*front, -1, *rest).flatten(0, batches) if batches else x.reshape(-1, *rest)
    strides = torch.tensor([int(sizes[k + 1 :].prod()) for k in range(named)])
    places = ((indices % sizes) * strides).sum(-1)
    if batches:
        count, each = prod(front), prod(x.shape[batches : batches + named])
        places = places.reshape(count, -1) + each * torch.arange(count)[:, None]
    return rows[places.flatten()].reshape(*front, *inner, *rest)


def _expand(call: Call) -> torch.Tensor:
    x, sizes = call.input(0), call.whole_numbers(1)
    shape = torch.broadcast_shapes(x.shape, torch.Size(call.room(sizes or [])))
    return x.expand(call.room(shape))


def _tile(call: Call) -> torch.Tensor:
    x, times = call.input(0), call.whole_numbers(1) or []
    call.room([size * count for size, count in zip(x.shape, times, strict=True)])
    return x.repeat(times)


def _shape(call: Call) -> torch.Tensor:
    sizes = list(call.input(0).shape)
    end = call.node.attributes.get("end")
    return torch.tensor(sizes[call.attribute("start", 0) : end], dtype=torch.int64)


def _constant(call: Call) -> torch.Tensor:
    attributes = call.node.attributes
    if isinstance(value := attributes.get("value"), torch.Tensor):
        return value
    for name, dtype in _CONSTANTS.items():
        if name in attributes:
            return torch.tensor(attributes[name], dtype=dtype)
    raise call.node.error("it has no value that can be read")


_CONSTANTS = {
    "value_float": torch.float32, "value_floats": torch.float32, "value_int": torch.int64, "value_ints": torch.int64,
}  # fmt: skip


def _constant_of_shape(call: Call) -> torch.Tensor:
    value = call.attribute("value", torch.zeros(1))
    return torch.full(call.room(call.whole_numbers(0) or []), value.flatten()[0].item(), dtype=value.dtype)


def _range(call: Call) -> torch.Tensor:
    start, limit, delta = (x.flatten()[0].item() for x in call.inputs)
    if delta == 0:
        raise call.node.error("steps of 0")
    call.room([max(0, int((limit - start) / delta) + 1)])
    return torch.arange(start, limit, delta, dtype=call.input(0).dtype)


def _cast(call: Call) -> torch.Tensor:
    return call.input(0).to(computed_dtype(int(call.attribute("to", 1)), f"node {call.node.name}"))


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _pad(call: Call) -> torch.Tensor:
    x, pads = call.input(0), call.whole_numbers(1, "pads")
    if pads is None:
        raise call.node.error("pads are missing")
    axes = call.whole_numbers(3)
    axes = list(range(x.dim())) if axes is None else [axis % x.dim() for axis in axes]
    if len(pads) != 2 * len(axes):
        raise call.node.error(f"{len(pads)} pads for {len(axes)} axes")
    margins = {axis: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    call.room([size + sum(margins.get(axis, (0, 0))) for axis, size in enumerate(x.shape)])
    mode = call.attribute("mode", "constant")
    if mode not in _PAD_MODES:
        raise call.node.error(f"mode {mode}")
    if mode == "constant":
        given = call.optional(2)
        value = float(given) if given is not None else float(call.attribute("value", 0.0))
        flat = [side for axis in range(x.dim() - 1, -1, -1) for side in margins.get(axis, (0, 0))]
        return functional.pad(x, flat, value=value)
    for axis, sides in margins.items():  # torch's other modes want channels in front
        if any(sides):
            turned = x.movedim(axis, -1)
            rows = functional.pad(turned.reshape(1, -1, turned.shape[-1]), sides, mode=_PAD_MODES[mode])
            x = rows.reshape(*turned.shape[:-1], -1).movedim(-1, axis)
    return x


def _one_hot(call: Call) -> torch.Tensor:
    indices, depth, values = call.input(0).long(), int(call.input(1)), call.input(2)
    call.room((*indices.shape, depth))
    there = (indices >= -depth) & (indices < depth)  # others are nowhere hot
    hot = (functional.one_hot(indices % depth, depth) * there[..., None]).movedim(-1, call.axis(-1, indices.dim() + 1))
    return torch.where(hot.bool(), values[1], values[0])


def _trilu(call: Call) -> torch.Tensor:
    x, given = call.input(0), call.optional(1)
    diagonal = 0 if given is None else int(given)
    return torch.triu(x, diagonal) if call.attribute("upper", 1) else torch.tril(x, diagonal)


def _first(call: Call) -> Any:
    return call.input(0)


SHAPING: dict[str, Operation] = {
    "Reshape": _reshape, "Transpose": _transpose, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Flatten": _flatten,
    "Concat": _concat, "Split": _split, "Slice": _slice, "Gather": _gather, "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Expand": _expand, "Tile": _tile, "Shape": _shape, "Constant": _constant, "ConstantOfShape": _constant_of_shape,
    "Range": _range, "Cast": _cast, "Pad": _pad, "OneHot": _one_hot, "Trilu": _trilu,
    "Identity": _first, "Dropout": _first,
    "Size": lambda call: torch.tensor(call.input(0).numel()),
    "CastLike": lambda call: call.input(0).to(call.input(1).dtype),
}  # fmt: skip
"""Placing elements, for nothing but a lookup's moves."""
