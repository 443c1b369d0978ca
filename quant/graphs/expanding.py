"""Operators of integers (QLinearConv, QLinearMatMul) as what they stand for: quantizers around one of numbers."""

from quant.graphs.graph import Node

QLINEAR = {"QLinearConv": "Conv", "QLinearMatMul": "MatMul"}
"""The operator of numbers that each stands for."""
_INPUTS = 8  # x, its scale and zero point, w and its, then scale and zero point of the result


def expanded(node: Node) -> list[Node]:
    """The nodes that a node stands for; itself where it is no operator of integers. Raises InputError for one that
    lacks inputs."""
    if node.op not in QLINEAR:
        return [node]
    if len(node.inputs) < _INPUTS or not all(node.inputs[:_INPUTS]):
        raise node.error(f"{len(node.inputs)} inputs: expected {_INPUTS}")
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = node.inputs
    is_conv, own = node.op == "QLinearConv", f"{node.outputs[0]} of {node.op}"
    of_x, of_w, of_b, result = (f"{own}: {part}" for part in ("x", "w", "bias", "y"))
    # Scales of single channels lie along a kernel's outputs, and along a matrix's columns.
    nodes = [
        Node(f"{node.name} x", "DequantizeLinear", (x, x_scale, x_zero), (of_x,)),
        Node(f"{node.name} w", "DequantizeLinear", (w, w_scale, w_zero), (of_w,), {"axis": 0 if is_conv else -1}),
    ]
    inputs: tuple[str, ...] = (of_x, of_w)
    if bias and bias[0]:
        scale, number = f"{of_b} scale", f"{of_b} number"
        nodes += [
            Node(f"{node.name} bias scale", "Mul", (x_scale, w_scale), (scale,)),
            Node(f"{node.name} bias number", "Cast", (bias[0],), (number,), {"to": 1}),
            Node(f"{node.name} bias", "Mul", (number, scale), (of_b,)),
        ]
        inputs = (*inputs, of_b)
    nodes.append(Node(node.name, QLINEAR[node.op], inputs, (result,), node.attributes))
    nodes.append(Node(f"{node.name} y", "QuantizeLinear", (result, y_scale, y_zero), node.outputs))
    return nodes
