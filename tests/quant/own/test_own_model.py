"""A module of one's own: quantized, traced, searched; what cannot be traced is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from quant.networks.registry import CELLS
from quant.own.module_layers import layers_of
from quant.own.own_model import OwnModel
from quant.own.recurrent_layers import Recurrent
from quant.own.replaced_layers import replaced
from quant.own.roundings import Exactly
from quant.sites.candidate import homogeneous
from search import Experiment, run
from simulators import InputError, load_arch, simulate


class Classifier(nn.Module):
    """Rows of an image through a recurrent layer to a linear one."""

    def __init__(self, rnn: nn.Module, features: int):
        super().__init__()
        self.front = nn.Conv1d(8, 12, 3, padding=1)
        self.rnn = rnn
        self.out = nn.Sequential(nn.Linear(features, 20), nn.ReLU(), nn.Dropout(0.1), nn.Linear(20, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.tanh(self.front(x.transpose(1, 2)).transpose(1, 2))
        if isinstance(self.rnn, Recurrent):
            return self.out(self.rnn(x.transpose(0, 1))[-1])
        return self.out(self.rnn(x)[0][:, -1])


def images() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return torch.tensor(data.images / 16.0, dtype=torch.float32)[order], torch.tensor(data.target)[order]


def trained(rnn: Callable[[], nn.Module], features: int) -> nn.Module:
    torch.manual_seed(3)
    module, (x, y) = Classifier(rnn(), features), images()
    optimiser = torch.optim.Adam(module.parameters(), lr=5e-3)
    for step in range(300):
        part = slice(step % 15 * 80, step % 15 * 80 + 80)
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(x[part]), y[part]).backward()
        optimiser.step()
    return module


def own(module: nn.Module) -> OwnModel:
    x, y = images()

    def error(module: nn.Module) -> float:
        return 100.0 * float((module(x[1200:]).argmax(1) != y[1200:]).float().mean())

    return OwnModel(module, x[:1], [x[:200]], error, data_digest="digits")


@pytest.fixture(scope="module")
def lstm() -> OwnModel:
    return own(trained(lambda: nn.LSTM(12, 16, num_layers=2, bidirectional=True, batch_first=True), 32))


@pytest.mark.slow
def test_sites_are_its_layers(lstm: OwnModel) -> None:
    names = [site.name for site in lstm.sites]
    assert names == [
        "front",
        *(f"rnn.{m}{layer}{d}" for layer in (0, 1) for d in ("", "b") for m in "WU"),
        "out.0",
        "out.3",
    ]


def test_errors_follow_bits(lstm: OwnModel) -> None:
    exact = lstm.evaluate(None)
    assert exact.error < 15
    assert lstm.evaluate(homogeneous(lstm.sites, 16)).error == pytest.approx(exact.error, abs=0.7)
    assert lstm.evaluate(homogeneous(lstm.sites, 8)).error == pytest.approx(exact.error, abs=2)
    assert lstm.evaluate(homogeneous(lstm.sites, 2)).error > exact.error + 4
    assert lstm.evaluate(None) == exact  # the module is as it was


def test_the_trace_has_everything(lstm: OwnModel) -> None:
    bits = homogeneous(lstm.sites, 8) | {"rnn.U1b": (2, 4)}
    trace = lstm.trace(bits)
    assert trace.steps == 8
    macs = {layer.name: getattr(layer, "macs", None) for layer in trace.layers}
    assert macs["front"] == 12 * 8 * 3 * 8
    assert macs["rnn.W1b"] == 8 * 64 * 32
    assert macs["out.0"] == 20 * 32
    assert [layer.weight_bits for layer in trace.layers if layer.name == "rnn.U1b"] == [2]
    assert sum(layer.op == "elementwise" for layer in trace.layers) == 4 + 2  # gates; tanh and ReLU
    for arch in ("bitfusion", "silago"):
        assert simulate(lstm.trace(homogeneous(lstm.sites, 8)), load_arch(arch)).cycles > 0
    with pytest.raises(InputError, match="steps: 300: the example of own has 8"):
        lstm.trace(bits, 300)


@pytest.mark.slow
def test_it_is_searched(lstm: OwnModel, tmp_path: Path) -> None:
    experiment = Experiment(name="own", population=6, offspring=3, generations=2, steps=8, constraints={})
    assert run(experiment, tmp_path / "run", model=lstm).front


@pytest.mark.slow
@pytest.mark.parametrize("rnn", [
    lambda: nn.GRU(12, 16, batch_first=True), *(lambda cell=cell: Recurrent(cell, 12, 10) for cell in CELLS.names()),
])  # fmt: skip
def test_other_cells(rnn: Callable[[], nn.Module]) -> None:
    model = own(trained(rnn, 20 if isinstance(rnn(), Recurrent) else 16))
    exact, wide = model.evaluate(None).error, model.evaluate(homogeneous(model.sites, 16)).error
    assert exact < 45
    assert wide == pytest.approx(exact, abs=1)
    trace = model.trace(homogeneous(model.sites, 4))
    assert trace.weight_bits_total > 4 * sum(site.weights for site in model.sites)
    assert simulate(trace, load_arch("bitfusion")).cycles > 0


def test_replaced_layers_compute_what_torchs_do() -> None:
    torch.manual_seed(0)
    x = torch.randn(5, 7, 12)
    for rnn in (nn.LSTM(12, 6, 2, bidirectional=True), nn.GRU(12, 6, 2, bidirectional=True), nn.GRU(12, 6, bias=False)):
        before = rnn(x)[0]
        with replaced(dict(layers_of(rnn)), Exactly()):
            after, _ = rnn(x)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        return torch.softmax(y @ y.transpose(1, 2), -1)


class Stray(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.linear = nn.Linear(8, 8)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Attention(), r"torch\.(Tensor\.)?(matmul|__matmul__).*: an operation that cannot be traced"),
        (nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)), "1: LayerNorm: it cannot be traced; what can: Linear"),
        (nn.Sequential(nn.LSTM(8, 8, proj_size=2)), "0: LSTM: proj_size 2 cannot be traced"),
        (nn.Sequential(nn.Conv1d(8, 8, 3, padding_mode="reflect")), "0: Conv1d: padding with reflect, not zeros, "),
        (nn.Sequential(nn.Conv1d(8, 8, 4, padding="same")), "0: Conv1d: padding 'same' of different widths"),
        (Stray(), r"the module: parameters of its own \(scale\) cannot be traced"),
        (nn.Sequential(nn.ReLU()), "the module has no layers with weights"),
        (Recurrent("sru", 8, 4), None),
    ],
)
def test_what_cannot_be_traced_is_named(module: nn.Module, message: str | None) -> None:
    x = torch.randn(1, 8, 8)
    if message is None:
        OwnModel(module, x.transpose(0, 1), [x.transpose(0, 1)], lambda m: 0.0)
        return
    with pytest.raises(InputError, match=message):
        OwnModel(module, x, [x], lambda m: 0.0)
