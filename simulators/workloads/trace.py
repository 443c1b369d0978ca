"""The contract between quantizer and simulator: an ordered list of layers with their shapes and bit-widths.

A trace describes one utterance of `steps` frames (one frame every 10 ms), or, of a network without recurrence, so many
inputs that time does not order. Each layer reads the result of the one before it and carries the bits of what it reads
and of what it leaves. What a trace cannot express is an error; no layer costs nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulators.inputs.arrays import ArrayFile
from simulators.inputs.bounded_files import beside
from simulators.inputs.documents import read_document, validate
from simulators.inputs.errors import InputError
from simulators.inputs.fields import whole
from simulators.inputs.files import check_target, write_output, write_whole
from simulators.inputs.shipped import find
from simulators.inputs.source_locations import Document, shown
from simulators.workloads.layer_fields import Size
from simulators.workloads.masks import packed_masks, unpacked_masks
from simulators.workloads.operations import VECTOR_BITS, AnyLayer, Layer, Matmul, Pool2d
from simulators.workloads.readers import readers

MOST_SHARES = 1 << 22
"""Shares of active inputs that the files beside a trace may hold in all: eleven hours of one layer."""
FRAME_MS = 10.0
"""Time between two frames: 25 ms windows every 10 ms, as on TIMIT."""


class Chunk(BaseModel):
    """What a streaming network takes at a time: a trace of it is of one call."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    length_ms: float = Field(gt=0)
    """Time that the input of a call spans, its context included."""
    hop_ms: float = Field(gt=0)
    """Time from one call to the next, by which a call has to be done."""


class Trace(BaseModel):
    """A model's layers in order, over `steps` frames or inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=120)
    steps: Size
    """Frames of 10 ms, which latency a frame and the real-time factor divide by, where `has_frames`; else inputs."""
    layers: tuple[AnyLayer, ...] = Field(min_length=1, max_length=10_000, strict=False)
    chunk: Chunk | None = None
    """How long the chunk is that the trace of a streaming network is of, and how soon the next one comes."""

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
    def products(self) -> list[int]:
        """Positions of the layers that a candidate gives a pair of widths."""
        return [i for i, layer in enumerate(self.layers) if layer.is_product]

    @property
    def macs(self) -> int:
        """Multiply-accumulates over all steps."""
        return sum(layer.macs for layer in self.layers)

    @property
    def ops(self) -> int:
        """Elementwise operations over all steps."""
        return sum(layer.elementwise_operations for layer in self.layers)

    @property
    def has_frames(self) -> bool:
        """Whether time goes from step to step, as a recurrent layer says. Images and matrix products have no frames."""
        return any(layer.waits_for_itself for layer in self.layers)

    @property
    def weight_bits_total(self) -> int:
        """Memory of the model in bits: weights at their bits, vector parameters at 16."""
        return sum(layer.parameter_bits for layer in self.layers)

    def at_bits(self, weight_bits: int, activation_bits: int) -> Trace:
        """This network with all products and convolutions at these bits; results follow (see `widths`). Raises
        InputError that names the first layer which cannot have such widths."""
        for key, width in (("weight_bits", weight_bits), ("activation_bits", activation_bits)):
            if not isinstance(width, int | np.integer):
                raise InputError(f"{key}: {shown(width)}: expected a whole number")
        bits = np.full((1, len(self.products), 2), (weight_bits, activation_bits), np.int64)
        widths = zip(*(of_layers[0].tolist() for of_layers in self.widths(bits)), strict=True)
        layers = [layer.at_bits(*of_layer) for layer, of_layer in zip(self.layers, widths, strict=True)]
        try:
            return Trace.model_validate({**dict(self), "layers": [layer.model_dump() for layer in layers]})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
        layer, rule = self.layers[int(first["loc"][1])], first["msg"]
        raise InputError(
            f"layer {layer.name}: {first['loc'][-1]}: {shown(first['input'])}: {rule[0].lower()}{rule[1:]}"
        )

    def at_steps(self, steps: int) -> Trace:
        """This network over so many frames or inputs; a layer that runs several times for each, as for a batch, does so
        still. Raises InputError for one that does not run equally often for each, and for one whose activity is that of
        its own steps."""
        if self.chunk is not None and steps != self.steps:
            raise InputError(f"steps: {steps}: the trace is of one chunk, of {self.steps}")
        for layer in self.layers:
            if isinstance(layer, Matmul) and isinstance(layer.active, tuple) and len(layer.active) != steps:
                raise InputError(f"steps: {steps}: layer {layer.name} has shares of active inputs for {layer.steps}")
            if layer.steps % self.steps and steps != self.steps:
                raise InputError(
                    f"steps: {steps}: layer {layer.name} runs {layer.steps} times for {self.steps}: how often it does "
                    "for others is not known"
                )
        data = self.model_dump()
        layers = [{**layer, "steps": layer["steps"] * steps // self.steps} for layer in data["layers"]]
        return Trace.model_validate({**data, "steps": steps, "layers": layers})

    def widths(self, bits: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Widths of the operand that a candidate calls weights, of the activations and of the results of every layer,
        each (N, layers), for N candidates of `bits` (N, products, 2): (weight bits, activation bits) of the products in
        order.

        Results are as wide as the activations of the product that reads them, and 16 bits where an elementwise layer
        or nothing does: see `simulators.workloads.readers`.
        """
        shape = (len(bits), len(self.layers))
        first, activation, output = (np.full(shape, VECTOR_BITS, np.int64) for _ in range(3))
        first[:, self.products], activation[:, self.products] = bits[:, :, 0], bits[:, :, 1]
        for i, reader in enumerate(readers(self.layers)):
            layer: Layer = self.layers[i]
            if reader is not None:
                output[:, i] = activation[:, reader]
            if isinstance(layer, Pool2d):  # its results are as wide as what it reads
                activation[:, i] = output[:, i]
            elif not layer.is_product:
                first[:, i], activation[:, i] = layer.operand_bits
        return first, activation, output

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON: equal traces have equal digests, whatever file they came from."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def canonical(self) -> str:
        """JSON with sorted keys and no spaces."""
        return json.dumps(self._dumped(), sort_keys=True, separators=(",", ":"))

    def to_yaml(self) -> str:
        """The trace as a YAML file holds it."""
        return _as_yaml(self._plain())

    def save(self, path: str | Path) -> None:
        """Write as YAML or JSON, by the suffix; shares of active inputs step by step go to a file beside it,
        `NAME.DIGEST.npz`, which takes no other file's place, and is there before the trace that names it. Raises
        InputError for another suffix, or where it cannot be written."""
        path = Path(path)
        if path.suffix not in (".json", ".yaml", ".yml"):
            raise InputError(f"{path}: a trace is saved as .yaml or .json")
        check_target(path)  # before the file beside it is written
        data = self._plain()
        arrays = {
            layer.name: packed_masks(layer.masks, layer.in_features)
            if layer.masks is not None
            else np.array(layer.active)
            for layer in self.layers
            if isinstance(layer, Matmul) and isinstance(layer.active, tuple)
        }
        if arrays:
            packed = io.BytesIO()
            np.savez_compressed(packed, allow_pickle=False, **arrays)
            sidecar = path.with_name(f"{_cut(path.stem)}.{self.digest[:16]}.npz")
            write_whole(sidecar, packed.getvalue())
            for layer in data["layers"]:
                if layer["name"] in arrays:
                    layer["active"] = sidecar.name
        text = json.dumps(data, indent=1) + "\n" if path.suffix == ".json" else _as_yaml(data)
        write_output(path, text.encode())

    def _dumped(self) -> dict[str, Any]:
        """All fields; of what is no chunk nothing is said, as in files from before there were any."""
        data = self.model_dump(mode="json")
        if self.chunk is None:
            del data["chunk"]
        return data

    def _plain(self) -> dict[str, Any]:
        """Plain data for a file: of each layer its name, its operation and its sizes, then its steps and its widths."""
        data = self._dumped()
        data["layers"] = [
            {key: layer[key] for key in sorted(layer, key=lambda key: _PLACES.get(key, 2))} for layer in data["layers"]
        ]
        return data


