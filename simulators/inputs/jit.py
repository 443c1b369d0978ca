"""How Numba's kernels are compiled, everywhere: cached where there is a writable place for it.

Compiled code lies beside the module, or in the user's cache folder; where neither can be written, as in a read-only
installation without a home, it is compiled anew in each process. A cached kernel does not notice an edit in another
module, so kernels that call each other stand in one. `NUMBA_DISABLE_JIT=1` runs the same code as Python.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import numba
from numba.core import event

from simulators.inputs import compile_notice

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Compilations(event.Listener):
    """Tells of each compilation; kernels that a cache has are not compiled."""

    def on_start(self, _: event.Event) -> None:
        compile_notice.begins()

    def on_end(self, _: event.Event) -> None:
        pass


event.register("numba:compile", _Compilations())  # type: ignore[no-untyped-call, unused-ignore]


def compiled(function: _Function, **options: Any) -> _Function:
    """Numba's nopython mode; other Python threads run beside it."""
    options = {"nogil": True, **options}
    try:
        return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # "no locator available": nowhere to keep it
        return numba.njit(**options)(function)  # type: ignore[no-any-return]


def uncounted(function: _Function) -> _Function:
    """`compiled`, for a function that makes no arrays: references to those that it is given are not counted. Of a tuple
    of arrays each is an atomic increment, at every call, which took a third of the engine's time."""
    return compiled(function, _nrt=False)


def inlined(function: _Function) -> _Function:
    """For a part of a compiled function, which is put in there: a call with many arrays takes longer than the part."""
    return numba.njit(inline="always")(function)  # type: ignore[return-value, no-any-return, unused-ignore]


def as_python(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A copy of the function that was compiled, to be compiled otherwise. It needs a name of its own: Numba's cache
    knows a kernel by its name and its types, and would give the one for the other."""
    original = getattr(function, "py_func", function)
    copy = FunctionType(original.__code__, original.__globals__, name, original.__defaults__, original.__closure__)
    copy.__qualname__ = name
    return copy
