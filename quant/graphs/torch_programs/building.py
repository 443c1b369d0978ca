"""A graph that is put together node by node, from the nodes of an exported program."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from quant.graphs.graph import Node
from simulators.inputs.errors import InputError

OPSET = 20
"""The version of ONNX's operators whose meaning the nodes have."""


class GraphBuilder:
    """Nodes and constants so far, and which value each node of the program has become."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, torch.Tensor] = {}
        self.values: dict[fx.Node, Any] = {}
        """The name of what a node of the program makes, or names of several."""
        self.path = ""
        """Where in the module the node stands that is translated."""

    def emit(self, op: str, *inputs: Any, results: int = 1, **attributes: Any) -> Any:
        """A node of an operator, whose inputs are what `value` takes; the name of its result, or names of several."""
        number = len(self.nodes)
        names = tuple(f"v{number}" if results == 1 else f"v{number}.{i}" for i in range(results))
        given = tuple("" if x is None else self.value(x) for x in inputs)
        self.nodes.append(Node(f"{self.path or op.lower()}", op, given, names, attributes))
        return names[0] if results == 1 else list(names)

    def value(self, given: Any) -> str:
        """The name of a value: of a node of the program, of one that was emitted, or of a constant."""
        if isinstance(given, str):
            return given
        if isinstance(given, fx.Node):
            found = self.values[given]
            if not isinstance(found, str):
                raise InputError(f"{self.path or given.name}: several values where one is expected")
            return found
        return self.constant(given if isinstance(given, torch.Tensor) else torch.tensor(given))

    def constant(self, value: torch.Tensor) -> str:
        """The name of a constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = value.detach().contiguous().clone()
        return name

    def tensor(self, given: Any, what: str) -> torch.Tensor:
        """The values of a constant. Raises InputError for what is computed."""
        name = self.value(given)
        if name not in self.constants:
            raise InputError(f"{self.path}: {what} is computed: only a constant one is a site")
        return self.constants[name]

    def sizes(self, sizes: Sequence[Any]) -> str:
        """A list of whole numbers, some of which may be computed, as one value."""
        if all(isinstance(size, int) for size in sizes):
            return self.constant(torch.tensor(list(sizes), dtype=torch.int64))
        parts = [self.emit("Reshape", size, self.constant(torch.tensor([1]))) for size in sizes]
        return str(self.emit("Concat", *parts, axis=0))
