"""One graph form of a network, whatever file or program it came from: nodes in order of computation, which have the
names and the meaning of ONNX's operators."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from simulators.inputs.errors import InputError


@dataclass(frozen=True)
class Node:
    """One operation: values by their names, "" for an optional input or output that is left out."""

    name: str
    """What errors call it."""
    op: str
    """ONNX's name of the operator; `Linear` is a matrix product with its bias, which only this form has."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Whole numbers, floats, words, tuples of them, tensors, and graphs of what a node has inside."""

    def error(self, text: str) -> InputError:
        """What is wrong with the node, in one line that names it."""
        return InputError(f"node {self.name or self.outputs[0]} ({self.op}): {text}")


@dataclass(frozen=True)
class GraphInput:
    """What a graph is given."""

    name: str
    dtype: torch.dtype | None
    """None where the file does not say."""
    shape: tuple[int | str | None, ...] | None
    """Sizes; a word or None stands for one that the data decide. None: not said."""


@dataclass(frozen=True)
class Graph:
    """A network, or what a node of control flow has inside."""

    name: str
    inputs: tuple[GraphInput, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, torch.Tensor]
    opset: int
    """Version of ONNX's operators that the nodes have the meaning of."""
    stored_bits: Mapping[str, int] = field(default_factory=dict)
    """Widths of the integers that constants were stored as, of those that were: their values lie on such a grid."""


def inner_graphs(node: Node) -> list[Graph]:
    """The graphs that a node of control flow has inside."""
    return [value for value in node.attributes.values() if isinstance(value, Graph)]


def read_inside(node: Node) -> list[str]:
    """What the graphs inside a node read, their own values among it."""
    return [
        name
        for graph in inner_graphs(node)
        for inner in graph.nodes
        for name in (*inner.inputs, *graph.outputs, *read_inside(inner))
    ]
