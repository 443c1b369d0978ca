"""Quantized inference against a float64 model of the same arithmetic, and against the float network."""

from functools import partial

import numpy as np
import pytest
import torch

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.grid import fixed_point_grid
from quant.arithmetic.integer import QuantizedArithmetic, QuantizedWeights
from quant.arithmetic.observer import calibrate
from quant.arithmetic.products import encode, values
from quant.networks.cell_layer import LayerParameters
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.networks.sru import CELLS_AT_ONCE, SruLayer, blocks_of, by_gate
from quant.networks.sru_recurrence import sru_recurrence_fixed
from quant.sites.candidate import homogeneous
from quant.speech.batches import pack, plan

GEOMETRY = geometry("sru", {"layers": 2, "cells": 20, "projection": 12, "outputs": 9})


@pytest.fixture(scope="module")
def network() -> Network:
    network = Network(GEOMETRY)
    network.initialise(torch.Generator().manual_seed(0))
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def utterances() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(size=(n, GEOMETRY.inputs)).astype(np.float32) for n in (70, 31, 100, 5)]


@pytest.fixture(scope="module")
def calibration(network: Network, utterances: list[np.ndarray]) -> Calibration:
    return calibrated(network, utterances)


def calibrated(network: Network, utterances: list[np.ndarray]) -> Calibration:
    batch = pack(utterances, None, range(len(utterances)))
    return calibrate(network, batch.features, batch.lengths)


def logits(
    network: Network,
    utterances: list[np.ndarray],
    arithmetic: QuantizedArithmetic | None,
    frames_per_batch: int = 10**6,
) -> list[torch.Tensor]:
    result: list[torch.Tensor] = [torch.empty(0)] * len(utterances)
    for positions in plan([len(u) for u in utterances], frames_per_batch):
        batch = pack(utterances, None, positions)
        y = network(batch.features, batch.lengths, arithmetic)
        for column, i in enumerate(positions):
            result[i] = y[: len(utterances[i]), column]
    return result


@pytest.mark.parametrize("pair", [(2, 2), (4, 4), (8, 8), (2, 8), (8, 2), (4, 8)])
def test_small_products_are_exact_integers(network: Network, calibration: Calibration, pair: tuple[int, int]) -> None:
    weights = QuantizedWeights(network)
    arithmetic = QuantizedArithmetic(homogeneous(network.sites, *pair), weights, calibration)
    x = 3 * torch.randn(7, 3, 2 * GEOMETRY.cells, generator=torch.Generator().manual_seed(1))
    w = weights("P1", pair[0])
    a_grid = calibration.activations["P1"][pair[1]]
    whole = a_grid.encode(x).to(torch.int64) @ w.codes.to(torch.int64).T
    scaled = whole.double() * (a_grid.step * w.steps.double())
    step = calibration.results["P1"].step
    ours = arithmetic.product("P1", x, network.get_parameter("P1"))
    exact = (scaled / step).round().clamp(-(2**15), 2**15 - 1) * step
    # Scaling in float32 may move a value that lies on the border between two fixed-point codes.
    assert (ours.double() - exact).abs().max() <= step
    assert (ours.double() == exact).double().mean() > 0.99


def test_sixteen_bits_stay_near_float(network: Network, utterances: list[np.ndarray], calibration: Calibration) -> None:
    arithmetic = QuantizedArithmetic(homogeneous(network.sites, 16), QuantizedWeights(network), calibration)
    for quantized, exact in zip(
        logits(network, utterances, arithmetic), logits(network, utterances, None), strict=True
    ):
        torch.testing.assert_close(quantized, exact, atol=0.03, rtol=0)


def test_error_grows_as_bits_shrink(network: Network, utterances: list[np.ndarray], calibration: Calibration) -> None:
    exact = torch.cat(logits(network, utterances, None))
    errors = []
    for bits in (16, 8, 4, 2):
        arithmetic = QuantizedArithmetic(homogeneous(network.sites, bits), QuantizedWeights(network), calibration)
        errors.append(float((torch.cat(logits(network, utterances, arithmetic)) - exact).square().mean()))
    assert errors == sorted(errors)
    assert errors[0] < errors[3] / 100


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_results_do_not_depend_on_the_batch(
    network: Network, utterances: list[np.ndarray], calibration: Calibration, bits: int
) -> None:
    arithmetic = QuantizedArithmetic(homogeneous(network.sites, bits), QuantizedWeights(network), calibration)
    together, alone = (
        logits(network, utterances, arithmetic),
        logits(network, utterances, arithmetic, frames_per_batch=1),
    )
    for a, b in zip(together, alone, strict=True):
        assert torch.equal(a, b)


