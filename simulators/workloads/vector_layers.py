"""Layers that vector units run: work on single elements, and pooling."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from simulators.workloads.layer import VECTOR_BITS, Layer, Operand
from simulators.workloads.layer_fields import BitWidth, Count, ElementwiseOp, OutputWidth, Size
from simulators.workloads.windows import WindowedLayer


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


class Pool2d(WindowedLayer, VectorLayer):
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
