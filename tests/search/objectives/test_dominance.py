"""Pareto dominance, against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from search.objectives.dominance import non_dominated


def dominates(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.all(a <= b) and np.any(a < b))


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=40))
def test_non_dominated(rows: list[tuple[int, ...]]) -> None:
    values = np.array(rows, float).reshape(-1, 3)
    expected = [i for i, a in enumerate(values) if not any(dominates(b, a) for b in values)]
    assert non_dominated(values).tolist() == expected
