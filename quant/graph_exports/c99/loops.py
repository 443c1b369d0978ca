"""Loops of C over tensors that lie in memory by strides."""

from collections.abc import Sequence

Strides = tuple[int, ...]


def contiguous(shape: Sequence[int]) -> Strides:
    """Strides of a tensor whose elements follow each other."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def broadcast(shape: Sequence[int], to: Sequence[int]) -> Strides:
    """Strides of a contiguous tensor as it meets one of sizes `to`."""
    own, missing = contiguous(shape), len(to) - len(shape)
    return (0,) * missing + tuple(0 if size == 1 else step for size, step in zip(shape, own, strict=True))


def joined(shape: Sequence[int], strides: Sequence[Strides]) -> tuple[list[int], list[list[int]]]:
    """Sizes and strides of the same elements in as few loops as can be."""
    sizes: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if sizes and all(own[-1] == step[axis] * size for own, step in zip(kept, strides, strict=True)):
            sizes[-1] *= size
            for own, step in zip(kept, strides, strict=True):
                own[-1] = step[axis]
        else:
            sizes.append(size)
            for own, step in zip(kept, strides, strict=True):
                own.append(step[axis])
    return sizes, kept


def indices(letters: Sequence[str], strides: Sequence[int]) -> str:
    """The place of an element, of loop variables and their strides."""
    terms = [
        letter if step == 1 else f"{step} * {letter}" for letter, step in zip(letters, strides, strict=True) if step
    ]
    return " + ".join(terms) or "0"


def nest(sizes: Sequence[int], body: str, letter: str = "i") -> str:
    """Loops around a body, whose variables are i0, i1, …"""
    loops = [
        f"for (int {letter}{axis} = 0; {letter}{axis} < {size}; {letter}{axis}++)" for axis, size in enumerate(sizes)
    ]
    return "\n".join(["    " * axis + loop for axis, loop in enumerate(loops)] + ["    " * len(loops) + body])


def letters(count: int, letter: str = "i") -> list[str]:
    """The variables of so many loops."""
    return [f"{letter}{axis}" for axis in range(count)]
