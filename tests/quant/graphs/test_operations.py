"""Every operation against ONNX Runtime, in float."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what the results are compared with")

from graph_runs import graph_of, in_float
from onnx import helper
from onnx_graphs import by_onnxruntime, model_of, saved

from quant.graphs.call import Call
from quant.graphs.operations.table import OPERATIONS
from simulators import Elementwise, InputError

RANDOM = np.random.default_rng(5)


def array(*sizes: int) -> np.ndarray:
    return RANDOM.normal(size=sizes).astype(np.float32)


X, WHOLE = array(2, 6, 8), np.array([0, 2, 1], np.int64)
MAPS = array(2, 4, 9, 7)
UNARY = [
    "Relu", "Sigmoid", "Tanh", "Exp", "Reciprocal", "Erf", "Neg", "Abs", "Sign", "Floor", "Ceil", "Round", "Softplus",
    "Softsign", "HardSwish", "LeakyRelu", "Elu", "Celu", "Selu", "HardSigmoid", "ThresholdedRelu", "Identity",
    "Flatten", "Transpose", "Softmax", "LogSoftmax", "LpNormalization",
]  # fmt: skip

Case = tuple[str, dict[str, Any], list[Any], dict[str, Any], int]
"""The operator, constants behind the input, attributes, what the input is, the version of operators."""


def case(op: str, x: Any, *constants: Any, opset: int = 18, **attributes: Any) -> Any:
    label = f"{op}-{'-'.join(map(str, attributes)) or len(constants)}-{opset}"
    return pytest.param(op, x, constants, attributes, opset, id=label)


def f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


CASES = [
    *(case(op, X) for op in UNARY),
    case("Mish", X), case("Log", np.abs(X)), case("Sqrt", np.abs(X)), case("Gelu", X, opset=20),
    case("Gelu", X, opset=20, approximate="tanh"), case("Softmax", X, opset=11, axis=1), case("Softmax", X, axis=1),
    case("Elu", X, alpha=0.3), case("Celu", X, alpha=0.7), case("Selu", X, alpha=1.1, gamma=0.9),
    case("LeakyRelu", X, alpha=0.3), case("HardSigmoid", X, alpha=0.3, beta=0.4),
    *(case(op, X, array(8)) for op in ("Add", "Sub", "Mul", "Div", "PRelu", "Max", "Min", "Mean", "Sum")),
    case("Pow", np.abs(X), f(2.0)), case("Pow", np.abs(X), f(0.5)), case("Pow", np.abs(X), f(1.7)),
    case("Clip", X, np.float32(-0.5), np.float32(0.7)), case("Clip", X, opset=10, min=-0.5, max=0.7),
    case("Reshape", X, i(0, -1, 4)), case("Transpose", X, perm=[2, 0, 1]), case("Unsqueeze", X, i(-1, 0)),
    case("Unsqueeze", X, opset=12, axes=[1]), case("Squeeze", X[:, :1], i(1)), case("Squeeze", X[:, :1], opset=12, axes=[1]),
    case("Slice", X, i(-1, 1), i(-100, 6), i(1, 2), i(-1, 2)), case("Slice", X, opset=9, starts=[1], ends=[3], axes=[2]),
    case("Gather", X, WHOLE, axis=1), case("Expand", X[:, :1], i(2, 6, 8)), case("Tile", X, i(1, 2, 1)),
    case("Pad", X, i(0, 1, 2, 0, 0, 3), np.float32(0.5)), case("Pad", X, i(0, 0, 2, 0, 0, 3), mode="reflect"),
    case("Pad", X, i(0, 1, 0, 0, 2, 0), mode="edge"), case("Pad", X, opset=10, pads=[0, 1, 0, 0, 0, 2]),
    *(case(op, X, opset=13, axes=[1]) for op in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1")),
    case("ReduceSum", X, i(1, 2), keepdims=0), case("ReduceMean", X, i(-1)), case("ReduceMean", X),
    case("OneHot", i(1, -1, 7, -9), i(5), f(-2.0, 3.0)), case("OneHot", i(1, 0), i(3), f(0.0, 1.0), axis=0),
    *(case(op, X, noop_with_empty_axes=1) for op in ("ReduceSumSquare", "ReduceSum", "ReduceL2", "ReduceL1")),
    case("ReduceSumSquare", X, i(1)), case("ReduceLogSumExp", X, i(1)), case("CumSum", X, np.int64(1)),
    case("LayerNormalization", X, array(8), array(8)), case("LayerNormalization", X, array(6, 8), axis=1, epsilon=1e-3),
    case("InstanceNormalization", MAPS, array(4), array(4)),
    case("BatchNormalization", MAPS, array(4), array(4), array(4), np.abs(array(4))),
    case("GroupNormalization", MAPS, array(4), array(4), opset=21, num_groups=2),
    case("MaxPool", MAPS, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]),
    case("MaxPool", X, kernel_shape=[3], dilations=[2]), case("MaxPool", MAPS, kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
    case("AveragePool", MAPS, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("AveragePool", MAPS, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", MAPS, kernel_shape=[3, 2], pads=[1, 0, 0, 1]), case("AveragePool", X, kernel_shape=[3], pads=[2, 0]),
    case("AveragePool", MAPS, kernel_shape=[3, 2], pads=[1, 0, 0, 1], count_include_pad=1, strides=[2, 2]),
    case("AveragePool", MAPS, kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2]),
    case("LRN", MAPS, size=3, alpha=0.3, beta=0.6, bias=1.5), case("LRN", MAPS, size=5, alpha=0.5),
    case("LpPool", MAPS, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1]), case("LpPool", X, kernel_shape=[2], p=3),
    case("GlobalLpPool", MAPS), case("GlobalLpPool", MAPS, p=1), case("EyeLike", X[0], k=1), case("Hardmax", X, axis=1),
    *(case(op, np.array(9), periodic=p) for op in ("HannWindow", "HammingWindow", "BlackmanWindow") for p in (0, 1)),
    case("Sin", X), case("Cos", X), case("GatherND", X, np.array([[0, 5], [1, -1]])), case("GatherND", X, np.array([[0], [1]])),
    case("GatherND", X, np.array([[[3], [-2]], [[0], [5]]]), batch_dims=1),
    case("GatherND", X, np.array([[[1, 2, 3], [0, 0, 7]], [[1, -1, -8], [0, 5, 1]]])),
    *(case("Resize", MAPS, f(), f(1, 1, 1.5, 2), mode=mode, coordinate_transformation_mode=rule)
      for mode in ("nearest", "linear")
      for rule in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")),
    *(case("Resize", MAPS, f(), f(), i(2, 4, 5, 20), nearest_mode=rule) for rule in
      ("round_prefer_ceil", "floor", "ceil", "round_prefer_floor")),
    *(case(op, X) for op in ("Tan", "Atan", "Sinh", "Cosh", "Asinh", "Shrink")), case("Acosh", 1 + np.abs(X)),
    *(case(op, np.tanh(X)) for op in ("Asin", "Acos", "Atanh")), case("Shrink", X, lambd=0.3, bias=0.2),
    case("ReduceProd", X, i(1, -1), keepdims=0), case("ReduceLogSum", np.abs(X), i(1)),
    *(case("CumSum", X, np.int64(1), exclusive=a, reverse=b) for a in (0, 1) for b in (0, 1)),
    case("MeanVarianceNormalization", MAPS), case("RMSNormalization", X, array(8), opset=23),
    case("SpaceToDepth", array(1, 2, 4, 6), blocksize=2), case("Upsample", MAPS, f(1, 1, 2, 3), opset=9),
    case("Upsample", MAPS, f(1, 1, 2, 1.5), opset=9, mode="linear"),
    case("ReverseSequence", X, i(4, 6), batch_axis=0, time_axis=1),
    case("ReverseSequence", X, i(1, 2, 0, 2, 1, 2), batch_axis=1, time_axis=0),
    case("ScatterElements", X, np.array([[[0, -1], [2, 1]]]), array(1, 2, 2), axis=2),
    case("STFT", array(2, 40, 1), np.int64(4), np.hanning(16).astype(np.float32)),
    case("STFT", array(2, 40), np.int64(5), np.hanning(16).astype(np.float32), onesided=0),
    case("STFT", array(1, 40, 1), np.int64(8), np.ones(12, np.float32), np.int64(12)),
    case("Resize", MAPS, f(), f(0.5, 3), axes=[2, 3], mode="linear"), case("Resize", MAPS, f(), f(), i(2, 4, 1, 3), mode="linear"),
    case("GlobalAveragePool", MAPS), case("GlobalMaxPool", MAPS), case("DepthToSpace", MAPS, blocksize=2),
    case("DepthToSpace", MAPS, blocksize=2, mode="CRD"),
    case("MatMul", X, array(8, 5)), case("MatMul", X, array(2, 8, 5)), case("Gemm", X[0], array(8, 5), array(5)),
    case("Gemm", X[0], array(5, 8), array(5), transB=1, alpha=0.5, beta=2.0), case("Gemm", X[0], array(6, 5), transA=1),
    case("Gemm", X[0], array(8, 5), array(6, 5)), case("Einsum", X, array(6, 8, 3), equation="bgi,gih->bgh"),
    case("Einsum", X, array(8, 3), equation="bti,ih->bth"),
    case("Conv", X, array(4, 6, 3), array(4), pads=[2, 1], strides=[2], dilations=[2]),
    case("Conv", MAPS, array(8, 2, 3, 2), group=2, auto_pad="SAME_LOWER"), case("Conv", MAPS, array(4, 1, 3, 3), group=4),
    case("Conv", MAPS, array(3, 4, 1, 1), array(3), auto_pad="VALID"),
    case("ConvTranspose", X, array(6, 3, 4), array(3), strides=[2], pads=[1, 2], output_padding=[1]),
    case("ConvTranspose", MAPS, array(4, 3, 3, 2), group=2, strides=[1, 2], dilations=[2, 1]),
]  # fmt: skip


def check(nodes: list[Any], given: dict[str, Any], constants: dict[str, Any], folder: Path, opset: int = 18) -> Any:
    """The graph computes what ONNX Runtime does; its outputs and its trace."""
    path = saved(model_of(nodes, given, constants, opset=opset), folder)
    expected = by_onnxruntime(path, given)["y"]
    outputs, trace = in_float(graph_of(path), given)
    assert outputs["y"].shape == expected.shape
    np.testing.assert_allclose(outputs["y"], expected, rtol=1e-5, atol=1e-5)
    return outputs, trace


ROOM_OF_RESULT = {"MatMul", "Gemm", "Einsum", "Conv"}
"""Operations that ask for the room of what they make before they make it."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Elements that operations ask for room for."""
    found, room = list[int](), Call.room

    def noting(call: Call, shape: Any) -> list[int]:
        found.append(prod(shape))
        return room(call, shape)

    monkeypatch.setattr(Call, "room", noting)
    return found


