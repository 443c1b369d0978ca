"""The compiled rounding against plain Python, value by value."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.own.rounding_kernel import round_to_grid

VALUES = st.lists(st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.5, 1.5, -2.5, math.inf, -math.inf]), max_size=70)


@given(VALUES, st.integers(-14, 6), st.sampled_from([(-8, 7), (-32768, 32767), (0, 255)]))
def test_each_value_goes_to_the_nearest_code_ties_to_even(
    values: list[float], exponent: int, bounds: tuple[int, int]
) -> None:
    x, step = np.array(values, np.float32), np.float32(2.0**exponent)
    out, kind = np.empty_like(x), np.float32
    clipped, no_numbers = round_to_grid(x, kind(1 / step), step, kind(bounds[0]), kind(bounds[1]), out)
    expected, beyond = [], 0
    for value in x.tolist():
        code = value if math.isinf(value) else round(value / float(step))
        held = min(max(code, bounds[0]), bounds[1])
        beyond += held != code
        expected.append(held * float(step))
    assert (out.tolist(), clipped, no_numbers) == (expected, beyond, 0)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_no_number_is_counted(kind: type[np.floating]) -> None:
    x = np.array([1.0, math.nan, -3.0, math.nan], kind)
    out = np.empty_like(x)
    assert round_to_grid(x, kind(1), kind(1), kind(-2), kind(1), out) == (3, 2)
