"""Delta networks: what is held, what it changes, what it saves."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quant import load_model
from quant.arithmetic import kernels
from quant.arithmetic.delta import Delta
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.delta_sweep import combinations, sweep, thresholds_of, to_csv
from quant.evaluation.rates import DeltaResult, ErrorRate
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import homogeneous
from quant.speech.batches import UtteranceBatch, pack
from simulators import InputError, Matmul, load_arch, simulate

CELLS = ("sru", "lstm", "gru", "ligru")


def made(cell: str) -> tuple[Network, UtteranceBatch]:
    sizes = {"inputs": 6, "layers": 2, "cells": 8, "outputs": 5} | ({"projection": 4} if cell == "sru" else {})
    net = Network(geometry(cell, sizes))
    net.initialise(torch.Generator().manual_seed(2))
    generator = np.random.default_rng(3)
    utterances = [np.cumsum(generator.normal(size=(n, 6)) * 0.2, 0).astype(np.float32) for n in (40, 23, 31)]
    return net.requires_grad_(False), pack(utterances, None, [0, 1, 2])


@given(data=st.data(), threshold=st.integers(-1, 20))
def test_what_is_held(data: st.DataObject, threshold: int) -> None:
    steps, cells = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 4))
    codes = np.array(data.draw(st.lists(st.integers(-128, 127), min_size=steps * cells, max_size=steps * cells)))
    codes = codes.reshape(steps, 1, cells).astype(np.int32)
    held, counts, expected = np.zeros(cells, np.int64), [], np.zeros_like(codes)
    for t in range(steps):
        sent = np.abs(codes[t, 0] - held) > threshold
        held[sent] = codes[t, 0][sent]
        expected[t, 0] = held
        counts.append(int(sent.sum()))
    active = np.zeros((steps, 1), np.int32)
    kernels.hold(codes, np.array([steps]), threshold, active)
    assert np.array_equal(codes, expected)
    assert active[:, 0].tolist() == counts


@pytest.mark.parametrize("cell", CELLS)
def test_without_a_threshold_nothing_changes_but_the_work(cell: str) -> None:
    net, batch = made(cell)
    weights, calibration, bits = (
        QuantizedWeights(net),
        calibrate(net, batch.features, batch.lengths),
        homogeneous(net.sites, 4),
    )
    plain = net(batch.features, batch.lengths, QuantizedArithmetic(bits, weights, calibration))
    delta = Delta(thresholds_of(net.sites, 0, 0, 0), batch.lengths)
    held = net(batch.features, batch.lengths, QuantizedArithmetic(bits, weights, calibration, delta))
    true = torch.arange(len(plain))[:, None] < batch.lengths
    assert torch.equal(plain[true], held[true])
    assert set(delta.active) == {site.name for site in net.sites}
    for site in net.sites:
        for utterance, length in enumerate(batch.lengths.tolist()):
            shares = delta.share(site.name, utterance, 1)
            assert len(shares) == length
            assert 0 < shares.mean() < 1


@pytest.mark.parametrize("cell", CELLS)
def test_thresholds_save_work(cell: str) -> None:
    net, batch = made(cell)
    weights, calibration, bits = (
        QuantizedWeights(net),
        calibrate(net, batch.features, batch.lengths),
        homogeneous(net.sites, 8),
    )
    means = []
    for threshold in (0, 8, 64):
        delta = Delta(thresholds_of(net.sites, threshold, threshold, threshold), batch.lengths)
        net(batch.features, batch.lengths, QuantizedArithmetic(bits, weights, calibration, delta))
        means.append(sum(float(shares.mean()) for shares in delta.active.values()))
        assert delta.active[net.sites[0].name].shape[0] == len(batch.features)
    assert means[0] > means[1] > means[2]


def test_groups_of_sites() -> None:
    sites = made("gru")[0].sites
    assert thresholds_of(sites, 1, 2, 3) == {"W0": 0, "U0": 2, "W1": 1, "U1": 2, "FC": 3}


@pytest.mark.slow
def test_the_shipped_gru_as_a_delta_network() -> None:
    """At 4 bits and threshold 0, 42 % of the operations fall away without any error, as Rezk et al. 2020 report of a GRU
    on TIMIT; the trace of an utterance shows it to the simulators. One utterance in eight says so as well as all do."""
    model = load_model("gru", every=8)
    bits = homogeneous(model.sites, 4)
    zero = thresholds_of(model.sites, 0, 0, 0)
    found = model.evaluate_delta(bits, zero)
    assert found.rate == model.evaluate(bits)
    assert found.eliminated == pytest.approx(0.42, abs=0.02)
    trace = model.trace_delta(bits, thresholds_of(model.sites, 1, 1, 1), utterance=3)
    products = [layer for layer in trace.layers if isinstance(layer, Matmul)]
    assert all(isinstance(layer.active, tuple) and len(layer.active) == trace.steps for layer in products)
    plain = model.trace(bits, trace.steps)
    for arch in ("bitfusion", "silago"):
        skipping = load_arch(arch, ["skips_inactive_inputs=true"])
        saved, whole = simulate(trace, skipping), simulate(plain, skipping)
        assert saved.energy_uj < 0.95 * whole.energy_uj
        assert saved.cycles <= whole.cycles
    with pytest.raises(InputError, match="threshold of W9: unknown site"):
        model.evaluate_delta(bits, {"W9": 1})
    with pytest.raises(InputError, match="utterance 99999: dev has"):
        model.trace_delta(bits, zero, utterance=99999)


def test_a_sweep_is_a_table() -> None:
    """On a model whose evaluation is made up: every combination, in order, and what the file says of it."""

    class Made:
        sites = made("gru")[0].sites

        def evaluate_delta(self, bits: object, thresholds: dict[str, int], split: str) -> DeltaResult:
            share = 1 / (1 + thresholds["U0"])
            rate = ErrorRate(20.0, 18.0 + thresholds["W1"], (), 0, 0, 0, 1)
            return DeltaResult(rate, dict.fromkeys(thresholds, share), 1 - share)

    points = list(sweep(Made(), {}, [0, 2], fc=1))  # type: ignore[arg-type]
    assert [(p.x, p.h, p.fc) for p in points] == [(0, 0, 1), (0, 2, 1), (2, 0, 1), (2, 2, 1)]
    rows = to_csv(points).splitlines()
    assert rows[0] == "x,h,fc,error,error_max,eliminated,active_W0,active_U0,active_W1,active_U1,active_FC"
    assert rows[4].startswith("2,2,1,20,20,0.666667,0.333333")
    assert combinations(Made(), [1]) == [(1, 1)]  # type: ignore[arg-type]
