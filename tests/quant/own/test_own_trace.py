"""Traces of modules of one's own count everything once: held against real tensors' shapes and against networks of this
project's own."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from quant.networks.geometry import Geometry, geometry
from quant.networks.network import Network
from quant.own.own_model import OwnModel
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import homogeneous
from simulators import InputError, Trace, load_arch, simulate
from tests.helpers.counted_macs import counted_macs


class Called(nn.Module):
    """Parts, and what is called of them."""

    def __init__(self, call: Callable[..., torch.Tensor], **parts: nn.Module):
        super().__init__()
        self.call = call
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
        return self.call(self, *inputs, **named)


def own(module: nn.Module, *inputs: torch.Tensor) -> OwnModel:
    return OwnModel(module, inputs, [inputs], lambda m: 0.0, data_digest="none")


def trace_of(module: nn.Module, *inputs: torch.Tensor, bits: int = 8) -> Trace:
    model = own(module, *inputs)
    return model.trace(homogeneous(model.sites, bits))


def test_frames_and_bands_that_are_folded_into_the_batch_count() -> None:
    """The figures of a convolution over 300 frames and of a recurrence across 257 bands, by hand as well."""
    frames = Called(lambda m, x: m.conv(x.flatten(0, 1)[:, None]), conv=nn.Conv1d(1, 20, 5, padding=2, stride=2))
    x = torch.randn(1, 300, 52)
    assert trace_of(frames, x).macs == counted_macs(frames, x) == 300 * 26 * 20 * 5
    bands = Called(lambda m, x: m.rnn(x.transpose(0, 1)[:, :, None])[0], rnn=nn.LSTM(1, 8, batch_first=True))
    x = torch.randn(10, 257)
    assert trace_of(bands, x).macs == counted_macs(bands, x) == 10 * 257 * 4 * 8 * (1 + 8)
    assert trace_of(bands, x).steps == 10  # its time is not the bands'


@pytest.mark.parametrize(
    ("module", "x"),
    [
        (nn.Linear(6, 5), torch.randn(3, 4, 6)),
        (nn.Linear(6, 5), torch.randn(6)),
        (nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2, dilation=2), torch.randn(5, 4, 11)),
        (nn.Conv1d(4, 6, 3, padding="same"), torch.randn(4, 11)),
        (nn.Conv2d(4, 6, (3, 1), padding="valid"), torch.randn(5, 4, 11, 3)),
        (nn.LSTM(6, 5, 2, bidirectional=True), torch.randn(7, 3, 6)),
        (nn.GRU(6, 5, bias=False), torch.randn(7, 6)),
        (nn.GRU(6, 5, batch_first=True), torch.randn(7, 3, 6)),
        (Recurrent("sru", 6, 5), torch.randn(7, 3, 6)),
        (Recurrent("ligru", 6, 5), torch.randn(7, 3, 6)),
    ],
)
def test_layers_count_all_of_a_batch(module: nn.Module, x: torch.Tensor) -> None:
    assert trace_of(module, x).macs == counted_macs(module, x)


def test_a_layer_that_is_called_again_counts_its_weights_once() -> None:
    twice = Called(lambda m, x: m.lin(torch.relu(m.lin(x))), lin=nn.Linear(6, 6))
    trace = trace_of(twice, torch.randn(5, 6))
    assert trace.macs == counted_macs(twice, torch.randn(5, 6)) == 2 * 5 * 36
    assert trace.weight_bits_total == 36 * 8
    rnn = Called(lambda m, x: m.rnn(m.rnn(x)[0])[0], rnn=nn.GRU(6, 6))
    x = torch.randn(5, 2, 6)
    assert trace_of(rnn, x).macs == counted_macs(rnn, x)
    maps = Called(lambda m, x: m.conv(m.conv(x)), conv=nn.Conv1d(4, 4, 3))
    with pytest.raises(InputError, match="conv: called on maps of different sizes"):
        trace_of(maps, torch.randn(1, 4, 9))


def test_a_module_with_two_parents_is_one_layer() -> None:
    shared = nn.Linear(6, 6)
    module = Called(lambda m, x: m.b(m.a(x)), a=shared, b=nn.Sequential(nn.ReLU(), shared))
    model = own(module, torch.randn(2, 6))
    assert [site.name for site in model.sites] == ["a"]
    assert model.trace(homogeneous(model.sites, 4)).macs == 2 * 2 * 36


def test_tied_weights_are_one_site() -> None:
    a, b = nn.Linear(6, 6), nn.Linear(6, 6)
    b.weight = a.weight
    model = own(Called(lambda m, x: m.b(torch.tanh(m.a(x))), a=a, b=b), torch.randn(2, 6))
    trace = model.trace(homogeneous(model.sites, 4))
    assert [site.name for site in model.sites] == ["a"]
    assert (trace.macs, trace.weight_bits_total) == (2 * 2 * 36, 4 * 36)
    rnns = nn.GRU(6, 6), nn.GRU(6, 6)
    rnns[1].weight_hh_l0 = rnns[0].weight_hh_l0
    with pytest.raises(InputError, match=r"^b\.U0: its weights are those of a, used otherwise"):
        own(Called(lambda m, x: m.b(m.a(x)[0])[0], a=rnns[0], b=rnns[1]), torch.randn(4, 1, 6))


def test_both_operands_of_elementwise_work_are_read() -> None:
    module = Called(lambda m, x: m.a(x) * m.b(x) * 2.0 + m.scale, a=nn.Linear(6, 6), b=nn.Linear(6, 6))
    module.register_buffer("scale", torch.ones(6))
    by_two, doubled, shifted = [each for each in trace_of(module, torch.randn(5, 6)).layers if each.op == "elementwise"]
    assert (by_two.inputs, doubled.inputs, shifted.inputs) == (60, 30, 30)
    assert (by_two.vector_parameters, shifted.vector_parameters) == (0, 6)
    square = Called(lambda m, x: (y := m.a(x)) * y, a=nn.Linear(6, 6))
    assert trace_of(square, torch.randn(5, 6)).layers[-1].inputs == 30  # one tensor, read once


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_biases_count_where_there_are_some(kind: type[nn.LSTM | nn.GRU]) -> None:
    gates = {}
    for bias in (True, False):
        (gates[bias],) = [e for e in trace_of(kind(6, 5, bias=bias), torch.randn(4, 1, 6)).layers if e.op != "matmul"]
    assert gates[True].vector_parameters == 4 * 5
    assert gates[False].vector_parameters == 0
    assert gates[True].ops["add"] - gates[False].ops["add"] == 4 * 5


def test_results_are_as_wide_as_what_reads_them() -> None:
    module = Called(
        lambda m, x: m.d(torch.relu(m.c(m.a(x)) + m.b(x))), **{name: nn.Linear(6, 6) for name in "abcd"}
    )  # fmt: skip
    model = own(module, torch.randn(5, 6))
    widths = {"a": (8, 2), "b": (8, 4), "c": (8, 4), "d": (4, 8)}
    found = {layer.name: layer.output_bits for layer in model.trace(widths).layers}
    assert found == {"a": 4, "c": 16, "b": 16, "add3": 16, "relu4": 8, "d": 16}
    split = Called(lambda m, x: m.b(y := m.a(x)) + m.c(y), **{name: nn.Linear(6, 6) for name in "abc"})
    model = own(split, torch.randn(5, 6))
    assert model.trace({"a": (8, 8), "b": (8, 2), "c": (8, 4)}).layers[0].output_bits == 4  # the widest of its readers


class Stack(nn.Module):
    """Recurrent layers of this project or of torch, with a linear layer behind, as `Network` has them."""

    def __init__(self, layers: list[nn.Module], out: nn.Linear):
        super().__init__()
        self.rnns = nn.ModuleList(layers)
        self.FC = out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for rnn in self.rnns:
            y = rnn(x)
            x = y if isinstance(y, torch.Tensor) else y[0]
        return self.FC(x)


@pytest.mark.parametrize("cell", ["lstm", "gru", "ligru", "sru"])
@pytest.mark.parametrize(("weight_bits", "activation_bits"), [(8, 8), (4, 8), (2, 4), (16, 16)])
def test_a_network_costs_what_the_same_one_of_this_project_does(
    cell: str, weight_bits: int, activation_bits: int
) -> None:
    network = Network(geometry(cell, {"layers": 2, "inputs": 12, "cells": 16, "outputs": 10}))
    bits = homogeneous(network.sites, weight_bits, activation_bits)
    shipped = [traced.layer for traced in network.trace_layers(bits, 7)]
    between: list[nn.Module] = []
    if projection := network.geometry.projection:
        between.append(nn.Linear(32, projection))
    module = Stack([Recurrent(cell, 12, 16), *between, Recurrent(cell, projection or 32, 16)], nn.Linear(32, 10))
    model = own(module, torch.randn(7, 1, 12))
    trace = model.trace(homogeneous(model.sites, weight_bits, activation_bits))
    assert [layer.shape for layer in trace.layers] == [layer.shape for layer in shipped]
    reference = Trace(name="own", steps=7, layers=tuple(shipped))
    for arch in ("bitfusion", "silago") if weight_bits == activation_bits and weight_bits > 2 else ("bitfusion",):
        costs = [simulate(each, load_arch(arch)) for each in (trace, reference)]
        assert (costs[0].cycles, costs[0].energy_uj) == (costs[1].cycles, costs[1].energy_uj)


def test_torchs_lstm_has_the_same_work_and_widths() -> None:
    network = Network(Geometry("lstm", layers=2, inputs=12, cells=16, outputs=10))
    bits = homogeneous(network.sites, 4, 8)
    reference = Trace(
        name="own", steps=7, layers=tuple(traced.layer for traced in network.trace_layers(bits, 7))
    )  # fmt: skip
    model = own(Stack([nn.LSTM(12, 16, 2, bidirectional=True)], nn.Linear(32, 10)), torch.randn(7, 1, 12))
    trace = model.trace(homogeneous(model.sites, 4, 8))
    assert (trace.macs, trace.ops, trace.weight_bits_total) == (
        reference.macs, reference.ops, reference.weight_bits_total,
    )  # fmt: skip
    written = [sum(layer.outputs_total().bits for layer in each.layers) for each in (trace, reference)]
    assert written[0] == written[1]
