"""A trained recogniser as one file: safetensors (loading it executes no code), weights in float16, the rest beside
them.

Tensors: the network's parameters; `feature_mean` and `feature_deviation` (bands,) of the training set; `log_bigram`
(phones + 1, phones + 1) and `log_priors` (states,) of the decoder. Metadata, key `mohaq`: JSON of the cell type,
geometry, calibration, decoder weights and the record of the training.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from quant.arithmetic.calibration import Calibration
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.networks.registry import CELLS
from quant.speech.features import Statistics
from quant.speech.scoring import Decoder
from quant.speech.units import PHONES, UNITS
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole
from simulators.inputs.shipped import data_folder

FORMAT = 2
DECODER_WEIGHTS = ("bigram_scale", "prior_scale", "insertion")


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds."""

    name: str
    """Name of the file, without its suffix."""
    network: Network
    statistics: Statistics
    """Mean and deviation that features are normalised with."""
    decoder: Decoder
    calibration: Calibration
    record: Mapping[str, Any]
    """How it was made: corpus, seed, epochs. `corpus_size` names the embedded corpus that it was trained on."""
    digest: str
    """sha256 of the file: the name of the model in every ledger."""


def save_checkpoint(
    path: Path,
    network: Network,
    statistics: Statistics,
    decoder: Decoder,
    calibration: Calibration,
    record: Mapping[str, Any],
) -> None:
    """Write a checkpoint, whole or not at all."""
    arrays = {
        "feature_mean": statistics.mean, "feature_deviation": statistics.deviation,
        "log_bigram": decoder.log_bigram, "log_priors": decoder.log_priors,
    }  # fmt: skip
    tensors = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    tensors |= {name: torch.from_numpy(np.ascontiguousarray(value, np.float32)) for name, value in arrays.items()}
    content = {
        "format": FORMAT,
        "cell": network.cell.name,
        "units": decoder.units.name,
        "geometry": network.geometry.to_dict(),
        "decoder": {name: getattr(decoder, name) for name in DECODER_WEIGHTS},
        "calibration": calibration.to_dict(),
        "record": dict(record),
    }
    write_whole(path, safetensors.torch.save(tensors, {"mohaq": json.dumps(content, sort_keys=True)}))


@contextmanager
def as_written(path: Path) -> Iterator[None]:
    """A file whose parts are not all there, or not of their kind, was not written by mohaq: InputError says so."""
    try:
        yield
    except InputError as error:
        raise error if str(error).startswith(f"{path}: ") else InputError(f"{path}: {error}") from None
    except KeyError as error:
        raise InputError(f"{path}: not as mohaq writes it: no key {error}") from None
    except (TypeError, ValueError, AttributeError, IndexError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: not as mohaq writes it: {' '.join(str(error).split())[:200]}") from None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint. InputError if it is not one, or if a tensor is missing, misshapen or not finite."""
    content, tensors, digest = _read(path)
    with as_written(path):
        return _checkpoint(path, content, tensors, digest)


def _checkpoint(path: Path, content: Mapping[str, Any], tensors: dict[str, torch.Tensor], digest: str) -> Checkpoint:
    if content.get("format") != FORMAT:
        raise InputError(f"{path}: format {content.get('format')}: this version reads format {FORMAT}")
    network = Network(geometry(known_cell(content["cell"]), content["geometry"]))
    units = UNITS.get(content.get("units", PHONES.name))
    if units is None or units.classes != network.geometry.outputs:
        raise InputError(f"{path}: units {content.get('units')!r}: they do not make {network.geometry.outputs} outputs")
    phones = len(units.names)
    bands = (network.geometry.inputs,)
    arrays = {
        "feature_mean": bands, "feature_deviation": bands,
        "log_bigram": (phones + 1, phones + 1), "log_priors": (network.geometry.outputs,),
    }  # fmt: skip
    _check_tensors(path, tensors, {**{name: tuple(v.shape) for name, v in network.state_dict().items()}, **arrays})
    mean, deviation, log_bigram, log_priors = (tensors.pop(name).numpy() for name in arrays)
    network.load_state_dict({name: value.float() for name, value in tensors.items()})
    network.requires_grad_(False)
    return Checkpoint(
        name=path.stem,
        network=network,
        statistics=Statistics(mean, deviation),
        decoder=Decoder(
            log_bigram, log_priors, **{name: content["decoder"][name] for name in DECODER_WEIGHTS}, units=units
        ),
        calibration=Calibration.from_dict(content["calibration"]),
        record=content["record"],
        digest=digest,
    )


def known_cell(name: str) -> str:
    """The name of a cell that there is. Raises InputError that says how one of one's own is brought."""
    if name not in CELLS:
        raise InputError(f"cell {name!r}: {CELLS.unknown(name)} (a cell of your own is brought by --plugin FILE.py)")
    return name


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor], str]:
    try:
        data = path.read_bytes()
        with safetensors.safe_open(path, framework="pt") as file:
            content = json.loads((file.metadata() or {})["mohaq"])
        return content, safetensors.torch.load(data), hashlib.sha256(data).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except KeyError:
        raise InputError(f"{path}: not a mohaq checkpoint: its metadata has no key `mohaq`") from None
    except (safetensors.SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a safetensors file: {error}") from None


def _check_tensors(path: Path, tensors: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    if set(shapes) != set(tensors):
        raise InputError(f"{path}: tensors missing or unknown: {', '.join(sorted(set(shapes) ^ set(tensors)))}")
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise InputError(
                f"{path}: tensor {name} has shape {tuple(tensors[name].shape)}: the geometry asks for {shape}"
            )
        if not torch.isfinite(tensors[name].float()).all():
            raise InputError(f"{path}: tensor {name} holds values that are not finite")


def find_checkpoint(name: str) -> Path:
    """A file that exists, or a shipped checkpoint: beside the packages in a checkout, inside this package when
    installed. Raises InputError for a name of neither."""
    if Path(name).suffix == ".safetensors" or Path(name).is_file():
        return Path(name)
    folder = data_folder("checkpoints", Path(__file__).resolve().parents[1])
    shipped = sorted(path.stem for path in folder.glob("*.safetensors"))
    if name not in shipped:
        raise InputError(
            f"{name}: no such model: neither a .safetensors file nor a shipped name ({', '.join(shipped)})"
        )
    return folder / f"{name}.safetensors"
