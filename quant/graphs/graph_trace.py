"""What a graph computes, in order, seen in one run: the layers of its trace.

A node that runs again, as in a loop, is the same layer at another step. So is a matrix whose product is taken again by
another node: an unrolled loop. What reads what it has made is recurrent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quant.graphs.graph import Node
from quant.graphs.graph_records import (
    ActivationRecord,
    CellRecord,
    ConvolutionRecord,
    ElementwiseRecord,
    Noted,
    PoolRecord,
    ProductRecord,
    TraceLayer,
)
from quant.own.traced_records import Reader, Recurrence
from quant.sites.candidate import Bits
from simulators import Conv2d, Trace
from simulators.inputs.errors import InputError
from simulators.workloads.operations import Pool2d
from simulators.workloads.trace import Chunk


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
    read: frozenset[Noted] = frozenset()
    """What has computed what the node reads, which may have been moved to other places since."""
    made: set[Noted] = field(default_factory=set)
    """What the node has computed."""
    tables: dict[int, Node] = field(default_factory=dict)
    """The node that looked rows up first in the constant at an address: its memory is counted once."""
    _products: dict[str, ProductRecord] = field(default_factory=dict)
    _others: dict[tuple[object, ...], ConvolutionRecord | ElementwiseRecord] = field(default_factory=dict)
    _uses: dict[str, int] = field(default_factory=dict)
    _frames: dict[str, int] = field(default_factory=dict)

    def product(self, site: str, rows: int, columns: int, vectors: int) -> None:
        """Note a product of so many vectors with a site's matrix (rows, columns)."""
        record = self._products.get(site)
        if record is None:
            record = self._products[site] = ProductRecord(site, rows, columns, vectors)
            self.records.append(record)
        else:
            record.vectors += vectors
        self._note(record, site)
        if site in self.upstream:
            record.recurrent = True
            self.frames = max(self.frames, self._uses[site])

    def convolution(self, site: str, layer: Conv2d, inputs: int) -> None:
        """Note a convolution over so many inputs."""
        key = (site, layer.input_size)
        record = self._others.get(key)
        if isinstance(record, ConvolutionRecord):
            record.inputs += inputs
            self._note(record, site)
            return
        again = sum(1 for known in self._others if known[0] == site)
        named = layer.but(name=f"{site}.{again + 1}") if again else layer
        self._others[key] = made = ConvolutionRecord(site, named, inputs)
        self.records.append(made)
        self._note(made, site)

    def cell(self, recurrence: Recurrence, frames: int) -> None:
        """Note one direction of a recurrent layer over so many frames, or that it takes as many more."""
        for record in self.records:
            if isinstance(record, CellRecord) and record.recurrence.sites == recurrence.sites:
                record.recurrence.again(recurrence)
                break
        else:
            record = CellRecord(recurrence)
            self.records.append(record)
        first, *others = recurrence.sites
        self._note(record, first)
        for site in others:
            self._use(site)
        self._frames[first] = self._frames.get(first, 0) + frames
        self.frames = max(self.frames, self._frames[first])

    def activations(self, rows: int, columns: int, vectors: int, heads: int) -> None:
        """Note products of two activations, (vectors, columns) by (columns, rows) each."""
        record = ActivationRecord(rows, columns, vectors, heads)
        self.records.append(record)
        self._note(record)

    def pool(self, layer: Pool2d) -> None:
        """Note a pooling."""
        record = PoolRecord(layer)
        self.records.append(record)
        self._note(record)

    def elementwise(
        self,
        node: Node,
        counts: Mapping[str, int],
        inputs: int,
        outputs: int,
        constants: int,
        is_iterated: bool = False,
    ) -> None:
        """Note elementwise work of a node. Steps of an unrolled loop have nodes of their own, whose work is known again
        by what it is and by the sites before it; those of a loop, where `is_iterated`, have the same nodes."""
        if not sum(counts.values()):
            return
        work = (tuple(sorted(counts.items())), inputs, outputs)
        again = [site for site in self.upstream if self._uses.get(site, 0) > 1]
        record = self._others.get((id(node), *work))
        if record is None and again and not is_iterated:
            record = self._others.get((self.upstream, *work))
        if isinstance(record, ElementwiseRecord):
            record.runs += 1
            record.recurrent = record.recurrent or bool(again)
            self._note(record)
            return
        record = ElementwiseRecord(dict(counts), inputs, outputs, constants)
        self._others[id(node), *work] = self._others[self.upstream, *work] = record
        self.records.append(record)
        self._note(record)

    def _note(self, record: Noted, site: str | None = None) -> None:
        """The node computes this, by the product of a site or by other work."""
        reader = Reader(site=site)
        for source in self.read:
            if source is not record:
                source.readers.add(reader)
        self.made.add(record)
        if site is not None:
            self._use(site)

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