@pytest.mark.parametrize(("op", "x", "constants", "attributes", "opset"), CASES)
def test_an_operation_is_that_of_onnxruntime(
    op: str,
    x: Any,
    constants: tuple[Any, ...],
    attributes: dict[str, Any],
    opset: int,
    asked: list[int],
    tmp_path: Path,
) -> None:
    names = [f"c{n}" for n in range(len(constants))]
    node = helper.make_node(op, ["x", *names], ["y"], name="one", **attributes)
    outputs, _ = check([node], {"x": x}, dict(zip(names, constants, strict=True)), tmp_path, opset)
    assert op not in ROOM_OF_RESULT or outputs["y"].size in asked


@pytest.mark.parametrize(("k", "attributes"), [(3, {}), (2, {"largest": 0, "axis": 1}), (8, {}), (1, {"axis": 0})])
def test_the_largest(k: int, attributes: dict[str, int], tmp_path: Path) -> None:
    """Equal ones among them, of which the first comes first."""
    x = RANDOM.integers(0, 4, (2, 6, 8)).astype(np.float32)
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["values", "places"], **attributes),
        helper.make_node("Cast", ["places"], ["numbers"], to=1),
        helper.make_node("Concat", ["values", "numbers"], ["y"], axis=0),
    ]
    _, trace = check(nodes, {"x": x}, {"k": i(k)}, tmp_path)
    assert trace.trace("largest", {}).ops == x.size * max(1, (k - 1).bit_length())


