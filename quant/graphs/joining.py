"""Nodes that become one: a product or a convolution and its bias, and the batch normalisation behind it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import torch

from quant.graphs.call import Scope
from quant.graphs.graph import Graph, Node, inner_graphs

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_LEAST_INPUTS = {"MatMul": 2, "Gemm": 2, "Add": 2, "BatchNormalization": 5, "Conv": 2, "ConvTranspose": 2}


def with_joined_nodes(graph: Graph, scope: Scope, kept: Callable[[torch.Tensor], torch.Tensor]) -> Graph:
    """The graph with `Linear` in the place of Gemm and MatMul with a matrix of the network's, biases in what they are
    added to, and BatchNormalization in the weights before it. `kept` gives the tensor that is kept for one equal to
    it."""
    joiner = _Joiner(graph, scope, kept)
    for node in graph.nodes:
        joiner.add(node)
    return replace(graph, nodes=tuple(joiner.nodes), constants=joiner.constants, stored_bits=joiner.stored)


class _Joiner:
    """Takes a graph's nodes in order."""

    def __init__(self, graph: Graph, scope: Scope, kept: Callable[[torch.Tensor], torch.Tensor]):
        self.nodes: list[Node] = []
        self.constants = dict(graph.constants)
        self.stored = dict(graph.stored_bits)
        self._scope = scope
        self._kept = kept
        self._uses = _uses(graph)
        self._makers: dict[str, int] = {}

    def add(self, node: Node) -> None:
        """Put a node at the end, or what it becomes, or into one that is there."""
        if len(node.inputs) < _LEAST_INPUTS.get(node.op, 0):
            raise node.error(f"input {len(node.inputs)} is missing")
        if node.op == "MatMul" and self._is_matrix(node.inputs[1]) and not self._scope.is_constant(node.inputs[0]):
            matrix = self._turned(node.inputs[1])
            node = replace(node, op="Linear", inputs=(node.inputs[0], matrix))
        elif node.op == "Gemm" and self._is_matrix(node.inputs[1]):
            node = self._gemm(node)
        elif (node.op == "Add" and self._with_bias(node)) or (
            node.op == "BatchNormalization" and self._with_normalisation(node)
        ):
            return
        self._append(node)

    def _append(self, node: Node) -> None:
        self._makers.update({name: len(self.nodes) for name in node.outputs})
        self.nodes.append(node)

    def _is_matrix(self, name: str) -> bool:
        return self._scope.is_constant(name) and self._scope.value(name).dim() == 2

    def _value(self, name: str) -> torch.Tensor:
        """A constant's values, of this graph or of one around it."""
        made = self.constants.get(name)
        return self._scope.value(name) if made is None else made

    def _constant(self, name: str, value: torch.Tensor, like: str = "") -> str:
        self.constants[name] = self._kept(value)
        if like and (bits := self._scope.stored_bits(like)):
            self.stored[name] = bits
        return name

    def _turned(self, name: str) -> str:
        return self._constant(f"{name} turned", self._scope.value(name).T, name)

    def _gemm(self, node: Node) -> Node:
        """alpha A B + beta C, with both factors in the constants."""
        x, matrix, *rest = node.inputs
        alpha, beta = float(node.attributes.get("alpha", 1.0)), float(node.attributes.get("beta", 1.0))
        if node.attributes.get("transA", 0):
            turned = Node(f"{node.name} transA", "Transpose", (x,), (f"{x} turned for {node.outputs[0]}",))
            self._append(turned)
            x = turned.outputs[0]
        if not node.attributes.get("transB", 0):
            matrix = self._turned(matrix)
        if alpha != 1.0:
            value = self._value(matrix)
            matrix = self._constant(f"{matrix} times {alpha}", value * alpha, matrix)
        made = replace(node, op="Linear", inputs=(x, matrix), attributes={"rows": True})
        bias = rest[0] if rest else ""
        if not bias:
            return made
        rows = len(self._value(matrix))
        if vector := self._vector(bias, rows, beta):
            return replace(made, inputs=(x, matrix, vector))
        if beta != 1.0:
            raise node.error(f"beta {beta} of what is no constant vector cannot be computed")
        inside = f"{node.outputs[0]} without C"
        self._append(replace(made, outputs=(inside,)))
        return Node(f"{node.name} C", "Add", (inside, bias), node.outputs)

    def _vector(self, name: str, rows: int, factor: float = 1.0) -> str:
        """The name of a constant's values as a bias of so many rows; "" if it is none."""
        if not self._scope.is_constant(name):
            return ""
        value = self._scope.value(name)
        if value.numel() not in (1, rows) or any(size != 1 for size in value.shape[:-1]) or not value.dim():
            return ""
        return self._constant(f"{name} as bias of {rows}", value.reshape(-1).expand(rows) * factor)

    def _vector_of_channels(self, name: str, convolution: Node) -> str:
        """The name of a constant's values as a bias of a convolution's channels; "" if it is none."""
        weight = convolution.inputs[1]
        if not (self._scope.is_constant(name) and (weight in self.constants or self._scope.is_constant(weight))):
            return ""
        value, sizes = self._scope.value(name), self._value(weight).shape
        groups = int(convolution.attributes.get("group", 1))
        channels = sizes[0] if convolution.op == "Conv" else sizes[1] * groups
        if tuple(value.shape) not in ((channels, *[1] * (len(sizes) - 2)), (1, channels, *[1] * (len(sizes) - 2))):
            return ""
        return self._constant(f"{name} as bias of {channels} channels", value.reshape(-1))

    def _before(self, name: str, ops: tuple[str, ...]) -> Node | None:
        """The node of one of these operators that makes a value, if nothing else reads it."""
        place = self._makers.get(name)
        if place is None or self._uses[name] != 1 or self.nodes[place].op not in ops:
            return None
        return self.nodes[place]

    def _replace(self, before: Node, after: Node) -> None:
        place = self._makers.pop(before.outputs[0])
        self.nodes[place] = after
        self._makers[after.outputs[0]] = place

    def _with_bias(self, node: Node) -> bool:
        for x, bias in (node.inputs, node.inputs[::-1]):
            product = self._before(x, ("Linear", *_CONVOLUTIONS))
            if product is None or len(product.inputs) > 2:
                continue
            weight = product.inputs[1]
            if product.op == "Linear":
                vector = self._vector(bias, len(self._value(weight)))
            else:
                vector = self._vector_of_channels(bias, product)
            if vector:
                self._replace(product, replace(product, inputs=(*product.inputs, vector), outputs=node.outputs))
                return True
        return False

    def _with_normalisation(self, node: Node) -> bool:
        product = self._before(node.inputs[0], (*_CONVOLUTIONS, "Linear"))
        known = all(self._scope.is_constant(name) for name in node.inputs[1:5])
        if product is None or not known or node.attributes.get("training_mode", 0):
            return False
        if product.op == "Linear" and not product.attributes.get("rows"):  # its channels may be another axis
            return False
        weight = product.inputs[1]
        if product.op == "ConvTranspose" and product.attributes.get("group", 1) != 1:
            return False
        if weight in self.stored or not (weight in self.constants or self._scope.is_constant(weight)):
            return False
        value = self._value(weight)
        scale, shift, mean, variance = (self._scope.value(name) for name in node.inputs[1:5])
        factor = scale / torch.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
        axis = 1 if product.op == "ConvTranspose" else 0
        if value.shape[axis] != len(factor):
            return False
        shape = [-1 if i == axis else 1 for i in range(value.dim())]
        bias = product.inputs[2] if len(product.inputs) > 2 else ""
        if bias and not (bias in self.constants or self._scope.is_constant(bias)):
            return False
        old = self._value(bias) if bias else torch.zeros_like(mean)
        name = node.outputs[0]
        matrix = self._constant(f"{weight} normalised for {name}", value * factor.reshape(shape))
        vector = self._constant(f"bias normalised for {name}", (old - mean) * factor + shift)
        inputs = (product.inputs[0], matrix, vector)
        self._replace(product, replace(product, inputs=inputs, outputs=(name,)))
        return True


def _uses(graph: Graph) -> Counter[str]:
    """How often each value is read, by nodes of graphs inside and as an output too."""
    counted: Counter[str] = Counter(graph.outputs)
    for node in graph.nodes:
        counted.update(name for name in node.inputs if name)
        for inner in inner_graphs(node):
            counted.update(_uses(inner))
    return counted
