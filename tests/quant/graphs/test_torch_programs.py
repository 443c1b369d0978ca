"""Modules of torch as graphs, by torch.export: what they compute, what they cost, what is refused."""

import pytest
import torch
from graph_runs import in_float
from torch import nn
from toy_modules import Cells, Everything, Maps, Streaming

from quant import homogeneous, load
from quant.graphs.data_settings import DataSettings
from quant.graphs.simplifying import simplified
from quant.graphs.torch_programs.exporting import graph_of_module
from quant.own.own_model import OwnModel
from simulators.inputs.errors import InputError


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "sizes", "others"),
    [
        (Everything(), (2, 12, 6), (3, 17, 6)),
        (Cells(), (6, 1, 4), None),
        (Maps(), (2, 2, 12, 14), (1, 2, 12, 14)),
        (nn.RNN(4, 5, nonlinearity="relu", bidirectional=True), (7, 2, 4), (9, 2, 4)),
        (nn.LSTM(4, 5, bias=False, num_layers=2), (7, 2, 4), (9, 2, 4)),
        (nn.LSTM(4, 5, proj_size=3, num_layers=2, bidirectional=True), (7, 2, 4), (9, 2, 4)),
        (nn.LSTM(4, 5, proj_size=3, bias=False, batch_first=True), (2, 7, 4), (3, 9, 4)),
    ],
    ids=["everything", "cells", "maps", "rnn", "lstm", "projected", "without biases"],
)
def test_a_graph_computes_what_its_module_does(
    module: nn.Module, sizes: tuple[int, ...], others: tuple[int, ...] | None
) -> None:
    module.train()
    name = "x" if hasattr(module, "out") or not isinstance(module, nn.RNNBase) else "input"
    graph = simplified(graph_of_module(module, {name: torch.randn(sizes)}, "module"))
    assert module.training  # it is left as it was
    module.eval()
    for shape in filter(None, (sizes, others)):
        x = torch.randn(shape)
        with torch.no_grad():
            expected = module(x)
        outputs, _ = in_float(graph, {name: x.numpy()})
        first = expected if isinstance(expected, torch.Tensor) else expected[0]
        torch.testing.assert_close(torch.from_numpy(outputs[graph.outputs[0]]), first, atol=1e-5, rtol=1e-5)


def test_positions_by_sine_and_cosine() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(torch.cat((x.sin(), x.cos()), -1))

    module, x = Positions(), torch.randn(3, 2)
    outputs, trace = in_float(simplified(graph_of_module(module, {"x": x}, "module")), {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(next(iter(outputs.values()))), module(x).detach())
    assert trace.trace("positions", {"inner": (8, 8)}).ops == 2 * x.numel()


def test_a_module_costs_the_same_by_hooks_and_by_its_graph() -> None:
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(6, 8, bidirectional=True), nn.Linear(16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(self.rnn(x)[0])

    module, x = Module(), torch.randn(10, 1, 6)
    own = OwnModel(module, x, [x], lambda _: 0.0)
    graph = load(module, [{"x": x}])
    expected = own.trace(homogeneous(own.sites, 8))
    found = graph.trace(homogeneous(graph.sites, 8))
    assert [layer.shape for layer in found.layers] == [layer.shape for layer in expected.layers]


def test_cells_in_a_loop_are_recurrent_layers() -> None:
    model = load(Cells(), [{"x": torch.randn(6, 1, 4)}])
    trace = model.trace(homogeneous(model.sites, 8))
    assert [site.name for site in model.sites] == ["lstm.W", "lstm.U", "gru.W", "gru.U"]
    assert trace.steps == 6
    assert trace.macs == 6 * (20 * 4 + 20 * 5 + 15 * 3 // 3 * 3 * 0 + 9 * 5 + 9 * 3)
    assert trace.weight_bits_total == 8 * (20 * 4 + 20 * 5 + 9 * 5 + 9 * 3) + 16 * (4 * 5 + 4 * 3)


@pytest.mark.slow
def test_a_module_with_state(tmp_path: object) -> None:
    x = torch.randn(12, 1, 4)
    graph = graph_of_module(Streaming(), {"x": x[:3], "h": torch.zeros(1, 1, 6)}, "streaming")
    state = {"h": graph.outputs[1]}
    settings = DataSettings.model_validate({
        "state": state, "zeros": {"h": [1, 1, 6]}, "chunks": {"x": {"length": 3, "axis": 0}}, "hop_ms": 30.0,
    })  # fmt: skip
    module = Streaming()
    model = load(module, [{"x": x}], settings=settings)
    with torch.no_grad():
        expected = module(x, torch.zeros(1, 1, 6))[0]
    torch.testing.assert_close(model.outputs(None)[0].flatten(0, 1), expected, atol=1e-5, rtol=0)


class Fourier(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(x).real


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if float(x.sum()) > 0 else -x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "rule"),
    [
        (Fourier(), r"fourier: .*fft.*: no translation of this operator is known|fft_rfft.*no translation"),
        (Branching(), "branching: torch.export cannot export it"),
    ],
)
def test_what_cannot_be_translated_is_named(module: nn.Module, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as raised:
        load(module, [{"x": torch.randn(5, 1, 4)}])
    assert "\n" not in str(raised.value)


def test_nothing_is_said_beside_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    """A batch of one, which torch remarks upon, and a program that cannot be exported, which it prints."""
    graph_of_module(nn.GRU(4, 5, batch_first=True), {"input": torch.randn(1, 7, 4)}, "module")
    with pytest.raises(InputError, match=r"module: torch\.export cannot export it: .* \(given x float32 \[1, 4\]\)$"):
        graph_of_module(Branching(), {"x": torch.randn(1, 4)}, "module")
    assert capfd.readouterr() == ("", "")
