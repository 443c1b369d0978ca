"""A convolutional network in floats: its training with batch normalisation, which then goes into the weights."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from quant.images.image_networks import CLASSIFIER, PIXELS, ConvLayer, ImageNetwork

BATCH = 64
LEARNING_RATE = 4e-3
"""Peak of a schedule that warms up for a tenth of the steps and falls as a cosine."""
WEIGHT_DECAY = 1e-4
SHIFT = 2
"""Rows and columns, of 28, that a picture is moved by at most while the network is trained."""


class Steps(Protocol):
    """What a network computes with, floats or whole numbers."""

    def convolution(self, layer: ConvLayer, x: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        """A layer's result for maps (N, C, H, W), of the sum with what is added, behind its ReLU."""
        ...

    def classifier(self, x: torch.Tensor) -> torch.Tensor:
        """Results (N, classes) for the maps that the last convolution leaves."""
        ...


def passed(network: ImageNetwork, pixels: torch.Tensor, steps: Steps) -> torch.Tensor:
    """Results (N, classes) of pictures (N, 1, H, W)."""
    results = {PIXELS: pixels}
    for layer in network.layers:
        added = None if layer.added is None else results[layer.added]
        results[layer.name] = steps.convolution(layer, results[layer.source], added)
    return steps.classifier(results[network.layers[-1].name])


@dataclass(frozen=True)
class Parameters:
    """Weights and biases by the names of sites: (outputs, inputs, kernel, kernel), the classifier's (classes,
    features)."""

    weights: Mapping[str, torch.Tensor]
    biases: Mapping[str, torch.Tensor]


See = Callable[[str, torch.Tensor, torch.Tensor], None]
"""Is told a site, what its product reads, and what it leaves: for a convolution its product and the sum, side by
side."""


class FloatSteps:
    """What folded parameters compute in float32."""

    def __init__(self, parameters: Parameters, see: See = lambda site, x, y: None):
        self._p = parameters
        self._see = see

    def convolution(self, layer: ConvLayer, x: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        """See `Steps`."""
        weight, bias = self._p.weights[layer.name], self._p.biases[layer.name]
        y = nn.functional.conv2d(x, weight, bias, layer.stride, layer.kernel // 2, groups=layer.groups)
        total = y if added is None else y + added
        self._see(layer.name, x, y if added is None else torch.cat((y, total)))
        return total.relu() if layer.relu else total

    def classifier(self, x: torch.Tensor) -> torch.Tensor:
        """See `Steps`."""
        mean = x.mean((2, 3))
        y = nn.functional.linear(mean, self._p.weights[CLASSIFIER], self._p.biases[CLASSIFIER])
        self._see(CLASSIFIER, mean, y)
        return y


class TrainedNetwork(nn.Module):
    """A network with batch normalisation behind every convolution."""

    def __init__(self, network: ImageNetwork):
        super().__init__()
        self.network = network
        self.convolutions = nn.ModuleList(
            nn.Conv2d(x.inputs, x.outputs, x.kernel, x.stride, x.kernel // 2, groups=x.groups, bias=False)
            for x in network.layers
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(x.outputs) for x in network.layers)
        self.fc = nn.Linear(network.features, network.classes)
        self._place = {layer.name: i for i, layer in enumerate(network.layers)}

    def convolution(self, layer: ConvLayer, x: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        """See `Steps`."""
        i = self._place[layer.name]
        y: torch.Tensor = self.norms[i](self.convolutions[i](x))
        y = y if added is None else y + added
        return y.relu() if layer.relu else y

    def classifier(self, x: torch.Tensor) -> torch.Tensor:
        """See `Steps`."""
        y: torch.Tensor = self.fc(x.mean((2, 3)))
        return y

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Results (N, classes) of pictures (N, 1, H, W)."""
        return passed(self.network, pixels, self)

    def folded(self) -> Parameters:
        """The parameters with every normalisation in the weights and biases of its convolution."""
        weights, biases = {CLASSIFIER: self.fc.weight.detach()}, {CLASSIFIER: self.fc.bias.detach()}
        for layer, convolution, norm in zip(self.network.layers, self.convolutions, self.norms, strict=True):
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
            weights[layer.name] = torch.as_tensor(convolution.weight).detach() * scale[:, None, None, None]
            biases[layer.name] = norm.bias.detach() - norm.running_mean * scale
        return Parameters(weights, biases)


def new_network(network: ImageNetwork, seed: int) -> TrainedNetwork:
    """First weights by a seed, whatever torch's own generator has given before and will give."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return TrainedNetwork(network)


def train_epoch(
    model: nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, seed: int, epoch: int,
    epochs: int, peak: float = LEARNING_RATE,
) -> float:  # fmt: skip
    """One pass over pictures (N, 1, H, W), moved a little each; `peak` is the largest learning rate. Returns the mean
    loss in nats. Batches and moves follow from the seed and the epoch."""
    rng, total, shift = np.random.default_rng([seed, epoch]), 0.0, SHIFT * x.shape[-1] // 28
    order = torch.from_numpy(rng.permutation(len(x)))
    batches = order.split(BATCH)
    model.train()
    for number, batch in enumerate(batches):
        _schedule(optimiser, peak, (epoch + (number + 1) / len(batches)) / epochs)
        moves = rng.integers(-shift, shift + 1, (len(batch), 2)).tolist()
        moved = torch.stack([_moved(x[i], *move) for i, move in zip(batch.tolist(), moves, strict=True)])
        loss = nn.functional.cross_entropy(model(moved), y[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach()) * len(batch)
    model.eval()
    return total / len(x)


def _moved(picture: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """A picture (1, H, W) moved, zeros behind."""
    return nn.functional.pad(picture, (right, -right, down, -down))


def _schedule(optimiser: torch.optim.Optimizer, peak: float, done: float) -> None:
    rate = peak * min(done / 0.1, 0.5 * (1.0 + math.cos(math.pi * done)))
    for group in optimiser.param_groups:
        group["lr"] = rate
