"""Delta networks: what is held, what it changes, what it saves."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quant import load_model
from quant.arithmetic import kernels
from quant.arithmetic.delta import Delta, masks_of_utterance
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.evaluation.delta_sweep import combinations, sweep, thresholds_of, to_csv
from quant.evaluation.rates import DeltaResult, ErrorRate
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import homogeneous
from quant.sites.delta_pair import in_codes
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
    masks = np.zeros(codes.shape, np.bool_)
    kernels.hold(codes, np.array([steps]), threshold, masks)
    assert np.array_equal(codes, expected)
    assert masks[:, 0].sum(axis=1).tolist() == counts


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


@pytest.mark.parametrize("cell", ["sru", "gru"])
def test_masks_say_which_elements_were_transmitted(cell: str) -> None:
    """Of the first site, against codes that are held element by element; of all, as many as the shares say."""
    net, batch = made(cell)
    calibration = calibrate(net, batch.features, batch.lengths)
    delta = Delta(thresholds_of(net.sites, 3, 2, 1) | {net.sites[0].name: 5}, batch.lengths)
    arithmetic = QuantizedArithmetic(homogeneous(net.sites, 8), QuantizedWeights(net), calibration, delta)
    net(batch.features, batch.lengths, arithmetic)
    first = net.sites[0]
    codes = arithmetic.grid(first.name).encode(batch.features).numpy().astype(int)
    for utterance, length in enumerate(batch.lengths.tolist()):
        masks = masks_of_utterance(delta.sent[first.name], length, utterance, 0)
        held = [0] * first.in_features
        for t in range(length):
            moved = [j for j, code in enumerate(codes[t, utterance].tolist()) if abs(code - held[j]) > 5]
            for j in moved:
                held[j] = int(codes[t, utterance, j])
            assert int(masks[t], 16) == sum(1 << j for j in moved)
        for site in net.sites:
            for direction in (0, 1):
                counted = masks_of_utterance(delta.sent[site.name], length, utterance, direction)
                shares = [int(mask, 16).bit_count() / site.in_features for mask in counted]
                assert shares == pytest.approx(delta.share(site.name, utterance, direction).tolist())


@pytest.mark.parametrize(
    ("threshold", "step", "codes"), [(0, 1.0, 0), (16, 1 / 16, 0), (17, 1 / 16, 1), (16, 2.0**-14, 1023), (1, 0.5, 0)]
)
def test_a_threshold_in_codes_lets_pass_what_differs_by_it(threshold: int, step: float, codes: int) -> None:
    assert in_codes(threshold, step) == codes
    assert (codes + 1) * step >= threshold / 256
    assert codes == 0 or codes * step < threshold / 256


@pytest.mark.slow
def test_candidates_with_thresholds_share_what_they_begin_with() -> None:
    """A population gives each candidate the error and the masks that it has alone, from the cache or not, and the
    traces are of the utterances that are evaluated, in their order."""
    model = load_model("gru", every=24)
    words = ["8", "8@0", "8@16,U1=8@32", "8@16,U1=8@64", "8@16,FC=4x8@16"]
    candidates = [model.parse_bits(word) for word in words]
    for _ in range(2):
        found = [(rate, list(traces)) for rate, traces in model.evaluate_deltas(candidates)]
    assert found[0][0] == found[1][0] == model.evaluate_population([candidates[0]])[0]
    lengths = [len(mat) for mat in model.utterances("dev").mats]
    for (rate, traces), bits in zip(found, candidates, strict=True):
        codes = model.delta_codes(bits)
        plain = {site: tuple(pair) for site, pair in bits.items()}
        assert rate == model.evaluate_delta(plain, codes).rate
        assert [trace.steps for trace in traces] == lengths
        if codes:
            assert traces[2].layers == model.trace_utterance(bits, 2).layers
    assert found[2][1][0].layers[:2] == found[3][1][0].layers[:2]  # the sites before U1 are the same
    with pytest.raises(InputError, match="bits of W0: @16: the integer-only reference"):
        model.evaluate_reference(candidates[2], 1)


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
