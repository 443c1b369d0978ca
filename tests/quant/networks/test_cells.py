"""LSTM, GRU and Li-GRU: against torch's own, folded, quantized, traced."""

from pathlib import Path

import numpy as np
import pytest
import torch

from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.integer import QuantizedArithmetic
from quant.arithmetic.observer import calibrate
from quant.arithmetic.weights import QuantizedWeights
from quant.files.checkpoint import TRAINING_STATE
from quant.files.tensor_files import read_tensors
from quant.networks.gated import GatedCell
from quant.networks.geometry import geometry
from quant.networks.gru import GRU
from quant.networks.ligru import LIGRU
from quant.networks.lstm import LSTM
from quant.networks.network import Network
from quant.networks.registry import CELLS
from quant.networks.step import StepRoundings
from quant.networks.time_order import in_time, side_by_side
from quant.sites.candidate import homogeneous
from quant.speech.batches import UtteranceBatch, pack
from quant.training.loop import Examples, Recipe, train
from simulators import Elementwise, InputError, Matmul, Trace, load_arch, simulate

STEPS, BATCH, CELLS_EACH, INPUTS = 9, 3, 5, 4
GATED = (LSTM, GRU, LIGRU)


@pytest.mark.parametrize(("cell", "reference"), [(LSTM, torch.nn.LSTM), (GRU, torch.nn.GRU)])
def test_results_and_gradients_are_torchs(cell: GatedCell, reference: type[torch.nn.RNNBase]) -> None:
    torch.manual_seed(0)
    theirs = reference(INPUTS, CELLS_EACH).double()  # type: ignore[call-arg]
    x = torch.randn(STEPS, BATCH, INPUTS, dtype=torch.double, requires_grad=True)
    y, _ = theirs(x)
    grad = torch.randn_like(y)
    y.backward(grad)
    expected, x.grad = x.grad.clone(), None  # type: ignore[union-attr]
    inner = theirs.bias_hh_l0.detach().clone()
    bias = theirs.bias_ih_l0.detach().clone()
    if cell is GRU:
        bias[: 2 * CELLS_EACH] += inner[: 2 * CELLS_EACH]
        recurrent = inner[2 * CELLS_EACH :].repeat(2, 1).requires_grad_()
    else:
        bias, recurrent = bias + inner, torch.zeros(2, 0, dtype=torch.double, requires_grad=True)
    w = theirs.weight_hh_l0.detach().repeat(2, 1, 1).requires_grad_()
    u = (x @ theirs.weight_ih_l0.detach().T + bias)[:, None].repeat(1, 2, 1, 1)
    h = cell.differentiable(u, w, recurrent)
    torch.testing.assert_close(h[:, 0], y)
    h[:, 0].backward(grad)
    torch.testing.assert_close(x.grad, expected)
    assert w.grad is not None
    torch.testing.assert_close(w.grad[0], theirs.weight_hh_l0.grad)
    if cell is GRU:
        assert recurrent.grad is not None
        torch.testing.assert_close(recurrent.grad[0], theirs.bias_hh_l0.grad[2 * CELLS_EACH :])


@pytest.mark.parametrize("cell", GATED)
def test_gradients_are_those_of_finite_differences(cell: GatedCell) -> None:
    torch.manual_seed(1)
    u = torch.randn(4, 2, 2, cell.gates * 3, dtype=torch.double, requires_grad=True)
    w = (0.5 * torch.randn(2, cell.gates * 3, 3, dtype=torch.double)).requires_grad_()
    bias = torch.randn(2, cell.recurrent_biases * 3, dtype=torch.double, requires_grad=True)
    inputs = (u, w, bias) if cell.recurrent_biases else (u, w)
    assert torch.autograd.gradcheck(lambda *x: cell.differentiable(*(*x, bias)[:3]), inputs)


@pytest.mark.parametrize("cell", GATED)
def test_a_step_is_what_the_whole_pass_does(cell: GatedCell) -> None:
    torch.manual_seed(2)
    u = torch.randn(STEPS, 2, BATCH, cell.gates * CELLS_EACH)
    w = torch.randn(2, cell.gates * CELLS_EACH, CELLS_EACH)
    bias = torch.randn(2, cell.recurrent_biases * CELLS_EACH)
    h = cell.differentiable(u, w, bias)
    state = (torch.zeros(2, BATCH, CELLS_EACH),) * cell.states
    for t in range(STEPS):
        a = torch.bmm(state[0], w.transpose(1, 2))
        state = cell.step(u[t], a, bias, state, StepRoundings())
        torch.testing.assert_close(state[0], h[t], atol=2e-5, rtol=1e-4)


