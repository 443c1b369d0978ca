"""Elements in other places: blocks of maps as channels, sequences backwards, and values put among others."""

import torch
from torch.nn import functional

from quant.graphs.call import Call, Operation


def _depth_to_space(call: Call) -> torch.Tensor:
    x, block = call.input(0), int(call.attribute("blocksize", 1))
    batch, channels, height, width = x.shape
    if call.attribute("mode", "DCR") == "CRD":
        return functional.pixel_shuffle(x, block)
    parts = x.reshape(batch, block, block, channels // block**2, height, width).permute(0, 3, 4, 1, 5, 2)
    return parts.reshape(batch, channels // block**2, height * block, width * block)


def _space_to_depth(call: Call) -> torch.Tensor:
    x, block = call.input(0), int(call.attribute("blocksize", 1))
    batch, channels, height, width = x.shape
    parts = x.reshape(batch, channels, height // block, block, width // block, block).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(batch, channels * block**2, height // block, width // block)


def _scatter_elements(call: Call) -> torch.Tensor:
    x, indices, updates = call.input(0), call.input(1).long(), call.input(2)
    axis, how = call.axis(0, x.dim()), str(call.attribute("reduction", "none"))
    size = x.shape[axis]
    if indices.numel() and not -size <= int(indices.min()) <= int(indices.max()) < size:
        raise call.node.error(f"an index beyond the {size} elements of axis {axis}")
    if how != "none":
        raise call.node.error(f"reduction {how} cannot be computed")
    return x.scatter(axis, torch.where(indices < 0, indices + size, indices), updates)


def _reverse_sequence(call: Call) -> torch.Tensor:
    """The first elements of each sequence, as many as it has, in reverse order."""
    x, lengths = call.input(0), call.input(1).long()
    of_batch, of_time = call.axis(1, x.dim(), "batch_axis"), call.axis(0, x.dim(), "time_axis")
    if {of_batch, of_time} != {0, 1} or lengths.numel() != x.shape[of_batch]:
        raise call.node.error(f"batch_axis {of_batch}, time_axis {of_time}, lengths of {lengths.numel()} sequences")
    moved = x.movedim(of_time, 0)
    at = torch.arange(len(moved))[:, None].expand(-1, len(lengths))
    places = torch.where(at < lengths, lengths - 1 - at, at)
    turned = moved.gather(0, places.reshape(*places.shape, *[1] * (x.dim() - 2)).expand_as(moved))
    return turned.movedim(0, of_time)


def _scatter(call: Call) -> torch.Tensor:
    x, indices, updates = call.input(0).clone(), call.input(1).long(), call.input(2)
    if call.attribute("reduction", "none") != "none":
        raise call.node.error("a reduction cannot be computed")
    x[tuple(indices.movedim(-1, 0))] = updates
    return x


REARRANGING: dict[str, Operation] = {
    "DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth, "ReverseSequence": _reverse_sequence,
    "ScatterND": _scatter, "ScatterElements": _scatter_elements, "Scatter": _scatter_elements,
}  # fmt: skip
"""Moves that cost nothing, by ONNX's name."""
