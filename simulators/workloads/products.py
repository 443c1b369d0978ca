"""Layers that are matrix products: of weights, and of two activations."""

from __future__ import annotations

from itertools import groupby
from math import ceil
from typing import Literal, Self

from pydantic import model_validator

from simulators.workloads.layer import Gemm, Layer, Operand
from simulators.workloads.layer_fields import Activity, BitWidth, Ratio, Size, WeightWidth
from simulators.workloads.windows import WindowedLayer


def index_width(sparsity: tuple[int, int]) -> int:
    """Bits that say which of M neighbouring weights one is, of an (N, M) sparsity."""
    return (sparsity[1] - 1).bit_length()


class WeightedLayer(Layer):
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


class Matmul(WeightedLayer):
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


class Conv2d(WindowedLayer, WeightedLayer):
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
