"""What an operation sees while a network is written as C: its operands as arrays, and the program that it adds to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from quant.arithmetic.grid import Grid
from quant.exports.c_header import c_array, c_float, c_floats, packed
from quant.graph_exports.c99.c_program import CProgram, View
from quant.graph_exports.c99.copies import Numbered, moved
from quant.graph_exports.c99.loops import broadcast, contiguous, indices, joined, letters, nest
from quant.graphs.call import Call
from quant.graphs.graph import Node
from quant.graphs.graph_model import GraphModel
from quant.sites.candidate import FIXED_POINT_BITS, Bits


@dataclass
class NodeWriter:
    """A node whose results depend on what the network is given."""

    call: Call
    """Its operands' values at the first call, and its attributes."""
    views: Sequence[View | None]
    """Its operands that are computed; None for those that are constant, or left out."""
    results: tuple[torch.Tensor | None, ...]
    """What it came to at the first call."""
    program: CProgram
    sites: "SiteConstants"
    read: tuple[str, ...] = ()
    """The sites whose weights it multiplies with."""
    kept: list[torch.Tensor] = field(default_factory=list)
    """Tensors that are made for it, which live as long as the program, so that no other comes to lie where they do."""

    @property
    def node(self) -> Node:
        """The node itself."""
        return self.call.node

    def has(self, number: int) -> bool:
        """Whether an operand is given."""
        return self.call.optional(number) is not None

    def operand(self, number: int) -> View:
        """An operand as an array, which a constant is written as."""
        view = self.views[number] if number < len(self.views) else None
        return self.program.constant(self.call.input(number)) if view is None else view

    def computed(self, number: int) -> View:
        """An operand that must not be constant."""
        view = self.views[number] if number < len(self.views) else None
        if view is None:
            raise self.node.error(f"input {number}: it is constant: this cannot be written as C")
        return view

    def constant(self, number: int) -> torch.Tensor:
        """The value of an operand that must not be computed."""
        if number < len(self.views) and self.views[number] is not None:
            raise self.node.error(f"input {number}: it is computed: this cannot be written as C")
        return self.call.input(number)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the first result."""
        first = self.results[0]
        assert first is not None
        return tuple(first.shape)

    def each(self, expression: str, *operands: View, shape: tuple[int, ...] | None = None) -> View:
        """A result of this shape, by default the first one's, whose every element is an expression of the elements
        {0}, {1}, … of operands, which are repeated along axes of size 1."""
        wanted = self.shape if shape is None else shape
        target = self.program.temporary(wanted)
        sizes, (into, *strides) = joined(wanted, [contiguous(wanted), *(broadcast(x.shape, wanted) for x in operands)])
        names = letters(len(sizes))
        elements = [f"{x.text}[{indices(names, own)}]" for x, own in zip(operands, strides, strict=True)]
        self.program.add(nest(sizes, f"{target.text}[{indices(names, into)}] = {expression.format(*elements)};"))
        return target

    def transposed(self, x: View, order: Sequence[int]) -> View:
        """A tensor with its axes in another order."""
        numbered = Numbered([x])
        return moved(self.program, numbered, numbered.tensors()[0].permute(tuple(order)), 0.0)


class SiteConstants:
    """The constants of sites and of recurrent layers, each written once."""

    def __init__(self, program: CProgram, model: GraphModel, bits: Bits):
        self.program, self.model, self.bits = program, model, bits
        self._written: dict[str, str] = {}

    def results(self, site: str) -> Grid:
        """The 16-bit grid of what a site's product leaves."""
        return self.model.formats.results[site]

    def of(self, site: str) -> str:
        """The name of a site's structure."""
        if site not in self._written:
            self._written[site] = self._site(site)
        return self._written[site]

    def _site(self, site: str) -> str:
        weight_bits, width = self.bits[site]
        weights, grid = self.model.weights_at(site, weight_bits), self.model.formats.inputs[site][width]
        codes = weights.codes.to(torch.int64).numpy()
        rows, columns = codes.shape
        steps = weights.steps.double() * grid.step
        alike = bool((steps == steps[0]).all())
        name = self.program.new_name("site")
        self.program.row_elements = max(self.program.row_elements, columns)
        self.program.constants += [
            f"/* {_commented(site)}: {weight_bits} x {width} bits */",
            c_array("uint32_t", f"{name}_codes", packed(codes, weight_bits).ravel().tolist(), "u"),
            c_floats(f"{name}_scales", steps[: 1 if alike else rows].float().numpy()),
            f"static const NAME_site {name} = {{\n    {rows}, {columns}, {weight_bits}, {name}_codes, {name}_scales, "
            f"{int(not alike)},\n    {c_float(1.0 / grid.step)}, {c_float(grid.lowest)}, {c_float(grid.highest)}, "
            f"{c_float(self.results(site).step)}\n}};",
        ]
        return name


def _commented(text: str) -> str:
    """Text that ends no comment."""
    return "".join(x if x.isprintable() and x.isascii() else "?" for x in text).replace("*/", "*?")


WrittenOperation = Callable[[NodeWriter], "View | tuple[View | None, ...]"]
"""Adds what computes a node, and says where its results are."""

Written = Mapping[str, WrittenOperation]
assert FIXED_POINT_BITS == 16  # codes are words of 16 bits
