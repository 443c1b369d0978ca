"""A classifier of sequences in floating point: one GRU layer in one direction, a linear layer on its last state."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

BATCH = 64
"""Sequences of a batch in training."""
LEARNING_RATE = 6e-3
"""AdamW's in the first epoch; half a cosine takes it to zero."""
WEIGHT_DECAY = 0.1
"""AdamW's, as a share of the learning rate: it keeps ranges narrow, which few bits have to span."""
LARGEST_GRADIENT = 1.0
"""Gradients of a larger norm are scaled down to it."""

Floats = NDArray[np.float64]
See = Callable[[str, NDArray[np.floating]], None]
"""Is told an operator's name and its values."""


@dataclass(frozen=True)
class Sequences:
    """N sequences of K values a step, and their classes."""

    x: NDArray[np.float32]
    """Inputs (N, T, K); what lies past a sequence's end is not read."""
    y: NDArray[np.int64]
    """Classes (N,), counted from 0."""
    lengths: NDArray[np.int64] | None = None
    """Steps (N,) of each, from 1 to T; None: all have T."""

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """Steps (N,) of each sequence."""
        return np.full(len(self.x), self.x.shape[1]) if self.lengths is None else self.lengths


class GruClassifier(nn.Module):
    """torch's GRU and a linear layer on its last state."""

    def __init__(self, inputs: int, cells: int, classes: int):
        super().__init__()
        self.gru = nn.GRU(inputs, cells, batch_first=True)
        self.fc = nn.Linear(cells, classes)

    def forward(self, x: torch.Tensor, steps: torch.Tensor | None = None) -> torch.Tensor:
        """x (N, T, K) and the steps (N,) of each, all T by default → scores (N, classes)."""
        h = self.gru(x)[0]
        last = h[:, -1] if steps is None else h[torch.arange(len(x)), steps - 1]
        scores: torch.Tensor = self.fc(last)
        return scores


def new_classifier(data: Sequences, cells: int, seed: int) -> GruClassifier:
    """A classifier of data with so many cells, its first weights from a seed."""
    torch.manual_seed(seed)
    return GruClassifier(data.x.shape[2], cells, int(data.y.max()) + 1)


def optimiser_of(model: GruClassifier) -> torch.optim.Optimizer:
    """AdamW."""
    return torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)


def train_epoch(
    model: GruClassifier, optimiser: torch.optim.Optimizer, data: Sequences, seed: int, epoch: int, epochs: int
) -> float:
    """One pass over the data by cross entropy, epoch `epoch` (from 0) of `epochs`, in batches that are drawn from the
    seed and its number. Returns the mean loss in nats."""
    for group in optimiser.param_groups:
        group["lr"] = LEARNING_RATE * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
    order = np.random.default_rng([seed, epoch]).permutation(len(data.y))
    x, y, steps = torch.from_numpy(data.x), torch.from_numpy(data.y), torch.from_numpy(data.steps)
    losses = []
    for part in np.array_split(order, max(1, len(y) // BATCH)):
        optimiser.zero_grad()
        loss = functional.cross_entropy(model(x[part], steps[part]), y[part])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
        optimiser.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def train_classifier(data: Sequences, cells: int = 48, epochs: int = 60, seed: int = 1) -> GruClassifier:
    """Train to the end; a second or two for a thousand short sequences."""
    model = new_classifier(data, cells, seed)
    optimiser = optimiser_of(model)
    for epoch in range(epochs):
        train_epoch(model, optimiser, data, seed, epoch, epochs)
    return model.requires_grad_(False)


@dataclass(frozen=True)
class GruParameters:
    """The parameters of a classifier of K inputs, C cells and M classes, float64."""

    w: Floats
    """(3·C, K) Input weights, in torch's order of the gates: r, z, n."""
    u: Floats
    """(3·C, C) Recurrent weights."""
    b: Floats
    """(3·C,) Biases of the input product. torch has two a gate; only that of n inside r ⊙ (…) has to stay apart."""
    bn: Floats
    """(C,) Bias of the recurrent product of n."""
    fc: Floats
    """(M, C) Output weights."""
    bias: Floats
    """(M,) Output biases."""

    @classmethod
    def of(cls, model: GruClassifier) -> "GruParameters":
        """What a trained classifier has."""
        state = {key: value.detach().double().numpy() for key, value in model.state_dict().items()}
        u = state["gru.weight_hh_l0"]
        cells = u.shape[1]
        b = state["gru.bias_ih_l0"].copy()
        b[: 2 * cells] += state["gru.bias_hh_l0"][: 2 * cells]
        return cls(
            state["gru.weight_ih_l0"], u, b, state["gru.bias_hh_l0"][2 * cells :], state["fc.weight"], state["fc.bias"]
        )

    def scores(self, data: Sequences, see: See = lambda *_: None) -> Floats:
        """Results (N, M) in floating point; `see` is told every operator's values of the true steps."""
        cells = self.u.shape[1]
        true = np.arange(data.x.shape[1]) < data.steps[:, None]
        for operator, values in (("x", data.x[true]), ("W", self.w), ("U", self.u), ("FC", self.fc)):
            see(operator, values)
        h = np.zeros((len(data.x), cells))
        for t in range(data.x.shape[1]):
            on = true[:, t]
            wx, uh = data.x[:, t] @ self.w.T + self.b, h @ self.u.T
            a = wx[:, : 2 * cells] + uh[:, : 2 * cells]
            r, z = np.split(1 / (1 + np.exp(-a)), 2, 1)
            rh = r * (uh[:, 2 * cells :] + self.bn)
            an = wx[:, 2 * cells :] + rh
            n = np.tanh(an)
            before, h = h, np.where(on[:, None], (1 - z) * n + z * h, h)
            for operator, values in (
                ("wx", wx), ("uh", uh), ("a", a), ("r", r), ("z", z), ("rh", rh), ("an", an), ("n", n), ("1-z", 1 - z),
                ("zn", (1 - z) * n), ("zh", z * before), ("h", h),
            ):  # fmt: skip
                see(operator, values[on])
        y: Floats = h @ self.fc.T + self.bias
        see("y", y)
        return y
