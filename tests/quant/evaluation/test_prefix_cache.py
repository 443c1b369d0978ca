"""Candidates together: the same results as one by one, each shared part once, within a bounded memory."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.glibc_memory import usable_memory_bytes
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.prefix_cache import PrefixCache, logits_of
from quant.evaluation.work_estimate import Shared, parts_of
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.networks.sru import SruLayer
from quant.sites.candidate import BIT_WIDTHS, Bits, homogeneous
from quant.speech.batches import pack


class Counting(QuantizedArithmetic):
    """Notes the sites whose products it computes."""

    def __init__(self, bits: Bits, weights: QuantizedWeights, seen: Calibration, computed: list[str]):
        super().__init__(bits, weights, seen)
        self.computed = computed

    def product(self, site, x, weight, bias=None):  # type: ignore[no-untyped-def]
        self.computed.append(site)
        return super().product(site, x, weight, bias)

    def recurrence(self, layer, x, lengths):  # type: ignore[no-untyped-def]
        if isinstance(layer, SruLayer):  # whose product is fused with its recurrence
            self.computed.append(layer.site)
        return super().recurrence(layer, x, lengths)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["sru", "lstm", "gru", "ligru"])
def test_together_is_as_one_by_one(cell: str) -> None:
    sizes = {"inputs": 5, "layers": 2, "cells": 8, "outputs": 4} | ({"projection": 6} if cell == "sru" else {})
    net = Network(geometry(cell, sizes))
    net.initialise(torch.Generator().manual_seed(1))
    net.requires_grad_(False)
    generator = np.random.default_rng(2)
    batch = pack([generator.normal(size=(n, 5)).astype(np.float32) for n in (20, 13)], None, [0, 1])
    weights, seen = QuantizedWeights(net), calibrate(net, batch.features, batch.lengths)
    products: list[str] = []

    def arithmetic(bits: Bits) -> QuantizedArithmetic:
        return Counting(bits, weights, seen, products)

    first, last = net.sites[0].name, net.sites[-1].name
    base = homogeneous(net.sites, 8)
    candidates = [base, {**base, last: (4, 4)}, {**base, first: (4, 8)}, dict(base), {**base, last: (2, 4)}]
    cache = PrefixCache()
    together = logits_of(net, batch, 0, candidates, arithmetic, cache)
    assert products.count(first) == 2
    assert products.count(last) == 4  # two of the five candidates are the same
    singly = [net(batch.features, batch.lengths, arithmetic(bits)) for bits in candidates]
    assert all(torch.equal(a.value, b) for a, b in zip(together, singly, strict=True))
    products.clear()
    (again,) = logits_of(net, batch, 0, [{**base, last: (16, 16)}], arithmetic, cache)
    assert products == (["L1", last] if cell == "sru" else [last])  # what is kept: all before it, for SRU up to P1
    assert not torch.equal(again.value, together[0].value)
    products.clear()
    logits_of(net, batch, 1, [base], arithmetic, cache)
    assert products.count(first) == 1  # another batch is another key


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["sru", "gru"])
@settings(max_examples=25)
@given(populations=st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=4), min_size=1, max_size=3))
def test_the_work_foreseen_is_what_is_computed(cell: str, populations: list[list[int]]) -> None:
    net = Network(geometry(cell, {"inputs": 3, "layers": 2, "cells": 4, "outputs": 2}))
    net.initialise(torch.Generator().manual_seed(1))
    net.requires_grad_(False)
    batch = pack([np.ones((4, 3), np.float32)], None, [0])
    cache, weights, seen = PrefixCache(1 << 30), QuantizedWeights(net), calibrate(net, batch.features, batch.lengths)
    varied = [net.sites[i].name for i in (0, 2, -1)]

    def arithmetic(bits: Bits) -> QuantizedArithmetic:
        return Counting(bits, weights, seen, computed)

    past: list[Bits] = []
    for population in populations:
        computed: list[str] = []
        candidates = [
            homogeneous(net.sites, 8) | {site: (4, 16) for i, site in enumerate(varied) if number >> i & 1}
            for number in population
        ]
        logits_of(net, batch, 0, candidates, arithmetic, cache)
        shared, foreseen = Shared(), 0.0
        for bits in past:
            shared.add_kept(parts_of(net, bits))
        for bits in candidates:
            foreseen += shared.left([replace(part, work=1.0) for part in parts_of(net, bits)])
            shared.add_all(parts_of(net, bits))
        assert foreseen == len([site for site in computed if not site.startswith("U")])
        past += candidates


@pytest.mark.parametrize("cell", ["sru", "lstm", "gru", "ligru"])
def test_work_grows_with_the_bytes_of_operands(cell: str) -> None:
    net = Network(geometry(cell, {}))
    work = {bits: sum(part.work for part in parts_of(net, homogeneous(net.sites, bits))) for bits in BIT_WIDTHS}
    macs = sum(site.weights for site in net.sites) / 1e6
    assert work[2] == work[4] == work[8] > macs
    assert work[16] - work[8] == pytest.approx(3 * macs)


VALUES = [0.0, 1.0, -2.0, 2.0**-14, 3 * 2.0**-10, -256.0, 255 + 2.0**-7, 1 / 3, 256.0, 1e9, 2.0**-15, 31.5, 1e-30]
"""Of each key below: multiples of the steps of 16-bit fixed point, and others."""


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 60), st.floats(0.001, 10)), max_size=60))
def test_the_cache_stays_within_its_bounds(puts: list[tuple[int, int, float]]) -> None:
    cache = PrefixCache(capacity_bytes=400)
    for key, size, seconds in puts:
        cache.put(key, torch.full((size,), VALUES[key]), seconds)
        assert cache.bytes <= 400
        assert cache.bytes == sum(entry.nbytes for entry in cache._entries.values())
        for kept in range(13):
            found = cache.get(kept)
            assert found is None or bool((found[0] == torch.tensor(VALUES[kept])).all())


def test_fixed_point_takes_two_bytes() -> None:
    cache = PrefixCache(capacity_bytes=1000)
    result = torch.tensor([[0.5, -1.25, 1.75 + 2.0**-10]])
    cache.put("fixed", result, 1.0)
    assert cache.bytes == 6
    cache.put("other", result + 2.0**-20, 1.0)
    assert cache.bytes == 6 + 12
    for key, value in (("fixed", result), ("other", result + 2.0**-20)):
        found = cache.get(key)
        assert found is not None
        assert torch.equal(found[0], value)


def test_what_saves_most_stays() -> None:
    cache = PrefixCache(capacity_bytes=40)
    dear, cheap, new = (torch.zeros(10) for _ in range(3))
    cache.put("dear", dear, 5.0)
    cache.put("cheap", cheap, 0.1)
    cache.put("new", new, 1.0)
    assert cache.get("dear") is not None
    assert cache.get("cheap") is None
    assert cache.get("new") is not None
    cache.put("worthless", torch.zeros(10), 0.01)
    assert cache.get("worthless") is None


def put(cache: PrefixCache, key: str, seconds: float) -> None:
    cache.put(key, torch.zeros(10), seconds)


def test_what_is_used_outlives_what_is_not() -> None:
    cache = PrefixCache(capacity_bytes=40)
    put(cache, "old", 2.0)
    put(cache, "used", 2.0)
    put(cache, "new", 3.0)  # "old" goes, and the clock stands at its worth
    put(cache, "used", 2.0)
    assert [key for key in ("old", "used", "new") if cache.get(key)] == ["used", "new"]
    put(cache, "newer", 4.0)  # "used" was asked for since, at the clock of today: 2 + 2 against the 3 + 2 of "new"
    assert [key for key in ("used", "new", "newer") if cache.get(key)] == ["new", "newer"]


def test_a_use_counts() -> None:
    cache = PrefixCache(capacity_bytes=60)
    for key in ("first", "second", "third"):
        put(cache, key, 1.0)
    assert cache.get("first")
    put(cache, "fourth", 1.0)
    assert [key for key in ("first", "second", "third", "fourth") if cache.get(key)] == ["first", "third", "fourth"]


def test_what_is_dear_and_never_used_leaves_at_last() -> None:
    cache = PrefixCache(capacity_bytes=40)
    put(cache, "dear", 5.0)
    for number in range(9):
        put(cache, str(number), 1.0)
    assert cache._entries.keys() == {"8", "7"}


def test_uses_take_no_memory() -> None:
    cache = PrefixCache(capacity_bytes=60)
    put(cache, "first", 1.0)
    put(cache, "second", 1.0)
    for _ in range(1000):
        cache.get("first")
    assert len(cache._least) < 100
    put(cache, "third", 1.0)
    put(cache, "fourth", 1.0)
    assert cache._entries.keys() == {"first", "third", "fourth"}


def test_what_is_no_number_is_kept_as_it_is() -> None:
    for length in (1, 3, 40):
        cache = PrefixCache(capacity_bytes=1000)
        cache.put("key", torch.full((length,), float("nan")), 1.0)
        found = cache.get("key")
        assert found is not None
        assert found[0].isnan().all()
    cache.put("empty", torch.zeros(0), 1.0)
    assert cache.get("empty") is None


@pytest.mark.parametrize(("lines", "file"), [
    ("0::/job/step", "sys/fs/cgroup/job/memory.max"),
    ("0::/job/step", "sys/fs/cgroup/memory.max"),
    ("12:cpu,memory:/job/step\n0::/other", "sys/fs/cgroup/memory/job/step/memory.limit_in_bytes"),
])  # fmt: skip
def test_a_control_group_limits_the_memory(tmp_path: Path, lines: str, file: str) -> None:
    free = usable_memory_bytes(tmp_path)
    assert free > 1 << 20
    for path, text in (("proc/self/cgroup", lines), ("sys/fs/cgroup/job/step/memory.max", "max"), (file, str(1 << 20))):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    cores = len(os.sched_getaffinity(0))
    assert usable_memory_bytes(tmp_path) == (1 << 20) * min(torch.get_num_threads(), cores) // cores


def test_the_default_is_a_share_of_the_memory() -> None:
    assert PrefixCache().capacity_bytes == max(1 << 28, int(0.2 * usable_memory_bytes()))


def test_a_copy_for_another_process_is_empty() -> None:
    cache = PrefixCache(capacity_bytes=80)
    cache.put("key", torch.zeros(10), 1.0)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.capacity_bytes, copy.bytes, copy.get("key")) == (80, 0, None)
