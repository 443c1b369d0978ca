"""Work on many architectures in several processes, whose results nobody waits for any more."""

import time

import pytest
from slow_stand_in import SlowOnEach

from simulators import load_arch
from simulators.run.parallel_sweep import simulate_on_all


@pytest.mark.slow
def test_who_gives_up_does_not_wait_for_what_is_begun() -> None:
    """A worker that is busy for minutes ends at once."""
    archs = [load_arch(name) for name in ("silago", "bitfusion", "bit-serial-edge")]
    made = simulate_on_all(SlowOnEach(120.0, but={"silago": 0.0}), archs, 2)
    assert next(made) == (0, "silago")
    started = time.monotonic()
    made.close()
    assert time.monotonic() - started < 60
