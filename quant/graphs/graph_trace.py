"""What a graph computes, in order, seen in one run: the layers of its trace.

A node that runs again, as in a loop, is the same layer at another step. So is a matrix whose product is taken again by
another node: an unrolled loop. What reads what it has made is recurrent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from quant.graphs.graph import Node
from quant.networks.recurrent_cell import RecurrentCell
from quant.sites.candidate import Bits
from quant.sites.site import Site
from simulators import Conv2d, Elementwise, Matmul, Trace
from simulators.inputs.errors import InputError
from simulators.workloads.operations import ActivationMatmul, ElementwiseOp, Pool2d
from simulators.workloads.trace import Chunk

TraceLayer = Matmul | Conv2d | Elementwise | Pool2d | ActivationMatmul


class Noted(Protocol):
    """Something that the graph computes, once it is known at which bits."""

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        """Its layers at a candidate's widths, of a run of so many frames; `number` tells unnamed ones apart."""
        ...


@dataclass
class ProductRecord:
    """Products of vectors with the matrix of a site."""

    site: str
    rows: int
    """Elements of a result."""
    columns: int
    """Elements of a vector."""
    vectors: int
    """Vectors of the whole run."""
    recurrent: bool = False
    """Whether a vector depends on the results of those before."""

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        w, a = bits[self.site]
        return [
            Matmul(name=self.site, out_features=self.rows, in_features=self.columns, steps=self.vectors, weight_bits=w,
                   activation_bits=a, output_bits=16, recurrent=self.recurrent)
        ]  # fmt: skip


@dataclass
class ConvolutionRecord:
    """A convolution over maps of one size."""

    site: str
    layer: Conv2d
    """The convolution of one map, at any widths."""
    inputs: int
    """Maps of the whole run."""

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        w, a = bits[self.site]
        return [self.layer.but(steps=self.inputs, weight_bits=w, activation_bits=a)]


@dataclass
class CellRecord:
    """A recurrent layer, one direction of it."""

    cell: RecurrentCell
    sites: tuple[Site, ...]
    frames: int
    """Steps of the whole run."""

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        name = f"{self.sites[-1].name}.gates"
        traced = self.cell.trace_layers(self.sites, bits, self.frames, 16, lambda direction: f"{name}{direction}")
        return [one.layer for one in traced]


@dataclass
class PoolRecord:
    """Windows of maps."""

    layer: Pool2d

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        return [self.layer.but(name=f"pool{number}")]


@dataclass
class ActivationRecord:
    """Products of two activations, 16 bits wide."""

    rows: int
    """Elements of a result."""
    columns: int
    """Elements of a vector."""
    vectors: int
    """Vectors of a product."""
    heads: int
    """Products of the whole run."""

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        return [
            ActivationMatmul(name=f"product{number}", out_features=self.rows, in_features=self.columns,
                             vectors=self.vectors, heads=self.heads, steps=1, second_bits=16, activation_bits=16,
                             output_bits=16)
        ]  # fmt: skip


