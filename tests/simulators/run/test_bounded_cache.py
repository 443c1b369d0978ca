"""What a process keeps of segments is bounded: masks of utterances are met once, and their segments given up."""

import gc

import numpy as np
import pytest

from simulators import Elementwise, Matmul, Trace, load_arch, simulate, simulate_batch
from simulators.run import segment_cache
from simulators.run.simulation import forget, simulator
from simulators.run.trace_batch import TraceBatch

ARCH = load_arch("bitfusion", ["skips_inactive_inputs=true"])


def masked(rng: np.random.Generator) -> Trace:
    """A network of which every step sends other elements."""
    masks = tuple(f"{rng.integers(1, 1 << 16):x}" for _ in range(20))
    product = Matmul(
        name="P", steps=20, weight_bits=8, activation_bits=8, output_bits=16, out_features=24, in_features=16,
        active=masks,
    )  # fmt: skip
    return Trace(
        name="masked",
        steps=20,
        layers=(product, Elementwise(name="E", steps=20, ops={"add": 24}, inputs=24, outputs=24)),
    )


def test_a_full_cache_is_given_up_for_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    rng = np.random.default_rng(1)
    traces = [masked(rng) for _ in range(12)]
    whole = simulate_batch(traces, ARCH)
    most = simulator(ARCH).cache
    assert not most.is_full
    forget()  # what somebody still uses is his: `most` does not count
    monkeypatch.setattr(segment_cache, "MOST_BYTES", 2000)
    caches = set()
    for i, trace in enumerate(traces):
        report = simulate(trace, ARCH)
        assert (report.cycles, report.energy_uj) == (whole.cycles[i], pytest.approx(whole.energy_uj[i], rel=1e-12))
        assert TraceBatch([trace]).on(ARCH).cycles[0] == whole.cycles[i]
        caches.add(id(simulator(ARCH).cache))
        assert not simulator(ARCH).cache.is_full
    assert len(caches) > 1
    forget()


def test_caches_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is full by itself."""
    forget()
    rng = np.random.default_rng(2)
    archs = [load_arch("bitfusion", ["skips_inactive_inputs=true", f"array.rows={rows}"]) for rows in (4, 8, 16)]
    trace = masked(rng)
    for arch in archs:
        simulate(trace, arch)
    kept = [simulator(arch).cache for arch in archs]
    assert len({*map(id, kept)}) == 3
    monkeypatch.setattr(segment_cache, "MOST_BYTES", int(1.2 * max(cache._bytes for cache in kept)))
    empty = simulator(archs[0]).cache
    assert empty not in kept
    assert not empty.is_full
    assert simulator(archs[0]).cache is empty
    forget()


def test_what_is_made_while_caches_are_full_gives_up_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many architectures follow each other: those whose simulators were kept go with their caches."""
    forget()
    rng = np.random.default_rng(3)
    archs = [load_arch("bitfusion", ["skips_inactive_inputs=true", f"array.rows={rows}"]) for rows in range(4, 20)]
    simulate(masked(rng), archs[0])
    each = simulator(archs[0]).cache._bytes
    forget()
    monkeypatch.setattr(segment_cache, "MOST_BYTES", 2 * each)
    most = 0
    for arch in archs:
        simulate(masked(rng), arch)
        gc.collect()
        alive = (one for one in gc.get_objects() if type(one) is segment_cache.SegmentCache)
        most = max(most, sum(cache._bytes for cache in alive))
    assert most <= 1.5 * 2 * segment_cache.MOST_BYTES
    forget()
