"""ONNX exports compute the integer-only reference's scores: with quantizers of the standard in ONNX Runtime, with Quant
nodes in onnx's own evaluator."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what runs an export")

import onnx
from onnx.reference import ReferenceEvaluator
from onnx_graphs import by_onnxruntime
from quant_nodes import Quant
from small_recognisers import in_whole_numbers, noise, small_recogniser

from quant import Scheme, load_model
from quant.arithmetic.calibration import Calibration
from quant.arithmetic.grid import Grid
from quant.arithmetic.weights import QuantizedWeights
from quant.exports.format_quantizers import said_scale
from quant.exports.integer_program import integer_program
from quant.exports.writing import export_as
from quant.files.checkpoint import Checkpoint
from quant.sites.candidate import parse_bits
from simulators import InputError

CELLS = ("sru", "lstm", "gru", "ligru")
SCANNED = ("mingru", "lru")
MIXED = {
    "sru": "16x8,L0=4x16,P1=4x4,L1=8x4",
    "lstm": "4x8,U0=16x4,W1=8x16,U1=16,FC=4",
    "gru": "8x4,W0=4x16,U0=8x8,U1=16x4",
    "ligru": "4x8,U0=16,W1=8x16,U1=4x4,FC=16x8",
    "mingru": "4x8,W0=16x4,W1=8x16,FC=8x4",
    "lru": "8x4,W0=4x8,W1=4x16,FC=16x8",
}
NARROW = {
    "sru": "16x2,L0=2x16,P1=4x2,L1=2",
    "lstm": "2x8,U0=16x2,W1=2x16,U1=16,FC=2",
    "gru": "2,W0=4x16,U0=2x8",
    "ligru": "2x4,U0=16,W1=8x2",
    "mingru": "2x8,W0=16x2,FC=2",
    "lru": "2x4,W1=8x2,FC=16x8",
}


def codes_of(found: np.ndarray, step: float) -> np.ndarray:
    codes = found.astype(np.float64) / step
    assert np.array_equal(codes, np.rint(codes))
    return codes.astype(np.int64)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [*CELLS, *SCANNED])
def test_quantizers_of_the_standard(cell: str, tmp_path: Path) -> None:
    for per_channel in (False, True):
        checkpoint = small_recogniser(cell, causal=per_channel)
        sites = checkpoint.network.sites
        weights = QuantizedWeights(checkpoint.network, Scheme(per_channel=per_channel))
        bits = parse_bits(MIXED[cell], sites)
        file = export_as("qdq", checkpoint, weights, bits, tmp_path)
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        assert {entry.domain for entry in model.opset_import} == {""}
        for features in (noise(), noise(1), 40 * noise(9, 1)):
            found = by_onnxruntime(file, {"features": features})["scores"]
            expected = in_whole_numbers(checkpoint, weights, bits, features)
            assert np.array_equal(codes_of(found, checkpoint.calibration.results["FC"].step), expected)


def test_what_stands_in_the_file(tmp_path: Path) -> None:
    """Weights behind DequantizeLinear with their scales, activations behind QuantizeLinear with theirs, in the body of
    the recurrence too, whose states are int16."""
    checkpoint = small_recogniser("lstm")
    weights, bits = QuantizedWeights(checkpoint.network), parse_bits("4x8,FC=8x4", checkpoint.network.sites)
    model = onnx.load(export_as("qdq", checkpoint, weights, bits, tmp_path / "small.onnx"))
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    for site in checkpoint.network.sites:
        quantized = weights(site.name, bits[site.name][0])
        parts = (site.name, f"{site.name}.forward", f"{site.name}.backward")
        nodes = [made[f"{part}.weights"] for part in parts if f"{part}.weights" in made]
        stored = np.concatenate([constants[node.input[0]].astype(np.int64) for node in nodes], axis=1)
        assert np.array_equal(stored.T, quantized.codes.numpy())
        assert all(constants[node.input[1]] == np.float32(quantized.steps[0]) for node in nodes)
    scans = [node for node in model.graph.node if node.op_type == "Scan"]
    assert len(scans) == 4
    for scan in scans:
        (body,) = (attribute.g for attribute in scan.attribute if attribute.name == "body")
        assert {"QuantizeLinear", "DequantizeLinear", "MatMul"} <= {node.op_type for node in body.node}
        (quantize,) = (node for node in body.node if node.op_type == "QuantizeLinear")
        step = checkpoint.calibration.grid("U0" if "W0" in scan.name else "U1", 8).step
        assert constants[quantize.input[1]] == pytest.approx(step, rel=1e-6)
        assert [constants[name].dtype for name in scan.input[:2]] == [np.int16, np.int16]
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["bits"].startswith("W0=4x8,U0=4x8,")
    assert [float(word) for word in properties["feature_mean"].split()] == [0.5] * 6


@pytest.mark.slow
@pytest.mark.parametrize("cell", [*CELLS, *SCANNED])
def test_quant_nodes_of_any_width(cell: str, tmp_path: Path) -> None:
    checkpoint = small_recogniser(cell)
    weights = QuantizedWeights(checkpoint.network, Scheme(per_channel=cell == "gru"))
    bits = parse_bits(NARROW[cell], checkpoint.network.sites)
    model = onnx.load(export_as("qonnx", checkpoint, weights, bits, tmp_path))
    assert {entry.domain for entry in model.opset_import} == {"", Quant.op_domain}
    evaluator = ReferenceEvaluator(model, new_ops=[Quant])
    for features in (noise(12), 40 * noise(5, 1)):
        (found,) = evaluator.run(None, {"features": features})
        expected = in_whole_numbers(checkpoint, weights, bits, features)
        assert np.array_equal(codes_of(found, checkpoint.calibration.results["FC"].step), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_shipped_recognisers_on_their_utterances(name: str, tmp_path: Path) -> None:
    model = load_model(name, every=32)
    bits, step = parse_bits(MIXED[name], model.sites), model.checkpoint.calibration.results["FC"].step
    features = model.utterances("dev").mats[0][:60].astype(np.float32)
    file = export_as("qdq", model.checkpoint, model.weights, bits, tmp_path)
    found = by_onnxruntime(file, {"features": features})["scores"]
    expected = in_whole_numbers(model.checkpoint, model.weights, bits, features)
    assert np.array_equal(codes_of(found, step), expected)
    assert len(np.unique(expected)) > 1000
    bits, features = parse_bits(NARROW[name], model.sites), features[:15]
    evaluator = ReferenceEvaluator(
        onnx.load(export_as("qonnx", model.checkpoint, model.weights, bits, tmp_path)), new_ops=[Quant]
    )
    (found,) = evaluator.run(None, {"features": features})
    assert np.array_equal(codes_of(found, step), in_whole_numbers(model.checkpoint, model.weights, bits, features))


def with_steps(checkpoint: Checkpoint, site: str, fraction: int, step: float) -> Checkpoint:
    """A recogniser whose activations of a site at 8 bits have a step, and all of whose results so many fractional bits."""
    old = checkpoint.calibration
    results = {name: Grid(16, 2.0**-fraction, -(2**15), 2**15 - 1) for name in old.results}
    activations = {**old.activations, site: {**old.activations[site], 8: Grid(8, step, -128, 127)}}
    new = Calibration(activations, old.ranges, results, old.states)
    return Checkpoint(**{**vars(checkpoint), "calibration": new})


@pytest.mark.parametrize(("cell", "fraction"), [("lstm", 5), ("lstm", 16), ("lru", 16)])
def test_fractions_beyond_those_carried_and_steps_whose_borders_are_values(
    cell: str, fraction: int, tmp_path: Path
) -> None:
    """0.99/127 puts borders of codes on values, where float32 and the multiplier need not round alike."""
    checkpoint = with_steps(small_recogniser(cell), "FC", fraction, 0.99 / 127)
    weights, bits = QuantizedWeights(checkpoint.network), parse_bits("8", checkpoint.network.sites)
    site = integer_program(checkpoint, weights, bits).output
    assert said_scale(site, 14) == pytest.approx(0.99 / 127, rel=1e-6)
    assert said_scale(site, 14) != np.float32(0.99 / 127)
    found = by_onnxruntime(export_as("qdq", checkpoint, weights, bits, tmp_path), {"features": noise()})["scores"]
    expected = in_whole_numbers(checkpoint, weights, bits, noise())
    assert np.array_equal(codes_of(found, 2.0**-fraction), expected)


def test_what_the_standard_cannot_say_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    checkpoint = small_recogniser("gru")
    weights = QuantizedWeights(checkpoint.network)
    for text, what in (("8,U1=2x8", "weights of U1 at 2 bits"), ("8,FC=8x2", "activations of FC at 2 bits")):
        with pytest.raises(
            InputError, match=f"--format qdq: {what}: quantizers of ONNX's operators 21 have 4, 8 and 16"
        ):
            export_as("qdq", checkpoint, weights, parse_bits(text, checkpoint.network.sites), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
