"""Which axis is that of time: by the graph where lengths do not tell, and in words where nothing tells."""

import numpy as np
import pytest
import torch
from torch import nn

from quant import homogeneous, load
from quant.graphs.delta_network import DeltaNetwork
from quant.graphs.graph_model import GraphModel
from simulators.inputs.errors import InputError

STEPS = 6
WIDTH = 4
RANDOM = np.random.default_rng(2)


class Between(nn.Module):
    """Products in front of a recurrent layer and behind it, with moves of axes between them: as many items in a batch
    as there are steps, and as many features."""

    def __init__(self, batch_first: bool, layer: type[nn.RNNBase] = nn.GRU):
        super().__init__()
        self.front = nn.Linear(WIDTH, STEPS)
        self.layer = layer(STEPS, STEPS, batch_first=batch_first, bidirectional=True)
        self.norm = nn.LayerNorm(2 * STEPS)
        self.behind = nn.Linear(2 * STEPS, 3)
        self.last = nn.Linear(2 * STEPS, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.layer(torch.tanh(self.front(x)))[0]
        h = self.norm(h) + 0.5
        return self.behind(h.transpose(0, 1).contiguous()), self.last(h.mean(1 if self.layer.batch_first else 0))


def loaded(module: nn.Module, *shape: int) -> GraphModel:
    return load(module.eval(), [{"x": RANDOM.normal(size=shape).astype(np.float32).cumsum(1) * 0.3}])


@pytest.mark.slow
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("layer", [nn.GRU, nn.LSTM, nn.RNN])
def test_an_axis_is_that_which_the_recurrent_layer_goes_along(batch_first: bool, layer: type[nn.RNNBase]) -> None:
    """What the sites read, utterance by utterance, is what an evaluation of each alone reads."""
    torch.manual_seed(3)
    model = loaded(Between(batch_first, layer), STEPS, STEPS, WIDTH)
    network = DeltaNetwork(model)
    names = {site.name for site in network.sites}
    assert {"front", "behind"} < names
    assert network.without == {"last": f"what it reads, [{STEPS}, {2 * STEPS}], has no axis of time"}
    assert network._axes["front"] == int(batch_first)
    assert network._axes["behind"] == int(not batch_first)  # they were exchanged on the way
    thresholds = {"front": 12}
    bits = homogeneous(model.sites, 8)
    found = network.evaluate_delta(bits, thresholds)
    x = torch.as_tensor(model.data.utterances[0].inputs["x"])
    grid, sent = model.formats.inputs["front"][8], 0
    codes = grid.encode(x if batch_first else x.transpose(0, 1))
    for item in codes:
        last = torch.zeros(WIDTH)
        for frame in item:
            changes = (frame - last).abs() > 12
            last = torch.where(changes, frame, last)
            sent += int(changes.sum())
    assert found.active["front"] == pytest.approx(sent / x.numel())


@pytest.mark.slow
def test_what_only_a_length_could_tell_is_said_to_have_none() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.GRU(WIDTH, STEPS, batch_first=True), nn.Linear(STEPS, 3)
            self.conv = nn.Conv1d(WIDTH, WIDTH, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.layer(self.conv(x.transpose(1, 2)).transpose(1, 2))[0]
            return self.out(torch.einsum("bti,bsi->bts", h, h))

    network = DeltaNetwork(loaded(Turned(), STEPS, STEPS, WIDTH))
    assert set(network.without) == {"conv", "out"}
    assert network.without["conv"] == "a convolution reads each frame several times"
    assert "cannot be told" in network.without["out"]
    assert "no axis" not in network.without["out"]


@pytest.mark.slow
def test_one_that_is_not_followed_is_told_by_its_length() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.out = nn.GRU(WIDTH, 5, batch_first=True), nn.Linear(5, 3)
            self.turn = nn.Parameter(torch.eye(5) * 0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.out(torch.einsum("bti,ij->btj", self.layer(x)[0], self.turn))

    network = DeltaNetwork(loaded(Mixed(), 2, 9, WIDTH))
    assert network._axes["out"] == 1
    assert "out" not in network.without


def test_a_network_without_time_says_why() -> None:
    with pytest.raises(InputError, match=r"no product has an order of time \(0: what it reads, \[9, 4\], has no axis"):
        DeltaNetwork(load(nn.Sequential(nn.Linear(WIDTH, 3)), [{"input": np.ones((9, WIDTH), np.float32)}]))
