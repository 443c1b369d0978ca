"""How the benchmarks time a function."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """Median of some runs, after two that are not counted."""
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return median(times[2:])
