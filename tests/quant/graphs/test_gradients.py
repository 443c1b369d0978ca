"""Gradients through a graph: of weights that a recurrence reads at every step, and of roots where they are zero."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")

from onnx import helper
from onnx_graphs import model_of, saved

from quant import homogeneous, load
from quant.graphs.graph_retraining import GraphRecipe, retrain_graph
from quant.graphs.graph_straight_through import GraphStraightThrough
from quant.graphs.stepwise_product import StepwiseProduct

RANDOM = np.random.default_rng(8)
CELLS, INPUTS = 5, 4
WALK = RANDOM.normal(size=(9, 2, INPUTS)).astype(np.float32)


def test_a_gradient_of_all_steps_is_the_sum_of_theirs() -> None:
    weight = torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    first = torch.ones(2, 3)
    found = []
    for product in (StepwiseProduct(weight), lambda x: x @ weight.T):
        x = first
        for _ in range(7):
            x = torch.tanh(product(x))
        (grad,) = torch.autograd.grad(x.square().sum(), weight)
        found.append(grad)
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-7)
    assert float(found[0].abs().max()) > 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("op", "gates", "attributes"),
    [("GRU", 3, {"linear_before_reset": 1}), ("GRU", 3, {}), ("LSTM", 4, {}), ("RNN", 1, {}),
     ("LSTM", 4, {"direction": "bidirectional"})],
)  # fmt: skip
def test_gradients_of_a_recurrent_layer_are_those_by_differences(
    op: str, gates: int, attributes: dict[str, object], tmp_path: Path
) -> None:
    """At 16 bits, where rounding is far below what a weight is moved by."""
    directions = 2 if attributes.get("direction") else 1
    w, r = (RANDOM.normal(size=(directions, gates * CELLS, k)).astype(np.float32) * 0.4 for k in (INPUTS, CELLS))
    node = helper.make_node(op, ["x", "w", "r"], ["y"], name="layer", hidden_size=CELLS, **attributes)
    model = load(saved(model_of([node], {"x": WALK}, {"w": w, "r": r}), tmp_path), [{"x": WALK}])
    weights = {site.name: model.names.weights[site.name].clone().requires_grad_() for site in model.sites}
    held = GraphStraightThrough(weights, homogeneous(model.sites, 16), model.formats, model.scheme)
    held.next_step()
    model.output_with(0, held).square().sum().backward()

    def loss(site: str, row: int, column: int, change: float) -> float:
        changed = {name: weight.detach().clone() for name, weight in weights.items()}
        changed[site][row, column] += change
        return float(model.with_weights(changed).outputs(None)[0].double().square().sum())

    for site, weight in weights.items():
        assert weight.grad is not None
        row, column = divmod(int(weight.grad.abs().argmax()), weight.shape[1])
        slope = (loss(site, row, column, 1e-2) - loss(site, row, column, -1e-2)) / 2e-2
        assert float(weight.grad[row, column]) == pytest.approx(slope, rel=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "root",
    [
        [helper.make_node("Mul", ["h", "h"], ["s"], name="s"), helper.make_node("Sqrt", ["s"], ["y"], name="y")],
        [helper.make_node("Mul", ["h", "h"], ["s"], name="s"), helper.make_node("Pow", ["s", "half"], ["y"], name="y")],
        [helper.make_node("ReduceL2", ["h", "last"], ["y"], name="y")],
    ],
    ids=["sqrt", "pow", "norm"],
)
def test_a_root_of_silence_has_a_gradient(root: list[object], tmp_path: Path) -> None:
    """As magnitudes of a spectrum have, of a signal with silence in it."""
    silent = np.concatenate([WALK[:4], np.zeros_like(WALK[:5])])
    constants = {
        "w": RANDOM.normal(size=(INPUTS, 6)).astype(np.float32), "half": np.float32(0.5), "last": np.array([-1]),
    }  # fmt: skip
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="m"), *root]
    used = {name for node in nodes for name in node.input}
    constants = {name: value for name, value in constants.items() if name in used}
    model = load(saved(model_of(nodes, {"x": silent}, constants), tmp_path), [{"x": silent}])
    steps: list[float] = []
    bits = homogeneous(model.sites, 2, 8)
    done = retrain_graph(
        model, bits, tmp_path / "r", GraphRecipe(30, 3e-3), on_step=lambda step: steps.append(step.loss)
    )
    assert np.isfinite(steps).all()
    assert done.after < done.before
