"""Files that were quantized dynamically compute what ONNX Runtime does, and are quantized as others are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what graphs are held against")

from graph_runs import graph_of, in_float
from onnx import TensorProto, helper
from onnx_graphs import by_onnxruntime, model_of, saved

from quant import homogeneous, load
from simulators import InputError

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(1, 12, 6)).astype(np.float32)


def product(
    op: str, weights: np.ndarray, zero: np.ndarray | None, **attributes: Any
) -> tuple[list[Any], dict[str, Any]]:
    """x quantized dynamically, multiplied with integers, and scaled back."""
    constants: dict[str, Any] = {"w": weights, "ws": np.float32(0.02)}
    inputs = ["q", "w", "zx"]
    if zero is not None:
        constants["zw"] = zero
        inputs.append("zw")
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "zx"], name="dynamic"),
        helper.make_node(op, inputs, ["sums"], name="product", **attributes),
        helper.make_node("Cast", ["sums"], ["numbers"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "ws"], ["both"], name="scales"),
        helper.make_node("Mul", ["numbers", "both"], ["y"], name="scaled"),
    ]
    return nodes, constants


def integers(kind: type, *sizes: int) -> np.ndarray:
    limits = np.iinfo(kind)
    return RANDOM.integers(limits.min, limits.max + 1, sizes).astype(kind)


CASES = [
    ("MatMulInteger", integers(np.int8, 6, 5), np.int8(3), {}), ("MatMulInteger", integers(np.uint8, 6, 5), np.uint8(120), {}),
    ("MatMulInteger", integers(np.int8, 6, 5), None, {}), ("MatMulInteger", integers(np.int8, 6, 5), integers(np.int8, 5), {}),
    ("ConvInteger", integers(np.uint8, 4, 12, 3), np.uint8(130), {"pads": [1, 1]}),
    ("ConvInteger", integers(np.uint8, 4, 6, 3), np.uint8(128), {"group": 2, "strides": [2]}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "weights", "zero", "attributes"), CASES)
def test_products_of_integers(op: str, weights: Any, zero: Any, attributes: dict[str, Any], tmp_path: Path) -> None:
    nodes, constants = product(op, weights, zero, **attributes)
    path = saved(model_of(nodes, {"x": X}, constants), tmp_path)
    for x in (X, np.abs(X), -np.abs(X), np.zeros_like(X), 100 * X):
        expected = by_onnxruntime(path, {"x": x})["y"]
        found = in_float(graph_of(path), {"x": x})[0]["y"]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * float(np.abs(expected).max()))


def test_sites_take_the_place_of_the_quantizers(tmp_path: Path) -> None:
    """16 bits are finer than the file's 8; the file's own quantizers err by about half a step of 255 over the range."""
    nodes, constants = product("MatMulInteger", integers(np.int8, 6, 5), np.int8(0))
    model = load(saved(model_of(nodes, {"x": X}, constants), tmp_path), [{"x": X}])
    assert [site.name for site in model.sites] == ["product"]
    errors = [model.evaluate(homogeneous(model.sites, bits)).error for bits in (16, 8, 4, 2)]
    assert errors[0] < 1.0
    assert errors == sorted(errors)
    (matmul,) = (layer for layer in model.trace(homogeneous(model.sites, 8)).layers if layer.name == "product")
    assert matmul.macs == 12 * 6 * 5


def test_codes_without_their_scale_are_refused(tmp_path: Path) -> None:
    nodes, constants = product("MatMulInteger", integers(np.int8, 6, 5), np.int8(0))
    dynamic, multiply, cast, scales, scaled = nodes
    bare = helper.make_node("Identity", ["numbers"], ["y"], name="bare")
    by_another = helper.make_node("Mul", ["numbers", "ws"], ["y"], name="other")
    sums = helper.make_node("Identity", ["sums"], ["y"], name="sums")
    codes = helper.make_node("Cast", ["q"], ["y"], name="codes", to=TensorProto.FLOAT)
    without = helper.make_node("MatMulInteger", ["q", "w"], ["sums"], name="product")
    for used, complaint in (
        ([dynamic, multiply, cast, bare], r"node product \(MatMulInteger\): its sums are read by bare \(Identity\)"),
        ([dynamic, multiply, cast, by_another], r"read by other \(Mul\) without the scale"),
        ([dynamic, multiply, sums], "its sums are read as they are"),
        ([dynamic, codes], r"node dynamic \(DynamicQuantizeLinear\): its codes are read by codes \(Cast\)"),
        ([dynamic, without, cast, scales, scaled], r"its codes are read by product \(MatMulInteger\)"),
    ):
        path = saved(model_of(used, {"x": X}, constants), tmp_path)
        with pytest.raises(InputError, match=complaint):
            graph_of(path)
