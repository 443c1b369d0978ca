"""A training's folder and an exported one are taken as `--model`, and what is exported of either is the same."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from commands import mohaq
from small_recognisers import small_recogniser

from quant.files.checkpoint import find_checkpoint, save_checkpoint
from quant.speech.scoring import Decoder
from quant.speech.units import DIGITS

RECORD = {
    "corpus_size": None, "corpus_seed": 0, "minutes": {},
    "recipe": {"dropout": 0.0, "frames_per_batch": 1, "seed": 0, "epochs": 1},
}  # fmt: skip
"""A checkpoint's record of a training that there was not."""


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """`run`, a training's folder, and `exported`, a candidate of its model in this project's own format."""
    small = small_recogniser("mingru", causal=True, outputs=DIGITS.classes)
    phones = len(DIGITS.names)
    decoder = Decoder(
        np.zeros((phones + 1, phones + 1), np.float32), np.zeros(DIGITS.classes, np.float32), units=DIGITS
    )
    (tmp_path / "run").mkdir()
    save_checkpoint(
        tmp_path / "run" / "mine.safetensors", small.network, small.statistics, decoder, small.calibration, RECORD
    )
    (tmp_path / "run" / "training.safetensors").write_bytes(b"the state of the training")
    result = mohaq("export", "--model", "run", "--bits", "4x8,FC=16", "--out", "exported", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    return tmp_path


def test_every_format_is_the_same_from_a_trainings_folder_and_from_an_exported_one(folders: Path) -> None:
    again = mohaq("export", "--model", "run/mine.safetensors", "--bits", "4x8,FC=16", "--out", "again", cwd=folders)
    assert again.returncode == 0
    for name in ("model.json", "model.safetensors"):
        assert (folders / "again" / name).read_bytes() == (folders / "exported" / name).read_bytes()
    for form, name in (("c", "model.h"), ("qdq", "model.onnx"), ("qonnx", "model.onnx")):
        of_run = mohaq(
            "export", "--model", "run", "--bits", "4x8,FC=16", "--format", form, "--out", f"r{form}", cwd=folders
        )
        of_exported = mohaq("export", "--model", "exported", "--format", form, "--out", f"e{form}", cwd=folders)
        assert (of_run.returncode, of_exported.returncode, of_exported.stderr) == (0, 0, "")
        assert (folders / f"r{form}" / name).read_bytes() == (folders / f"e{form}" / name).read_bytes()
    for options, line in (
        (("--bits", "4", "--format", "c"), "--bits 4: exported is an exported model: its bits are in its model.json"),
        (("--per-channel", "--format", "c"), "--per-channel: exported is an exported model"),
        ((), "--model exported: it is an exported model already: --format c, qdq or qonnx says another"),
    ):
        refused = mohaq("export", "--model", "exported", *options, "--out", "no", cwd=folders)
        assert refused.returncode == 2
        assert line in refused.stderr
        assert not (folders / "no").exists()


def test_folders_of_no_model(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").touch()
    (tmp_path / "training.safetensors").touch()
    assert find_checkpoint(str(tmp_path)) == tmp_path / "b.safetensors"
    (tmp_path / "a.safetensors").touch()
    for prepare, line in (
        (lambda: None, "several checkpoints (a.safetensors, b.safetensors): name one"),
        (lambda: (tmp_path / "model.json").write_text("{}"), "only `evaluate` and `export` take such a folder"),
        (lambda: [path.unlink() for path in tmp_path.iterdir()], "no checkpoint in this folder"),
    ):
        prepare()
        refused = mohaq("trace", "--model", str(tmp_path), "--bits", "8")
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert line in refused.stderr