def test_calibration_survives_its_text_form(calibration: Calibration) -> None:
    import json

    assert Calibration.from_dict(json.loads(json.dumps(calibration.to_dict()))) == calibration


def test_weights_are_quantized_once(network: Network) -> None:
    weights = QuantizedWeights(network)
    assert weights("L0", 4) is weights("L0", 4)
    assert weights("L0", 4) is not weights("L0", 8)


def test_sums_beyond_what_float32_counts_are_exact_too() -> None:
    """1,200 products of 8 by 8 bits can exceed 2^24: the odd sum below is not a float32 sum of its parts."""
    network = Network(geometry("sru", {"layers": 2, "cells": 4, "projection": 1200, "outputs": 9}))
    network.initialise(torch.Generator().manual_seed(0))
    network.requires_grad_(False)
    network.get_parameter("L1").fill_(1.0)
    x = torch.randn(40, 2, GEOMETRY.inputs, generator=torch.Generator().manual_seed(2))
    calibration = calibrated(network, [x[:, 0].numpy(), x[:, 1].numpy()])
    weights = QuantizedWeights(network)
    grid = calibration.activations["L1"][8]
    inputs = torch.full((1, 1, 1200), 10.0 * grid.step * grid.highest)
    inputs[..., :7] = grid.step * 3
    w = weights("L1", 8)
    assert w.largest_row * 128 > 2**24
    whole = int((grid.encode(inputs).to(torch.int64) @ w.codes.to(torch.int64).T).flatten()[0])
    assert whole > 2**24
    ours = w.multiply(encode(inputs, grid)).flatten()[0]
    assert int(ours) == whole


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["sru", "lstm", "gru", "ligru"])
@pytest.mark.parametrize("bits", [4, 16])
def test_results_depend_on_nothing_but_the_utterance(cell: str, bits: int, utterances: list[np.ndarray]) -> None:
    """Not on the threads, the batch, or how often it is done: to the bit, calibration included."""
    sizes = {"layers": 2, "cells": 20, "outputs": 9} | ({"projection": 12} if cell == "sru" else {})
    net = Network(geometry(cell, sizes))
    net.initialise(torch.Generator().manual_seed(0))
    net.requires_grad_(False)
    threads, results = torch.get_num_threads(), []
    try:
        for count, frames in ((1, 10**6), (2, 10**6), (2, 1)):
            torch.set_num_threads(count)
            seen = calibrated(net, utterances)
            arithmetic = QuantizedArithmetic(homogeneous(net.sites, bits), QuantizedWeights(net), seen)
            results.append((seen, torch.cat(logits(net, utterances, arithmetic, frames))))
    finally:
        torch.set_num_threads(threads)
    for seen, found in results[1:]:
        assert seen == results[0][0]
        assert torch.equal(found, results[0][1])


@pytest.mark.parametrize("bits", [8, 16])
def test_a_layer_in_parts_is_the_layer(bits: int) -> None:
    """Cells that fill neither machine words nor equal parts: as the whole product and the recurrence behind it."""
    cells = CELLS_AT_ONCE + 21
    net = Network(geometry("sru", {"layers": 1, "cells": cells, "outputs": 9})).requires_grad_(False)
    net.initialise(torch.Generator().manual_seed(0))
    net.get_parameter("V0").normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    mats = [np.random.default_rng(n).normal(size=(n, 23)).astype(np.float32) for n in (12, 5)]
    batch = pack(mats, None, [0, 1])
    seen, weights = calibrate(net, batch.features, batch.lengths), QuantizedWeights(net)
    arithmetic = QuantizedArithmetic(homogeneous(net.sites, bits), weights, seen)
    vectors = net.get_parameter("V0")
    layer = SruLayer(LayerParameters("L0", net.get_parameter("L0"), vectors))
    h = arithmetic.recurrence(layer, batch.features, batch.lengths)
    w, grid = weights("L0", bits), seen.grid("L0", bits)
    expected = sru_recurrence_fixed(
        by_gate(w.multiply(encode(batch.features, grid)), 2), by_gate(w.steps * grid.step, 2),
        fixed_point_grid(float(vectors.abs().max())).round(vectors), batch.lengths,
        seen.results["L0"].step, seen.states["L0"].step,
    )  # fmt: skip
    assert len(weights.arranged("L0", bits, partial(blocks_of, 2))) == 4
    assert torch.equal(values(h), expected)
    assert values(h).std() > 0.05
