"""Candidates together: the same results as one by one, each shared part once, within a bounded memory."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quant.batches import pack
from quant.calibration import calibrate
from quant.candidate import Bits, homogeneous
from quant.models.networks import geometry, network
from quant.population import PrefixCache, logits_of
from quant.ptq import QuantizedArithmetic, QuantizedWeights


@pytest.mark.parametrize("cell", ["sru", "lstm", "gru", "ligru"])
def test_together_is_as_one_by_one(cell: str) -> None:
    sizes = {"inputs": 5, "layers": 2, "cells": 8, "outputs": 4} | ({"projection": 6} if cell == "sru" else {})
    net = network(geometry(cell, sizes))
    net.initialise(torch.Generator().manual_seed(1))
    net.requires_grad_(False)
    generator = np.random.default_rng(2)
    batch = pack([generator.normal(size=(n, 5)).astype(np.float32) for n in (20, 13)], None, [0, 1])
    weights, seen = QuantizedWeights(net), calibrate(net, batch)
    products = []

    class Counting(QuantizedArithmetic):
        def product(self, site, x, weight, bias=None):  # type: ignore[no-untyped-def]
            products.append(site)
            return super().product(site, x, weight, bias)

        def sru(self, site, x, weight, vectors, lengths):  # type: ignore[no-untyped-def]
            products.append(site)
            return super().sru(site, x, weight, vectors, lengths)

    def arithmetic(bits: Bits) -> QuantizedArithmetic:
        return Counting(bits, weights, seen)

    first, last = net.sites[0].name, net.sites[-1].name
    base = homogeneous(net.sites, 8)
    candidates = [base, {**base, last: (4, 4)}, {**base, first: (4, 8)}, dict(base), {**base, last: (2, 4)}]
    cache = PrefixCache()
    together = logits_of(net, batch, 0, candidates, arithmetic, cache)
    assert products.count(first) == 2
    assert products.count(last) == 4  # two of the five candidates are the same
    singly = [net(batch.features, batch.lengths, arithmetic(bits)) for bits in candidates]
    assert all(torch.equal(a, b) for a, b in zip(together, singly, strict=True))
    products.clear()
    (again,) = logits_of(net, batch, 0, [{**base, last: (16, 16)}], arithmetic, cache)
    assert products == (["L1", last] if cell == "sru" else [last])  # what is kept: all before it, for SRU up to P1
    assert not torch.equal(again, together[0])
    products.clear()
    logits_of(net, batch, 1, [base], arithmetic, cache)
    assert products.count(first) == 1  # another batch is another key


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


def test_a_copy_for_another_process_is_empty() -> None:
    cache = PrefixCache(capacity_bytes=80)
    cache.put("key", torch.zeros(10), 1.0)
    copy = pickle.loads(pickle.dumps(cache))
    assert (copy.capacity_bytes, copy.bytes, copy.get("key")) == (80, 0, None)