def test_directions_meet_in_time() -> None:
    x, lengths = torch.arange(24.0).view(4, 2, 3), torch.tensor([4, 2])
    both = torch.cat((x, x), -1)
    apart = side_by_side(both, lengths, 2)
    assert apart[0, 1, 0].tolist() == x[3, 0].tolist()  # the second direction begins at the last true frame
    assert apart[0, 1, 1].tolist() == x[1, 1].tolist()
    assert torch.equal(in_time(apart, lengths)[:, :, 1], x)


def data(seed: int = 0, count: int = 12) -> Examples:
    """Frames whose label is the largest of three inputs a frame before: a recurrence helps."""
    rng = np.random.default_rng(seed)
    features, labels = [], []
    for _ in range(count):
        x = rng.normal(size=(int(rng.integers(20, 90)), 3)).astype(np.float32)
        features.append(x)
        labels.append(np.concatenate([[0], x[:-1].argmax(1)]).astype(np.int64))
    return Examples(features, labels, "digest")


@pytest.fixture(scope="module", params=["lstm", "gru", "ligru"])
def net(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    sizes = geometry(request.param, {"inputs": 3, "layers": 2, "cells": 16, "outputs": 3})
    recipe = Recipe(geometry=sizes, epochs=25, frames_per_batch=512, learning_rate=1e-2, dropout=0.0)
    return train(recipe, data(), tmp_path_factory.mktemp(request.param))


@pytest.fixture
def batch() -> UtteranceBatch:
    held_out = data(1)
    return pack(held_out.features, held_out.labels, range(6))


def error(net: Network, batch: UtteranceBatch, bits: int | None) -> float:
    arithmetic = FloatArithmetic() if bits is None else quantized(net, batch, bits)
    with torch.inference_mode():
        guesses = net(batch.features, batch.lengths, arithmetic).argmax(-1)
    assert batch.labels is not None
    true = batch.labels >= 0
    return float((guesses != batch.labels)[true].float().mean())


def quantized(net: Network, batch: UtteranceBatch, bits: int) -> QuantizedArithmetic:
    return QuantizedArithmetic(
        homogeneous(net.sites, bits), QuantizedWeights(net), calibrate(net, batch.features, batch.lengths)
    )


@pytest.mark.slow
def test_it_learns_and_quantization_costs_what_it_should(net: Network, batch: UtteranceBatch) -> None:
    errors = [error(net, batch, bits) for bits in (None, 16, 8, 2)]
    assert errors[0] < 0.25
    assert abs(errors[1] - errors[0]) < 0.01
    assert abs(errors[2] - errors[0]) < 0.06
    assert errors[3] > errors[2]


@pytest.mark.slow
def test_sixteen_bits_stay_near_float(net: Network, batch: UtteranceBatch) -> None:
    with torch.inference_mode():
        exact = net(batch.features, batch.lengths)
        rounded = net(batch.features, batch.lengths, quantized(net, batch, 16))
    true = torch.arange(len(exact))[:, None] < batch.lengths
    assert float((exact - rounded)[true].abs().max()) < 0.05 * float(exact[true].abs().max())


@pytest.mark.slow
def test_evaluating_twice_gives_the_same_bits_in_any_batch(net: Network, batch: UtteranceBatch) -> None:
    arithmetic = quantized(net, batch, 8)
    held_out = data(1)
    with torch.inference_mode():
        once, again = (net(batch.features, batch.lengths, arithmetic) for _ in range(2))
        alone = pack(held_out.features, None, [2])
        single = net(alone.features, alone.lengths, arithmetic)
    assert torch.equal(once, again)
    length = int(alone.lengths[0])
    torch.testing.assert_close(once[:length, 2], single[:length, 0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("cell", ["gru", "sru", "mingru"])
def test_folding_changes_nothing(cell: str, causal: bool) -> None:
    torch.manual_seed(3)
    sizes = {"inputs": 3, "layers": 2, "cells": 7, "outputs": 4, "causal": causal}
    full = Network(geometry(cell, sizes), normalised=True)
    full.initialise(torch.Generator().manual_seed(1))
    for name, parameter in full.named_parameters():
        if name.startswith(("V", "R")):
            parameter.data.uniform_(-0.5, 0.5)
    assert len(full.norms) == 2
    for norm in full.norms:
        for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
            tensor.data.uniform_(0.5, 2.0)
    x, lengths = torch.randn(11, 2, 3), torch.tensor([11, 6])
    plain = full.folded()
    assert not plain.norms
    torch.testing.assert_close(plain(x, lengths), full(x, lengths), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["gru", "sru"])
def test_a_training_is_normalised_unless_it_is_not_to_be(cell: str, tmp_path: Path) -> None:
    sizes = geometry(cell, {"inputs": 3, "layers": 1, "cells": 8, "outputs": 3})
    kept = {}
    for normalised in (True, False):
        folder = tmp_path / str(normalised)
        recipe = Recipe(sizes, epochs=1, frames_per_batch=512, normalised=normalised)
        found = train(recipe, data(), folder)
        kept[normalised] = read_tensors(folder / TRAINING_STATE).tensors
        assert not found.norms
    assert {name for name in kept[True] if name not in kept[False]} >= {"norms.0.weight", "norms.0.running_mean"}


@pytest.mark.slow
def test_a_resumed_training_is_the_same(tmp_path: Path) -> None:
    sizes = geometry("ligru", {"inputs": 3, "layers": 1, "cells": 8, "outputs": 3})
    recipe = Recipe(geometry=sizes, epochs=3, frames_per_batch=512, dropout=0.2)
    folder = tmp_path
    whole = train(recipe, data(), folder / "whole")

    class Stopped(Exception):
        pass

    def stop(epoch: int, _: object) -> None:
        if epoch == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train(recipe, data(), folder / "parts", on_epoch=stop)
    resumed = train(recipe, data(), folder / "parts", resume=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("ligru", 2)])
def test_the_trace_is_the_network(cell: str, gates: int) -> None:
    sizes = geometry(cell, {"inputs": 23, "layers": 2, "cells": 32})
    net = Network(sizes)
    bits = homogeneous(net.sites, 8) | {"U1": (4, 8), "W1": (2, 4)}
    trace = Trace(name=cell, steps=10, layers=tuple(traced.layer for traced in net.trace_layers(bits, 10)))
    products = [layer for layer in trace.layers if isinstance(layer, Matmul)]
    assert sum(layer.macs for layer in products) == 10 * sum(site.weights for site in net.sites)
    assert [layer.name for layer in products if layer.recurrent] == ["U0f", "U0b", "U1f", "U1b"]
    assert {layer.weight_bits for layer in products if layer.name.startswith("U1")} == {4}
    gate_work = [layer for layer in trace.layers if isinstance(layer, Elementwise)]
    assert len(gate_work) == 4
    assert gate_work[0].inputs == 2 * gates * 32
    assert gate_work[0].output_bits == 4  # what W1 reads
    assert simulate(trace, load_arch("bitfusion")).cycles > 0
    eight = Trace(
        name=cell, steps=10, layers=tuple(traced.layer for traced in net.trace_layers(homogeneous(net.sites, 8), 10))
    )
    assert simulate(eight, load_arch("silago"), engine="simpy") == simulate(eight, load_arch("silago"))


def test_sites_say_what_they_are_for() -> None:
    for cell, expected in {
        "sru": [("L0", "input", 0, "both"), ("P1", "projection", 1, None), ("L1", "input", 1, "both"), ("FC", "output", None, None)],
        "gru": [("W0", "input", 0, "both"), ("U0", "recurrent", 0, "both"), ("W1", "input", 1, "both"),
                ("U1", "recurrent", 1, "both"), ("FC", "output", None, None)],
    }.items():  # fmt: skip
        net = Network(geometry(cell, {"layers": 2, "cells": 4}))
        assert [(site.name, site.role, site.layer, site.direction) for site in net.sites] == expected
        directions = [
            (traced.site, traced.direction) for traced in net.trace_layers(homogeneous(net.sites, 8), 1) if traced.site
        ]
        assert directions == [
            (name, d) for name, role, *_ in expected for d in ((0, 1) if role == "recurrent" else (0,))
        ]


@pytest.mark.parametrize("cell", CELLS.names())
def test_sizes_are_read_as_they_are_stored(cell: str) -> None:
    sizes = geometry(cell, {"layers": 3, "cells": 7, "outputs": 2})
    stored = sizes.to_dict()
    assert geometry(cell, stored) == sizes
    assert ("projection" in stored) == (cell == "sru") == ("cell" not in stored)  # as the second format has it
    other = "gru" if cell != "gru" else "lstm"
    with pytest.raises(InputError, match=f"cell '{cell}': it must be {other}, as beside it|projection: 256"):
        geometry(other, stored)


def test_published_sizes_are_the_defaults_and_bad_ones_are_named() -> None:
    assert geometry("lstm", {}).layers == 4
    assert geometry("ligru", {}).layers == 5
    assert geometry("gru", {}).cells == 550
    for cell, values, message in [
        ("rnn", {}, "cell 'rnn'"),
        ("gru", {"cells": 0}, "cells is 0"),
        ("gru", {"projection": 3}, "projection"),
    ]:
        with pytest.raises(InputError, match=message):
            geometry(cell, values)


def test_the_ungated_cell_is_relu_and_unbounded() -> None:
    u = torch.full((3, 2, 1, 2 * 2), 5.0)
    assert float(LIGRU.differentiable(u, torch.zeros(2, 4, 2), torch.zeros(2, 0))[-1].min()) > 0.01
