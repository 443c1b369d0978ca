"""Who is told that kernels are compiled, which takes some half a minute where there is no cache of them yet."""

from collections.abc import Callable

_waiting: list[Callable[[], None]] = []


def tell_once(notice: Callable[[], None]) -> None:
    """Call `notice` when the first kernel is compiled that no cache has; not again."""
    _waiting[:] = [notice]


def begins() -> None:
    """A kernel is compiled now."""
    if _waiting:
        _waiting.pop()()
