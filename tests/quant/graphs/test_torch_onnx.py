"""Modules that torch itself exports to ONNX, and that are exported from here: each comes in as the same network."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip("onnx", reason="torch.onnx and what reads its files need mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what runs an export")

from quant import homogeneous, load
from quant.graph_exports.graph_writing import export_network
from quant.graphs.graph_model import GraphModel

FRAMES, WIDTH = 14, 8
torch.manual_seed(2)  # the modules of the cases are drawn where this file is read


class FirstOf(nn.Module):
    """A recurrent layer's outputs without its last state."""

    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.layer, self.out = layer, nn.Linear(layer.hidden_size * (2 if layer.bidirectional else 1), 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.layer(x)[0])


class OverFrames(nn.Module):
    """Convolutions, one of a group each channel, over frames, with normalisations of batches and of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv1d(WIDTH, 12, 3, padding=2, dilation=2), nn.BatchNorm1d(12)
        self.deep, self.layer_norm, self.out = nn.Conv1d(12, 12, 3, groups=12), nn.LayerNorm(12), nn.Linear(12, 3)
        self.norm.running_mean, self.norm.running_var = torch.linspace(-1, 1, 12), torch.linspace(0.5, 2, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.deep(torch.relu(self.norm(self.conv(x.transpose(1, 2))))).transpose(1, 2)
        return self.out(self.layer_norm(y))


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.out = nn.TransformerEncoderLayer(WIDTH, 2, 16, dropout=0.0, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.layer(x))


class Tied(nn.Module):
    """One matrix for two products."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x)))


CASES: dict[str, nn.Module] = {
    "linear": nn.Sequential(nn.Linear(WIDTH, 16), nn.Tanh(), nn.Linear(16, 3)),
    "convolutions and norms": OverFrames(),
    "lstm": FirstOf(nn.LSTM(WIDTH, 10, num_layers=2, bidirectional=True, batch_first=True)),
    "gru": FirstOf(nn.GRU(WIDTH, 10, batch_first=True)),
    "attention": Attending(),
    "tied": Tied(),
}


def quantized_and_costed(model: GraphModel) -> tuple[float, float, int, int]:
    """Errors at 16 and 8 bits, multiply-accumulates and bits of weights at 8."""
    bits = homogeneous(model.sites, 8)
    trace = model.trace(bits)
    at16 = model.evaluate(homogeneous(model.sites, 16)).error
    return at16, model.evaluate(bits).error, trace.macs, trace.weight_bits_total


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_what_torch_exports_is_the_same_network(name: str, tmp_path: Path) -> None:
    module, x = CASES[name].eval(), torch.randn(1, FRAMES, WIDTH)
    file = tmp_path / "torch.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that another exporter, which needs onnxscript, will take its place
        torch.onnx.export(module, (x,), file, dynamo=False, input_names=["x"], opset_version=17)
        expected = module(x).detach()
    from_file, from_module = load(file, [{"x": x.numpy()}]), load(module, [{_input_of(module): x.numpy()}])
    for model in (from_file, from_module):
        torch.testing.assert_close(model.outputs(None)[0], expected, atol=1e-5, rtol=1e-5)
    found, by_graph = quantized_and_costed(from_file), quantized_and_costed(from_module)
    assert found[0] < 0.1 < found[1] < 5
    assert found[:2] == pytest.approx(by_graph[:2], rel=0.05)
    assert found[2:] == by_graph[2:]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_what_is_exported_from_here_runs_and_comes_back(name: str, tmp_path: Path) -> None:
    module, x = CASES[name].eval(), torch.randn(1, FRAMES, WIDTH)
    model = load(module, [{_input_of(module): x.numpy()}])
    bits = homogeneous(model.sites, 4, 8)
    assert "in ONNX Runtime " in export_network("qdq", model, bits, tmp_path / "x.onnx")
    again = load(tmp_path / "x.onnx", [{_input_of(module): x.numpy()}])
    expected = model.outputs(bits)[0]
    far = (again.outputs(None)[0] - expected).norm() / expected.norm()
    assert float(far) < 1e-4
    assert len(again.sites) == len(model.sites)


def _input_of(module: nn.Module) -> str:
    return "input" if isinstance(module, nn.Sequential) else "x"
