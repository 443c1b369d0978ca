"""A user is told once that kernels are compiled, and not where a cache has them."""

import numba

import simulators.inputs.jit  # noqa: F401 (which listens)
from simulators.inputs import compile_notice


def test_told_once_and_when_something_is_compiled() -> None:
    told: list[str] = []
    compile_notice.tell_once(lambda: told.append("compiling"))
    assert not told
    kernel = numba.njit(lambda x: x + x)  # no cache has it
    kernel(1)
    first = list(told)
    kernel(1.5)
    kernel(2)
    assert told == first == ["compiling"]


def test_the_last_that_asked_is_told() -> None:
    told: list[int] = []
    compile_notice.tell_once(lambda: told.append(1))
    compile_notice.tell_once(lambda: told.append(2))
    compile_notice.begins()
    compile_notice.begins()
    assert told == [2]
