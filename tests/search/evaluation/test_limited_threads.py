"""How many threads a worker computes with."""

import os
import subprocess
import sys

import pytest

COMPILES = """
import numba
from search.evaluation.executors.worker import limit_threads
limit_threads(1)
assert numba.njit(cache=False)(lambda x: x + 1)(2) == 3
print(numba.get_num_threads())
"""


@pytest.mark.slow
def test_a_worker_compiles_after_its_threads_are_limited() -> None:
    """Numba reads its settings anew whenever it compiles."""
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_NUM_THREADS"}
    told = subprocess.run([sys.executable, "-c", COMPILES], env=environment, capture_output=True, text=True)
    assert (told.stdout, told.returncode) == ("1\n", 0), told.stderr
