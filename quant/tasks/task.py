"""What a sequential task is: its data in three parts, and how large a network learns it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quant.own.gru_classifier import Sequences

_LEAST_DEVIATION = 0.5
"""Deviation of an input, as a share of the largest, below which it is not blown up."""


@dataclass(frozen=True)
class Standardisation:
    """Shift and scale of inputs, from what is trained on."""

    mean: NDArray[np.float32]
    """(K,) Subtracted from every step."""
    deviation: NDArray[np.float32]
    """(K,) What is left is divided by it."""

    @classmethod
    def of(cls, data: Sequences) -> "Standardisation":
        """Mean and deviation of the true steps; inputs that hardly vary keep their scale."""
        true = data.x[np.arange(data.x.shape[1]) < data.steps[:, None]].astype(np.float64)
        deviation = true.std(0)
        deviation = np.maximum(deviation, max(_LEAST_DEVIATION * deviation.max(), 1e-6))
        return cls(true.mean(0).astype(np.float32), deviation.astype(np.float32))

    def __call__(self, data: Sequences) -> Sequences:
        """The data, standardised; zero past the ends."""
        true = np.arange(data.x.shape[1]) < data.steps[:, None]
        return replace(data, x=np.where(true[..., None], (data.x - self.mean) / self.deviation, np.float32(0)))


@dataclass(frozen=True)
class TaskData:
    """The three parts of a task's data."""

    train: Sequences
    """What the network is trained on, and its operators' ranges come from."""
    dev: Sequences
    """What a search chooses by."""
    test: Sequences
    """What nothing is chosen by."""

    @cached_property
    def digest(self) -> str:
        """sha256 of all parts."""
        digest = hashlib.sha256()
        for part in (self.train, self.dev, self.test):
            digest.update(part.x.tobytes() + part.y.tobytes() + part.steps.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class SequenceTask:
    """A sequential task on real data."""

    name: str
    title: str
    """What it is, in a line."""
    source: str
    """Who made the data, and where they come from."""
    licence: str
    """On which terms."""
    load: Callable[[Path | None], TaskData]
    """Reads the data, from the folder or wheel that is named, or else from an installed package. Raises InputError
    where they are not there, or are not as they should be."""
    cells: int
    """Cells of the GRU."""
    epochs: int
    """Passes over the training part."""


def every_second(data: Sequences) -> tuple[Sequences, Sequences]:
    """Two halves of data with the classes spread alike: of each class every second one, by their order."""
    seen: dict[int, int] = {}
    half = np.zeros(len(data.y), np.int64)
    for i, label in enumerate(data.y.tolist()):
        half[i] = seen.get(label, 0) % 2
        seen[label] = seen.get(label, 0) + 1
    return taken(data, np.flatnonzero(half == 0)), taken(data, np.flatnonzero(half == 1))


def taken(data: Sequences, which: NDArray[np.int64]) -> Sequences:
    """The sequences with these numbers, in their order."""
    return Sequences(data.x[which], data.y[which], data.steps[which])