@dataclass
class ElementwiseRecord:
    """Work on single elements."""

    counts: dict[str, int]
    """Operations of one run, by kind."""
    inputs: int
    """Elements that a run reads."""
    outputs: int
    """Elements that a run leaves."""
    constants: int
    """Parameters, as 16-bit words."""
    runs: int = 1
    """Runs of the node, or of others like it in an unrolled loop."""
    recurrent: bool = False
    """Whether a run depends on those before."""

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        steps, each = self.runs, 1
        sizes = (*self.counts.values(), self.inputs, self.outputs)
        if steps == 1 and all(size % frames == 0 for size in sizes):
            steps = each = frames
        ops = {op: count // each for op, count in self.counts.items() if count}
        return [
            Elementwise(
                name=f"{max(ops, key=lambda op: ops[op])}{number}", ops=cast("dict[ElementwiseOp, int]", ops),
                inputs=self.inputs // each, outputs=self.outputs // each, steps=steps, recurrent=self.recurrent,
                vector_parameters=self.constants,
            )
        ]  # fmt: skip


@dataclass
class GraphTrace:
    """The layers of one run, noted as they are computed."""

    records: list[Noted] = field(default_factory=list)
    frames: int = 1
    """Frames of the run: the most of any recurrent layer."""
    upstream: frozenset[str] = frozenset()
    """Sites whose results the node that is computed depends on."""
    touched: set[str] = field(default_factory=set)
    """Sites that the node has computed."""
    _products: dict[str, ProductRecord] = field(default_factory=dict)
    _others: dict[tuple[object, ...], ConvolutionRecord | ElementwiseRecord] = field(default_factory=dict)
    _uses: dict[str, int] = field(default_factory=dict)

    def product(self, site: str, rows: int, columns: int, vectors: int) -> None:
        """Note a product of so many vectors with a site's matrix (rows, columns)."""
        record = self._products.get(site)
        if record is None:
            record = self._products[site] = ProductRecord(site, rows, columns, vectors)
            self.records.append(record)
        else:
            record.vectors += vectors
        self._use(site)
        if site in self.upstream:
            record.recurrent = True
            self.frames = max(self.frames, self._uses[site])

    def convolution(self, site: str, layer: Conv2d, inputs: int) -> None:
        """Note a convolution over so many inputs."""
        self._use(site)
        key = (site, layer.input_size)
        record = self._others.get(key)
        if isinstance(record, ConvolutionRecord):
            record.inputs += inputs
            return
        again = sum(1 for known in self._others if known[0] == site)
        named = layer.but(name=f"{site}.{again + 1}") if again else layer
        self._others[key] = made = ConvolutionRecord(site, named, inputs)
        self.records.append(made)

    def cell(self, cell: RecurrentCell, sites: tuple[Site, ...], frames: int) -> None:
        """Note a recurrent layer of so many frames, or one direction of it."""
        for record in self.records:
            if isinstance(record, CellRecord) and record.sites == sites:
                record.frames += frames
                break
        else:
            record = CellRecord(cell, sites, frames)
            self.records.append(record)
        for site in sites:
            self._use(site.name)
        self.frames = max(self.frames, record.frames)

    def activations(self, rows: int, columns: int, vectors: int, heads: int) -> None:
        """Note products of two activations, (vectors, columns) by (columns, rows) each."""
        self.records.append(ActivationRecord(rows, columns, vectors, heads))

    def pool(self, layer: Pool2d) -> None:
        """Note a pooling."""
        self.records.append(PoolRecord(layer))

    def elementwise(self, node: Node, counts: Mapping[str, int], inputs: int, outputs: int, constants: int) -> None:
        """Note elementwise work of a node."""
        if not sum(counts.values()):
            return
        work = (tuple(sorted(counts.items())), inputs, outputs)
        again = [site for site in self.upstream if self._uses.get(site, 0) > 1]
        record = self._others.get((id(node), *work)) or (self._others.get((self.upstream, *work)) if again else None)
        if isinstance(record, ElementwiseRecord):
            record.runs += 1
            record.recurrent = record.recurrent or bool(again)
            return
        record = ElementwiseRecord(dict(counts), inputs, outputs, constants)
        self._others[id(node), *work] = self._others[self.upstream, *work] = record
        self.records.append(record)

    def _use(self, site: str) -> None:
        self._uses[site] = self._uses.get(site, 0) + 1
        self.touched.add(site)

    def trace(self, name: str, bits: Bits, chunk: Chunk | None = None) -> Trace:
        """The trace at a candidate's widths, of a chunk if the run was of one. Raises InputError where there is
        nothing."""
        layers: list[TraceLayer] = []
        for record in self.records:
            layers += record.layers(bits, self.frames, len(layers))
        if not layers:
            raise InputError(f"{name}: it computes nothing that a trace has")
        return Trace(name=name, steps=self.frames, layers=tuple(layers), chunk=chunk)