@pytest.mark.parametrize("has_bias", [False, True])
def test_operators_of_integers(has_bias: bool, tmp_path: Path) -> None:
    """A convolution by channels and a product by columns; the traces count what they stand for. Of other numbers one in
    some ten thousand lies so near the middle of two codes that float32 decides."""
    draw = np.random.default_rng(1)
    codes = {
        "k": draw.integers(-127, 128, (5, 6, 3)).astype(np.int8), "kz": np.zeros(5, np.int8),
        "m": draw.integers(-127, 128, (8, 4)).astype(np.int8), "mz": np.zeros(4, np.int8),
        "kb": draw.integers(-900, 900, 5).astype(np.int32),
    }  # fmt: skip
    scales = {
        "xs": np.float32(0.03),
        "ks": draw.random(5, np.float32) * np.float32(0.01),
        "ms": draw.random(4, np.float32) * np.float32(0.01),
        "ys": np.float32(0.05),
    }
    kernel = ["xq", "xs", "xz", "k", "ks", "kz", "ys", "xz", *["kb"] * has_bias]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("QLinearConv", kernel, ["cq"], name="conv", pads=[1, 1]),
        helper.make_node("QLinearMatMul", ["cq", "ys", "xz", "m", "ms", "mz", "ys", "xz"], ["yq"], name="out"),
        helper.make_node("DequantizeLinear", ["yq", "ys", "xz"], ["y"]),
    ]
    outputs, trace = check(nodes, {"x": X}, {**codes, **scales, "xz": np.uint8(120)}, tmp_path)
    assert np.ptp(outputs["y"]) > 1
    assert trace.trace("integers", {"conv": (8, 8), "out": (8, 8)}).macs == 2 * 8 * 5 * 18 + 2 * 5 * 8 * 4


