"""What a module of one's own computes, once it is known at which bits: the parts of `quant.own.module_tracing`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

from quant.networks.recurrent_cell import RecurrentCell
from quant.own.module_layers import padding_of, torch_cell, weights_of
from quant.own.recurrent_layers import Recurrent
from quant.sites.candidate import Bits
from quant.sites.site import Site
from simulators import Conv2d, Elementwise, Matmul
from simulators.workloads.operations import VECTOR_BITS, ElementwiseOp

AnyLayer = Matmul | Conv2d | Elementwise


@dataclass(frozen=True)
class Reader:
    """What reads a result: the product of a site, or elementwise work."""

    site: str | None = None
    work: "ElementwiseWork | None" = None


class ReadResults:
    """Results of which is known what reads them."""

    readers: set[Reader]
    """What reads its results."""

    def output_bits(self, bits: Bits) -> int:
        """The width of its results: that of the product that reads them, the widest of several, and 16 bits where
        elementwise work or nothing does, as `simulators.Trace.widths` has it."""
        widths = [VECTOR_BITS if reader.site is None else bits[reader.site][1] for reader in self.readers]
        return max(widths, default=VECTOR_BITS)


class Record(ReadResults, ABC):
    """Something that the module computes."""

    @property
    @abstractmethod
    def sites(self) -> tuple[str, ...]:
        """Names of the sites whose products it computes, in their order."""

    @abstractmethod
    def layers(self, bits: Bits, number: int) -> list[AnyLayer]:
        """Its layers of a trace, given a candidate and the number of layers before it."""

    def again(self, other: "Record") -> bool:
        """Take in another call of the same weights; False where one layer cannot say both."""
        return False


@dataclass(eq=False)
class ElementwiseWork(Record):
    """One operation on so many elements."""

    op: ElementwiseOp
    elements: int
    inputs: int
    """Elements that it reads, of all operands."""
    constants: int
    """Elements of operands that never change, which lie in memory with the weights."""
    sources: frozenset[Record]
    """What its operands come from."""
    readers: set[Reader] = field(default_factory=set)

    @property
    def sites(self) -> tuple[str, ...]:
        """None."""
        return ()

    def layers(self, bits: Bits, number: int) -> list[AnyLayer]:
        """One layer."""
        return [
            Elementwise(
                name=f"{self.op}{number}", ops={self.op: self.elements}, inputs=self.inputs, outputs=self.elements,
                steps=1, vector_parameters=self.constants, output_bits=self.output_bits(bits),
            )
        ]  # fmt: skip


@dataclass(eq=False)
class LinearProduct(Record):
    """A matrix times so many vectors, of all calls."""

    site: str
    rows: int
    """Rows of the matrix."""
    inputs: int
    """Elements of a vector."""
    vectors: int
    """Vectors of all calls."""
    readers: set[Reader] = field(default_factory=set)

    @property
    def sites(self) -> tuple[str, ...]:
        """Its one site."""
        return (self.site,)

    def layers(self, bits: Bits, number: int) -> list[AnyLayer]:
        """One layer."""
        w, a = bits[self.site]
        return [Matmul(name=self.site, out_features=self.rows, in_features=self.inputs, steps=self.vectors,
                       weight_bits=w, activation_bits=a, output_bits=self.output_bits(bits))]  # fmt: skip

    def again(self, other: Record) -> bool:
        """Takes in as many more vectors."""
        assert isinstance(other, LinearProduct)
        self.vectors += other.vectors
        return True


@dataclass(eq=False)
class Convolution(Record):
    """A convolution over so many maps of a size, (width,) or (height, width)."""

    site: str
    part: nn.Conv1d | nn.Conv2d
    size: tuple[int, ...]
    """Width, or height and width, of a map in elements."""
    maps: int
    """Maps of all calls."""
    readers: set[Reader] = field(default_factory=set)

    @property
    def sites(self) -> tuple[str, ...]:
        """Its one site."""
        return (self.site,)

    def layers(self, bits: Bits, number: int) -> list[AnyLayer]:
        """One layer."""

        def two(values: Sequence[int], filler: int) -> tuple[int, int]:
            return (filler, values[0]) if len(values) == 1 else (values[0], values[1])

        (w, a), part, padding = bits[self.site], self.part, padding_of(self.part)
        assert padding is not None
        return [Conv2d(name=self.site, in_channels=part.in_channels, out_channels=part.out_channels,
                       kernel=two(part.kernel_size, 1), input_size=two(self.size, 1), stride=two(part.stride, 1),
                       padding=two(padding, 0), dilation=two(part.dilation, 1), groups=part.groups, steps=self.maps,
                       weight_bits=w, activation_bits=a, output_bits=self.output_bits(bits))]  # fmt: skip

    def again(self, other: Record) -> bool:
        """Takes in as many more maps, of the same size."""
        assert isinstance(other, Convolution)
        if self.size != other.size:
            return False
        self.maps += other.maps
        return True


@dataclass(eq=False)
class Recurrence(Record):
    """A recurrent layer, or one direction of it."""

    cell: RecurrentCell
    of_sites: tuple[Site, ...]
    steps: int
    """Steps of all sequences: each takes its own."""
    biased: bool
    """Whether it has the biases that its cell counts."""
    readers: set[Reader] = field(default_factory=set)

    @property
    def sites(self) -> tuple[str, ...]:
        """The input product's, and the recurrent one's if there is one."""
        return tuple(site.name for site in self.of_sites)

    def layers(self, bits: Bits, number: int) -> list[AnyLayer]:
        """What the cell says."""
        name = f"{self.of_sites[-1].name}{{}}.gates"
        traced = self.cell.trace_layers(self.of_sites, bits, self.steps, self.output_bits(bits), name.format)
        return [each.layer if self.biased else _without_biases(each.layer) for each in traced]

    def again(self, other: Record) -> bool:
        """Takes in as many more steps."""
        assert isinstance(other, Recurrence)
        self.steps += other.steps
        return True


def _without_biases(layer: Matmul | Elementwise) -> Matmul | Elementwise:
    """The layer of a cell whose vectors are all biases, each of which is added once a step."""
    if not isinstance(layer, Elementwise):
        return layer
    ops = {**layer.ops, "add": layer.ops["add"] - layer.vector_parameters}
    return Elementwise.model_validate({**dict(layer), "ops": ops, "vector_parameters": 0})


def recurrences(path: str, part: nn.LSTM | nn.GRU | Recurrent, steps: int) -> list[list[Recurrence]]:
    """The recurrent layers of a module one after the other, each with its directions."""
    sites = tuple(site for site, _ in weights_of(path, part))
    if isinstance(part, Recurrent):
        return [[Recurrence(part.cell, sites, steps, biased=True)]]
    pairs = [Recurrence(torch_cell(part), pair, steps, part.bias) for pair in zip(sites[::2], sites[1::2], strict=True)]
    directions = 2 if part.bidirectional else 1
    return [pairs[i : i + directions] for i in range(0, len(pairs), directions)]
