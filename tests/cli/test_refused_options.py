"""Options that a kind of model does not have are refused as they were given, before anything is read or trained."""

from pathlib import Path

import pytest
from commands import mohaq


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("train", "--task", "mnist-rows", "--small", "--out", "run"),
            "--small: --task mnist-rows: a recogniser has it, an operator-wise GRU has not",
        ),
        (
            ("train", "--task", "images-resnet", "--cells", "4", "--out", "run"),
            "--cells 4: --task images-resnet: a network for pictures has its sizes",
        ),
        (
            ("evaluate", "--model", "images-resnet", "--arithmetic", "edgedrnn"),
            "--model images-resnet: it is a convolutional network for pictures; EdgeDRNN's arithmetic is that of this",
        ),
    ],
)
def test_in_one_line(arguments: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = mohaq(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert told in done.stderr
    assert not (tmp_path / "run").exists()
