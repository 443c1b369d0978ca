"""The project's GRU as EdgeDRNN computes it, against plain whole numbers, and its trace on the accelerator."""

import numpy as np
import pytest
import torch
from plain_edgedrnn import plain_network

from quant import load_model
from quant.arithmetic.edgedrnn import Thresholds
from quant.evaluation.edgedrnn_network import (
    EdgeDrnnArithmetic,
    evaluate_edgedrnn,
    network_weights,
    trace_edgedrnn,
)
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.speech.batches import pack
from simulators import Elementwise, InputError, Matmul, load_arch, simulate

CELLS, INPUTS = 8, 5


def made(cell: str = "gru", layers: int = 2, cells: int = CELLS, causal: bool = False) -> Network:
    sizes = {"inputs": INPUTS, "layers": layers, "cells": cells, "outputs": 4, "causal": causal}
    net = Network(geometry(cell, sizes))
    net.initialise(torch.Generator().manual_seed(2))
    with torch.no_grad():
        for name, values in net.named_parameters():
            if name[0] in "BR":
                values.copy_(torch.linspace(-1.5, 1.2, values.numel()).view(values.shape))
    return net.requires_grad_(False)


def columns_of(net: Network, layer: int, direction: int) -> np.ndarray:
    """(1 + I + H, 3, H) int8, weight by weight from the parameters."""
    inputs, states, bias, inner = (net.get_parameter(f"{kind}{layer}").numpy() for kind in "WUBR")
    hidden, width = states.shape[1], inputs.shape[1]
    columns = np.zeros((1 + width + hidden, 3, hidden), np.int8)
    for gate in range(3):
        for neuron in range(hidden):
            row = (3 * direction + gate) * hidden + neuron
            first = bias[row] + (0.5 * inner[direction, neuron] if gate == 2 else 0)
            real = [first, *inputs[row], *states[row]]
            columns[:, gate, neuron] = [max(-128, min(127, round(128 * float(w)))) for w in real]
    return columns


ORDERS = (slice(None), slice(None, None, -1))


@pytest.mark.parametrize(
    ("thresholds", "causal"),
    [(Thresholds(0, 0), False), (Thresholds(20, 9), False), (Thresholds(300, 30), False), (Thresholds(20, 9), True)],
)
def test_every_direction_is_a_gru_of_the_accelerator_to_the_bit(thresholds: Thresholds, causal: bool) -> None:
    net, chance = made(causal=causal), np.random.default_rng(3)
    utterances = [np.cumsum(chance.normal(size=(n, INPUTS)) * 0.3, 0).astype(np.float32) for n in (9, 6)]
    batch = pack(utterances, None, [0, 1])
    arithmetic = EdgeDrnnArithmetic(network_weights(net), thresholds, batch.lengths)
    logits = net(batch.features, batch.lengths, arithmetic)
    for number, utterance in enumerate(utterances):
        length = len(utterance)
        values = np.rint(utterance.astype(np.float64) * 256).astype(int)
        for layer in range(2):
            halves = []
            for direction, order in enumerate(ORDERS[: net.geometry.directions]):
                weights = columns_of(net, layer, direction)
                h, sent = plain_network([weights], values[order], thresholds.inputs, thresholds.states)
                halves.append(h[order])
                assert np.array_equal(arithmetic.sent[layer][direction, number, :length], sent)
                assert not arithmetic.sent[layer][direction, number, length:].any()
            values = np.concatenate(halves, 1)
        expected = values / 256 @ net.get_parameter("FC").double().numpy().T + net.get_parameter("bias").numpy()
        assert np.allclose(logits[:length, number].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (made("lstm"), "it is a GRU's, and this network is of LSTM"),
        (made(layers=5), "5 layers: EdgeDRNN runs 1 to 4"),
        (made(cells=1032), "inputs: 2064"),
    ],
)
def test_refused_in_one_line(net: Network, message: str) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as error:
        network_weights(net)
    assert message in str(error.value)


@pytest.mark.slow
def test_the_shipped_gru_errs_no_more_and_its_trace_moves_the_columns_that_were_sent() -> None:
    model = load_model("gru", every=16)
    exact = evaluate_edgedrnn(model, Thresholds(0, 0))
    assert exact.rate.error == pytest.approx(model.evaluate(None).error, abs=1.5)
    coarse = evaluate_edgedrnn(model, Thresholds(64, 32))
    assert coarse.eliminated > exact.eliminated + 0.2
    trace = trace_edgedrnn(model, Thresholds(64, 32), utterance=3)
    batch = model.utterance(3, "dev")
    arithmetic = EdgeDrnnArithmetic(network_weights(model.network), Thresholds(64, 32), batch.lengths)
    model.network(batch.features, batch.lengths, arithmetic)
    arch = load_arch("edgedrnn")
    report = simulate(trace, arch)
    products = [layer for layer in report.layers if layer.name[0] in "WU"]
    columns = sum(int(sent.sum()) for sent in arithmetic.sent)
    assert sum(layer.bits["dram_read"] for layer in products) == 8 * columns * 3 * 256
    gates = [layer for layer in trace.layers if isinstance(layer, Elementwise)]
    assert len(gates) == 6
    assert [layer.name for layer in trace.layers if isinstance(layer, Matmul)][:4] == ["W0f", "U0f", "W0b", "U0b"]
    with pytest.raises(InputError, match="utterance 99999: dev has"):
        trace_edgedrnn(model, Thresholds(0, 0), 99999)
