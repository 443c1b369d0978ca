"""Simulations on several threads at once have the figures of one after the other."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from simulators import load_arch, load_trace, simulate, simulate_batch
from simulators.run.simulation import Simulator, forget

THREADS = 8


@pytest.fixture(autouse=True)
def _take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["bitfusion", "silago"])
def test_threads_that_share_an_architecture(arch: str) -> None:
    spec, trace = load_arch(arch), load_trace("mohaq-sru-8bit").at_steps(2)
    pairs, products = np.array(spec.precisions), 8
    rng = np.random.default_rng(3)
    candidates = [trace.at_bits(*pairs[i].tolist()) for i in rng.integers(0, len(pairs), 6)]
    mixed = pairs[rng.integers(0, len(pairs), (30, products))]
    expected = [simulate(candidate, spec).cycles for candidate in candidates]
    in_batch = simulate_batch(trace, spec, mixed).cycles.tolist()

    def work(number: int) -> None:
        for i in rng_of[number].permutation(len(candidates)).tolist():
            assert simulate(candidates[i], spec).cycles == expected[i]
        assert simulate_batch(trace, spec, mixed).cycles.tolist() == in_batch

    for attempt in range(4):
        rng_of = [np.random.default_rng([attempt, number]) for number in range(THREADS)]
        forget()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))


def test_a_segment_that_threads_make_at_once_has_one_number() -> None:
    known = Simulator(load_arch("bitfusion"), alone=True)
    trace = load_trace("mohaq-sru-8bit").at_steps(2)
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda _: known.segments(trace.layers), range(40)))
    assert len({tuple(numbers) for numbers in found}) == 1
