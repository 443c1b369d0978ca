"""A cache that is bounded by how large its results are, where `functools.lru_cache` counts them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Bounded(Generic[Result]):
    """A function's results by its arguments, kept until they are too large together: then all are given up, and those
    that are met again are made anew. `__wrapped__` and `cache_clear` are as in `functools.lru_cache`."""

    def __init__(self, function: Callable[..., Result], size: Callable[[Result], int], most: int):
        self.__wrapped__ = function
        self._size, self._most = size, most
        self._lock = RLock()
        self.cache_clear()

    def __call__(self, *arguments: Hashable) -> Result:
        """The function's result."""
        found = self._results.get(arguments)
        if found is None:
            found = self.__wrapped__(*arguments)
            with self._lock:
                if self._together > self._most:
                    self.cache_clear()
                if arguments not in self._results:  # which another thread may have made meanwhile
                    self._together += self._size(found)
                self._results[arguments] = found
        return found

    def cache_clear(self) -> None:
        """Give up what is kept."""
        with self._lock:
            self._results: dict[tuple[Hashable, ...], Result] = {}
            self._together = 0


def bounded(size: Callable[[Any], int], most: int) -> Callable[[Callable[..., Result]], Bounded[Result]]:
    """A function whose results are kept, up to that size of all together."""
    return lambda function: Bounded(function, size, most)
