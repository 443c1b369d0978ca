"""minGRU and LRU: gradients, one step beside all, whole numbers beside fractions, what they learn."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from independent_gru import gate, nearest, tanh

from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.networks.geometry import geometry
from quant.networks.linear_scan import linear_scan
from quant.networks.lru import LRU
from quant.networks.mingru import MINGRU
from quant.networks.network import Network
from quant.networks.scanned_cell import ScannedCell
from quant.networks.step import Fractions, StepRoundings
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import homogeneous
from quant.speech.batches import pack
from quant.training.loop import Examples, Recipe, train
from simulators import Trace

SCANNED = (MINGRU, LRU)
STEPS, BATCH, CELLS = 7, 3, 5


@pytest.mark.parametrize("kind", [torch.double, torch.complex128])
@pytest.mark.parametrize("by_step", [True, False])
def test_the_scan_is_its_recurrence_and_differentiates(kind: torch.dtype, by_step: bool) -> None:
    torch.manual_seed(0)
    a = (0.5 * torch.randn(4 if by_step else 2, *(2, 1, 3)[not by_step :], dtype=kind)).requires_grad_()
    b = torch.randn(4, 2, 1, 3, dtype=kind, requires_grad=True)
    state, states = torch.zeros_like(b[0]), []
    for t in range(4):
        state = (a[t] if by_step else a) * state + b[t]
        states.append(state)
    torch.testing.assert_close(linear_scan(a, b), torch.stack(states))
    assert torch.autograd.gradcheck(linear_scan, (a, b))


@pytest.mark.parametrize("cell", SCANNED)
def test_one_step_after_the_other_is_all_of_them(cell: ScannedCell) -> None:
    torch.manual_seed(1)
    u = torch.randn(STEPS, 2, BATCH, cell.gates * CELLS)
    vectors = 0.2 * torch.randn(cell.vectors_shape(CELLS))
    h, _ = cell.all_steps(u, vectors)
    constants = tuple(value[:, None] for value in cell.constants(vectors))
    state = (torch.zeros(2, BATCH, CELLS),) * cell.states
    for t in range(STEPS):
        state = cell.step(u[t], constants, state, StepRoundings())
        torch.testing.assert_close(state[0], h[t])


def test_before_training_the_state_has_the_variance_of_its_input() -> None:
    real, imaginary, scale = LRU.constants(torch.zeros(1, 2, 200, dtype=torch.double))
    magnitude = (real**2 + imaginary**2).sqrt()
    torch.testing.assert_close(scale**2, 1 - magnitude**2)
    assert (float(magnitude.min()), float(magnitude.max())) == pytest.approx((0.4, 0.99), abs=0.002)


def sigmoid(x: Fraction) -> Fraction:
    return gate((1 + tanh(x / 2)) / 2)


def held(value: Fraction, fraction: int) -> Fraction:
    """Once rounded, and saturated at 16 bits."""
    return Fraction(min(max(nearest(value * 2**fraction), -(2**15)), 2**15 - 1), 2**fraction)


def test_whole_numbers_are_those_of_fractions() -> None:
    """The equations of both cells, a number at a time, with results at 10 and states at 12 fractional bits."""
    draw = np.random.default_rng(4)
    u, h, s, w = (draw.integers(-(2**15), 2**15, 40) for _ in range(4))
    turn, slide, scale, gated = (draw.integers(-(2**14), 2**14, 40) for _ in range(4))
    fractions = Fractions(sum=10, memory=12)
    (kept,) = MINGRU.integer_step(np.stack((gated, u)).reshape(-1), (), (h,), fractions)
    made = LRU.integer_step(np.stack((u, w, gated)).reshape(-1), (turn, slide, scale), (h, s, h), fractions)
    for i in range(40):
        z = sigmoid(Fraction(int(gated[i]), 2**10))
        x, before = Fraction(int(u[i]), 2**10), Fraction(int(h[i]), 2**12)
        assert kept[i] == held(held((1 - z) * before, 12) + z * x, 12) * 2**12
        real, imaginary, share = (Fraction(int(value[i]), 2**14) for value in (turn, slide, scale))
        s_real, s_imaginary = Fraction(int(s[i]), 2**12), before
        next_real = held(real * s_real - imaginary * s_imaginary + share * x, 12)
        next_imaginary = held(real * s_imaginary + imaginary * s_real + share * Fraction(int(w[i]), 2**10), 12)
        assert [part[i] for part in made] == [
            held(z * next_real, 12) * 2**12,
            next_real * 2**12,
            next_imaginary * 2**12,
        ]


@pytest.mark.parametrize("cell", SCANNED)
def test_the_trace_counts_what_the_equations_say(cell: ScannedCell) -> None:
    network = Network(geometry(cell.name, {"inputs": 4, "layers": 2, "cells": 6, "outputs": 3}))
    layers = tuple(part.layer for part in network.trace_layers(homogeneous(network.sites, 4), 10))
    trace = Trace(name="n", steps=10, layers=layers)
    assert [layer.name for layer in layers] == ["W0", "E0", "W1", "E1", "FC"]
    rows = 2 * cell.gates * 6
    assert trace.macs == 10 * (rows * 4 + rows * 12 + 3 * 12)
    # minGRU: a bias each of z and n, 1 - z; times h', plus z n. LRU: three biases; λ s, which is four products and two
    # sums; γ u added twice; the gate.
    by_hand = {
        "mingru": {"add": 3, "multiply": 1, "multiply_add": 1, "sigmoid": 1},
        "lru": {"add": 3 + 2, "multiply": 4 + 1, "multiply_add": 2, "sigmoid": 1},
    }
    assert getattr(layers[1], "ops") == {op: 2 * 6 * count for op, count in by_hand[cell.name].items()}  # noqa: B009


@pytest.mark.slow
@pytest.mark.parametrize("cell", SCANNED)
def test_it_learns_what_was_a_frame_before(cell: ScannedCell, tmp_path: Path) -> None:
    def data(seed: int) -> Examples:
        rng = np.random.default_rng(seed)
        features = [rng.normal(size=(int(rng.integers(20, 60)), 3)).astype(np.float32) for _ in range(12)]
        labels = [np.concatenate([[0], x[:-1].argmax(1)]).astype(np.int64) for x in features]
        return Examples(features, labels, "digest")

    sizes = geometry(cell.name, {"inputs": 3, "layers": 2, "cells": 24, "outputs": 3, "causal": True})
    recipe = Recipe(sizes, epochs=40, frames_per_batch=256, learning_rate=2e-2, dropout=0.0)
    network = train(recipe, data(0), tmp_path / "run")
    held_out = data(1)
    batch = pack(held_out.features, held_out.labels, range(8))
    assert batch.labels is not None
    calibration = calibrate(network, batch.features, batch.lengths)
    errors = []
    for bits in (None, 16, 8):
        arithmetic = None
        if bits is not None:
            arithmetic = QuantizedArithmetic(homogeneous(network.sites, bits), QuantizedWeights(network), calibration)
        guesses = network(batch.features, batch.lengths, arithmetic).argmax(-1)
        errors.append(float((guesses != batch.labels)[batch.labels >= 0].float().mean()))
    assert errors[0] < 0.4  # two of three by chance
    assert errors[1] == pytest.approx(errors[0], abs=0.01)
    assert errors[2] == pytest.approx(errors[0], abs=0.06)


@pytest.mark.parametrize("cell", SCANNED)
def test_it_is_a_layer_of_ones_own_modules(cell: ScannedCell) -> None:
    layer = Recurrent(cell.name, 4, 6)
    x = torch.randn(5, 2, 4)
    assert layer(x).shape == (5, 2, 12)
