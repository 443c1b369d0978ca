"""A trained recogniser as one file: safetensors (no code is executed by loading it), weights in float16, everything
else beside them.

Tensors: the network's parameters; `feature_mean`, `feature_std` (bands,) of the training set; `bigram` (phones,
phones) and `priors` (states,) as natural logarithms. Metadata, key `mohaq`: JSON of the cell type, geometry,
calibration, decoder settings, corpus and training record.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

from quant.files import write_whole
from quant.models.sru import Sru, SruGeometry
from quant.ptq import Calibration
from simulators.errors import InputError

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. `digest` is the sha256 of the file: the name of the model in every ledger."""

    network: Sru
    feature_mean: np.ndarray
    feature_std: np.ndarray
    log_bigram: np.ndarray
    log_priors: np.ndarray
    calibration: Calibration | None
    decoder: Mapping[str, float]
    record: Mapping[str, Any]
    digest: str


def save_checkpoint(
    path: Path,
    network: Sru,
    arrays: Mapping[str, np.ndarray],
    calibration: Calibration | None,
    decoder: Mapping[str, float],
    record: Mapping[str, Any],
) -> None:
    """Write a checkpoint whole or not at all. `arrays` are feature_mean, feature_std, log_bigram and log_priors."""
    tensors = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    tensors |= {name: torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32)) for name, value in arrays.items()}
    content = {
        "format": FORMAT,
        "cell": network.cell,
        "geometry": asdict(network.geometry),
        "decoder": dict(decoder),
        "record": dict(record),
        "calibration": None if calibration is None else calibration.to_dict(),
    }
    write_whole(path, safetensors.torch.save(tensors, {"mohaq": json.dumps(content, sort_keys=True)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint. Raises InputError if it is not one, or if a tensor is missing, misshapen or not
    finite."""
    try:
        data = path.read_bytes()
        with safetensors.safe_open(path, framework="pt") as file:
            content = json.loads((file.metadata() or {})["mohaq"])
        tensors = safetensors.torch.load(data)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except KeyError:
        raise InputError(f"{path}: not a mohaq checkpoint: its metadata has no key `mohaq`") from None
    except (safetensors.SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a safetensors file: {error}") from None
    if content.get("format") != FORMAT or content.get("cell") != Sru.cell:
        raise InputError(
            f"{path}: format {content.get('format')}, cell {content.get('cell')!r}: "
            f"this version reads format {FORMAT}, cell 'sru'"
        )
    network = Sru(SruGeometry(**content["geometry"]))
    phones = network.geometry.outputs // 3
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    shapes |= {
        "feature_mean": (network.geometry.inputs,),
        "feature_std": (network.geometry.inputs,),
        "log_bigram": (phones, phones),
        "log_priors": (network.geometry.outputs,),
    }
    if set(shapes) != set(tensors):
        raise InputError(f"{path}: tensors missing or unknown: {', '.join(sorted(set(shapes) ^ set(tensors)))}")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise InputError(
                f"{path}: tensor {name} has shape {tuple(tensors[name].shape)}: the geometry asks for {shape}"
            )
        if not torch.isfinite(tensors[name].float()).all():
            raise InputError(f"{path}: tensor {name} holds values that are not finite")
    arrays = {name: tensors.pop(name).numpy() for name in ("feature_mean", "feature_std", "log_bigram", "log_priors")}
    network.load_state_dict({name: value.float() for name, value in tensors.items()})
    network.requires_grad_(False)
    calibration = None if content["calibration"] is None else Calibration.from_dict(content["calibration"])
    return Checkpoint(
        network,
        **arrays,
        calibration=calibration,
        decoder=content["decoder"],
        record=content["record"],
        digest=hashlib.sha256(data).hexdigest(),
    )
