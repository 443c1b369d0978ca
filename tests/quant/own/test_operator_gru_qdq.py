"""An operator-wise GRU as ONNX: ONNX Runtime computes the same bits."""

from pathlib import Path

import numpy as np
import pytest

from quant.own.gru_classifier import Sequences, new_classifier
from quant.own.operator_gru import OPERATORS, OperatorGru
from simulators import InputError

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="compares with ONNX Runtime")

from quant.own.operator_gru_qdq import export_qdq  # noqa: E402


@pytest.fixture(scope="module")
def model() -> OperatorGru:
    """Sequences of 1 to 9 steps, and ranges that some values exceed."""
    draw = np.random.default_rng(7)
    data = Sequences(draw.normal(size=(30, 9, 4)).astype(np.float32), np.arange(30) % 3, draw.integers(1, 10, 30))
    network = new_classifier(data, 7, 1).requires_grad_(False)
    for parameter in network.parameters():
        parameter *= 2
    return OperatorGru.of(network, Sequences(0.7 * data.x, data.y, data.steps), data, "rows")


def test_onnx_runtime_computes_the_same_bits(model: OperatorGru, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    mixed = [draw.choice([8, 16], len(OPERATORS)).tolist() for _ in range(5)]
    for number, widths in enumerate([[8] * len(OPERATORS), [16] * len(OPERATORS), *mixed]):
        bits = {operator: (width, width) for operator, width in zip(OPERATORS, widths, strict=True)}
        path = tmp_path / f"{number}.onnx"
        export_qdq(model, bits, path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (scores,) = session.run(None, {"x": model.data.x, "steps": model.data.steps})
        codes = scores.astype(np.float64) * 2.0 ** model.fraction("y", bits["y"][0])
        np.testing.assert_array_equal(codes, model.run(model.data, bits), err_msg=str(widths))


def test_operators_are_pairs_of_their_widths(model: OperatorGru, tmp_path: Path) -> None:
    import onnx

    export_qdq(model, dict.fromkeys(OPERATORS, (8, 8)) | {"W": (16, 16)}, tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph
    onnx.checker.check_model(onnx.load(tmp_path / "m.onnx"))
    kinds = {value.name: value.data_type for value in graph.initializer}
    assert (kinds["W.weights"], kinds["FC.weights"]) == (onnx.TensorProto.INT16, onnx.TensorProto.INT8)
    (scan,) = (node for node in graph.node if node.op_type == "Scan")
    (body,) = (attribute.g for attribute in scan.attribute if attribute.name == "body")
    made = {node.output[0] for part in (graph, body) for node in part.node if node.op_type == "QuantizeLinear"}
    expected = {"x", "wx", "uh", "a_r", "a_z", "rh", "an", "1-z", "zn", "zh", "h", "y"}
    assert made == {f"{name}.codes" for name in expected}  # r, z and n come from tables


def test_other_widths_are_refused(model: OperatorGru, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bits of h: 6: ONNX has integers of 8 and 16 bits"):
        export_qdq(model, dict.fromkeys(OPERATORS, (8, 8)) | {"h": (6, 6)}, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
