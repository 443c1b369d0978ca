"""A cache that is bounded by how large its results are, where `functools.lru_cache` counts them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Bounded(Generic[Result]):
    """A function's results by its arguments, kept until they are too large together: then all are given up, and those
    that are met again are made anew. Named as `functools.lru_cache` names its parts."""

    def __init__(self, function: Callable[..., Result], size: Callable[[Result], int], most: int):
        wraps(function)(self)
        self.__wrapped__ = function
        self._size, self._most = size, most
        self._lock = Lock()
        self.cache_clear()

    def __call__(self, *arguments: Hashable) -> Result:
        """The function's result."""
        found = self._results.get(arguments)
        if found is None:
            found = self.__wrapped__(*arguments)
            with self._lock:
                if self._together > self._most:
                    self.cache_clear()
                self._results[arguments] = found
                self._together += self._size(found)
        return found

    def cache_clear(self) -> None:
        """Give up what is kept."""
        self._results: dict[tuple[Hashable, ...], Result] = {}
        self._together = 0


def bounded(size: Callable[[Any], int], most: int) -> Callable[[Callable[..., Result]], Bounded[Result]]:
    """A function whose results are kept, up to that size of all together."""
    return lambda function: Bounded(function, size, most)
