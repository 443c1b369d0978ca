"""Graphs made simpler before they are computed: what is constant is computed once, matrix products and their biases
become one node, and a batch normalisation goes into the weights before it."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import torch

from quant.graphs.call import Pass, Scope
from quant.graphs.graph import Graph, Node
from quant.graphs.joining import with_joined_nodes
from quant.graphs.moves import MOVES
from quant.graphs.operations.table import OPERATIONS
from quant.graphs.running import compute
from quant.graphs.site_names import SiteNames
from quant.own.roundings import Exactly

_NOT_FOLDED = {"Loop", "Scan", "If", "QuantizeLinear", "DynamicQuantizeLinear"}
"""What is not computed ahead: control flow, and quantizers, which sites may take the place of."""
_BITS = {torch.int8: 8, torch.uint8: 8, torch.int16: 16, torch.uint16: 16}


def _stored_bits(node: Node, scope: Scope, stored: Mapping[str, int]) -> int | None:
    """The width of the integers that what a node makes of constants lies on a grid of, if it does."""
    if node.op not in ("DequantizeLinear", *MOVES) or not node.inputs:
        return None
    first = node.inputs[0]
    bits = stored.get(first) or scope.stored_bits(first)
    return bits or (_BITS.get(scope.value(first).dtype) if node.op == "DequantizeLinear" else None)


def simplified(graph: Graph) -> Graph:
    """The graph with constants computed, equal ones joined, `Linear` in the place of Gemm and MatMul with a matrix of
    the network's, and BatchNormalization folded. Raises InputError for a constant that cannot be computed."""
    return _Simplifier().graph(graph, None)


class _Simplifier:
    """Keeps which tensors are equal, so that two nodes of one matrix have one site."""

    def __init__(self) -> None:
        self._same: dict[tuple[torch.dtype, torch.Size, bytes], torch.Tensor] = {}
        self._run = Pass(Exactly(), SiteNames(), OPERATIONS)

    def graph(self, graph: Graph, outer: Scope | None) -> Graph:
        """One graph, and those inside its nodes."""
        constants = {name: self._joined(value) for name, value in graph.constants.items()}
        scope = Scope(replace(graph, constants=constants), outer)
        stored = dict(graph.stored_bits)
        nodes = []
        for node in graph.nodes:
            if node.op not in _NOT_FOLDED and all(not name or scope.is_constant(name) for name in node.inputs):
                compute(node, scope, self._run)
                for name in node.outputs:
                    if name in scope.values:
                        constants[name] = self._joined(scope.values.pop(name))
                if bits := _stored_bits(node, scope, stored):
                    stored.update(dict.fromkeys(node.outputs, bits))
            else:
                nodes.append(node)
        graph = replace(graph, nodes=tuple(nodes), constants=constants, stored_bits=stored)
        graph = with_joined_nodes(graph, Scope(graph, outer), self._joined)
        inner = Scope(graph, outer)
        return replace(
            graph,
            nodes=tuple(
                replace(node, attributes={
                    name: self.graph(value, inner) if isinstance(value, Graph) else value
                    for name, value in node.attributes.items()
                })
                for node in graph.nodes
            ),
        )  # fmt: skip

    def _joined(self, value: torch.Tensor) -> torch.Tensor:
        """The tensor, or one equal to it that was there before."""
        value = value.contiguous()
        plain = value.reshape(-1).view(torch.uint8) if value.numel() else value
        key = (value.dtype, value.shape, sha256(plain.numpy().tobytes()).digest())
        return self._same.setdefault(key, value)
