"""What is exported is what was evaluated."""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from quant import Scheme, load_model
from quant.evaluation.loading import load_exported_model
from quant.files.export import export, load_export
from quant.sites.candidate import parse_bits
from simulators import InputError


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "scheme"),
    [
        ("sru", "L0=8x8,P1=4x8,L1=4x4,P2=2x8,L2=4x4,P3=4x16,L3=16x4,FC=4x8", Scheme()),
        ("gru", "4x8,U*=8,W0=16", Scheme("max", "percentile", per_channel=True)),
    ],
)
def test_it_loads_back_to_the_same_error(name: str, text: str, scheme: Scheme, tmp_path: Path) -> None:
    model = load_model(name, scheme=scheme, every=16)
    bits = parse_bits(text, model.sites)
    export(model.checkpoint, model.weights, bits, tmp_path / "out")
    again, candidate = load_exported_model(tmp_path / "out", every=16)
    assert candidate == bits
    assert again.evaluate(candidate) == model.evaluate(bits)
    site = model.sites[1].name
    assert torch.equal(again.weights(site, bits[site][0]).codes, model.weights(site, bits[site][0]).codes)
    with pytest.raises(InputError, match="the exported model has other weights"):
        again.weights(site, 2 if bits[site][0] != 2 else 4)


def test_what_was_changed_is_refused(tmp_path: Path) -> None:
    model = load_model("ligru")
    export(model.checkpoint, model.weights, parse_bits("2", model.sites), tmp_path)
    text = json.loads((tmp_path / "model.json").read_text())
    assert text["bits"]["U1"] == [2, 2]
    assert text["sites"]["W0"]["requantize"]["m"] >= 2**30
    (tmp_path / "model.json").write_text(json.dumps({**text, "tensors_sha256": "0"}))
    with pytest.raises(InputError, match="its sha256 differs"):
        load_export(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": 1}))
    with pytest.raises(InputError, match="its sha256 differs"):
        load_export(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({**text, "sites": {}}))
    with pytest.raises(InputError, match=r"model.json: not as mohaq writes it: no key 'W0'"):
        load_export(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        load_export(tmp_path)
    with pytest.raises(InputError, match="not an exported model"):
        load_export(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: it is a file, and a folder is wanted"):
        export(model.checkpoint, model.weights, parse_bits("2", model.sites), tmp_path / "file")


def test_a_killed_export_leaves_the_former_model_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each of the three files that it moves into their places, and at the end."""
    model = load_model("ligru")
    former, new = parse_bits("2", model.sites), parse_bits("4", model.sites)
    kept = []
    for moves in range(4):
        export(model.checkpoint, model.weights, former, tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", Killed(os.replace, moves))
            patch.setattr(Path, "replace", lambda path, target: os.replace(path, target))
            with contextlib.suppress(KeyboardInterrupt):
                export(model.checkpoint, model.weights, new, tmp_path)
        kept.append(load_export(tmp_path)[2] == former)
    assert kept == [True, True, False, False]
    export(model.checkpoint, model.weights, former, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


class Killed:
    """Moves files into their places, and is killed when it moved so many."""

    def __init__(self, move: Callable[..., None], moves: int):
        self._move, self._left = move, moves

    def __call__(self, *arguments: Any) -> None:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        self._move(*arguments)
