"""LSTM, GRU and RNN with all that a node may say, against ONNX Runtime and torch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what the results are compared with")

from graph_runs import graph_of, in_float
from onnx import helper
from onnx_graphs import by_onnxruntime, model_of, saved

from quant import homogeneous, load
from quant.graphs.recurrent_direction import RecurrentDirection
from simulators import InputError

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
T, B, K, C = 7, 3, 5, 6


def layer(op: str, directions: int = 1, seed: int = 3) -> dict[str, np.ndarray]:
    """Weights and biases of a layer, first states, peepholes and lengths."""
    random = np.random.default_rng(seed)
    rows = GATES[op] * C

    def values(*sizes: int) -> np.ndarray:
        return (random.normal(size=sizes) * 0.5).astype(np.float32)

    made = {
        "w": values(directions, rows, K), "r": values(directions, rows, C), "b": values(directions, 2 * rows),
        "lengths": np.array([7, 2, 5], np.int32), "h": values(directions, B, C), "c": values(directions, B, C),
        "p": values(directions, 3 * C),
    }  # fmt: skip
    return made


def node_of(op: str, inputs: str, **attributes: Any) -> Any:
    """A node that reads the named inputs, "-" for one that is left out, and its last states too."""
    names = ["" if word == "-" else word for word in inputs.split()]
    last = ["y", "yh", "yc"][: 3 if op == "LSTM" else 2]
    return helper.make_node(op, ["x", *names], last, name="cell", hidden_size=C, **attributes)


CASES = [
    *(pytest.param(op, "w r", {}, id=f"{op}-bare") for op in GATES),
    *(pytest.param(op, "w r b", {"direction": "reverse"}, id=f"{op}-reverse") for op in GATES),
    *(pytest.param(op, "w r b lengths h", {"direction": "bidirectional"}, id=f"{op}-lengths") for op in GATES),
    *(pytest.param(op, "w r b - h", {"clip": 0.4}, id=f"{op}-clip") for op in GATES),
    pytest.param("LSTM", "w r b - h c", {}, id="LSTM-states"),
    pytest.param("LSTM", "w r b - h c p", {}, id="LSTM-peepholes"),
    pytest.param("LSTM", "w r b - h c p", {"input_forget": 1}, id="LSTM-coupled"),
    pytest.param("LSTM", "w r b lengths h c p", {"direction": "bidirectional"}, id="LSTM-everything"),
    pytest.param("LSTM", "w r b", {"activations": ["HardSigmoid", "Softsign", "Relu"], "activation_alpha": [0.3],
                                   "activation_beta": [0.4]}, id="LSTM-activations"),
    pytest.param("GRU", "w r b - h", {"linear_before_reset": 1}, id="GRU-resets-after"),
    pytest.param("GRU", "w r b lengths h", {"linear_before_reset": 1, "direction": "bidirectional"}, id="GRU-both"),
    pytest.param("GRU", "w r b", {"activations": ["Sigmoid", "LeakyRelu"], "activation_alpha": [0.2]}, id="GRU-leaky"),
    pytest.param("RNN", "w r b", {"activations": ["Relu"]}, id="RNN-relu"),
    pytest.param("RNN", "w r b", {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]},
                 id="RNN-affine"),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "attributes"), CASES)
def test_a_recurrent_layer_is_that_of_onnxruntime(
    op: str, inputs: str, attributes: dict[str, Any], tmp_path: Path
) -> None:
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    constants = {name: value for name, value in layer(op, directions).items() if name in inputs.split()}
    x = np.random.default_rng(1).normal(size=(T, B, K)).astype(np.float32)
    node = node_of(op, inputs, **attributes)
    path = saved(model_of([node], {"x": x}, constants, list(node.output), opset=14), tmp_path)
    outputs, _ = in_float(graph_of(path), {"x": x})
    for name, expected in by_onnxruntime(path, {"x": x}).items():
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("op", GATES)
def test_utterances_without_a_frame_leave_nothing(op: str, tmp_path: Path) -> None:
    """Whatever they begin with."""
    constants = {**layer(op, 2), "lengths": np.array([0, 7, 0], np.int32)}
    x = np.random.default_rng(1).normal(size=(T, B, K)).astype(np.float32)
    inputs = "w r b lengths h c" if op == "LSTM" else "w r b lengths h"
    node = node_of(op, inputs, direction="bidirectional")
    used = {name: constants[name] for name in inputs.split()}
    path = saved(model_of([node], {"x": x}, used, list(node.output), opset=14), tmp_path)
    outputs, _ = in_float(graph_of(path), {"x": x})
    for name, expected in by_onnxruntime(path, {"x": x}).items():
        np.testing.assert_allclose(outputs[name], expected, atol=1e-5, err_msg=name)
    model = load(path, [{"x": x}])
    assert bool((model.outputs(homogeneous(model.sites, 8))[0][:, :, ::2] == 0).all())


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_a_first_state_that_would_be_clipped_is_refused(op: str, tmp_path: Path) -> None:
    constants = {name: value for name, value in layer(op).items() if name in "w r b h"}
    x = np.random.default_rng(1).normal(size=(T, B, K)).astype(np.float32)
    for largest, is_held in ((1.9, True), (-2.5, False)):
        constants["h"][0, 1, 2] = largest
        node = node_of(op, "w r b - h")
        path = saved(model_of([node], {"x": x}, constants, list(node.output), opset=14), tmp_path)
        model = load(path, [{"x": x}])
        assert bool(torch.isfinite(model.outputs(None)[0]).all())
        if is_held:
            assert model.evaluate(homogeneous(model.sites, 16)).error < 1
            continue
        with pytest.raises(InputError, match=r"site cell\.U: a state of 2\.5 is given to it: h is quantized within ±2"):
            model.evaluate(homogeneous(model.sites, 16))


def test_utterances_in_front_of_frames(tmp_path: Path) -> None:
    """ONNX Runtime has no `layout` 1: the same layer with frames in front is what it is held against."""
    constants = layer("LSTM", 2)
    x = np.random.default_rng(1).normal(size=(T, B, K)).astype(np.float32)
    both = {"direction": "bidirectional"}
    turned = {**constants, "h": constants["h"].swapaxes(0, 1), "c": constants["c"].swapaxes(0, 1)}
    found = []
    for given, weights, layout in ((x, constants, 0), (x.swapaxes(0, 1), turned, 1)):
        node = node_of("LSTM", "w r b lengths h c", layout=layout, **both)
        used = {name: weights[name] for name in ("w", "r", "b", "lengths", "h", "c")}
        path = saved(model_of([node], {"x": given}, used, list(node.output), opset=14), tmp_path)
        found.append(in_float(graph_of(path), {"x": given})[0])
    plain, batched = found
    np.testing.assert_allclose(batched["y"], plain["y"].transpose(2, 0, 1, 3), atol=1e-6)
    np.testing.assert_allclose(batched["yc"], plain["yc"].swapaxes(0, 1), atol=1e-6)


@pytest.mark.parametrize(("op", "bits"), [("LSTM", 8), ("LSTM", 4), ("GRU", 8), ("GRU", 4), ("GRU", 16)])
def test_compiled_steps_are_those_in_torch(op: str, bits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a few gate steps: a tie may fall to the other side, and is carried on."""
    inputs = "w r b lengths h c" if op == "LSTM" else "w r b lengths h"
    constants = {name: layer(op)[name] for name in inputs.split()}
    x = np.random.default_rng(1).normal(size=(T, B, K)).astype(np.float32)
    node = node_of(op, inputs, **({"linear_before_reset": 1} if op == "GRU" else {}))
    path = saved(model_of([node], {"x": x}, constants, list(node.output), opset=14), tmp_path)
    model = load(path, [{"x": x}])
    widths = homogeneous(model.sites, bits)
    compiled = model.outputs(widths)[0]
    monkeypatch.setattr(RecurrentDirection, "is_plain", property(lambda self: False))
    assert float((compiled - model.outputs(widths)[0]).abs().max()) <= 8 * 2.0**-14
    assert float((compiled - model.outputs(None)[0]).abs().max()) < {16: 0.01, 8: 0.1, 4: 1.0}[bits]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"activations": ["Sine"]}, "activation Sine is none that ONNX has"),
        ({"activations": ["Tanh", "Tanh"]}, "2 activations: expected 1"),
        ({"direction": "sideways"}, "direction sideways"),
        ({"hidden_size": 9}, "hidden_size 9: they do not fit"),
    ],
)
def test_what_a_layer_cannot_be_names_the_node(change: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    from simulators.inputs.errors import InputError

    x, weights = np.zeros((T, B, K), np.float32), layer("RNN")
    node = helper.make_node("RNN", ["x", "w", "r"], ["y"], name="cell", **{"hidden_size": C, **change})
    constants = {name: weights[name] for name in ("w", "r")}
    path = saved(model_of([node], {"x": x}, constants, opset=14), tmp_path)
    with pytest.raises(InputError, match=r"node cell \(RNN\): .*" + complaint):
        in_float(graph_of(path), {"x": x})


def test_both_layers_of_the_same_numbers_are_those_of_torch(tmp_path: Path) -> None:
    """The order of gates is torch's turned: a GRU of torch by ONNX's node."""
    gru = torch.nn.GRU(K, C, batch_first=False)
    order = [1, 0, 2]  # torch has r, z, n

    def turned(x: torch.Tensor) -> np.ndarray:
        return x.detach().unflatten(0, (3, C))[order].flatten(0, 1).numpy()[None]

    constants = {
        "w": turned(gru.weight_ih_l0), "r": turned(gru.weight_hh_l0),
        "b": np.concatenate([turned(gru.bias_ih_l0), turned(gru.bias_hh_l0)], 1),
    }  # fmt: skip
    x = torch.randn(T, B, K)
    node = node_of("GRU", "w r b", linear_before_reset=1)
    path = saved(model_of([node], {"x": x.numpy()}, constants, opset=14), tmp_path)
    outputs, _ = in_float(graph_of(path), {"x": x.numpy()})
    np.testing.assert_allclose(outputs["y"][:, 0], gru(x)[0].detach().numpy(), atol=1e-6)
