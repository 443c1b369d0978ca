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

from simulators.inputs.bounded_files import read_bytes
from simulators.inputs.errors import InputError

MOST_BYTES = 1 << 29
"""Half a gigabyte: the shipped checkpoints have ten megabytes."""
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
