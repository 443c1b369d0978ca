"""A trained recogniser as one file: safetensors (loading it executes no code), weights in float16, the rest beside
them.

Tensors: the network's parameters; `feature_mean` and `feature_deviation` (bands,) of the training set; `log_bigram`
(phones + 1, phones + 1) and `log_priors` (states,) of the decoder. Metadata, key `mohaq`: JSON of the cell type,
geometry, calibration, decoder weights and the record of the training.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch

from quant.arithmetic.calibration import NOT_CALIBRATED, Calibration
from quant.files.records import CheckpointRecord, DecoderRecord
from quant.files.tensor_files import TensorFile, Tensors, check_tensors, read_tensors, tensors_as_bytes
from quant.networks.geometry import Geometry, geometry
from quant.networks.network import Network
from quant.networks.registry import CELLS
from quant.sites.candidate import BIT_WIDTHS
from quant.speech.features import Statistics
from quant.speech.scoring import Decoder
from quant.speech.units import UNITS, Units
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole
from simulators.inputs.json_files import json_as, parse_json
from simulators.inputs.shipped import data_folder
from simulators.inputs.source_locations import shown

FORMAT = 2
TRAINING_STATE = "training.safetensors"
"""What a training keeps in its folder to be resumed from, beside the checkpoint that it leaves there."""
EXPORT_DESCRIPTION = "model.json"
"""What describes an exported model (`quant.files.export`) in its folder."""
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
    write_whole(path, tensors_as_bytes(tensors, content))


@contextmanager
def as_written(path: Path) -> Iterator[None]:
    """A file whose parts are not all there, or not of their kind, was not written by mohaq: InputError says so."""
    try:
        yield
    except InputError as error:
        raise error if str(error).startswith(f"{path}:") else InputError(f"{path}: {error}") from None
    except KeyError as error:
        raise InputError(f"{path}: not as mohaq writes it: no key {error}") from None
    except (TypeError, ValueError, AttributeError, IndexError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: not as mohaq writes it: {' '.join(str(error).split())[:200]}") from None


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint. InputError if it is not one, or if a tensor is missing, misshapen or not finite."""
    file = read_tensors(path)
    as_it_is = parse_json(file.described, str(path))
    if isinstance(as_it_is, dict) and "kind" in as_it_is:
        raise InputError(f"{path}: {shown(as_it_is['kind'])}, where a recogniser of speech is wanted")
    check_format(as_it_is, FORMAT, str(path))
    content = json_as(CheckpointRecord, file.described, str(path))
    with as_written(path):
        return _checkpoint(file, content, as_it_is["record"])


def check_format(content: object, known: int, source: str) -> None:
    """Raise InputError for a description of another format: then nothing else that differs is worth a word."""
    found = content.get("format") if isinstance(content, dict) else None
    if found != known:
        raise InputError(f"{source}: format {shown(found)}: this version reads format {known}")


def _checkpoint(file: TensorFile, content: CheckpointRecord, record: Mapping[str, Any]) -> Checkpoint:
    path = file.path
    sizes = geometry(known_cell(content.cell), content.geometry)
    units = known_units(content.units, sizes)
    shapes = {**network_shapes(sizes), **recogniser_shapes(sizes, units)}
    check_tensors(path, file.tensors, shapes)
    network = Network(sizes)
    network.load_state_dict({name: file.tensors[name].float() for name in network.state_dict()})
    network.requires_grad_(False)
    calibration = content.calibration.calibration()
    _check_calibration(calibration, network)
    return Checkpoint(
        name=path.stem,
        network=network,
        statistics=statistics_of(file.tensors),
        decoder=decoder_of(file.tensors, content.decoder, units),
        calibration=calibration,
        record=record,
        digest=file.digest,
    )


def network_shapes(sizes: Geometry) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's parameters by their names, for which no memory is taken."""
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in Network(sizes).state_dict().items()}