@pytest.mark.parametrize("opset", [13, 18])
def test_a_split_of_equal_parts(opset: int, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], axis=2, **({"num_outputs": 2} if opset >= 18 else {})),
        helper.make_node("Concat", ["b", "a"], ["c"], axis=1),
        helper.make_node("Where", ["condition", "c", "zero"], ["y"]),
    ]
    constants = {"condition": RANDOM.random((12, 4)) > 0.5, "zero": np.float32(0)}
    check(nodes, {"x": X}, constants, tmp_path, opset)


def test_a_remainder_of_floats_is_a_division_and_a_product(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mod", ["x", "x2"], ["y"], fmod=1)]
    _, trace = check(nodes, {"x": X}, {"x2": np.float32(0.7)}, tmp_path)
    (layer,) = trace.trace("remainder", {}).layers
    assert isinstance(layer, Elementwise)
    assert {kind: count * layer.steps for kind, count in layer.ops.items()} == {
        "divide": X.size,
        "multiply_add": X.size,
    }


def test_shrinking_costs_two_comparisons_and_a_sum(tmp_path: Path) -> None:
    _, trace = check([helper.make_node("Shrink", ["x"], ["y"], lambd=0.4, bias=0.1)], {"x": X}, {}, tmp_path)
    (layer,) = trace.trace("shrunk", {}).layers
    assert isinstance(layer, Elementwise)
    assert {kind: count * layer.steps for kind, count in layer.ops.items()} == {"max": 2 * X.size, "add": X.size}


def test_a_gemm_of_activations(tmp_path: Path) -> None:
    """Neither operand is a matrix of the network; none is turned unless the node says so."""
    flat = X.reshape(12, 8)
    for turned, left, right in ((0, "x", "t"), (0, "t", "x"), (1, "x", "x")):
        nodes = [
            helper.make_node("Transpose", ["x"], ["t"]),
            helper.make_node("Gemm", [left, right], ["y"], alpha=0.5, **({"transB": 1} if turned else {})),
        ]
        folder = tmp_path / f"{turned}{left}"
        folder.mkdir()
        check(nodes, {"x": flat}, {}, folder)


def test_a_product_of_activations(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["s"]),
        helper.make_node("MatMul", ["s", "x"], ["y"]),
    ]
    _, trace = check(nodes, {"x": X}, {}, tmp_path)
    assert trace.trace("attention", {}).macs == 2 * 2 * 6 * 6 * 8


def test_an_embedding_is_a_lookup_and_its_table_memory(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["table", "x"], ["e"]), helper.make_node("MatMul", ["e", "w"], ["y"])]
    tokens = np.array([[1, 3, 0, 2]], np.int64)
    _, trace = check(nodes, {"x": tokens}, {"table": array(5, 8), "w": array(8, 3)}, tmp_path)
    found = trace.trace("lookup", {"y": (8, 8)})
    assert [layer.parameters for layer in found.layers] == [5 * 8, 8 * 3]


def test_operators_of_indices_cost_nothing(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Mul", ["n", "two"], ["m"]),
        helper.make_node("Concat", ["m", "rest"], ["sizes"], axis=0),
        helper.make_node("Reshape", ["x", "sizes"], ["r"]),
        helper.make_node("Relu", ["r"], ["y"]),
    ]
    _, trace = check(nodes, {"x": X}, {"zero": i(0), "two": i(2), "rest": i(-1)}, tmp_path)
    assert trace.trace("indices", {}).ops == X.size


