"""A network from a file, exported with a candidate's integers and loaded back: the same error, and nothing of the float
weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from onnx_graphs import saved
from safetensors.torch import load_file
from small_network import FRAMES, small_network
from toy_modules import Everything, Maps

from quant import Scheme, homogeneous, load
from quant.graph_exports.own_format import export_graph, is_exported_graph, load_exported_graph
from quant.graphs.graph_model import GraphModel
from simulators.inputs.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for number in range(3):
        np.savez(tmp_path / "data" / f"{number}.npz", x=FRAMES * (number + 1))
    return tmp_path / "data"


@pytest.fixture
def model(tmp_path: Path, data: Path) -> GraphModel:
    return load(saved(small_network(), tmp_path), data)


def test_the_error_of_what_is_loaded_back_is_the_same(model: GraphModel, data: Path, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 4, 8) | {"gru.U": (16, 4), "out": (8, 16)}
    export_graph(model, bits, tmp_path / "x")
    assert is_exported_graph(tmp_path / "x")
    back, own = load_exported_graph(tmp_path / "x", data)
    assert own == bits
    assert back.evaluate(own) == model.evaluate(bits)
    assert model.evaluate(bits).error > 0.5
    for found, expected in zip(back.outputs(own), model.outputs(bits), strict=True):
        assert torch.equal(found, expected)
    assert back.trace(own) == model.trace(bits)


def test_the_files_hold_integers_of_the_candidate_and_no_float_weights(model: GraphModel, tmp_path: Path) -> None:
    export_graph(model, homogeneous(model.sites, 4), tmp_path / "x")
    tensors = load_file(tmp_path / "x" / "model.safetensors")
    constants = {entry.name: entry for entry in small_network().graph.initializer}
    weights = {"conv": "k", "gru.W": "w", "gru.U": "r", "out": "m"}
    for site, name in weights.items():
        codes, steps = tensors[f"{site}.codes"], tensors[f"{site}.steps"]
        assert codes.dtype == torch.int8
        assert int(codes.abs().max()) <= 8
        value = np.frombuffer(constants[name].raw_data, np.float32)
        value = value.reshape(5, 3).T if name == "m" else value.reshape(codes.shape)
        difference = np.abs(codes.float().numpy() * steps.numpy()[:, None] - value)
        inside = (codes.numpy() > -8) & (codes.numpy() < 7)
        assert np.all(difference[inside] <= steps.numpy().max() / 2 + 1e-6)
        kept = [held for key, held in tensors.items() if key.startswith("constant.") and held.numel() == value.size]
        assert not any(np.array_equal(np.sort(held.flatten().float()), np.sort(value.flatten())) for held in kept)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "shape"), [(Everything, (1, 12, 6)), (Maps, (1, 2, 12, 12))])
def test_modules_of_torch(module: type[torch.nn.Module], shape: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(4)
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "0.npy", np.random.default_rng(1).normal(size=shape).astype(np.float32))
    model = load(module(), tmp_path / "data", Scheme(per_channel=True))
    bits = homogeneous(model.sites, 4, 8)
    export_graph(model, bits, tmp_path / "x")
    back, own = load_exported_graph(tmp_path / "x", tmp_path / "data")
    assert torch.equal(back.outputs(own)[0], model.outputs(bits)[0])
    assert back.evaluate(own) == model.evaluate(bits)


def test_what_was_changed_or_does_not_fit_gets_one_line(model: GraphModel, data: Path, tmp_path: Path) -> None:
    export_graph(model, homogeneous(model.sites, 8), tmp_path / "x")
    back, own = load_exported_graph(tmp_path / "x", data)
    with pytest.raises(InputError, match="no float weights"):
        back.evaluate(None)
    with pytest.raises(InputError, match="has its own alone: conv=8x8"):
        back.evaluate(own | {"out": (4, 4)})
    np.savez(data / "3.npz", x=FRAMES * 0.5)
    with pytest.raises(InputError, match=r"3\.npz: the exported model does not know"):
        load_exported_graph(tmp_path / "x", data)[0].evaluate(own)
    description = tmp_path / "x" / "model.json"
    described = json.loads(description.read_text())
    described["graph"]["nodes"][0]["op"] = "Identity"
    description.write_text(json.dumps(described))
    with pytest.raises(InputError, match="it was changed since it was written"):
        load_exported_graph(tmp_path / "x", data)
