"""A quantized model as files: integer weights, scales and the candidate, for hardware and for loading back.

`model.safetensors` holds for each site `SITE.codes` (M, K) int8, or int16 at 16 bits, and `SITE.steps` (M,) float32:
a weight is code · step; biases and vectors as int16 codes, with their steps in `model.json`; and the statistics and the
decoder of the recogniser. `model.json` holds the geometry, the candidate, the grids of activations, results and states,
and each site's requantization multipliers (see `quant.arithmetic.reference`). Codes of 2 and 4 bits are not packed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.clipping import Scheme
from quant.arithmetic.grid import Grid, fixed_point_grid
from quant.arithmetic.integer import QuantizedWeights
from quant.arithmetic.products import Weights
from quant.arithmetic.reference import Multiplier
from quant.evaluation.recogniser import Recogniser
from quant.files.checkpoint import DECODER_WEIGHTS, Checkpoint, as_written
from quant.networks import registry as networks
from quant.sites.candidate import FIXED_POINT_BITS, Bits, check_candidate
from quant.speech.features import Statistics
from quant.speech.scoring import Decoder
from quant.speech.units import UNITS
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole

FORMAT = 1
TENSORS, DESCRIPTION = "model.safetensors", "model.json"


def export(model: Recogniser, bits: Bits, folder: Path) -> None:
    """Write a candidate of a model to `folder`. Raises InputError for a bad candidate or a folder that cannot be."""
    check_candidate(bits, model.sites)
    checkpoint, network, weights = model.checkpoint, model.network, model.weights
    calibration = checkpoint.calibration
    tensors: dict[str, torch.Tensor] = {
        "feature_mean": torch.from_numpy(checkpoint.statistics.mean),
        "feature_deviation": torch.from_numpy(checkpoint.statistics.deviation),
        "log_bigram": torch.from_numpy(checkpoint.decoder.log_bigram),
        "log_priors": torch.from_numpy(checkpoint.decoder.log_priors),
    }
    sites: dict[str, Any] = {}
    for site in network.sites:
        weight_bits, activation_bits = bits[site.name]
        quantized = weights(site.name, weight_bits)
        dtype = torch.int16 if weight_bits == FIXED_POINT_BITS else torch.int8
        tensors[f"{site.name}.codes"] = quantized.codes.to(dtype)
        tensors[f"{site.name}.steps"] = quantized.steps.float()
        grid = calibration.grid(site.name, activation_bits, weights.scheme.activations)
        result = calibration.results[site.name]
        rescale = Multiplier.of(quantized.steps[:1].double().numpy() * grid.step / result.step)
        sites[site.name] = {
            "weight_bits": weight_bits,
            "activation_bits": activation_bits,
            "activations": vars(grid),
            "results": vars(result),
            "states": vars(calibration.states[site.name]) if site.name in calibration.states else None,
            "requantize": {key: int(value[0]) for key, value in vars(rescale).items()},
            "requantize_rows": bool(weights.scheme.per_channel),
        }
    vectors = {}
    for name, parameter in network.named_parameters():
        if name not in sites and parameter.numel():
            grid = _vector_grid(name, parameter, calibration)
            tensors[f"{name}.codes"] = grid.encode(parameter.detach()).to(torch.int16)
            vectors[name] = vars(grid)
    description = {
        "format": FORMAT,
        "cell": network.cell,
        "geometry": vars(network.geometry),
        "bits": {site: list(pair) for site, pair in bits.items()},
        "clipping": vars(weights.scheme),
        "sites": sites,
        "vectors": vectors,
        "units": checkpoint.decoder.units.name,
        "decoder": {name: getattr(checkpoint.decoder, name) for name in DECODER_WEIGHTS},
        "from": {"name": checkpoint.name, "digest": checkpoint.digest},
        "record": dict(checkpoint.record),
    }
    data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in tensors.items()})
    description["tensors_sha256"] = hashlib.sha256(data).hexdigest()
    make_folder(folder)
    try:
        write_whole(folder / TENSORS, data)
        write_whole(folder / DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None


def load_export(
    folder: Path, corpus_root: Path | None = None, skip_bad: bool = False, every: int = 1
) -> tuple[Recogniser, dict[str, tuple[int, int]]]:
    """The recogniser that was exported, from its integers, and its candidate: the only one that it can evaluate.
    `skip_bad` and `every` are a `Recogniser`'s.

    Raises InputError where a file is missing, is not what `export` wrote, or was changed.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        data = (folder / TENSORS).read_bytes()
    except OSError as error:
        raise InputError(f"{folder}: not an exported model: {error.filename}: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{folder / DESCRIPTION}: not JSON") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise InputError(f"{folder / DESCRIPTION}: not an exported model of format {FORMAT}")
    if hashlib.sha256(data).hexdigest() != description.get("tensors_sha256"):
        raise InputError(f"{folder / TENSORS}: not the file that {DESCRIPTION} describes: its sha256 differs")
    with as_written(folder / DESCRIPTION):
        checkpoint, weights, bits = _exported(description, data)
    return Recogniser(checkpoint, corpus_root, weights=weights, skip_bad=skip_bad, every=every), bits


def _exported(
    description: dict[str, Any], data: bytes
) -> tuple[Checkpoint, QuantizedWeights, dict[str, tuple[int, int]]]:
    tensors = safetensors.torch.load(data)
    network = networks.network(networks.geometry(description["cell"], _sizes(description["geometry"])))
    kept, bits = {}, {}
    with torch.no_grad():
        for site in network.sites:
            of = description["sites"][site.name]
            bits[site.name] = (of["weight_bits"], of["activation_bits"])
            codes, steps = tensors[f"{site.name}.codes"].float(), tensors[f"{site.name}.steps"]
            kept[site.name, of["weight_bits"]] = Weights(codes, steps, of["weight_bits"])
            network.get_parameter(site.name).copy_(codes * steps[:, None])
        for name, grid in description["vectors"].items():
            network.get_parameter(name).copy_(tensors[f"{name}.codes"].float() * grid["step"])
    network.requires_grad_(False)
    of_sites = description["sites"]
    calibration = Calibration(
        activations={site: {of["activation_bits"]: Grid(**of["activations"])} for site, of in of_sites.items()},
        ranges={},
        results={site: Grid(**of["results"]) for site, of in of_sites.items()},
        states={site: Grid(**of["states"]) for site, of in of_sites.items() if of["states"]},
    )
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
        calibration=calibration,
        record=description["record"],
        digest=description["tensors_sha256"],
    )
    clipping = description["clipping"]
    weights = QuantizedWeights(network, Scheme(clipping["weights"], "mse", clipping["per_channel"]), kept)
    return checkpoint, weights, bits


def _vector_grid(name: str, parameter: torch.Tensor, calibration: Calibration) -> Grid:
    """Biases are rounded to the results that they are added to, recurrent vectors to what holds the largest."""
    if name == "bias":
        return calibration.results["FC"]
    if name[0] in "BR":
        return calibration.results[("W" if name[0] == "B" else "U") + name[1:]]
    return fixed_point_grid(float(parameter.abs().max()))


def _sizes(geometry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in geometry.items() if name != "cell"}
