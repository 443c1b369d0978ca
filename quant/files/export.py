"""A quantized model as files: integer weights, scales and the candidate, for hardware and for loading back.

`model.safetensors` holds for each site `SITE.codes` (M, K) int8, or int16 at 16 bits, and `SITE.steps` (M,) float32:
a weight is code · step; biases and vectors as int16 codes, with their steps in `model.json`; and the statistics and the
decoder of the recogniser. `model.json` holds the geometry, the candidate, the grids of activations, results and states,
and each site's requantization multipliers (see `quant.arithmetic.whole_numbers`). Codes of 2 and 4 bits are not packed.
Each of the two files holds the sha256 of the other: what was changed is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from quant.arithmetic.calibration import Calibration
from quant.arithmetic.clipping import Scheme
from quant.arithmetic.products import Weights
from quant.arithmetic.weights import QuantizedWeights
from quant.arithmetic.whole_numbers import Multiplier
from quant.files.checkpoint import (
    DECODER_WEIGHTS,
    Checkpoint,
    as_written,
    decoder_of,
    known_cell,
    known_units,
    network_shapes,
    recogniser_shapes,
    statistics_of,
)
from quant.files.paired_files import read_pair, write_pair
from quant.files.records import ExportRecord
from quant.files.tensor_files import TensorFile, Tensors, check_tensors
from quant.networks.geometry import Geometry, geometry
from quant.networks.network import Network
from quant.sites.candidate import FIXED_POINT_BITS, Bits, check_candidate, refuse_thresholds
from quant.speech.units import Units
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import json_as

FORMAT = 2


def export(checkpoint: Checkpoint, weights: QuantizedWeights, bits: Bits, folder: Path) -> None:
    """Write a candidate of a checkpoint, with its weights as they are quantized, to `folder`. Raises InputError for a
    bad candidate or a folder that cannot be."""
    network, calibration = checkpoint.network, checkpoint.calibration
    weights.scheme.refuse_codebooks("an exported model has none")
    check_candidate(bits, network.sites)
    refuse_thresholds(bits, "an exported model has none")
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
    write_pair(folder, tensors, description)


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


def load_export(folder: Path) -> tuple[Checkpoint, QuantizedWeights, dict[str, tuple[int, int]]]:
    """What was exported: a checkpoint made of its integers, these as the only weights that it can be evaluated with,
    and its candidate.

    Raises InputError where a file is missing, is not what `export` wrote, or was changed.
    """
    path, text, described, file = read_pair(folder, FORMAT)
    with as_written(path):
        return _exported(json_as(ExportRecord, text, str(path)), file, described["record"])


def _exported(
    content: ExportRecord, file: TensorFile, record: Mapping[str, Any]
) -> tuple[Checkpoint, QuantizedWeights, dict[str, tuple[int, int]]]:
    sizes = geometry(known_cell(content.cell), content.geometry)
    units = known_units(content.units, sizes)
    _check(content, file, sizes, units)
    network, sites, tensors = Network(sizes), content.sites, file.tensors
    bits = {site.name: content.bits[site.name] for site in network.sites}
    kept = {}
    with torch.no_grad():
        for name, (weight_bits, _) in bits.items():
            codes, steps = tensors[f"{name}.codes"].float(), tensors[f"{name}.steps"]
            kept[name, weight_bits] = Weights(codes, steps, weight_bits)
            network.get_parameter(name).copy_(codes * steps[:, None])
        for name, grid in content.vectors.items():
            network.get_parameter(name).copy_(tensors[f"{name}.codes"].float() * grid.step)
    network.requires_grad_(False)
    checkpoint = Checkpoint(
        name=content.origin.name,
        network=network,
        statistics=statistics_of(tensors),
        decoder=decoder_of(tensors, content.decoder, units),
        calibration=Calibration(
            activations={name: {bits[name][1]: sites[name].activations.grid()} for name in bits},
            ranges={},
            results={name: sites[name].results.grid() for name in bits},
            states={name: states.grid() for name in bits if (states := sites[name].states)},
        ),
        record=record,
        digest=file.digest,
    )
    scheme = Scheme(content.clipping.weights, "mse", content.clipping.per_channel)
    return checkpoint, QuantizedWeights(network, scheme, kept), bits


def _check(content: ExportRecord, file: TensorFile, sizes: Geometry, units: Units) -> None:
    """Raise InputError unless sites and tensors are those of a network of these sizes, and codes those of their
    bits."""
    shapes = network_shapes(sizes)
    with torch.device("meta"):
        network = Network(sizes)
    check_candidate(content.bits, network.sites)
    names = {site.name for site in network.sites}
    vectors = {name for name, shape in shapes.items() if name not in names and 0 not in shape}
    if content.vectors.keys() != vectors:
        raise InputError(f"vectors: {', '.join(sorted(content.vectors))[:200]}: expected {', '.join(sorted(vectors))}")
    for of_layer in network.layer_sites:
        if content.sites[of_layer[-1].name].states is None:
            raise InputError(f"sites.{of_layer[-1].name}.states: missing: a recurrence keeps some behind it")
    wanted = recogniser_shapes(sizes, units) | {f"{name}.codes": shapes[name] for name in names | vectors}
    check_tensors(file.path, file.tensors, wanted | {f"{name}.steps": shapes[name][:1] for name in names})
    for name, (weight_bits, _) in content.bits.items():
        codes, steps = file.tensors[f"{name}.codes"], file.tensors[f"{name}.steps"]
        half = 1 << (weight_bits - 1)
        if codes.is_floating_point() or int(codes.min()) < -half or int(codes.max()) >= half:
            raise InputError(f"{file.path}: tensor {name}.codes: not codes of {weight_bits} bits")
        if not steps.is_floating_point() or not (steps > 0).all():
            raise InputError(f"{file.path}: tensor {name}.steps holds values that are not positive")
