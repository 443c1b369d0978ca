"""The files beside a trace that `active:` names: which are taken, and what is refused before it is read."""

import os
from pathlib import Path

import numpy as np
import pytest
from fuzz.mutations import bomb, npy

from simulators import InputError, load_trace

TRACE = """\
name: t
steps: 10
layers:
- {name: fc, op: matmul, out_features: 8, in_features: 4, weight_bits: 8, activation_bits: 8, output_bits: 8, active: SIDECAR}
"""


def written(folder: Path, sidecar: str = "s.npz") -> Path:
    (folder / "t.yaml").write_text(TRACE.replace("SIDECAR", sidecar))
    return folder / "t.yaml"


def shares(path: Path, **arrays: np.ndarray) -> None:
    np.savez_compressed(path, allow_pickle=False, **arrays)


def test_shares_are_read_as_they_are(tmp_path: Path) -> None:
    shares(tmp_path / "s.npz", fc=np.linspace(0, 1, 10))
    (layer,) = load_trace(written(tmp_path)).layers
    assert layer.active == tuple(np.linspace(0, 1, 10))  # type: ignore[union-attr]


@pytest.mark.parametrize("elsewhere", ["/etc/passwd", "../s.npz", "folder/s.npz", "..", "''"])
def test_only_what_lies_beside_the_trace_is_taken(tmp_path: Path, elsewhere: str) -> None:
    shares(tmp_path / "s.npz", fc=np.ones(10))
    (tmp_path / "inner").mkdir()
    with pytest.raises(InputError, match=r"t\.yaml:4:\d+: layers\[0\]\.active: .*beside t\.yaml, without a folder"):
        load_trace(written(tmp_path / "inner", elsewhere))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "no .npz file of that name beside the trace: it is a FIFO"),
        (lambda path: os.symlink("/dev/zero", path), "it is a device"),
        (lambda path: path.write_bytes(npy(np.ones(10))), "no .npz file of that name beside the trace: not as"),
        (lambda path: path.write_bytes(bomb("fc.npy", 10**8)), "100,000,000 shares .* a trace has at most 4,194,304"),
        (lambda path: shares(path, fc=np.ones(11)), "11 shares of active inputs for 10 steps"),
        (lambda path: shares(path, fc=np.ones((10, 1))), r"float64 of shape \(10, 1\): expected a share for each step"),
        (lambda path: shares(path, fc=np.array(["x"] * 10)), "<U1 of shape"),
        (lambda path: shares(path, other=np.ones(10)), "it holds no array for this layer"),
        (lambda path: shares(path, fc=np.full(10, np.nan)), r"active\[0\]: nan"),
        (lambda path: shares(path, fc=np.full(10, 2.0)), r"active\[0\]: 2.0"),
    ],
)
def test_what_is_no_sidecar_is_one_line(tmp_path: Path, make, message: str) -> None:
    make(tmp_path / "s.npz")
    with pytest.raises(InputError, match=rf"layers\[0\]\.active.*{message}|layers\[0\]\.{message}") as caught:
        load_trace(written(tmp_path))
    assert "\n" not in str(caught.value)
