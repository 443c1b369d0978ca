"""Networks whose file has quantizers (QDQ): computed in float as ONNX Runtime does, and quantized with the file's
scales at the file's widths."""

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="needs mohaq[onnx]")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is what results are compared with")

from onnx import TensorProto, helper
from onnx_graphs import by_onnxruntime, model_of, saved

from quant import Scheme, homogeneous, load
from quant.graphs.graph_model import GraphModel
from quant.own.site_table import site_table

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(1, 9, 4)).astype(np.float32)


def qdq(x: str, name: str, scale: str, zero: str = "") -> list:
    last = [zero] if zero else []
    return [
        helper.make_node(
            "QuantizeLinear", [x, scale, *last], [f"{name}q"], output_dtype=0 if zero else TensorProto.INT4
        ),
        helper.make_node("DequantizeLinear", [f"{name}q", scale, *last], [f"{name}d"]),
    ]


def four_bit_file(folder: Path, zero_point: bool) -> Path:
    """x on 4 bits, turned, by a matrix of 4 bits, turned too; values of x saturate at 7 steps."""
    nodes = [
        *qdq("x", "x", "xs", "xz" if zero_point else ""),
        helper.make_node("Transpose", ["xd"], ["xt"], perm=[1, 0, 2]),
        helper.make_node("DequantizeLinear", ["wq", "ws"], ["wd"]),
        helper.make_node("Transpose", ["wd"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["xt", "wt"], ["y"], name="out"),
    ]
    model = model_of(nodes, {"x": X}, {"xs": np.float32(0.15), "ws": np.float32(0.07)}, opset=21)
    model.ir_version = 10
    codes = RANDOM.integers(-8, 8, (3, 4))
    model.graph.initializer.append(helper.make_tensor("wq", TensorProto.INT4, (3, 4), codes.ravel().tolist()))
    if zero_point:
        model.graph.initializer.append(helper.make_tensor("xz", TensorProto.INT4, (), [2]))
    return saved(model, folder)


@pytest.mark.parametrize("zero_point", [False, True])
def test_four_bits_behind_moves(zero_point: bool, tmp_path: Path) -> None:
    path = four_bit_file(tmp_path, zero_point)
    model = load(path, [{"x": X}])
    own = model.outputs(None)[0]
    torch.testing.assert_close(own, torch.from_numpy(by_onnxruntime(path, {"x": X})["y"]), atol=1e-6, rtol=0)
    assert model.file_bits == {"out": (4, 4)}
    at4 = model.outputs(homogeneous(model.sites, 4))[0]
    torch.testing.assert_close(at4, own, atol=2.0**-13, rtol=0)  # the same integers; results are 16 bits wide
    assert (
        model.evaluate(homogeneous(model.sites, 2)).error > 5 > 0.1 > model.evaluate(homogeneous(model.sites, 4)).error
    )


def test_a_table_says_where_scales_are_the_files(tmp_path: Path) -> None:
    table = site_table(load(four_bit_file(tmp_path, True), [{"x": X}]))
    assert [(row.site, row.file_bits) for row in table.rows] == [("all sites", (None, None)), ("out", (4, 4))]
    assert str(table).splitlines()[2].endswith("   scales of the file at 4x4")
    assert table.float_error == 0.0
    assert table.rows[1].errors[2] < 0.1
    assert table.rows[1].saturated[2] > 0.1  # what lies beyond 7 steps


def recurrent_file(folder: Path) -> Path:
    weights = {
        "wq": RANDOM.integers(-127, 128, (1, 20, 4)).astype(np.int8),
        "rq": RANDOM.integers(-127, 128, (1, 20, 5)).astype(np.int8),
        "ws": np.float32(0.01), "rs": np.float32(0.008), "xs": np.float32(0.02), "xz": np.int8(0),
    }  # fmt: skip
    nodes = [
        *(helper.make_node("DequantizeLinear", [f"{k}q", f"{k}s"], [f"{k}d"]) for k in "wr"),
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
        helper.make_node("LSTM", ["xd", "wd", "rd"], ["y"], name="lstm", hidden_size=5),
    ]
    return saved(model_of(nodes, {"x": X}, weights), folder)


def test_a_recurrence_takes_what_the_file_has(tmp_path: Path) -> None:
    path = recurrent_file(tmp_path)
    model = load(path, [{"x": X}])
    own = model.outputs(None)[0]
    torch.testing.assert_close(own, torch.from_numpy(by_onnxruntime(path, {"x": X})["y"]), atol=1e-5, rtol=0)
    assert model.file_bits == {"lstm.W": (8, 8), "lstm.U": (8, None)}
    only_w = model.evaluate_some({"lstm.W": (8, 8)}).error
    assert 0 < only_w < model.evaluate_some({"lstm.W": (4, 4)}).error
    assert only_w < 0.2  # codes are the file's: what is left is 16 bits' rounding


def parts_of(model: GraphModel) -> list[float]:
    sites = [site.name for site in model.sites]
    return [model.evaluate_some(dict.fromkeys(some, (4, 4))).error for some in ([], sites[:1], sites[1:], sites)]


def test_some_sites_of_a_recurrence_alone(tmp_path: Path) -> None:
    """None at all is the network in float, both are the compiled steps, one of them goes step by step."""
    model = load(recurrent_file(tmp_path), [{"x": X}])
    nothing, w, u, both = parts_of(model)
    assert nothing < 1.5  # the file rounds its input, which sites do in its place
    assert both == model.evaluate(homogeneous(model.sites, 4)).error
    assert 0.5 < min(w, u) < max(w, u) < 2 * both
    other = model.with_scheme(Scheme(per_channel=True))
    assert (other.digest, other.data_digest) != (model.digest, model.data_digest)
    assert other.evaluate(homogeneous(other.sites, 4)).error < both
