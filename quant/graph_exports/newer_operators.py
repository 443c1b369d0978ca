"""Nodes of older versions of ONNX's operators as those of the version that an export has: what was an attribute is an
input since."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from quant.exports.onnx_builder import OPSET
from quant.graphs.graph import Graph, Node

_REDUCTIONS = (
    "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp",
    "ReduceProd", "ReduceLogSum",
)  # fmt: skip
_MOVED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*_REDUCTIONS, "Squeeze", "Unsqueeze"), ("axes",)), "Split": ("split",), "Reshape": ("shape",),
    "Slice": ("starts", "ends", "axes"), "Clip": ("min", "max"), "Pad": ("pads", "value"), "TopK": ("k",),
}  # fmt: skip
"""Attributes that are inputs now, from the second on, in their order."""
_FLAT_BEFORE = {"Softmax": 13, "LogSoftmax": 13, "Hardmax": 13}
"""The version before which these joined all axes from theirs on."""
_OTHER_BEFORE = {"Scan": 9, "Resize": 11, "GroupNormalization": 21, "Upsample": OPSET + 1}
"""The version before which these were another operation, or, beyond the one that an export has, their end."""


def as_newest(node: Node, graph: Graph) -> tuple[Node, dict[str, torch.Tensor]]:
    """A node as the newest version has it, and constants that it reads. Raises InputError for one whose meaning has
    changed."""
    if graph.opset < _OTHER_BEFORE.get(node.op, 0):
        raise node.error(f"version {graph.opset} of it cannot be written as version {OPSET}")
    if graph.opset < _FLAT_BEFORE.get(node.op, 0) and node.attributes.get("axis", 1) != -1:
        raise node.error(f"version {graph.opset} of it joins axes: it cannot be written as version {OPSET}")
    if node.op == "Dropout":
        return Node(node.name, "Identity", node.inputs[:1], node.outputs[:1]), {}
    attributes, inputs = dict(node.attributes), list(node.inputs)
    constants = {}
    for number, name in enumerate(_MOVED.get(node.op, ()), 1):
        value = attributes.pop(name, None)
        if value is not None and (len(inputs) <= number or not inputs[number]):
            inputs += [""] * (number + 1 - len(inputs))
            inputs[number] = f"{node.outputs[0]}/{name}"
            is_float = name in ("min", "max", "value")
            values = torch.tensor(value, dtype=torch.float32 if is_float else torch.int64)
            constants[inputs[number]] = values if is_float else values.reshape(-1)
    if node.op == "Split" and len(inputs) < 2 and "num_outputs" not in attributes:
        attributes["num_outputs"] = len(node.outputs)
    if node.op in ("BatchNormalization", "AveragePool"):
        attributes = {name: value for name, value in attributes.items() if name not in ("spatial", "is_test")}
    return replace(node, inputs=tuple(inputs), attributes=attributes), constants
