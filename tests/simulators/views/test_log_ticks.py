"""Ticks of logarithmic axes: round, few, and each to be read."""

import math

from hypothesis import given
from hypothesis import strategies as st

from simulators.views.log_ticks import MOST_TICKS, log_ticks


def test_ticks_of_a_logarithmic_axis_are_round() -> None:
    assert log_ticks(1, 30) == [1, 2, 5, 10, 20]
    assert log_ticks(1.5, 6.5) == [2, 3, 4, 6]
    assert log_ticks(11, 19) == [12, 14, 16, 18]


def test_many_decades_have_their_powers_of_ten_alone_or_some_of_them() -> None:
    assert log_ticks(0.9, 1100) == [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000][:MOST_TICKS]
    assert log_ticks(0.9, 11_000) == [1, 10, 100, 1000, 10_000]
    assert log_ticks(1, 1e12) == [1, 1e2, 1e4, 1e6, 1e8, 1e10, 1e12]


@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e40))
def test_an_axis_has_a_few_ticks_wherever_it_is(low: float, ratio: float) -> None:
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= min(MOST_TICKS, 3 * (math.log10(ratio) + 2))
    assert ticks == sorted({*ticks})
    assert all(low <= tick <= low * ratio for tick in ticks)
