"""What every layer of a trace carries and says: what it is as a matrix product, which operands it reads, what it
leaves, and how many operations it has."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from simulators.workloads.layer_fields import BitWidth, OutputWidth, Size

VECTOR_BITS: Final = 16
"""Vector parameters (biases, recurrent vectors, normalisation) are 16-bit fixed point in MOHAQ."""


class Gemm(NamedTuple):
    """Matrix products: M × K times K × N, so many of them. The M × K operand is the one that a candidate calls
    weights."""

    m: int
    """Outputs of a vector."""
    n: int
    """Vectors."""
    k: int
    """Length of the reduction."""
    products: int = 1
    """Products that follow each other: the groups of a convolution, the heads of an attention."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.m * self.n * self.k * self.products


class Operand(NamedTuple):
    """What a layer reads or leaves, over all steps."""

    name: str
    """`weights`, `weight indices`, `activations`, `second activations`, `vectors` or `outputs`."""
    elements: int
    """Number of elements as they lie in memory, each once."""
    width_bits: int
    """Bits of an element."""

    @property
    def bits(self) -> int:
        """Bits of all elements."""
        return self.elements * self.width_bits


class Layer(BaseModel):
    """What every layer of a trace carries and says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    op: str
    """The operation's name in a file."""
    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\s,:]+$")
    """Unique in the trace; a quantized site has its site's name."""
    steps: Size
    """How often it runs: frames, or inputs."""
    activation_bits: BitWidth
    """Width of the activations that it reads."""
    output_bits: OutputWidth
    """Width of the results that it leaves."""

    @cached_property
    def shape(self) -> tuple[Any, ...]:
        """All but the name: layers of equal shape do and cost the same."""
        values = (getattr(self, field) for field in type(self).model_fields if field != "name")
        return tuple(tuple(sorted(value.items())) if isinstance(value, dict) else value for value in values)

    def __hash__(self) -> int:
        return hash((self.name, self.shape))

    def but(self, **values: Any) -> Self:
        """This layer with some valid values changed; they are not checked. (A pydantic copy would keep `shape`.)"""
        fields = {field: getattr(self, field) for field in type(self).model_fields}
        return type(self).model_construct(**{**fields, **values})

    def at_bits(self, first_bits: int, activation_bits: int, output_bits: int) -> Self:
        """This layer at other widths: `first_bits` of the operand that a candidate calls weights, where it has one."""
        return self.but(activation_bits=activation_bits, output_bits=output_bits)

    @property
    def operand_bits(self) -> tuple[int, int]:
        """Widths of the operand that a candidate calls weights, and of the activations."""
        return VECTOR_BITS, self.activation_bits

    def as_gemm(self) -> Gemm | None:
        """The matrix products that it is, over all steps; None of what is none."""
        return None

    def operands(self) -> tuple[Operand, ...]:
        """The operands that the layer reads over all steps, each element once."""
        raise NotImplementedError

    def outputs_total(self) -> Operand:
        """The results that the layer leaves over all steps."""
        raise NotImplementedError

    @cached_property
    def is_product(self) -> bool:
        """Whether a candidate gives it a pair of widths."""
        return self.as_gemm() is not None

    @property
    def waits_for_itself(self) -> bool:
        """Whether step t+1 needs the result of step t."""
        return False

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates over all steps."""
        gemm = self.as_gemm()
        return 0 if gemm is None else gemm.macs

    def effective_macs(self, skips_inactive_inputs: bool, skips_pruned_weights: bool) -> int:
        """Multiply-accumulates over all steps that hardware does which skips one or the other, or neither."""
        return self.macs

    @property
    def elementwise_operations(self) -> int:
        """Operations on single elements over all steps."""
        return 0

    @property
    def parameters(self) -> int:
        """Number of weights, or of 16-bit words, pruned ones included."""
        return 0

    @property
    def stored_parameters(self) -> int:
        """Number of weights, or of 16-bit words, that lie in memory."""
        return self.parameters

    @property
    def index_bits(self) -> int:
        """Memory in bits of what says which weights these are."""
        return 0

    @cached_property
    def parameter_bits(self) -> int:
        """Memory of the parameters in bits."""
        return self.stored_parameters * self.operand_bits[0] + self.index_bits