REFUSED = [
    ("Einsum", [array(8, 8)], {"equation": "bti,ii->bt"}, "bti,ii->bt: index i twice in one operand"),
    ("Resize", [f(), f(1, 1, 2)], {"mode": "bicubic"}, "mode bicubic: expected nearest, linear or cubic"),
    (
        "Resize",
        [f(), f(1, 1, 2)],
        {"coordinate_transformation_mode": "tf_crop_and_resize"},
        r"a part \(roi\) of 3 axes",
    ),
    ("Resize", [f(), f(), i(2, 6, 4)], {"keep_aspect_ratio_policy": "larger"}, "keep_aspect_ratio_policy larger: expe"),
    ("Resize", [f(), f(1, 2)], {}, "scales or sizes of 3 axes are missing"),
    ("Resize", [f(), f(1, 1, 0.01)], {}, "0 elements along axis 2"),
    ("Resize", [f(), f(1, np.inf, 1)], {}, "scale inf along axis 1: expected a positive, finite number"),
    ("Resize", [f(), f(1, 1)], {"axes": [1, 7]}, r"axes \[1, 7\] of 3 dimensions"),
    ("Resize", [f(), f(1, 1)], {"axes": [1, -2]}, r"axes \[1, -2\] of 3 dimensions"),
    ("ScatterElements", [np.array([[[9]]]), array(1, 1, 1)], {}, "an index beyond the 2 elements of axis 0"),
    ("STFT", [np.int64(4), np.ones(9, np.float32)], {}, r"a signal of sizes \[2, 6, 8\]"),
    ("CumSum", [np.int64(3)], {}, "axis 3 of 3 dimensions"),
    ("TopK", [i(9)], {}, r"k \[9\]: expected 0 to 8"),
    ("GatherND", [np.array([[0, 6]])], {}, r"an index beyond sizes \[2, 6\]"),
    ("GatherND", [np.array([[0, 0, 0, 0]])], {}, r"indices of sizes \[1, 4\] in \[2, 6, 8\], batch_dims 0"),
    ("AveragePool", [], {"kernel_shape": [2], "dilations": [2]}, "a mean over dilated windows"),
    (
        "MaxPool",
        [],
        {"kernel_shape": [2], "pads": [1_000_000, 0]},
        r"pads \[1000000, 0\]: beyond a map of \d+ at most \d+",
    ),
    ("QLinearMatMul", [f(1)], {}, "2 inputs: expected 8"),
    ("Conv", [array(4, 6, 3)], {"strides": [0]}, r"strides \[0\]: expected 1 positive numbers"),
    ("Conv", [array(4, 6, 3)], {"dilations": [1, 1]}, r"dilations \[1, 1\]: expected 1 positive numbers"),
    ("ConvTranspose", [array(6, 4, 3)], {"strides": [-1]}, r"strides \[-1\]: expected 1 positive numbers"),
    ("MaxPool", [], {"kernel_shape": [2], "strides": [0], "auto_pad": "SAME_UPPER"}, r"strides \[0\]: expected 1 pos"),
    ("LpPool", [], {"kernel_shape": [2], "strides": [0, 1]}, r"strides \[0, 1\]: expected 1 positive numbers"),
    ("ConvTranspose", [array(6, 4, 3)], {"group": 0}, "group 0 of 6 channels"),
    ("ConvTranspose", [array(6, 4, 3)], {"pads": [-1, 0]}, r"pads \[-1, 0\] of 1 axes"),
    (
        "ConvTranspose",
        [array(6, 4, 3)],
        {"output_padding": [1]},
        r"output_padding \[1\]: expected 1 numbers, each less",
    ),
    ("ConvTranspose", [array(6, 4, 3), array(9)], {}, r"parameters of sizes \[9, 1\] beside a value of \[2, 4, 10\]"),
    (
        "LayerNormalization",
        [array(9, 1, 1, 8)],
        {},
        r"parameters of sizes \[9, 1, 1, 8\] beside a value of \[2, 6, 8\]",
    ),
    (
        "InstanceNormalization",
        [array(9), array(9)],
        {},
        r"parameters of sizes \[1, 9, 1\] beside a value of \[2, 6, 8\]",
    ),
    ("QuantizeLinear", [array(9)], {"axis": 1}, r"parameters of sizes \[1, 9, 1\] beside a value of \[2, 6, 8\]"),
    ("Clip", [f(0, 1)], {}, "a bound of 2 values: expected one"),
]


