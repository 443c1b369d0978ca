"""Operations that put elements in other places."""

import torch

from quant.graph_exports.c99.c_program import View
from quant.graph_exports.c99.copies import Numbered, moved
from quant.graph_exports.c99.writer import NodeWriter, WrittenOperation
from quant.graphs.call import Call, Result
from quant.graphs.operations.table import OPERATIONS

_DATA_INPUTS = {"ScatterND": (0, 2), "ScatterElements": (0, 2), "Scatter": (0, 2)}
"""Inputs whose elements are put somewhere, where that is not the first alone."""


def _placed(write: NodeWriter) -> View | tuple[View | None, ...]:
    """What the operation itself does with the numbers of elements. Another input is of sizes and places, and
    constant."""
    node, call = write.node, write.call
    data = range(len(node.inputs)) if node.op == "Concat" else _DATA_INPUTS.get(node.op, (0,))
    for number in range(len(node.inputs)):
        if number not in data and node.inputs[number]:
            write.constant(number)
    numbered = Numbered([write.operand(number) for number in data])
    inputs: list[Result] = [call.optional(number) for number in range(len(node.inputs))]
    for number, numbers in zip(data, numbered.tensors(), strict=True):
        inputs[number] = numbers
    filler = 0.0
    if node.op == "Pad" and len(inputs) > 2 and inputs[2] is not None:
        filler = float(inputs[2])
        inputs[2] = torch.zeros((), dtype=torch.float64)
    made = OPERATIONS[node.op](Call(node, inputs, call.run, call.scope))
    results = made if isinstance(made, tuple) else (made,)
    return tuple(
        None if result is None else moved(write.program, numbered, result.double(), filler) for result in results
    )


def _resized(write: NodeWriter) -> View | tuple[View | None, ...]:
    """Elements that are repeated or left out; those between others are computed, and not written."""
    if write.call.attribute("mode", "nearest") != "nearest":
        raise write.node.error("a resize that is not to the nearest: this cannot be written as C")
    return _placed(write)


def _same(write: NodeWriter) -> View:
    return write.operand(0)


def _left_out(write: NodeWriter) -> View:
    """A quantizer of the file's own, where sites' widths take its place."""
    result = write.results[0]
    if result is None or not torch.equal(result, write.call.input(0)):
        raise write.node.error("a quantizer that stays beside sites' widths: this cannot be written as C")
    return write.operand(0)


_MOVES = (
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Split", "Slice", "Gather", "GatherElements",
    "GatherND", "Expand", "Tile", "Pad", "Trilu", "DepthToSpace", "SpaceToDepth", "ReverseSequence", "ScatterND",
    "ScatterElements", "Scatter",
)  # fmt: skip

PLACING: dict[str, WrittenOperation] = {
    **dict.fromkeys(_MOVES, _placed),
    **dict.fromkeys(("Resize", "Upsample"), _resized),
    **dict.fromkeys(("Identity", "Dropout", "Cast", "CastLike"), _same),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _left_out),
}
"""How each is written, by ONNX's name. A file's own quantizers of up to 8 bits do nothing beside sites' widths."""
