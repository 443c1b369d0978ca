"""Tensors in `.safetensors` files with what is said of them, as JSON, under the key `mohaq` of the metadata.

Reading such a file executes no code. How much it may be is looked at first.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from simulators.inputs.bounded_files import open_file, read_bytes
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import parse_json

MOST_BYTES = 1 << 29
"""Half a gigabyte: the shipped checkpoints have ten megabytes."""
MOST_HEADER_BYTES = 1 << 24
"""Bytes of the header of a file that says what kind it is: those of shipped files are some ten thousand."""
KEY = "mohaq"

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class TensorFile:
    """What a file holds."""

    path: Path
    tensors: Tensors
    described: str
    """What is said of the tensors, as JSON text."""
    digest: str
    """sha256 of the file."""


def read_tensors(path: Path) -> TensorFile:
    """All of a file. Raises InputError where it cannot be read or is none of mohaq's."""
    data = read_bytes(path, MOST_BYTES)
    try:
        tensors, described = safetensors.torch.load(data), _metadata(data).get(KEY)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(f"{path}: not a safetensors file: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(described, str):
        raise InputError(f"{path}: not a mohaq checkpoint: its metadata has no key `{KEY}`")
    return TensorFile(path, tensors, described, hashlib.sha256(data).hexdigest())


def kind_of(path: Path) -> str | None:
    """The `kind` in what a file of mohaq's says of its tensors, which are not read; None where it says none, or is not
    readable."""
    try:
        with open_file(path) as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length) if length <= MOST_HEADER_BYTES else b""
        metadata = parse_json(header.decode(), str(path))["__metadata__"]
        kind = parse_json(metadata[KEY], str(path))["kind"]
    except (InputError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return kind if isinstance(kind, str) else None


def check_kind(file: TensorFile, kind: str, form: int, what: str) -> None:
    """Raise InputError unless a file is of a kind, which `what` says in words, and of a format that is read."""
    plain = parse_json(file.described, str(file.path))
    if not isinstance(plain, dict) or plain.get("kind") != kind:
        raise InputError(f"{file.path}: not {what}")
    if plain.get("format") != form:
        raise InputError(f"{file.path}: format {plain.get('format')!r}: this version reads format {form}")


def tensors_as_bytes(tensors: Mapping[str, torch.Tensor], described: Mapping[str, Any]) -> bytes:
    """A file's content; what `read_tensors` reads."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(contiguous, {KEY: json.dumps(described, sort_keys=True)})


def _metadata(data: bytes) -> dict[str, Any]:
    """The metadata of a content that safetensors has accepted: JSON behind its length in 8 bytes."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    metadata: dict[str, Any] = header.get("__metadata__") or {}
    return metadata


def check_tensors(path: Path, tensors: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise InputError unless there are these tensors and no other, all of their values finite."""
    if set(shapes) != set(tensors):
        raise InputError(f"{path}: tensors missing or unknown: {', '.join(sorted(set(shapes) ^ set(tensors)))[:300]}")
    for name, shape in shapes.items():
        found = tensors[name]
        if tuple(found.shape) != shape:
            raise InputError(f"{path}: tensor {name} has shape {tuple(found.shape)}: the geometry asks for {shape}")
        if found.is_complex() or not torch.isfinite(found.float()).all():
            raise InputError(f"{path}: tensor {name} holds values that are not finite")
