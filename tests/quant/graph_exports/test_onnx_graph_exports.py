"""Networks from files written as ONNX with quantizers: ONNX Runtime computes what the candidate's evaluation does."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what runs an export")

import onnx
import torch
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx_graphs import by_onnxruntime, model_of, saved
from quant_nodes import Quant
from small_network import FRAMES, small_network
from toy_modules import Everything

from quant import Scheme, homogeneous, load
from quant.graph_exports.graph_writing import export_network
from quant.graphs.data_settings import DataSettings
from quant.graphs.graph_model import GraphModel
from simulators.inputs.errors import InputError

RANDOM = np.random.default_rng(5)


def values(*sizes: int) -> np.ndarray:
    return (RANDOM.normal(size=sizes) * 0.4).astype(np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> GraphModel:
    file = saved(small_network(), tmp_path_factory.mktemp("small"))
    return load(file, [{"x": FRAMES}, {"x": 3 * FRAMES[:, :7]}])


@pytest.mark.parametrize("text", ["8", "4x8", "16", "8x16,gru.U=4x8,out=8x4"])
def test_quantizers_of_the_standard(text: str, small: GraphModel, tmp_path: Path) -> None:
    bits = small.parse_bits(text)
    told = export_network("qdq", small, bits, tmp_path / "x.onnx")
    assert told.startswith(f"{tmp_path / 'x.onnx'}: ")
    model = onnx.load(tmp_path / "x.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {entry.domain for entry in model.opset_import} == {""}
    float_error = small.evaluate(bits).error
    for given, expected in zip(small.data.utterances, small.outputs(bits), strict=True):
        found = by_onnxruntime(tmp_path / "x.onnx", {"x": given.inputs["x"].numpy()})["y"]
        far = np.sqrt(np.square(found - expected.numpy()).sum() / np.square(expected.numpy()).sum())
        assert 100 * far < max(1e-4, float_error / 20)


def test_the_integers_of_a_file_are_those_of_the_candidate(small: GraphModel, tmp_path: Path) -> None:
    bits = homogeneous(small.sites, 4, 8)
    export_network("qdq", small, bits, tmp_path / "x.onnx")
    model = onnx.load(tmp_path / "x.onnx")
    stored = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    for site, shape in {"conv": (4, 6, 3), "gru.W": (4, 15), "gru.U": (5, 15), "out": (5, 3)}.items():
        codes = stored[f"{site}.codes"].astype(np.int64)
        assert codes.shape == shape
        expected = small.weights_at(site, 4).codes.numpy()
        assert np.array_equal(codes.reshape(4, -1) if site == "conv" else codes.T, expected)


def test_quant_nodes_have_any_width(small: GraphModel, tmp_path: Path) -> None:
    bits = homogeneous(small.sites, 2, 8)
    with pytest.raises(InputError, match="format qdq: weights of conv at 2 bits"):
        export_network("qdq", small, bits, tmp_path / "no.onnx")
    assert not (tmp_path / "no.onnx").exists()
    told = export_network("qonnx", small, bits, tmp_path / "x")
    assert "in ONNX Runtime " in told
    for candidate in (bits, small.parse_bits("2x4,gru.U=16x2,out=4")):
        export_network("qonnx", small, candidate, tmp_path / "x")
        evaluator = ReferenceEvaluator(onnx.load(tmp_path / "x" / "model.onnx"), new_ops=[Quant])
        for given, expected in zip(small.data.utterances, small.outputs(candidate), strict=True):
            (found,) = evaluator.run(None, {"x": given.inputs["x"].numpy()})
            assert np.abs(found - expected.numpy()).max() < 1e-6
    model = onnx.load(tmp_path / "x" / "model.onnx")
    widths = {node.attribute[0].name for node in model.graph.node if node.op_type == "Quant"}
    assert widths
    assert {entry.domain for entry in model.opset_import} == {"", "qonnx.custom_op.general"}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    """With gates far beyond what their tables hold: 16-bit quantizers of a file keep its indices within them."""
    made = small_network()
    for entry in made.graph.initializer:
        if entry.name in ("w", "r"):
            entry.CopyFrom(onnx.numpy_helper.from_array(40 * onnx.numpy_helper.to_array(entry), entry.name))
    model = load(saved(made, tmp_path), [{"x": FRAMES}])
    bits = homogeneous(model.sites, 8)
    export_network("qdq", model, bits, tmp_path / "x.onnx")
    again = load(tmp_path / "x.onnx", [{"x": FRAMES}])
    assert float((again.outputs(None)[0] - model.outputs(bits)[0]).abs().max()) < 1e-6
    assert len(again.sites) == len(model.sites)
    assert again.evaluate(homogeneous(again.sites, 16)).error < again.evaluate(homogeneous(again.sites, 4)).error


def test_recurrent_layers_in_both_directions_with_states_carried_on(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b", "", "h"], ["y1", "hn"], name="lstm", hidden_size=4,
                         direction="bidirectional"),
        helper.make_node("Transpose", ["y1"], ["t"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["t", "sizes"], ["u"]),
        helper.make_node("GRU", ["u", "w2", "r2"], ["y2"], name="gru", hidden_size=3),
        helper.make_node("Squeeze", ["y2"], ["s"], axes=[1]),
        helper.make_node("RNN", ["s", "w3", "r3"], ["", "y"], name="rnn", hidden_size=2, direction="reverse"),
    ]  # fmt: skip
    constants = {
        "w": values(2, 16, 5), "r": values(2, 16, 4), "b": values(2, 32), "sizes": np.array([0, 0, -1]),
        "w2": values(1, 9, 8), "r2": values(1, 9, 3), "w3": values(1, 2, 3), "r3": values(1, 2, 2),
    }  # fmt: skip
    x, h = values(8, 1, 5), np.zeros((2, 1, 4), np.float32)
    made = model_of(nodes, {"x": x, "h": h}, constants, outputs=("y", "hn"), opset=11)
    settings = DataSettings(state={"h": "hn"}, chunks={"x": {"length": 2, "axis": 0}}, hop_ms=10)  # type: ignore[dict-item]
    model = load(saved(made, tmp_path), [{"x": x, "h": h}], Scheme(per_channel=True), settings)
    told = export_network("qdq", model, homogeneous(model.sites, 8), tmp_path / "x.onnx")
    assert "equal to" in told or float(told.split("Runtime ")[1].split(" %")[0]) < 0.1


@pytest.mark.slow
def test_a_module_of_torch(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = load(Everything(), [{"x": FRAMES}], Scheme(per_channel=True))
    told = export_network("qdq", model, homogeneous(model.sites, 4, 8), tmp_path / "x.onnx")
    assert "equal to" in told or float(told.split("Runtime ")[1].split(" %")[0]) < 0.1


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="lstm", hidden_size=2, clip=1.0)
    x = values(3, 1, 2)
    model = load(saved(model_of([node], {"x": x}, {"w": values(1, 8, 2), "r": values(1, 8, 2)}), tmp_path), [{"x": x}])
    with pytest.raises(InputError, match=r"node lstm \(LSTM\): clip and input_forget cannot be written"):
        export_network("qdq", model, homogeneous(model.sites, 8), tmp_path / "x.onnx")


def test_without_onnxruntime_it_is_said_that_nothing_was_run(small: GraphModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "not run: onnxruntime is not installed" in export_network(
        "qdq", small, small.parse_bits("8"), tmp_path / "x"
    )
