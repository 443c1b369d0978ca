"""The four tasks: rows of handwritten digits, vowels, motions, and spoken digits."""

from pathlib import Path

from quant.tasks.pictures import MNIST
from quant.tasks.series_files import read_series
from quant.tasks.spoken_digits import load_spoken_digits
from quant.tasks.task import SequenceTask, TaskData, every_second
from quant.tasks.wheel_files import PackagedFile
from simulators.inputs.errors import InputError

_ARCHIVE = "the UCR/UEA archive's: free for research, with a citation of Bagnall et al. 2018"


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
        "mnist-rows", "handwritten digits, row by row", MNIST.source,
        MNIST.licence, MNIST.load, cells=48, epochs=30,
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