@pytest.mark.parametrize(("op", "constants", "attributes", "complaint"), REFUSED)
def test_what_cannot_be_computed_names_the_node(
    op: str, constants: list[Any], attributes: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    names = [f"c{n}" for n in range(len(constants))]
    nodes = [helper.make_node(op, ["x", *names], ["y", *["p"] * (op == "TopK")], name="one", **attributes)]
    path = saved(model_of(nodes, {"x": X}, dict(zip(names, constants, strict=True)), opset=19), tmp_path)
    with pytest.raises(InputError, match=rf"node one \({op}\): {complaint}"):
        in_float(graph_of(path), {"x": X})


def test_a_matrix_in_a_stack_of_one_keeps_the_stacks_dimensions(tmp_path: Path) -> None:
    for at, (x, sizes) in enumerate(((X[0], (1, 8, 3)), (X[0, 0], (1, 8, 3)), (X[0], (1, 1, 8, 3)), (X, (1, 8, 3)))):
        folder = tmp_path / str(at)
        folder.mkdir()
        check([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": x}, {"w": array(*sizes)}, folder)


MANY = 20_000
ROW, COLUMN = np.ones((1, MANY), np.float32), np.ones((MANY, 1), np.float32)
"""Beside each other more elements than a tensor may have: 1.6 GB of float."""
BOMBS = [
    *((op, ["x", "c"], COLUMN, {}) for op in (
        "Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Max", "Min", "Sum", "Mean", "Equal", "Less", "LessOrEqual",
        "Greater", "GreaterOrEqual",
    )),
    *((op, ["tb", "xb"], COLUMN, {}) for op in ("And", "Or", "Xor")),
    ("Where", ["xb", "t", "t"], COLUMN, {}),
    ("Mod", ["x", "c"], COLUMN, {"fmod": 1}),
    ("MatMul", ["c", "x"], COLUMN, {}),
    ("MatMul", ["t", "x"], COLUMN, {}),
    ("Gemm", ["c", "x"], COLUMN, {}),
    ("Gemm", ["t", "x"], COLUMN, {}),
    ("Einsum", ["t", "c"], COLUMN, {"equation": "ab,cb->ac"}),
    ("Einsum", ["t", "t"], COLUMN, {"equation": "ab,cb->ac"}),
    ("Einsum", ["s", "r"], COLUMN, {"equation": "gab,gcb->gac"}),
    ("MatMul", ["s", "m"], COLUMN, {}),
    ("MaxPool", ["m"], COLUMN, {"kernel_shape": [300_000_000], "auto_pad": "SAME_UPPER"}),
    ("LpPool", ["m"], COLUMN, {"kernel_shape": [300_000_000], "auto_pad": "SAME_UPPER"}),
    ("Conv", ["m", "c"], COLUMN[:, :, None], {}),
    ("ConvTranspose", ["m", "c"], COLUMN.reshape(1, MANY, 1), {}),
    ("Expand", ["x", "c"], i(MANY, MANY), {}),
    ("Tile", ["x", "c"], i(MANY, 1), {}),
    ("Concat", ["x"] * 15_000, COLUMN, {"axis": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("op", "inputs", "constant", "attributes"), BOMBS)
def test_no_operation_makes_more_than_a_tensor_may_have(
    op: str, inputs: list[str], constant: np.ndarray, attributes: dict[str, Any], tmp_path: Path
) -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"]), helper.make_node("Unsqueeze", ["x", "zero"], ["m"]),
        helper.make_node("Cast", ["x"], ["xb"], to=9), helper.make_node("Cast", ["t"], ["tb"], to=9),
        helper.make_node("Unsqueeze", ["t", "two"], ["s"]), helper.make_node("Unsqueeze", ["t", "zero"], ["r"]),
        helper.make_node(op, inputs, ["y"], name="one", **attributes),
    ]  # fmt: skip
    path = saved(model_of(nodes, {"x": ROW}, {"c": constant, "zero": i(0), "two": i(2)}, opset=19), tmp_path)
    with pytest.raises(InputError, match=rf"node one \({op}\): a result of sizes .*: expected at most 268,435,456 el"):
        in_float(graph_of(path), {"x": ROW})


def test_every_known_operation_has_a_name_of_onnx() -> None:
    from onnx import defs

    known = {schema.name for schema in defs.get_all_schemas_with_history() if not schema.domain}
    assert set(OPERATIONS) - known == {"Linear"}
