"""What is exported is what was evaluated."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from quant import Scheme, load_model
from quant.evaluation.loading import load_exported_model
from quant.files.export import export, load_export
from quant.files.tensor_files import read_tensors, tensors_as_bytes
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


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = load_model("ligru")
    folder = tmp_path_factory.mktemp("exported")
    export(model.checkpoint, model.weights, parse_bits("2", model.sites), folder)
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def described(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text()))


def test_what_was_changed_is_refused(copy: Path, tmp_path: Path) -> None:
    text = described(copy)
    assert text["bits"]["U1"] == [2, 2]
    assert text["sites"]["W0"]["requantize"]["m"] >= 2**30
    for changed, message in (
        ({**text, "tensors_sha256": "0"}, r"model\.safetensors: not the file that model\.json describes: its sha256"),
        ({**text, "decoder": {**text["decoder"], "insertion": 7.0}}, r"model\.json: it was changed since"),
        ({"format": 1}, r"model\.json: format 1: this version reads format 2"),
        ([], r"model\.json: format None"),
    ):
        (copy / "model.json").write_text(json.dumps(changed))
        with pytest.raises(InputError, match=message):
            load_export(copy)
    (copy / "model.json").write_text("{")
    with pytest.raises(InputError, match=r"model\.json:1:2: not JSON"):
        load_export(copy)
    with pytest.raises(InputError, match="not an exported model"):
        load_export(tmp_path / "nowhere")


def hashed(folder: Path, description: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Write both files with the digests of each other, as someone does who means it."""
    content = {key: value for key, value in description.items() if key != "tensors_sha256"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    data = tensors_as_bytes(tensors, {"description_sha256": digest})
    (folder / "model.safetensors").write_bytes(data)
    content["tensors_sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "model.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ({"weight_bits": 3}, r"sites\.W0\.weight_bits: 3: expected one of 2, 4, 8, 16 bits"),
        ({"activations": {"bits": 2, "step": 0.0, "lowest": -2, "highest": 1}}, r"activations\.step: 0\.0"),
        ({"activations": {"bits": 2, "step": 0.5, "lowest": 1, "highest": -2}}, "codes 1 to -2: not those of 2 bits"),
        ({"results": {"bits": 16, "step": 0.3, "lowest": -32768, "highest": 32767}}, "has a power of two"),
        ({"requantize": {"first": -1, "m": 1, "second": 1}}, r"requantize\.first: -1"),
        ({"more": 1}, r"sites\.W0\.more: unknown key"),
    ],
)
def test_numbers_that_no_export_has_are_refused(copy: Path, site: dict[str, Any], message: str) -> None:
    text = described(copy)
    text["sites"]["W0"] |= site
    hashed(copy, text, read_tensors(copy / "model.safetensors").tensors)
    with pytest.raises(InputError, match=message) as caught:
        load_export(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("W0.steps", float("nan"), "W0.steps holds values that are not finite"),
        ("W0.steps", -1.0, "W0.steps holds values that are not positive"),
        ("W0.codes", 5, "W0.codes: not codes of 2 bits"),
        ("feature_deviation", 0.0, "feature_deviation holds values that are not positive"),
    ],
)
def test_tensors_that_no_export_has_are_refused(copy: Path, name: str, value: float, message: str) -> None:
    tensors = read_tensors(copy / "model.safetensors").tensors
    tensors[name].fill_(value)
    hashed(copy, described(copy), tensors)
    with pytest.raises(InputError, match=message):
        load_export(copy)


def test_no_folder_can_be_where_a_file_is(tmp_path: Path) -> None:
    model = load_model("ligru")
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
