"""What an operation sees of a run of its graph: its inputs and attributes, how values are held, and who is told what is
computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch

from quant.arithmetic.grid import Grid
from quant.graphs.graph import Graph, Node
from quant.graphs.graph_records import Noted
from quant.graphs.graph_trace import GraphTrace
from quant.graphs.onnx_tensors import MOST_ELEMENTS
from quant.graphs.site_names import SiteNames
from quant.networks.cell_layer import ValueRoundings

Result = torch.Tensor | None
"""A value that an operation makes; None where the graph does not ask for it and it costs something."""


@dataclass(frozen=True)
class Pass:
    """One run of a graph over one input."""

    roundings: ValueRoundings
    """How the values of sites are held."""
    sites: SiteNames
    """What the weights of each node are called."""
    operations: "Mapping[str, Operation]"
    """How each operator is computed."""
    trace: GraphTrace | None = None
    """Who is told what is computed; None where nobody asks."""
    quantized: bool = False
    """Whether sites have widths: quantizers of up to 8 bits that the graph has itself then do nothing, for sites take
    their place."""


class Call:
    """A node that is computed: its inputs, None for those that are left out."""

    def __init__(self, node: Node, inputs: list[Result], run: Pass, scope: "Scope"):
        self.node = node
        self.run = run
        self.scope = scope
        self._inputs = inputs

    def input(self, number: int) -> torch.Tensor:
        """An input that must be there."""
        value = self.optional(number)
        if value is None:
            raise self.node.error(f"input {number} is missing")
        return value

    def optional(self, number: int) -> Result:
        """An input that may be left out."""
        return self._inputs[number] if number < len(self._inputs) else None

    @property
    def inputs(self) -> list[torch.Tensor]:
        """All inputs, which must be there."""
        return [self.input(number) for number in range(len(self._inputs))]

    def is_constant(self, number: int) -> bool:
        """Whether an input is the same whatever the graph is given."""
        return number < len(self.node.inputs) and self.scope.is_constant(self.node.inputs[number])

    def grid(self, number: int) -> Grid | None:
        """The grid that a quantizer of the graph's own has put an input on, if it has."""
        return self.scope.grid_of(self.node.inputs[number])

    def stored_bits(self, number: int) -> int | None:
        """The width of the integers that a constant is stored as, if it is."""
        return self.scope.stored_bits(self.node.inputs[number])

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or what it is without one, of which it must have the kind."""
        value = self.node.attributes.get(name, default)
        if default is not None and not _alike(value, default):
            raise self.node.error(f"attribute {name}: {value!r}")
        return float(value) if isinstance(default, float) else value

    def whole_numbers(self, number: int, name: str = "") -> list[int] | None:
        """The whole numbers of an input, or of the attribute that older versions had in its place; None without."""
        value = self.optional(number)
        if value is not None:
            return [int(item) for item in value.flatten().tolist()]
        given = self.node.attributes.get(name) if name else None
        if given is None:
            return None
        return [int(item) for item in given] if isinstance(given, tuple) else [int(given)]

    def axis(self, default: int, dims: int, name: str = "axis") -> int:
        """An axis of so many, counted from the front. Raises InputError for one that is not there."""
        axis = int(self.attribute(name, default))
        if not -dims <= axis < dims:
            raise self.node.error(f"{name} {axis} of {dims} dimensions")
        return axis % dims

    def room(self, shape: "torch.Size | list[int] | tuple[int, ...]") -> list[int]:
        """Sizes of a result, if they are sizes. Raises InputError for more elements than a tensor may have."""
        sizes = [int(size) for size in shape]
        if any(size < 0 for size in sizes) or prod(sizes) > MOST_ELEMENTS:
            raise self.node.error(f"a result of sizes {sizes}: expected at most {MOST_ELEMENTS:,} elements")
        return sizes

    def fitted(self, parameter: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """A parameter that meets every element of x, as a scale does. Raises InputError for one by which x would grow,
        or which does not meet it."""
        pairs = zip(reversed(parameter.shape), reversed(x.shape), strict=False)
        if parameter.dim() > x.dim() or any(size not in (1, along) for size, along in pairs):
            sizes = f"sizes {list(parameter.shape)} beside a value of {list(x.shape)}"
            raise self.node.error(f"parameters of {sizes}: expected one, or one for each place along an axis")
        return parameter

    def steps(self, name: str, dims: int) -> list[int]:
        """Steps along each axis of a map, as strides and dilations. Raises InputError for others than so many positive
        numbers."""
        steps = [int(step) for step in self.attribute(name, (1,) * dims)]
        if len(steps) != dims or min(steps, default=1) < 1:
            raise self.node.error(f"{name} {steps}: expected {dims} positive numbers")
        return steps

    def margins(self, dims: int) -> list[int]:
        """The pads of a map: those at the beginning of each axis, then those at its end. Raises InputError for others
        than two for each axis, none of them negative."""
        pads = [int(pad) for pad in self.attribute("pads", (0,) * (2 * dims))]
        if len(pads) != 2 * dims or min(pads, default=0) < 0:
            raise self.node.error(f"pads {pads} of {dims} axes")
        return pads

    def cost(self, counts: Mapping[str, int], inputs: int, outputs: int, constants: int = 0) -> None:
        """Tell the trace of elementwise work: operations by kind, elements that are read, left, and kept as
        parameters."""
        if self.run.trace is not None:
            self.run.trace.elementwise(self.node, counts, inputs, outputs, constants, self.scope.is_iterated)

    def constant_elements(self, *numbers: int) -> int:
        """Elements of those inputs that are parameters."""
        return sum(self.input(number).numel() for number in numbers if self.is_constant(number))

    def is_first_table(self, table: torch.Tensor) -> bool:
        """Whether no other node of the run that is traced has looked rows up in a constant."""
        return self.run.trace is None or self.run.trace.tables.setdefault(table.data_ptr(), self.node) is self.node

    def inner(self, graph: Graph) -> "Scope":
        """A scope for a graph inside the node."""
        return Scope(graph, self.scope, self.scope.is_iterated or self.node.op in ("Loop", "Scan"))


class ValueOrigin(NamedTuple):
    """Where a value comes from, as a trace knows it."""

    depends: frozenset[str] = frozenset()
    """Sites whose results it depends on."""
    sources: frozenset[Noted] = frozenset()
    """What has computed it; it may have been moved to other places since."""


class Scope:
    """The values of a graph while it is computed, and those of the graphs around it."""

    def __init__(self, graph: Graph, outer: "Scope | None" = None, is_iterated: bool = False):
        self.graph = graph
        self.outer = outer
        self.is_iterated = is_iterated
        """Whether the same nodes are computed in each iteration of a loop."""
        self.values: dict[str, torch.Tensor] = {}
        self.grids: dict[str, Grid] = {}
        """Grids that quantizers of the graph's own have put values on."""
        self.origins: dict[str, ValueOrigin] = {}
        """Where values come from, while a trace is taken."""

    def value(self, name: str) -> torch.Tensor:
        """A value of this graph or of one around it."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.values.get(name)
            if found is None:
                found = scope.graph.constants.get(name)
            if found is not None:
                return found
            scope = scope.outer
        raise KeyError(name)

    def is_constant(self, name: str) -> bool:
        """Whether a value is a constant of this graph or of one around it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.graph.constants:
                return True
            if name in scope.values:
                return False
            scope = scope.outer
        return False

    def stored_bits(self, name: str) -> int | None:
        """The width of the integers that a constant is stored as, if it is."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.graph.constants:
                return scope.graph.stored_bits.get(name)
            scope = scope.outer
        return None

    def grid_of(self, name: str) -> Grid | None:
        """The grid that a quantizer of the graph's own has put a value of this graph or of one around it on."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values or name in scope.graph.constants:
                return scope.grids.get(name)
            scope = scope.outer
        return None

    def origin_of(self, name: str) -> ValueOrigin:
        """Where a value of this graph or of one around it comes from; of constants and inputs nothing is known."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.origins:
                return scope.origins[name]
            scope = scope.outer
        return ValueOrigin()


Operation = Callable[[Call], "Result | tuple[Result, ...]"]
"""Computes a node."""


def _alike(value: Any, default: Any) -> bool:
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))
