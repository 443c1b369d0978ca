"""A small network in an ONNX file, with something of each kind that a mutation may hit."""

import numpy as np
import onnx
from onnx import helper
from onnx_graphs import model_of

FRAMES = np.random.default_rng(2).normal(size=(1, 12, 6)).astype(np.float32)
"""What it is given: one utterance of twelve frames."""


def small_network() -> onnx.ModelProto:
    """x (1, T, 6): a convolution over frames, a GRU, a branch, a product with its bias, sigmoid: (T, 1, 3)."""
    random = np.random.default_rng(1)

    def values(*sizes: int) -> np.ndarray:
        return (random.normal(size=sizes) * 0.4).astype(np.float32)

    same = helper.make_graph([helper.make_node("Identity", ["g"], ["same"])], "same", [], [_value("same")])
    twice = helper.make_graph([helper.make_node("Add", ["g", "g"], ["twice"])], "twice", [], [_value("twice")])
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], name="turn", perm=[0, 2, 1]),
        helper.make_node("Conv", ["t", "k", "kb"], ["c"], name="conv", pads=[1, 1], kernel_shape=[3]),
        helper.make_node("Relu", ["c"], ["a"], name="act"),
        helper.make_node("Transpose", ["a"], ["s"], name="back", perm=[2, 0, 1]),
        helper.make_node("GRU", ["s", "w", "r", "b"], ["y4"], name="gru", hidden_size=5, linear_before_reset=1),
        helper.make_node("Squeeze", ["y4", "axis"], ["g"], name="squeeze"),
        helper.make_node("If", ["yes"], ["i"], name="branch", then_branch=same, else_branch=twice),
        helper.make_node("MatMul", ["i", "m"], ["p"], name="out"),
        helper.make_node("Add", ["p", "mb"], ["q"], name="bias"),
        helper.make_node("Sigmoid", ["q"], ["y"], name="last"),
    ]
    constants = {
        "k": values(4, 6, 3), "kb": values(4), "w": values(1, 15, 4), "r": values(1, 15, 5), "b": values(1, 30),
        "axis": np.array([1]), "yes": np.array(True), "m": values(5, 3), "mb": values(3),
    }  # fmt: skip
    return model_of(nodes, {"x": FRAMES}, constants)


def _value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