def recogniser_shapes(sizes: Geometry, units: Units) -> dict[str, tuple[int, ...]]:
    """The shapes of what a recogniser has besides its network, by the names of tensors."""
    bands, phones = (sizes.inputs,), len(units.names)
    return {
        "feature_mean": bands, "feature_deviation": bands,
        "log_bigram": (phones + 1, phones + 1), "log_priors": (sizes.outputs,),
    }  # fmt: skip


def known_units(name: str, sizes: Geometry) -> Units:
    """The units that a network of these sizes tells apart. Raises InputError where there are no such."""
    units = UNITS.get(name)
    if units is None or units.classes != sizes.outputs:
        raise InputError(f"units {shown(name)}: they do not make {sizes.outputs} outputs")
    return units


def statistics_of(tensors: Tensors) -> Statistics:
    """What features are normalised with. Raises InputError for a deviation that cannot be divided by."""
    mean, deviation = tensors["feature_mean"].float().numpy(), tensors["feature_deviation"].float().numpy()
    if not (deviation > 0).all():
        raise InputError("tensor feature_deviation holds values that are not positive")
    return Statistics(mean, deviation)


def decoder_of(tensors: Tensors, weights: DecoderRecord, units: Units) -> Decoder:
    """The decoder with these weights of its terms."""
    log_bigram, log_priors = tensors["log_bigram"].float().numpy(), tensors["log_priors"].float().numpy()
    return Decoder(log_bigram, log_priors, **dict(weights), units=units)


def _check_calibration(calibration: Calibration, network: Network) -> None:
    """Raise InputError unless every site has its formats, or none has, as half-way through a training."""
    sites = {site.name for site in network.sites}
    last = {of_layer[-1].name for of_layer in network.layer_sites}
    wanted = {"activations": sites, "ranges": sites, "results": sites, "states": last}
    for name, expected in wanted.items():
        found = getattr(calibration, name).keys()
        if calibration != NOT_CALIBRATED and found != expected:
            raise InputError(f"calibration: {name}: of {', '.join(sorted(found))[:200]}: not the sites of the network")
    for site, grids in calibration.activations.items():
        if grids.keys() != {*BIT_WIDTHS}:
            raise InputError(f"calibration: activations: {site}: widths {sorted(grids)}: not {list(BIT_WIDTHS)}")


def known_cell(name: str) -> str:
    """The name of a cell that there is. Raises InputError that says how one of one's own is brought."""
    if name not in CELLS:
        raise InputError(f"cell {name!r}: {CELLS.unknown(name)} (a cell of your own is brought by --plugin FILE.py)")
    return name


def find_checkpoint(name: str) -> Path:
    """A file that exists, the checkpoint in a training's folder, or a shipped one: beside the packages in a checkout,
    inside this package when installed. Raises InputError for a name of none, and for a folder of none or several."""
    if name and Path(name).is_dir():
        return _checkpoint_in(Path(name))
    if Path(name).suffix == ".safetensors" or Path(name).is_file():
        return Path(name)
    folder = data_folder("checkpoints", Path(__file__).resolve().parents[1])
    shipped = sorted(path.stem for path in folder.glob("*.safetensors"))
    if name not in shipped:
        raise InputError(
            f"{name}: no such model: neither a .safetensors file nor a shipped name ({', '.join(shipped)})"
        )
    return folder / f"{name}.safetensors"


def _checkpoint_in(folder: Path) -> Path:
    """The one checkpoint in a folder. Raises InputError."""
    if (folder / EXPORT_DESCRIPTION).is_file():
        raise InputError(f"{folder}: an exported model: only `evaluate` and `export` take such a folder")
    try:
        found = sorted(path for path in folder.glob("*.safetensors") if path.name != TRAINING_STATE)
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    if len(found) != 1:
        names = ", ".join(path.name for path in found)[:200]
        what = f"several checkpoints ({names}): name one" if found else "no checkpoint in this folder"
        raise InputError(f"{folder}: no such model: {what}")
    return found[0]
