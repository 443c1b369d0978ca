"""Networks from files retrained for a candidate: nearer to the float network, the same from the same seed and after an
interruption."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from onnx import helper
from onnx_graphs import model_of, saved
from small_network import FRAMES, small_network

from quant import Scheme, homogeneous, load
from quant.files.tensor_files import read_tensors, tensors_as_bytes
from quant.graphs.graph_model import GraphModel
from quant.graphs.graph_retraining import GraphRecipe, retrain_graph, retrained_graph
from quant.training.loop import TrainingStep
from quant.training.retraining import RESULT
from simulators.inputs.errors import InputError

RECIPE = GraphRecipe(epochs=12, learning_rate=1e-2, seed=3)


@pytest.fixture
def model(tmp_path: Path) -> GraphModel:
    return load(saved(small_network(), tmp_path), [{"x": FRAMES}, {"x": FRAMES[:, ::-1].copy()}, {"x": 2 * FRAMES}])


@pytest.mark.slow
def test_a_retraining_is_nearer_and_the_same_after_an_interruption(model: GraphModel, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 4, 8)
    done = retrain_graph(model, bits, tmp_path / "whole", RECIPE)
    whole = model.with_weights_of(done.path)
    assert whole.evaluate(bits).error < 0.8 * model.evaluate(bits).error
    assert (done.before, done.after) == (model.evaluate(bits).error, whole.evaluate(bits).error)

    class StoppedError(Exception):
        pass

    def stop(step: TrainingStep) -> None:
        if step.done == 20:
            raise StoppedError

    with pytest.raises(StoppedError):
        retrain_graph(model, bits, tmp_path / "again", RECIPE, on_step=stop)
    again = retrain_graph(model, bits, tmp_path / "again", RECIPE, resume=True)
    assert (again.before, again.after, again.epoch) == (done.before, done.after, done.epoch)
    resumed = model.with_weights_of(again.path)
    for site in model.sites:
        assert torch.equal(resumed.names.weights[site.name], whole.names.weights[site.name])
    assert resumed.digest == whole.digest != model.digest
    back = retrained_graph(model, tmp_path / "whole" / RESULT)
    assert back.evaluate(bits) == whole.evaluate(bits)
    assert back.digest == whole.digest


def test_what_errs_more_is_not_kept(model: GraphModel, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 8)
    done = retrain_graph(model, bits, tmp_path, GraphRecipe(epochs=3, learning_rate=0.5))
    assert (done.epoch, done.after) == (0, done.before)
    assert done.notes[0].startswith("retraining did not help: none of 3 epochs errs less")
    kept = model.with_weights_of(done.path)
    for site in model.sites:
        assert torch.equal(kept.names.weights[site.name], model.names.weights[site.name])
    assert kept.evaluate(bits) == model.evaluate(bits)


@pytest.mark.slow
def test_one_that_was_retrained_is_retrained_on(model: GraphModel, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 4, 8)
    first = retrain_graph(model, bits, tmp_path / "1", GraphRecipe(1, 1e-3))
    recipe = RECIPE
    then = retrain_graph(model.with_weights_of(first.path), bits, tmp_path / "2", recipe)
    assert then.before == first.after
    assert then.after < then.before
    found = model.with_weights_of(then.path)  # weights of the network itself, and errors against it
    assert found.evaluate(bits).error == then.after
    assert found.digest != model.with_weights_of(first.path).digest
    with pytest.raises(InputError, match="the run to resume has another from"):
        retrain_graph(model.with_weights_of(then.path), bits, tmp_path / "2", recipe, resume=True)


def test_errors_stay_differences_from_the_network_before(model: GraphModel) -> None:
    zeros = {site.name: torch.zeros_like(model.names.weights[site.name]) for site in model.sites}
    changed = model.with_weights(zeros)
    expected = [output.double() for output in model.outputs(None)]
    wrong = sum((a.double() - b).square().sum() for a, b in zip(changed.outputs(None), expected, strict=True))
    whole = sum(b.square().sum() for b in expected)
    assert changed.evaluate(None).error == pytest.approx(100 * float(wrong / whole) ** 0.5)
    assert changed.evaluate(None).error > 1
    assert model.evaluate(None).error == 0


def test_what_does_not_fit_gets_one_line(model: GraphModel, tmp_path: Path) -> None:
    bits = homogeneous(model.sites, 8)
    retrain_graph(model, bits, tmp_path / "r", GraphRecipe())
    with pytest.raises(InputError, match="a training run is already here: --resume continues it"):
        retrain_graph(model, bits, tmp_path / "r", GraphRecipe())
    with pytest.raises(InputError, match="the run to resume has another bits"):
        retrain_graph(model, homogeneous(model.sites, 4), tmp_path / "r", GraphRecipe(), resume=True)
    other = model.with_scheme(Scheme(per_channel=True))
    with pytest.raises(InputError, match="weights of another network"):
        retrained_graph(other, tmp_path / "r" / RESULT)
    file = read_tensors(tmp_path / "r" / RESULT)
    in_halves = {site: weight.half() for site, weight in file.tensors.items()}
    (tmp_path / "halves").write_bytes(tensors_as_bytes(in_halves, json.loads(file.described)))
    halved = retrained_graph(model, tmp_path / "halves").names.weights
    assert all(torch.equal(halved[site], weight.float()) for site, weight in in_halves.items())
    for rate in (0.0, 1e38, float("nan")):
        with pytest.raises(InputError, match=r"learning_rate is .*: it must be positive and at most 1e"):
            GraphRecipe(learning_rate=rate)


@pytest.mark.parametrize(("last", "complaint"), [
    ("ArgMax", "the judged output has whole numbers"),
    ("Sign", "no weight moves the judged output"),
])  # fmt: skip
def test_what_has_no_gradient_is_refused(last: str, complaint: str, tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="m"), helper.make_node(last, ["h"], ["y"], name="l")]
    weights = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
    model = load(saved(model_of(nodes, {"x": FRAMES}, {"w": weights}), tmp_path), [{"x": FRAMES}])
    with pytest.raises(InputError, match=complaint):
        retrain_graph(model, {"m": (2, 8)}, tmp_path / "r", GraphRecipe())


def test_integers_of_the_file_are_retrained_for_another_width(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], name="d"),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="m"),
    ]
    codes = np.random.default_rng(4).integers(-127, 128, (6, 4)).astype(np.int8)
    path = saved(model_of(nodes, {"x": FRAMES}, {"q": codes, "s": np.float32(0.02)}), tmp_path)
    model = load(path, [{"x": FRAMES}])
    with pytest.raises(InputError, match="site m: the network's file has its integers of 8 bits already"):
        retrain_graph(model, {"m": (8, 8)}, tmp_path / "r", GraphRecipe())
    assert not (tmp_path / "r").exists()
    found = model.with_weights_of(retrain_graph(model, {"m": (4, 8)}, tmp_path / "r", RECIPE).path)
    held = found.weights_at("m", 8)  # on a grid of its own: the file's is no more
    assert torch.equal(held.codes, held.codes.round())
    assert held.codes.abs().max() <= 127
    assert found.evaluate({"m": (8, 8)}).error < found.evaluate({"m": (4, 8)}).error
