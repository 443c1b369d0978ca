"""The operations of a trace. Each layer says what it is as a matrix product, which operands it reads, what it leaves,
and how many operations it has; nobody else needs to know its kind."""

from __future__ import annotations

import difflib
from functools import cached_property
from itertools import groupby
from math import ceil
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from simulators.inputs.fields import whole

VECTOR_BITS: Final = 16
"""Vector parameters (biases, recurrent vectors, normalisation) are 16-bit fixed point in MOHAQ."""

ElementwiseOp = Literal["add", "multiply", "multiply_add", "sigmoid", "tanh", "relu", "max", "exp", "divide"]
ELEMENTWISE_OPS: tuple[str, ...] = get_args(ElementwiseOp)


def known_operations(table: dict[str, Any]) -> dict[str, Any]:
    """Figures by kind of elementwise operation, as a spec has them. Raises ValueError for a kind that no trace has."""
    for op in table:
        if op not in ELEMENTWISE_OPS:
            near = difflib.get_close_matches(op, ELEMENTWISE_OPS, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"they are {', '.join(ELEMENTWISE_OPS)}"
            raise ValueError(f"{op}: unknown operation; {hint}")
    return table


Size = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 24)]
"""A dimension: at least one, at most 16,777,216, so that products of a few stay far from int64's limit."""
Count = Annotated[int, BeforeValidator(whole), Field(ge=0, le=1 << 31)]
BitWidth = Annotated[int, BeforeValidator(whole), Field(ge=1, le=16)]
WeightWidth = Annotated[int, BeforeValidator(whole), Field(ge=1, le=32)]
OutputWidth = Annotated[int, BeforeValidator(whole), Field(ge=1, le=32)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Mask = Annotated[str, Field(min_length=1, max_length=1 << 16, pattern=r"^[0-9a-f]+$")]
"""Input elements that a step transmits, as the bits of a hexadecimal number: element 0 is the least significant."""


def _kind_of_activity(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return "one"
    return "masks" if value and isinstance(value[0], str) else "each"


Activity = Annotated[
    Annotated[Fraction, Tag("one")]
    | Annotated[tuple[Share, ...], Field(strict=False), Tag("each")]
    | Annotated[tuple[Mask, ...], Field(strict=False), Tag("masks")],
    Discriminator(_kind_of_activity),
]
"""A share of all steps, or one of each, or a mask of each."""
Extent = Annotated[tuple[Size, Size], Field(strict=False)]
"""Height, width in elements."""
Margin = Annotated[tuple[Count, Count], Field(strict=False)]
Ratio = Annotated[tuple[Size, Size], Field(strict=False)]
"""N, M: N of every M."""


def index_width(sparsity: tuple[int, int]) -> int:
    """Bits that say which of M neighbouring weights one is, of an (N, M) sparsity."""
    return (sparsity[1] - 1).bit_length()


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


class _Weighted(Layer):
    """A layer with a weight matrix."""

    weight_bits: WeightWidth
    weight_sparsity: Ratio | None = None
    """N:M sparsity (Mishra et al., arXiv:2104.08378): of every M neighbouring weights of an output, N are kept. What is
    kept lies in memory with an index of ceil(log2 M) bits each; None: all are."""

    @model_validator(mode="after")
    def _keeps_fewer(self) -> Self:
        if self.weight_sparsity is not None and self.weight_sparsity[0] >= self.weight_sparsity[1]:
            kept, of = self.weight_sparsity
            raise ValueError(f"weight_sparsity: {kept}:{of}: fewer than all are kept; left out, all are")
        return self

    @property
    def kept_inputs(self) -> int:
        """Weights of an output that are kept; the last M may be fewer, and keep N at most."""
        gemm = self.as_gemm()
        assert gemm is not None
        if self.weight_sparsity is None:
            return gemm.k
        kept, of = self.weight_sparsity
        return gemm.k // of * kept + min(kept, gemm.k % of)

    @property
    def stored_parameters(self) -> int:
        gemm = self.as_gemm()
        assert gemm is not None
        return gemm.m * gemm.products * self.kept_inputs

    @property
    def index_bits(self) -> int:
        return 0 if self.weight_sparsity is None else self.stored_parameters * index_width(self.weight_sparsity)

    def stored_weights(self) -> tuple[Operand, ...]:
        """The weights that lie in memory, and the indices of those that were kept."""
        weights = Operand("weights", self.stored_parameters, self.weight_bits)
        if self.weight_sparsity is None:
            return (weights,)
        return weights, Operand("weight indices", weights.elements, index_width(self.weight_sparsity))

    def effective_macs(self, skips_inactive_inputs: bool, skips_pruned_weights: bool) -> int:
        gemm = self.as_gemm()
        assert gemm is not None
        return self.macs // gemm.k * self.kept_inputs if skips_pruned_weights else self.macs

    @property
    def operand_bits(self) -> tuple[int, int]:
        return self.weight_bits, self.activation_bits

    def at_bits(self, first_bits: int, activation_bits: int, output_bits: int) -> Self:
        return self.but(weight_bits=first_bits, activation_bits=activation_bits, output_bits=output_bits)


class Matmul(_Weighted):
    """`steps` vectors of `in_features` (K) through a weight matrix of `out_features` × `in_features` (M × K)."""

    op: Literal["matmul"] = "matmul"
    out_features: Size
    """Rows of the weight matrix (M)."""
    in_features: Size
    """Columns of the weight matrix, the length of the reduction (K)."""
    recurrent: bool = False
    """True: vector t+1 needs the result of vector t, and vectors stay on chip between steps."""
    active: Activity = 1.0
    """Fraction of input elements that a delta network transmits, of all steps or one by one, or masks of them, one a
    step; hardware that cannot skip the rest computes them all. In a file, it may also name an .npz file beside it, with
    an array for this layer: shares (steps,), or masks as bytes (steps, (in_features + 7) // 8), element 0 the least
    significant bit of the first.
    """

    @model_validator(mode="after")
    def _a_share_for_each_step(self) -> Matmul:
        if isinstance(self.active, tuple) and len(self.active) != self.steps:
            what = "shares" if self.masks is None else "masks"
            raise ValueError(f"active: {len(self.active)} {what} for {self.steps} steps")
        for step, mask in enumerate(self.masks or ()):
            if 4 * len(mask) > self.in_features and int(mask, 16) >> self.in_features:
                highest = int(mask, 16).bit_length() - 1
                raise ValueError(f"active: the mask of step {step} has bit {highest}, of {self.in_features} inputs")
        return self

    @property
    def masks(self) -> tuple[str, ...] | None:
        """Hexadecimal masks of the input elements that each step transmits; None where they are not known."""
        if isinstance(self.active, tuple) and self.active and isinstance(self.active[0], str):
            return self.active
        return None

    def as_gemm(self) -> Gemm:
        return Gemm(self.out_features, self.steps, self.in_features)

    def operands(self) -> tuple[Operand, ...]:
        activations = Operand("activations", self.in_features * self.steps, self.activation_bits)
        return *self.stored_weights(), activations

    def outputs_total(self) -> Operand:
        return Operand("outputs", self.out_features * self.steps, self.output_bits)

    @property
    def parameters(self) -> int:
        return self.out_features * self.in_features

    @property
    def waits_for_itself(self) -> bool:
        return self.recurrent

    def effective_macs(self, skips_inactive_inputs: bool, skips_pruned_weights: bool) -> int:
        kept = super().effective_macs(skips_inactive_inputs, skips_pruned_weights)
        if not skips_inactive_inputs:
            return kept
        inputs = sum(count * inputs for count, inputs in self.transmitted())
        return kept * inputs // (self.steps * self.in_features)

    @property
    def mean_active(self) -> float:
        """Fraction of input elements that are transmitted, over all steps."""
        if not isinstance(self.active, tuple):
            return self.active
        return sum(count * inputs for count, inputs in self.transmitted()) / (self.steps * self.in_features)

    def _inputs_of(self, share: float) -> int:
        """Input elements of a share; what a product of floats adds to a whole number is no element."""
        return max(1, ceil(self.in_features * share - 1e-9))

    def transmitted(self) -> list[tuple[int, int]]:
        """(steps in a row, input elements that each transmits), in order; one at least, for a step takes its time."""
        if not isinstance(self.active, tuple):
            return [(self.steps, self._inputs_of(self.active))]
        if self.masks is not None:
            counts = [max(1, int(mask, 16).bit_count()) for mask in self.masks]
        else:
            counts = [self._inputs_of(float(share)) for share in self.active]
        return [(len(list(same)), inputs) for inputs, same in groupby(counts)]


class _Window(Layer):
    """A layer whose outputs each see a window of a map of channels."""

    input_size: Extent
    """Height, width of the map, without padding."""
    kernel: Extent
    stride: Extent = (1, 1)
    padding: Margin = (0, 0)
    dilation: Extent = (1, 1)
    """Distance of neighbouring elements of the kernel on the map."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.output_size) < 1:
            raise ValueError(f"kernel {self.kernel}, dilation {self.dilation}: larger than the padded input")
        return self

    @property
    def kernel_extent(self) -> tuple[int, int]:
        """Height, width of what the kernel covers on the map."""
        (height, width), (down, across) = self.kernel, self.dilation
        return (height - 1) * down + 1, (width - 1) * across + 1

    @property
    def covered_size(self) -> tuple[int, int]:
        """Height, width of the part of the map that windows touch, from the first element to the last: what they touch
        of the padding is no part of it."""
        height, width = (
            min(size, max(0, (results - 1) * stride + kernel - margin))
            for size, margin, kernel, stride, results in zip(
                self.input_size, self.padding, self.kernel_extent, self.stride, self.output_size, strict=True
            )
        )
        return height, width

    @property
    def taps(self) -> tuple[int, int]:
        """Rows of the map under the kernel's rows, summed over the rows of the result, and columns likewise: without
        those in the padding."""
        height, width = (
            sum(_on_map(tap * apart - margin, stride, results, size) for tap in range(kernel))
            for kernel, apart, margin, stride, results, size in zip(
                self.kernel, self.dilation, self.padding, self.stride, self.output_size, self.input_size, strict=True
            )
        )
        return height, width

    @cached_property
    def output_size(self) -> tuple[int, int]:
        """Height, width of the result."""
        height, width = (
            (size + 2 * margin - kernel) // stride + 1
            for size, margin, kernel, stride in zip(
                self.input_size, self.padding, self.kernel_extent, self.stride, strict=True
            )
        )
        return height, width


def _on_map(first: int, stride: int, count: int, size: int) -> int:
    """How many of `count` positions, `stride` apart from the first, lie on a map of that size."""
    begin = max(0, -(first // stride))
    return max(0, min(count, -((first - size) // stride)) - begin)


class Conv2d(_Window, _Weighted):
    """A two-dimensional convolution over `steps` inputs; the simulators lower it to a matrix product a group."""

    op: Literal["conv2d"] = "conv2d"
    in_channels: Size
    """Channels of the map."""
    out_channels: Size
    """Channels of the result."""
    groups: Size = 1
    """Groups of channels that are convolved apart."""
    expanded: bool = False
    """Whether inputs lie in memory once for every kernel position (im2col), as a host can prepare the network's own."""

    @model_validator(mode="after")
    def _divides(self) -> Conv2d:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"groups {self.groups} must divide {self.in_channels} and {self.out_channels} channels")
        return self

    def as_gemm(self) -> Gemm:
        (height, width), taps = self.output_size, self.kernel[0] * self.kernel[1]
        inputs = self.in_channels // self.groups * taps
        return Gemm(self.out_channels // self.groups, self.steps * height * width, inputs, self.groups)

    def operands(self) -> tuple[Operand, ...]:
        pixels = self.input_size[0] * self.input_size[1]
        if self.expanded:
            pixels = self.output_size[0] * self.output_size[1] * self.kernel[0] * self.kernel[1]
        activations = Operand("activations", self.in_channels * pixels * self.steps, self.activation_bits)
        return *self.stored_weights(), activations

    def outputs_total(self) -> Operand:
        height, width = self.output_size
        return Operand("outputs", self.out_channels * height * width * self.steps, self.output_bits)

    @property
    def parameters(self) -> int:
        return self.out_channels * (self.in_channels // self.groups) * self.kernel[0] * self.kernel[1]


class ActivationMatmul(Layer):
    """Products of two activations, as the scores of an attention: at each of `steps`, and for each of `heads`, a matrix
    of `out_features` × `in_features` (M × K) times `vectors` of `in_features` (K × N). Neither is known beforehand."""

    op: Literal["activation_matmul"] = "activation_matmul"
    out_features: Size
    """Rows of the first matrix (M)."""
    in_features: Size
    """Length of the reduction (K)."""
    vectors: Size
    """Columns of the second matrix (N)."""
    heads: Size = 1
    """Pairs of matrices at each step."""
    second_bits: BitWidth
    """Width of the M × K operand."""

    def as_gemm(self) -> Gemm:
        return Gemm(self.out_features, self.vectors, self.in_features, self.heads * self.steps)

    def operands(self) -> tuple[Operand, ...]:
        times = self.in_features * self.heads * self.steps
        second = Operand("second activations", self.out_features * times, self.second_bits)
        return second, Operand("activations", self.vectors * times, self.activation_bits)

    def outputs_total(self) -> Operand:
        elements = self.out_features * self.vectors * self.heads * self.steps
        return Operand("outputs", elements, self.output_bits)

    @property
    def operand_bits(self) -> tuple[int, int]:
        return self.second_bits, self.activation_bits

    def at_bits(self, first_bits: int, activation_bits: int, output_bits: int) -> Self:
        return self.but(second_bits=first_bits, activation_bits=activation_bits, output_bits=output_bits)


class VectorLayer(Layer):
    """Work on single elements: what it needs of vector units is the number of operations of each kind."""

    @property
    def operations_per_step(self) -> dict[str, int]:
        """Operations a step, by kind, over all elements."""
        raise NotImplementedError

    @property
    def inputs_per_step(self) -> int:
        """Elements a step that are read from where the layer before left them."""
        raise NotImplementedError

    @property
    def outputs_per_step(self) -> int:
        """Elements a step that are handed on."""
        raise NotImplementedError

    @property
    def vector_words(self) -> int:
        """16-bit words (biases, recurrent vectors) that are loaded once and kept."""
        return 0

    @property
    def elementwise_operations(self) -> int:
        return sum(self.operations_per_step.values()) * self.steps

    @property
    def parameters(self) -> int:
        return self.vector_words

    def operands(self) -> tuple[Operand, ...]:
        activations = Operand("activations", self.inputs_per_step * self.steps, self.activation_bits)
        return Operand("vectors", self.vector_words, VECTOR_BITS), activations

    def outputs_total(self) -> Operand:
        return Operand("outputs", self.outputs_per_step * self.steps, self.output_bits)


class Elementwise(VectorLayer):
    """Gates, activation functions, normalisation: `ops` counts a step, each on one element."""

    op: Literal["elementwise"] = "elementwise"
    ops: dict[ElementwiseOp, Count]
    """Operations a step, by kind, over all elements."""
    inputs: Count
    """Elements a step that are read from where the layer before left them."""
    outputs: Count
    """Elements a step that are handed on."""
    recurrent: bool = False
    """True: step t+1 needs the result of step t (SRU's cell state). Elements of one step are independent of each
    other.
    """
    vector_parameters: Count = 0
    """16-bit words (biases, recurrent vectors) that are loaded once and kept."""
    weight_bits: Literal[16] = VECTOR_BITS
    """Width of the vector parameters."""
    activation_bits: BitWidth = VECTOR_BITS
    output_bits: OutputWidth = VECTOR_BITS

    @model_validator(mode="after")
    def _does_something(self) -> Elementwise:
        if sum(self.ops.values()) == 0:
            raise ValueError("ops must hold at least one operation: a layer that does nothing is left out of the trace")
        return self

    @property
    def operations_per_step(self) -> dict[str, int]:
        return {str(op): count for op, count in self.ops.items()}

    @property
    def inputs_per_step(self) -> int:
        return self.inputs

    @property
    def outputs_per_step(self) -> int:
        return self.outputs

    @property
    def vector_words(self) -> int:
        return self.vector_parameters

    @property
    def waits_for_itself(self) -> bool:
        return self.recurrent


class Pool2d(_Window, VectorLayer):
    """The largest or the mean of each window of a map, channel by channel. Its results are as wide as what it reads."""

    op: Literal["pool2d"] = "pool2d"
    kind: Literal["max", "average"]
    channels: Size
    """Channels of the map, and of the result."""

    @property
    def operations_per_step(self) -> dict[str, int]:
        """A comparison or an addition less than a window has elements, for each result; a mean is multiplied once."""
        between = self.kernel[0] * self.kernel[1] - 1
        counts = {"max": between} if self.kind == "max" else {"add": between, "multiply": 1}
        return {op: count * self.outputs_per_step for op, count in counts.items() if count} or {"max": 1}

    @property
    def inputs_per_step(self) -> int:
        return self.channels * self.input_size[0] * self.input_size[1]

    @property
    def outputs_per_step(self) -> int:
        return self.channels * self.output_size[0] * self.output_size[1]


AnyLayer = Annotated[Matmul | Conv2d | ActivationMatmul | Elementwise | Pool2d, Field(discriminator="op")]
"""A layer as a file holds it."""
