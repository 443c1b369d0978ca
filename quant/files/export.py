"""A quantized model as files: integer weights, scales and the candidate, for hardware and for loading back.

`model.safetensors` holds for each site `SITE.codes` (M, K) int8, or int16 at 16 bits, and `SITE.steps` (M,) float32:
a weight is code · step; biases and vectors as int16 codes, with their steps in `model.json`; and the statistics and the
decoder of the recogniser. `model.json` holds the geometry, the candidate, the grids of activations, results and states,
and each site's requantization multipliers (see `quant.arithmetic.whole_numbers`). Codes of 2 and 4 bits are not packed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.clipping import Scheme
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import Multiplier
from quant.files.checkpoint import DECODER_WEIGHTS, Checkpoint, as_written, known_cell
from quant.networks.geometry import geometry
from quant.networks.network import Network
from quant.sites.candidate import FIXED_POINT_BITS, Bits, check_candidate
from quant.speech.features import Statistics
from quant.speech.scoring import Decoder
from quant.speech.units import UNITS
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole

FORMAT = 1
TENSORS, DESCRIPTION = "model.safetensors", "model.json"

Tensors = dict[str, torch.Tensor]


def export(checkpoint: Checkpoint, weights: QuantizedWeights, bits: Bits, folder: Path) -> None:
    """Write a candidate of a checkpoint, with its weights as they are quantized, to `folder`. Raises InputError for a
    bad candidate or a folder that cannot be."""
    network, calibration = checkpoint.network, checkpoint.calibration
    check_candidate(bits, network.sites)
    tensors: Tensors = {
        "feature_mean": torch.from_numpy(checkpoint.statistics.mean),
        "feature_deviation": torch.from_numpy(checkpoint.statistics.deviation),
        "log_bigram": torch.from_numpy(checkpoint.decoder.log_bigram),
        "log_priors": torch.from_numpy(checkpoint.decoder.log_priors),
    }
    sites: dict[str, Any] = {}
    for site in network.sites:
        quantized = weights(site.name, bits[site.name][0])
        dtype = torch.int16 if quantized.bits == FIXED_POINT_BITS else torch.int8
        tensors[f"{site.name}.codes"] = quantized.codes.to(dtype)
        tensors[f"{site.name}.steps"] = quantized.steps.float()
        sites[site.name] = _described_site(site.name, bits, quantized, weights.scheme, calibration)
    grids, vectors = network.vector_grids(calibration), {}
    for name, parameter in network.named_parameters():
        if name in grids:
            tensors[f"{name}.codes"] = grids[name].encode(parameter.detach()).to(torch.int16)
            vectors[name] = vars(grids[name])
    description = {
        "format": FORMAT,
        "cell": network.cell.name,
        "geometry": network.geometry.to_dict(),
        "bits": {site: list(pair) for site, pair in bits.items()},
        "clipping": vars(weights.scheme),
        "sites": sites,
        "vectors": vectors,
        "units": checkpoint.decoder.units.name,
        "decoder": {name: getattr(checkpoint.decoder, name) for name in DECODER_WEIGHTS},
        "from": {"name": checkpoint.name, "digest": checkpoint.digest},
        "record": dict(checkpoint.record),
    }
    _write(folder, tensors, description)


def _described_site(
    site: str, bits: Bits, quantized: Weights, scheme: Scheme, calibration: Calibration
) -> dict[str, Any]:
    """What `model.json` says of a site."""
    weight_bits, activation_bits = bits[site]
    grid, result = calibration.grid(site, activation_bits, scheme.activations), calibration.results[site]
    rescale = Multiplier.of(quantized.steps[:1].double().numpy() * grid.step / result.step)
    return {
        "weight_bits": weight_bits,
        "activation_bits": activation_bits,
        "activations": vars(grid),
        "results": vars(result),
        "states": vars(calibration.states[site]) if site in calibration.states else None,
        "requantize": {key: int(value[0]) for key, value in vars(rescale).items()},
        "requantize_rows": bool(scheme.per_channel),
    }


def _write(folder: Path, tensors: Tensors, description: dict[str, Any]) -> None:
    data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()})
    description["tensors_sha256"] = hashlib.sha256(data).hexdigest()
    make_folder(folder)
    # Which tensors are meant is the description's to say, and that is replaced in one rename: until then the former
    # model loads, from then on this one, whenever this process is killed.
    new = _own_tensors(folder, description["tensors_sha256"])
    write_whole(new, data)
    write_whole(folder / DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())
    new.replace(folder / TENSORS)
    for former in folder.glob(f"model-{'[0-9a-f]' * 16}.safetensors"):
        former.unlink()


def _own_tensors(folder: Path, digest: str) -> Path:
    """The place of the tensors with this sha256 while the description of others may still be there."""
    return folder / f"model-{digest[:16]}.safetensors"


def _tensors_file(folder: Path, digest: str) -> Path:
    """Where the tensors with this sha256 lie, if anywhere."""
    own = _own_tensors(folder, digest)
    return own if digest.isalnum() and own.is_file() else folder / TENSORS


def load_export(folder: Path) -> tuple[Checkpoint, QuantizedWeights, dict[str, tuple[int, int]]]:
    """What was exported: a checkpoint made of its integers, these as the only weights that it can be evaluated with,
    and its candidate.

    Raises InputError where a file is missing, is not what `export` wrote, or was changed.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        if not isinstance(description, dict) or description.get("format") != FORMAT:
            raise InputError(f"{folder / DESCRIPTION}: not an exported model of format {FORMAT}")
        data = _tensors_file(folder, str(description.get("tensors_sha256"))).read_bytes()
    except OSError as error:
        raise InputError(f"{folder}: not an exported model: {error.filename}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(f"{folder / DESCRIPTION}: not JSON") from None
    if hashlib.sha256(data).hexdigest() != description.get("tensors_sha256"):
        raise InputError(f"{folder / TENSORS}: not the file that {DESCRIPTION} describes: its sha256 differs")
    with as_written(folder / DESCRIPTION):
        return _exported(description, safetensors.torch.load(data))


def _exported(
    description: Mapping[str, Any], tensors: Tensors
) -> tuple[Checkpoint, QuantizedWeights, dict[str, tuple[int, int]]]:
    network = Network(geometry(known_cell(description["cell"]), description["geometry"]))
    sites = {site.name: description["sites"][site.name] for site in network.sites}
    bits = {name: (site["weight_bits"], site["activation_bits"]) for name, site in sites.items()}
    kept = {}
    with torch.no_grad():
        for name, (weight_bits, _) in bits.items():
            codes, steps = tensors[f"{name}.codes"].float(), tensors[f"{name}.steps"]
            kept[name, weight_bits] = Weights(codes, steps, weight_bits)
            network.get_parameter(name).copy_(codes * steps[:, None])
        for name, grid in description["vectors"].items():
            network.get_parameter(name).copy_(tensors[f"{name}.codes"].float() * grid["step"])
    network.requires_grad_(False)
    checkpoint = Checkpoint(
        name=description["from"]["name"],
        network=network,
        statistics=Statistics(tensors["feature_mean"].numpy(), tensors["feature_deviation"].numpy()),
        decoder=Decoder(
            tensors["log_bigram"].numpy(),
            tensors["log_priors"].numpy(),
            **description["decoder"],
            units=UNITS[description["units"]],
        ),
        calibration=Calibration(
            activations={name: {site["activation_bits"]: Grid(**site["activations"])} for name, site in sites.items()},
            ranges={},
            results={name: Grid(**site["results"]) for name, site in sites.items()},
            states={name: Grid(**site["states"]) for name, site in sites.items() if site["states"]},
        ),
        record=description["record"],
        digest=description["tensors_sha256"],
    )
    clipping = description["clipping"]
    scheme = Scheme(clipping["weights"], "mse", clipping["per_channel"])
    return checkpoint, QuantizedWeights(network, scheme, kept), bits
