"""The integer-only reference: its pieces against exact arithmetic, and the fast path against it."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from quant import load_model
from quant.arithmetic.calibration import Calibration
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.integer_reference import IntegerArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.products import encode, values
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import Multiplier, fraction_of, shifted, sigmoid, tanh
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import Bits, homogeneous
from quant.speech.batches import UtteranceBatch, pack
from simulators import InputError

CELLS = ("sru", "lstm", "gru", "ligru")
UNIT = 2.0**-14


@given(x=st.integers(-(2**40), 2**40), right=st.integers(-8, 50))
def test_shifts_round_to_the_nearest_even(x: int, right: int) -> None:
    assert int(shifted(np.array(x), right)) == round(Fraction(x) / Fraction(2) ** right)


@given(x=st.integers(-(2**46), 2**46), factor=st.floats(2.0**-44, 2.0**4))
def test_a_multiplier_is_its_factor(x: int, factor: float) -> None:
    exact = float(x) * factor
    result = int(Multiplier.of(np.array(factor))(np.array(x)))
    if abs(exact) < 2**15:
        assert abs(result - exact) <= 0.5 + 1e-4
    elif abs(exact) > 2**17:
        assert abs(result) > 2**15  # saturates


@pytest.mark.parametrize("fraction", [14, 10, 7, 3])
def test_tables_lie_within_one_unit(fraction: int) -> None:
    x = np.arange(-(2**15), 2**15)
    real = x * 2.0**-fraction
    for ours, exact in ((tanh(x, fraction), np.tanh(real)), (sigmoid(x, fraction), expit(real))):
        assert np.abs(ours * UNIT - exact).max() <= UNIT
        assert np.all(np.diff(ours) >= 0)


def made(cell: str) -> tuple[Network, UtteranceBatch, Calibration]:
    sizes = {"inputs": 6, "layers": 2, "cells": 10, "outputs": 5} | ({"projection": 7} if cell == "sru" else {})
    net = Network(geometry(cell, sizes))
    net.initialise(torch.Generator().manual_seed(2))
    net.requires_grad_(False)
    for name, parameter in net.named_parameters():
        if name[0] in "VBRb":
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4)))
    generator = np.random.default_rng(3)
    batch = pack([generator.normal(size=(n, 6)).astype(np.float32) for n in (30, 17)], None, [0, 1])
    return net, batch, calibrate(net, batch.features, batch.lengths)


def both_ways(net: Network, bits: Bits, calibration: Calibration) -> tuple[IntegerArithmetic, QuantizedArithmetic]:
    weights = QuantizedWeights(net)
    exact = IntegerArithmetic(bits, weights, calibration, net.sites[0].name)
    return exact, QuantizedArithmetic(bits, weights, calibration)


@pytest.mark.slow
@settings(max_examples=30)
@given(cell=st.sampled_from(CELLS), pair=st.tuples(*[st.sampled_from([2, 4, 8, 16])] * 2), seed=st.integers(0, 99))
def test_products_are_the_same_bit_for_bit(cell: str, pair: tuple[int, int], seed: int) -> None:
    net, _, calibration = made(cell)
    weights, bits = QuantizedWeights(net), homogeneous(net.sites, *pair)
    exact, fast = both_ways(net, bits, calibration)
    for site in net.sites:
        x = 2 * torch.randn(9, site.in_features, generator=torch.Generator().manual_seed(seed))
        x = (x / UNIT).round().clamp(-(2**15), 2**15 - 1) * UNIT
        w = weights(site.name, pair[0])
        codes = calibration.grid(site.name, pair[1]).encode(x).numpy().astype(np.int64)
        sums = exact.accumulate(site.name, codes, w.codes.numpy().astype(np.int64))
        ours = w.multiply(encode(x, calibration.grid(site.name, pair[1])))
        assert np.array_equal(ours.double().numpy(), sums.astype(np.float32).astype(np.float64))
        if site.name not in calibration.states:
            step = calibration.results[site.name].step
            a, b = (way.product(site.name, x, net.get_parameter(site.name)) for way in (exact, fast))
            assert (a - b).abs().max() <= step * 1.001


@pytest.mark.parametrize("cell", CELLS)
def test_elementwise_work_lies_within_one_unit(cell: str) -> None:
    """One step of every cell from the same state: later steps would add up what the codes' borders make of a unit."""
    net, batch, calibration = made(cell)
    bits = homogeneous(net.sites, 16)
    one = torch.ones(2, dtype=torch.int64)
    x = batch.features[:1]
    results = []
    for way in both_ways(net, bits, calibration):
        stage = net.stages(one, way)[0].compute
        results.append(values(stage(x)))
    first = "L0" if cell == "sru" else "U0"
    unit = max(UNIT, calibration.states[first].step, calibration.results[first].step)  # of the coarsest format inside
    difference = (results[0] - results[1]).abs()
    assert difference.max() <= 1.001 * unit
    assert (difference <= UNIT * 1.001).float().mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bits", [8, 16])
def test_whole_networks_stay_together(cell: str, bits: int) -> None:
    net, batch, calibration = made(cell)
    true = torch.arange(len(batch.features))[:, None] < batch.lengths
    exact, fast = (
        net(batch.features, batch.lengths, way)[true]
        for way in both_ways(net, homogeneous(net.sites, bits), calibration)
    )
    assert (exact - fast).abs().max() < (0.002 if bits == 16 else 0.1) * float(fast.abs().max())


@pytest.mark.parametrize("stored", [False, True])
def test_only_the_features_are_encoded_as_real_numbers(stored: bool) -> None:
    """Just above the border of two codes, and so carried as a number below it. A checkpoint stores sites by name, which is
    no order of the computation."""
    net, _, calibration = made("sru")
    if stored:
        calibration = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict(), sort_keys=True)))
    exact, _ = both_ways(net, homogeneous(net.sites, 8), calibration)
    for site in (net.sites[0], net.sites[-1]):
        step = calibration.grid(site.name, 8).step
        borders = (np.arange(1, 100) + 0.5) * step
        (below, *_) = (x for x in borders if np.rint(x / UNIT) * UNIT < x - 1e-6)
        values = torch.full((1, site.in_features), float(np.float32(below + 1e-6)))
        codes = exact.weight_codes(site.name).sum(1) * round(below / step + (0.5 if site is net.sites[0] else -0.5))
        assert np.array_equal(exact.sums(site.name, values)[0], codes)


def test_an_overflow_is_reported() -> None:
    net, _, calibration = made("sru")
    reference = IntegerArithmetic(homogeneous(net.sites, 8), QuantizedWeights(net), calibration, "L0")
    assert int(reference.accumulate("P1", np.full((1, 3), 127), np.full((2, 3), 127))[0, 0]) == 3 * 127**2
    assert reference.accumulator_bits["P1"] == 17
    with pytest.raises(InputError, match="site P1: a sum takes 33 bits: the accumulator has 32"):
        reference.accumulate("P1", np.full((1, 1), 2**31), np.ones((1, 1), np.int64))


@pytest.mark.slow
def test_a_shipped_model_computes_the_same_in_whole_numbers() -> None:
    model = load_model("sru")
    found = model.evaluate_reference(homogeneous(model.sites, 16), 2)
    assert found.agreement > 0.99
    assert found.reference_error == pytest.approx(found.fast_error, abs=2)
    assert max(found.accumulator_bits.values()) <= 40
    assert fraction_of(model.checkpoint.calibration.results["FC"]) in (14, 10, 7)
