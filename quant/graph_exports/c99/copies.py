"""Elements in other places: what an operation that computes nothing does, found by having it move numbers."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from quant.graph_exports.c99.c_program import CProgram, View
from quant.graph_exports.c99.loops import contiguous, indices, joined, letters, nest

MOST_PIECES = 16
"""Parts along an axis that are copied by loops of their own; of more a table is written."""


class Numbered:
    """Tensors whose elements are numbered from 1 on, all through; 0 stands for a value of none of them."""

    def __init__(self, views: Sequence[View]):
        self.views = list(views)
        ends = np.cumsum([view.size for view in views])
        self.firsts = [1, *(int(end) + 1 for end in ends[:-1])]

    def tensors(self) -> list[torch.Tensor]:
        """The numbers, as the tensors are."""
        return [
            torch.arange(first, first + view.size, dtype=torch.float64).view(view.shape)
            for first, view in zip(self.firsts, self.views, strict=True)
        ]

    def place(self, number: int) -> tuple[View, int]:
        """Which tensor has an element, and at which place."""
        which = int(np.searchsorted(self.firsts, number, "right")) - 1
        return self.views[which], number - self.firsts[which]


def moved(program: CProgram, numbered: Numbered, numbers: torch.Tensor, filler: float) -> View:
    """A tensor of the elements that have these numbers, and of `filler` where that is 0: the array itself where they
    follow each other in one, else a copy."""
    whole = numbers.numpy().astype(np.int64)
    shape = tuple(whole.shape)
    flat = whole.ravel()
    if flat.size and flat[0] and bool((np.diff(flat) == 1).all()):
        view, first = numbered.place(int(flat[0]))
        if numbered.place(int(flat[-1]))[0] is view:
            return View(view.array, view.offset + first, shape)
    target = program.temporary(shape)
    if not flat.size:
        return target
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    strides = [contiguous(shape)[axis] for axis in axes]
    _copy(program, numbered, whole.reshape([shape[axis] for axis in axes]), target, 0, strides, filler)
    return target


def _copy(
    program: CProgram, numbered: Numbered, numbers: np.ndarray, target: View, at: int, strides: Sequence[int],
    filler: float,
) -> None:  # fmt: skip
    if not numbers.size:
        return
    steps = _affine(numbered, numbers)
    to = View(target.array, target.offset + at, ()).text
    if steps is not None:
        first = int(numbers.flat[0])
        sizes, (into, out_of) = joined(numbers.shape, [tuple(strides), steps])
        names = letters(len(sizes))
        left = f"{to}[{indices(names, into)}]"
        if first:
            view, place = numbered.place(first)
            source = View(view.array, view.offset + place, ()).text
            program.add(nest(sizes, f"{left} = {source}[{indices(names, out_of)}];"))
        else:
            program.add(nest(sizes, f"{left} = {filler!r}f;"))
        return
    cuts = [(axis, _bounds(numbers, axis)) for axis in range(numbers.ndim)]
    axis, bounds = min(cuts, key=lambda cut: len(cut[1]) if len(cut[1]) > 2 else numbers.size + 2)
    if not 2 < len(bounds) <= MOST_PIECES + 1:
        _by_table(program, numbered, numbers, target, at, strides, filler)
        return
    for begin, end in pairwise(bounds):
        part = numbers.take(range(begin, end), axis)
        _copy(program, numbered, part, target, at + begin * strides[axis], strides, filler)


def _affine(numbered: Numbered, numbers: np.ndarray) -> tuple[int, ...] | None:
    """Strides by which the elements lie in one tensor; None where they do not."""
    first = int(numbers.flat[0])
    steps = [
        int(numbers[(0,) * axis + (1,) + (0,) * (numbers.ndim - axis - 1)]) - first if size > 1 else 0
        for axis, size in enumerate(numbers.shape)
    ]
    expected = np.full(numbers.shape, first)
    for axis, (size, step) in enumerate(zip(numbers.shape, steps, strict=True)):
        expected = expected + (np.arange(size) * step).reshape([-1] + [1] * (numbers.ndim - axis - 1))
    if not np.array_equal(expected, numbers):
        return None
    lowest, highest = int(numbers.min()), int(numbers.max())
    if lowest == 0:
        return tuple(steps) if highest == 0 else None
    return tuple(steps) if numbered.place(lowest)[0] is numbered.place(highest)[0] else None


def _bounds(numbers: np.ndarray, axis: int) -> list[int]:
    """Where an axis is cut so that within a part all elements go on alike."""
    if numbers.shape[axis] == 1:
        return [0, 1]
    along = np.diff(np.moveaxis(numbers, axis, 0), axis=0).reshape(numbers.shape[axis] - 1, -1)
    bounds, step = [0], None
    for i, row in enumerate(along):
        alike = bool((row == row[0]).all())
        if not alike or (step is not None and row[0] != step):
            bounds.append(i + 1)
            step = None
        else:
            step = row[0]
    return [*bounds, numbers.shape[axis]]


def _by_table(
    program: CProgram, numbered: Numbered, numbers: np.ndarray, target: View, at: int, strides: Sequence[int],
    filler: float,
) -> None:  # fmt: skip
    places = sum(
        (np.arange(size) * step).reshape([-1] + [1] * (numbers.ndim - axis - 1))
        for axis, (size, step) in enumerate(zip(numbers.shape, strides, strict=True))
    )
    to = View(target.array, target.offset + at, ()).text
    flat, where = numbers.ravel(), np.broadcast_to(places, numbers.shape).ravel()
    for first, view in [(0, None), *zip(numbered.firsts, numbered.views, strict=True)]:
        chosen = flat == 0 if view is None else (flat >= first) & (flat < first + view.size)
        count = int(chosen.sum())
        if not count:
            continue
        left = f"{to}[{program.table(where[chosen])}[i0]]"
        right = f"{filler!r}f" if view is None else f"{view.text}[{program.table(flat[chosen] - first)}[i0]]"
        program.add(nest([count], f"{left} = {right};"))
