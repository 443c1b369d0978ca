"""An embedding whose table is a product's matrix too: one site, stored once, quantized in both places, from PyTorch and
from ONNX, and in what is exported."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from quant import homogeneous, load
from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.graph_exports.own_format import export_graph, load_exported_graph
from quant.graphs.graph_model import GraphModel
from quant.graphs.graph_retraining import GraphRecipe, retrain_graph

WORDS, WIDTH = 11, 6
TOKENS = np.random.default_rng(4).integers(0, WORDS, (1, 9))


class Language(nn.Module):
    """A word model: scores of the next word by the table that words are looked up in (Press and Wolf 2017)."""

    def __init__(self, is_tied: bool = True, looks_twice: bool = False):
        super().__init__()
        self.table = nn.Embedding(WORDS, WIDTH)
        self.layer = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.scores = nn.Linear(WIDTH, WORDS, bias=False)
        self.looks_twice = looks_twice
        if is_tied:
            self.scores.weight = self.table.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        words = self.table(x)
        if self.looks_twice:
            words = words + self.table(x.flip(1))
        return self.scores(self.layer(words)[0])


def made(module: nn.Module, kind: str, folder: Path) -> GraphModel:
    torch.manual_seed(5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.6)
    module.eval()
    if kind == "torch":
        return load(module, [{"x": TOKENS}])
    file = folder / "language.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.as_tensor(TOKENS),), file, dynamo=False, input_names=["x"], opset_version=17)
    return load(file, [{"x": TOKENS}])


def parameters(model: GraphModel) -> int:
    return sum(layer.parameters for layer in model.trace(homogeneous(model.sites, 8)).layers)


OF_LAYER = 2 * 3 * WIDTH * WIDTH + 4 * WIDTH
"""Weights of the GRU and its biases: those of two gates are one."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_it_is_stored_once_and_looked_up_as_it_is_multiplied(kind: str, tmp_path: Path) -> None:
    module = Language()
    model = made(module, kind, tmp_path)
    assert [site.weights for site in model.sites] == [3 * WIDTH * WIDTH, 3 * WIDTH * WIDTH, WORDS * WIDTH]
    assert parameters(model) == OF_LAYER + WORDS * WIDTH
    assert parameters(made(Language(is_tied=False), kind, tmp_path)) == OF_LAYER + 2 * WORDS * WIDTH
    assert parameters(made(Language(is_tied=False, looks_twice=True), kind, tmp_path)) == OF_LAYER + 2 * WORDS * WIDTH
    (scores,) = (site.name for site in model.sites if site.out_features == WORDS)
    held = quantize_weights(module.table.weight.detach(), 2, Scheme())
    with torch.no_grad():
        module.table.weight.copy_(held.codes * held.steps[:, None])
        by_hand = module(torch.as_tensor(TOKENS))
    wide = homogeneous(model.sites, 16) | {scores: (2, 16)}
    torch.testing.assert_close(model.outputs(wide)[0], by_hand, atol=5e-3, rtol=5e-3)
    assert model.evaluate(wide).error > 5  # two bits of the table are felt


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["torch", "onnx"])
def test_it_is_exported_and_retrained_as_one(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    from quant.graph_exports.graph_writing import export_network

    model = made(Language(), kind, tmp_path)
    bits = homogeneous(model.sites, 4, 8)
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "0.npz", x=TOKENS)
    export_graph(model, bits, tmp_path / "own")
    again, _ = load_exported_graph(tmp_path / "own", tmp_path / "data")
    assert again.evaluate(bits).error == pytest.approx(model.evaluate(bits).error, rel=1e-5)
    assert again.trace(bits) == model.trace(bits)
    said = export_network("qdq", model, bits, tmp_path / "x.onnx")
    assert "in ONNX Runtime" in said
    found = load(tmp_path / "x.onnx", [{"x": TOKENS}])
    expected = model.outputs(bits)[0]
    assert float((found.outputs(None)[0] - expected).norm() / expected.norm()) < 1e-4
    done = retrain_graph(model, bits, tmp_path / "r", GraphRecipe(20, 3e-3))
    assert done.after < done.before
    kept = model.with_weights_of(done.path)
    assert parameters(kept) == parameters(model)
    assert kept.evaluate(bits).error == pytest.approx(done.after)