_PLACES = {"name": 0, "op": 1, "steps": 3, "weight_bits": 4, "second_bits": 4, "activation_bits": 5, "output_bits": 6}


def load_trace(name: str | Path) -> Trace:
    """Read a trace from a file, or a shipped one by its name. Raises InputError with file, line, column and key."""
    return trace_from_document(read_document(find("traces", str(name))))


def trace_from_document(document: Document) -> Trace:
    """The trace that a parsed file holds, with what lies beside it."""
    return validate(_with_sidecars(document), Trace)


def _cut(stem: str) -> str:
    """The beginning of a name, short enough for more to follow in the 255 bytes that a name may have."""
    return stem.encode()[:200].decode(errors="ignore")


def _as_yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120)


def _with_sidecars(document: Document) -> Document:
    """The names of .npz files under `active` replaced by what these hold for the layer."""
    layers = document.data.get("layers") if isinstance(document.data, dict) else None
    if not isinstance(layers, list):
        return document
    filled, left = list(layers), MOST_SHARES
    for i, layer in enumerate(layers):
        if not isinstance(layer, dict) or not isinstance(layer.get("active"), str):
            continue
        steps = layer.get("steps", document.data.get("steps"))
        try:
            shares = _activity(beside(Path(document.source), layer["active"]), layer, steps, left)
        except InputError as error:
            rule = str(error).removeprefix(f"{Path(document.source).parent / layer['active']}: ")
            raise document.error(("layers", i, "active"), f"{shown(layer['active'])[1:-1]}: {rule}") from None
        left -= len(shares)
        filled[i] = {**layer, "active": shares}
    return replace(document, data={**document.data, "layers": filled})


def _activity(path: Path, layer: dict[str, Any], steps: object, most: int) -> list[float] | list[str]:
    """What a sidecar holds for a layer: a share for each step, or a mask. Its length is looked at before it is read."""
    try:
        opened = ArrayFile(path, 8 * MOST_SHARES)
    except InputError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise InputError(f"no .npz file of that name beside the trace: {why}") from None
    name = layer.get("name")
    with opened as file:
        if not isinstance(name, str) or name not in file:
            raise InputError("it holds no array for this layer")
        header = file.header(name)
        masks = header.dtype == np.uint8 and len(header.shape) == 2
        if not masks and (header.dtype.kind not in "fiu" or len(header.shape) != 1):
            raise InputError(f"{header.dtype} of shape {header.shape}: expected a share for each step")
        length, what = header.shape[0], "masks" if masks else "shares"
        if length > most:
            raise InputError(f"{length:,} {what} of active inputs: a trace has at most {MOST_SHARES:,}")
        if whole(steps) != length:
            raise InputError(f"{length:,} {what} of active inputs for {shown(steps)} steps")
        if not masks:
            return file.read(name).astype(np.float64).tolist()  # type: ignore[no-any-return]
        inputs = whole(layer.get("in_features"))
        if not isinstance(inputs, int) or inputs < 1:
            raise InputError(f"masks for {shown(layer.get('in_features'))} in_features: expected a whole number from 1")
        if header.shape[1] != (inputs + 7) // 8:
            raise InputError(f"masks of {header.shape[1]} bytes a step: {inputs} inputs take {(inputs + 7) // 8}")
        return unpacked_masks(file.read(name))
