"""The contract between quantizer and simulator: an ordered list of layers with their shapes and bit-widths.

A trace describes one utterance of `steps` frames (one frame every 10 ms), or, of a network without recurrence, so many
inputs that time does not order. Each layer reads the result of the one
before it and carries the bits of its weights, of the activations it reads and of the results it leaves. What a trace
cannot express is an error; no layer costs nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from simulators.inputs.documents import read_document, validate
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole
from simulators.inputs.shipped import find
from simulators.inputs.source_locations import Document

FRAME_MS = 10.0
"""Time between two frames: 25 ms windows every 10 ms, as on TIMIT."""

VECTOR_BITS = 16
"""Vector parameters (biases, recurrent vectors, normalisation) are 16-bit fixed point in MOHAQ."""

ElementwiseOp = Literal["add", "multiply", "multiply_add", "sigmoid", "tanh", "relu", "max", "exp", "divide"]
ELEMENTWISE_OPS: tuple[str, ...] = get_args(ElementwiseOp)


def whole(value: Any) -> Any:
    """`1e3` is a whole number although YAML reads it as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


Size = Annotated[int, BeforeValidator(whole), Field(ge=1, le=1 << 24)]
"""A dimension: at least one, at most 16,777,216, so that products of a few stay far from int64's limit."""
Count = Annotated[int, BeforeValidator(whole), Field(ge=0, le=1 << 31)]
Bits = Annotated[int, BeforeValidator(whole), Field(ge=1, le=16)]
OutputBits = Annotated[int, BeforeValidator(whole), Field(ge=1, le=32)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Activity = Annotated[
    Annotated[Fraction, Tag("one")] | Annotated[tuple[Share, ...], Field(strict=False), Tag("each")],
    Discriminator(lambda value: "each" if isinstance(value, list | tuple) else "one"),
]
"""A share of all steps, or one of each."""


class Layer(BaseModel):
    """What every layer carries."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80, pattern=r"^[^\s,:]+$")
    """Unique in the trace; a quantized site has its site's name."""

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


class Matmul(Layer):
    """`steps` vectors of `in_features` (K) through a weight matrix of `out_features` × `in_features` (M × K)."""

    op: Literal["matmul"] = "matmul"
    out_features: Size
    in_features: Size
    steps: Size
    recurrent: bool = False
    """True: vector t+1 needs the result of vector t, and vectors stay on chip between steps."""
    weight_bits: Bits
    activation_bits: Bits
    output_bits: OutputBits
    active: Activity = 1.0
    """Fraction of input elements that a delta network transmits, of all steps or one by one; hardware that cannot skip
    the rest computes them all. In a file, it may also name an .npz file beside it, with an array for this layer.
    """

    @model_validator(mode="after")
    def _a_share_for_each_step(self) -> Matmul:
        if isinstance(self.active, tuple) and len(self.active) != self.steps:
            raise ValueError(f"active: {len(self.active)} shares for {self.steps} steps")
        return self

    @property
    def mean_active(self) -> float:
        """Fraction of input elements that are transmitted, over all steps."""
        if not isinstance(self.active, tuple):
            return self.active
        return sum(count * inputs for count, inputs in self.transmitted()) / (self.steps * self.in_features)

    def transmitted(self) -> list[tuple[int, int]]:
        """(steps in a row, input elements that each transmits), in order; one at least, for a step takes its time."""
        if not isinstance(self.active, tuple):
            return [(self.steps, ceil(self.in_features * self.active))]
        counts = (max(1, ceil(self.in_features * share - 1e-9)) for share in self.active)
        return [(len(list(same)), inputs) for inputs, same in groupby(counts)]

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.out_features * self.in_features

    @property
    def parameter_bits(self) -> int:
        """Memory of the weights."""
        return self.weights * self.weight_bits

    @property
    def macs(self) -> int:
        """Multiply-accumulates over all steps, inactive inputs included."""
        return self.weights * self.steps


class Conv2d(Layer):
    """A two-dimensional convolution over `steps` inputs; the simulators lower it to a matrix product a group."""

    op: Literal["conv2d"] = "conv2d"
    in_channels: Size
    out_channels: Size
    kernel: tuple[Size, Size] = Field(strict=False)
    """Height, width."""
    input_size: tuple[Size, Size] = Field(strict=False)
    """Height, width, without padding."""
    stride: tuple[Size, Size] = Field(default=(1, 1), strict=False)
    padding: tuple[Count, Count] = Field(default=(0, 0), strict=False)
    groups: Size = 1
    expanded: bool = False
    """Whether inputs lie in memory once for every kernel position (im2col), as a host can prepare the network's own."""
    steps: Size
    weight_bits: Bits
    activation_bits: Bits
    output_bits: OutputBits

    @model_validator(mode="after")
    def _fits(self) -> Conv2d:
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f"groups {self.groups} must divide {self.in_channels} and {self.out_channels} channels")
        if min(self.output_size) < 1:
            raise ValueError(f"kernel {self.kernel} is larger than the padded input")
        return self

    @property
    def output_size(self) -> tuple[int, int]:
        """Height, width of the result."""
        return (
            (self.input_size[0] + 2 * self.padding[0] - self.kernel[0]) // self.stride[0] + 1,
            (self.input_size[1] + 2 * self.padding[1] - self.kernel[1]) // self.stride[1] + 1,
        )

    @property
    def weights(self) -> int:
        """Number of weights."""
        return self.out_channels * (self.in_channels // self.groups) * self.kernel[0] * self.kernel[1]

    @property
    def parameter_bits(self) -> int:
        """Memory of the weights."""
        return self.weights * self.weight_bits

    @property
    def macs(self) -> int:
        """Multiply-accumulates over all steps."""
        return self.weights * self.output_size[0] * self.output_size[1] * self.steps


class Elementwise(Layer):
    """Gates, activation functions, normalisation: `ops` counts a step, each on one element."""

    op: Literal["elementwise"] = "elementwise"
    ops: dict[ElementwiseOp, Count]
    """Operations a step, by kind, over all elements."""
    inputs: Count
    """Elements a step that are read from where the layer before left them."""
    outputs: Count
    """Elements a step that are handed on."""
    steps: Size
    recurrent: bool = False
    """True: step t+1 needs the result of step t (SRU's cell state). Elements of one step are independent of each
    other.
    """
    vector_parameters: Count = 0
    """16-bit words (biases, recurrent vectors) that are loaded once and kept."""
    weight_bits: Bits = VECTOR_BITS
    activation_bits: Bits = VECTOR_BITS
    output_bits: OutputBits = VECTOR_BITS

    @model_validator(mode="after")
    def _does_something(self) -> Elementwise:
        if sum(self.ops.values()) == 0:
            raise ValueError("ops must hold at least one operation: a layer that does nothing is left out of the trace")
        return self

    @property
    def parameter_bits(self) -> int:
        """Memory of the vector parameters."""
        return self.vector_parameters * VECTOR_BITS

    @property
    def ops_total(self) -> int:
        """Operations over all steps."""
        return sum(self.ops.values()) * self.steps


AnyLayer = Annotated[Matmul | Conv2d | Elementwise, Field(discriminator="op")]


class Trace(BaseModel):
    """A model's layers in order, over `steps` frames or inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=120)
    steps: Size
    """Frames of 10 ms, which latency a frame and the real-time factor divide by, where `has_frames`; else inputs."""
    layers: tuple[AnyLayer, ...] = Field(min_length=1, max_length=10_000, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _layers_inherit_steps(cls, data: Any) -> Any:
        """In a file, a layer without `steps` has the trace's."""
        if isinstance(data, dict) and isinstance(data.get("layers"), list) and "steps" in data:
            data = {
                **data,
                "layers": [
                    {"steps": data["steps"], **layer} if isinstance(layer, dict) else layer for layer in data["layers"]
                ],
            }
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Trace:
        seen: set[str] = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ValueError(f"layer name {layer.name!r} is used twice")
            seen.add(layer.name)
        if self.macs + self.ops > 1 << 52:
            raise ValueError(f"{self.macs + self.ops} operations are more than 2^52, up to which cycles are exact")
        return self

    @property
    def macs(self) -> int:
        """Multiply-accumulates over all steps."""
        return sum(layer.macs for layer in self.layers if not isinstance(layer, Elementwise))

    @property
    def ops(self) -> int:
        """Elementwise operations over all steps."""
        return sum(layer.ops_total for layer in self.layers if isinstance(layer, Elementwise))

    @property
    def has_frames(self) -> bool:
        """Whether time goes from step to step, as a recurrent layer says. Images and matrix products have no frames."""
        return any(layer.recurrent for layer in self.layers if not isinstance(layer, Conv2d))

    @property
    def weight_bits_total(self) -> int:
        """Memory of the model in bits: weights at their bits, vector parameters at 16."""
        return sum(layer.parameter_bits for layer in self.layers)

    def at_bits(self, weight_bits: int, activation_bits: int) -> Trace:
        """The same network with all products and convolutions at these bits; results follow (see `widths`)."""
        products = sum(not isinstance(layer, Elementwise) for layer in self.layers)
        bits = np.full((1, products, 2), (weight_bits, activation_bits), np.int64)
        weight, activation, output = (widths[0].tolist() for widths in self.widths(bits))
        data = self.model_dump()
        for i, layer in enumerate(data["layers"]):
            layer |= {"weight_bits": weight[i], "activation_bits": activation[i], "output_bits": output[i]}
        return Trace.model_validate(data)

    def at_steps(self, steps: int) -> Trace:
        """The same network over so many frames. Raises InputError for a layer whose activity is that of its own
        steps."""
        for layer in self.layers:
            if isinstance(layer, Matmul) and isinstance(layer.active, tuple) and len(layer.active) != steps:
                raise InputError(f"steps: {steps}: layer {layer.name} has shares of active inputs for {layer.steps}")
        data = self.model_dump()
        layers = [{**layer, "steps": steps} for layer in data["layers"]]
        return Trace.model_validate({**data, "steps": steps, "layers": layers})

    def widths(self, bits: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Weight, activation and output bits of every layer, each (N, layers), for N candidates of `bits` (N, products,
        2): (weight bits, activation bits) of the products and convolutions in order.

        Results are as wide as the activations of the product that reads them, and 16 bits where an elementwise layer
        or nothing does.
        """
        shape = (len(bits), len(self.layers))
        weight, activation, output = (np.full(shape, VECTOR_BITS, np.int64) for _ in range(3))
        product = 0
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Elementwise):
                weight[:, i], activation[:, i] = layer.weight_bits, layer.activation_bits
                continue
            weight[:, i], activation[:, i] = bits[:, product, 0], bits[:, product, 1]
            if i:
                output[:, i - 1] = activation[:, i]
            product += 1
        return weight, activation, output

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON: equal traces have equal digests, whatever file they came from."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """JSON with sorted keys and no spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    def to_yaml(self) -> str:
        """The trace as a YAML file holds it."""
        return _as_yaml(self._plain())

    def save(self, path: str | Path) -> None:
        """Write as YAML or JSON, by the suffix; shares of active inputs step by step go to an .npz file beside it.
        Raises InputError for another suffix, or where it cannot be written."""
        path = Path(path)
        if path.suffix not in (".json", ".yaml", ".yml"):
            raise InputError(f"{path}: a trace is saved as .yaml or .json")
        data = self._plain()
        sidecar = path.with_suffix(".npz")
        arrays = {layer["name"]: np.array(layer["active"]) for layer in data["layers"]
                  if isinstance(layer.get("active"), list)}  # fmt: skip
        for layer in data["layers"]:
            if layer["name"] in arrays:
                layer["active"] = sidecar.name
        text = json.dumps(data, indent=1) + "\n" if path.suffix == ".json" else _as_yaml(data)
        try:
            if arrays:
                packed = io.BytesIO()
                np.savez_compressed(packed, allow_pickle=False, **arrays)
                write_whole(sidecar, packed.getvalue())
            write_whole(path, text.encode())
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror}") from None

    def _plain(self) -> dict[str, Any]:
        data = self.model_dump(mode="json")
        data["layers"] = [{"name": layer.pop("name"), "op": layer.pop("op"), **layer} for layer in data["layers"]]
        return data


def load_trace(name: str | Path) -> Trace:
    """Read a trace from a file, or a shipped one by its name. Raises InputError with file, line, column and key."""
    return trace_from_document(read_document(find("traces", str(name))))


def trace_from_document(document: Document) -> Trace:
    """The trace that a parsed file holds, with what lies beside it."""
    return validate(_with_sidecars(document), Trace)


def _as_yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120)


def _with_sidecars(document: Document) -> Document:
    """The names of .npz files under `active` replaced by what these hold for the layer."""
    layers = document.data.get("layers") if isinstance(document.data, dict) else None
    if not isinstance(layers, list):
        return document
    filled = list(layers)
    for i, layer in enumerate(layers):
        if not isinstance(layer, dict) or not isinstance(layer.get("active"), str):
            continue
        place = ("layers", i, "active")
        file = Path(document.source).parent / layer["active"]
        try:
            with np.load(file, allow_pickle=False) as arrays:
                shares = arrays[str(layer.get("name"))].tolist()
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise document.error(place, f"{layer['active']}: no .npz file of that name beside the trace") from None
        except KeyError:
            raise document.error(place, f"{layer['active']}: it holds no array for this layer") from None
        filled[i] = {**layer, "active": shares}
    return replace(document, data={**document.data, "layers": filled})
