"""LSTM with a projection of its states: its first states, what it costs, and what is written of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from graph_runs import in_float
from torch import nn

from quant import homogeneous, load
from quant.graphs.simplifying import simplified
from quant.graphs.torch_programs.exporting import graph_of_module
from simulators import Elementwise, Matmul

INPUTS, CELLS, PROJECTED, STEPS = 6, 16, 5, 9


class States(nn.Module):
    """The layers with their first states, and their last ones behind the output."""

    def __init__(self, layers: int, both: bool) -> None:
        super().__init__()
        self.rnn = nn.LSTM(INPUTS, CELLS, layers, bidirectional=both, proj_size=PROJECTED)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y, last = self.rnn(x, (h, c))
        return (y, *last)


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "both"), [(1, False), (3, False), (2, True)])
def test_states_are_taken_and_left(layers: int, both: bool) -> None:
    torch.manual_seed(2)
    module, count = States(layers, both).eval(), layers * (2 if both else 1)
    given = {
        "x": torch.randn(STEPS, 2, INPUTS), "h": torch.randn(count, 2, PROJECTED), "c": torch.randn(count, 2, CELLS)
    }  # fmt: skip
    graph = simplified(graph_of_module(module, given, "module"))
    outputs, _ = in_float(graph, {name: value.numpy() for name, value in given.items()})
    with torch.no_grad():
        expected = module(**given)
    for name, right in zip(graph.outputs, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(outputs[name]), right, atol=1e-6, rtol=1e-5)


class Outputs(States):
    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return self.rnn(x)[0]


def data() -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(3)
    return [{"x": random.normal(size=(STEPS, 1, INPUTS)).cumsum(0).astype(np.float32) * 0.3} for _ in range(2)]


@pytest.mark.slow
def test_its_work_is_that_of_three_matrices_and_of_the_cell_step_by_step() -> None:
    torch.manual_seed(2)
    model = load(Outputs(2, False), data())
    assert [site.name for site in model.sites] == [f"rnn.{layer}.{role}" for layer in (0, 1) for role in "WUP"]
    trace = model.trace(homogeneous(model.sites, 8))
    products = {layer.name: layer for layer in trace.layers if isinstance(layer, Matmul)}
    for layer, inputs in enumerate((INPUTS, PROJECTED)):
        sizes = {"W": (4 * CELLS, inputs), "U": (4 * CELLS, PROJECTED), "P": (PROJECTED, CELLS)}
        for role, size in sizes.items():
            product = products[f"rnn.{layer}.{role}"]
            assert (product.out_features, product.in_features, product.steps) == (*size, STEPS)
            assert product.recurrent == (role != "W")
    work: dict[str, int] = {}
    for other in trace.layers:
        if isinstance(other, Elementwise):
            assert other.steps == STEPS
            for kind, count in other.ops.items():
                work[kind] = work.get(kind, 0) + count
    assert work == {"add": 2 * 5 * CELLS, "sigmoid": 2 * 3 * CELLS, "tanh": 2 * 2 * CELLS, "multiply": 2 * 3 * CELLS}


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
def test_it_is_written_for_onnx_runtime_as_it_is_evaluated(both: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs mohaq[onnx]")
    from quant.graph_exports.graph_writing import export_network

    torch.manual_seed(2)
    model = load(Outputs(1, both), data())
    said = export_network("qdq", model, homogeneous(model.sites, 4, 8), tmp_path / "model.onnx")
    assert "equal to the candidate's evaluation, bit for bit" in said
