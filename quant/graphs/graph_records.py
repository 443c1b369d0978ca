"""What a graph computes, once it is known at which bits: the parts of `quant.graphs.graph_trace`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import cast

from quant.own.traced_records import Reader, ReadResults, Recurrence
from quant.sites.candidate import Bits
from simulators import Conv2d, Elementwise, Matmul
from simulators.workloads.operations import ActivationMatmul, ElementwiseOp, Pool2d

TraceLayer = Matmul | Conv2d | Elementwise | Pool2d | ActivationMatmul


class Noted(ReadResults, ABC):
    """Something that the graph computes."""

    @abstractmethod
    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        """Its layers at a candidate's widths, of a run of so many frames; `number` tells unnamed ones apart."""


@dataclass(eq=False)
class ProductRecord(Noted):
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
    readers: set[Reader] = field(default_factory=set)

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        w, a = bits[self.site]
        return [
            Matmul(name=self.site, out_features=self.rows, in_features=self.columns, steps=self.vectors, weight_bits=w,
                   activation_bits=a, output_bits=self.output_bits(bits), recurrent=self.recurrent)
        ]  # fmt: skip


@dataclass(eq=False)
class ConvolutionRecord(Noted):
    """A convolution over maps of one size."""

    site: str
    layer: Conv2d
    """The convolution of one map, at any widths."""
    inputs: int
    """Maps of the whole run."""
    readers: set[Reader] = field(default_factory=set)

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        w, a = bits[self.site]
        return [self.layer.but(steps=self.inputs, weight_bits=w, activation_bits=a, output_bits=self.output_bits(bits))]


@dataclass(eq=False)
class CellRecord(Noted):
    """A recurrent layer, one direction of it."""

    recurrence: Recurrence
    readers: set[Reader] = field(default_factory=set)

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        return [*replace(self.recurrence, readers=self.readers).layers(bits, number)]


@dataclass(eq=False)
class PoolRecord(Noted):
    """Windows of maps."""

    layer: Pool2d
    readers: set[Reader] = field(default_factory=set)

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        width = self.output_bits(bits)  # results are as wide as what is read
        return [self.layer.but(name=f"pool{number}", activation_bits=width, output_bits=width)]


@dataclass(eq=False)
class ActivationRecord(Noted):
    """Products of two activations, 16 bits wide."""

    rows: int
    """Elements of a result."""
    columns: int
    """Elements of a vector."""
    vectors: int
    """Vectors of a product."""
    heads: int
    """Products of the whole run."""
    readers: set[Reader] = field(default_factory=set)

    def layers(self, bits: Bits, frames: int, number: int) -> list[TraceLayer]:
        return [
            ActivationMatmul(name=f"product{number}", out_features=self.rows, in_features=self.columns,
                             vectors=self.vectors, heads=self.heads, steps=1, second_bits=16, activation_bits=16,
                             output_bits=self.output_bits(bits))
        ]  # fmt: skip


@dataclass(eq=False)
class ElementwiseRecord(Noted):
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
    readers: set[Reader] = field(default_factory=set)

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
                vector_parameters=self.constants, output_bits=self.output_bits(bits),
            )
        ]  # fmt: skip
