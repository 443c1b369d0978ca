"""A candidate of a network that is a graph as files: its integers, formats and graph, for hardware and to load back.

`model.safetensors` holds for each site `SITE.codes` (M, K) int8, or int16 at 16 bits, and `SITE.steps` (M,) float32:
a weight is code · step; `constant.N`, what else the graph holds (biases, sizes), but for weights of sites, which are
codes alone; and `float.DIGEST`, the float network's output for each utterance that it was exported with, which its
error is a difference from. `model.json` holds the candidate, the grids of what products read and leave, and the graph.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, model_validator

from quant.arithmetic.clipping import Scheme
from quant.arithmetic.grid import Grid
from quant.arithmetic.products import Weights
from quant.files.checkpoint import as_written
from quant.files.paired_files import DESCRIPTION, PairedFiles, read_pair, write_pair
from quant.files.records import FileRecord, FixedPointRecord, OriginRecord, SchemeRecord, Step, Width
from quant.files.tensor_files import Tensors
from quant.graph_exports.graph_descriptions import GraphRecord, TensorNumbers, described_graph, graph_from
from quant.graph_exports.weight_constants import weight_constants
from quant.graphs.graph_data import read_data
from quant.graphs.graph_model import GraphModel
from quant.graphs.held_integers import HeldIntegers
from quant.own.formats import Formats
from quant.sites.candidate import FIXED_POINT_BITS, Bits, check_candidate, refuse_thresholds
from simulators.inputs.bounded_files import read_text
from simulators.inputs.documents import MAX_BYTES
from simulators.inputs.errors import InputError
from simulators.inputs.json_files import json_as, parse_json

KIND, FORMAT = "graph", 1


class InputGridRecord(FileRecord):
    """A grid of what a product reads; that of a file's own quantizer may lie on one side of zero."""

    bits: Width
    step: Step
    lowest: int
    highest: int

    @model_validator(mode="after")
    def _holds_its_codes(self) -> "InputGridRecord":
        if not self.lowest <= 0 <= self.highest or self.highest - self.lowest >= 1 << self.bits:
            raise ValueError(f"codes {self.lowest} to {self.highest}: not those of {self.bits} bits")
        return self

    def grid(self) -> Grid:
        return Grid(self.bits, self.step, self.lowest, self.highest)


class GraphSiteRecord(FileRecord):
    """The formats of a site."""

    activations: InputGridRecord
    results: FixedPointRecord
    states: FixedPointRecord | None


class GraphExportRecord(FileRecord):
    """What `model.json` of an exported network says."""

    kind: Literal["graph"]
    format: Literal[1]
    name: str
    bits: dict[str, Annotated[tuple[Width, Width], Field(strict=False)]]
    clipping: SchemeRecord
    sites: dict[str, GraphSiteRecord]
    graph: GraphRecord
    weights: dict[str, list[int]]
    """Sizes of the constants that are weights of sites alone, by their numbers."""
    constants: int
    """Tensors of the graph."""
    origin: OriginRecord = Field(alias="from")
    tensors_sha256: str

    @model_validator(mode="after")
    def _of_one_candidate(self) -> "GraphExportRecord":
        if self.sites.keys() != self.bits.keys() or not self.bits:
            raise ValueError("bits: not those of its sites")
        return self


def is_exported_graph(folder: Path) -> bool:
    """Whether a folder has the description of an exported network that is a graph."""
    path = folder / DESCRIPTION
    if not path.is_file():
        return False
    described = parse_json(read_text(path, MAX_BYTES), str(path))
    return isinstance(described, dict) and described.get("kind") == KIND


def export_graph(model: GraphModel, bits: Bits, folder: Path) -> None:
    """Write a candidate of a network to a folder. Raises InputError for a bad candidate, for a site whose integers are
    those of the network's own file already, and for a folder that cannot be."""
    check_candidate(bits, model.sites)
    refuse_thresholds(bits, "an exported model has none")
    tensors: Tensors = {}
    sites: dict[str, Any] = {}
    for site in bits:
        weights = model.weights_at(site, bits[site][0])
        tensors[f"{site}.codes"] = weights.codes.to(torch.int16 if weights.bits == FIXED_POINT_BITS else torch.int8)
        tensors[f"{site}.steps"] = weights.steps.float().clone()
        formats = model.formats
        sites[site] = {
            "activations": vars(formats.inputs[site][bits[site][1]]),
            "results": vars(formats.results[site]),
            "states": vars(formats.states[site]) if site in formats.states else None,
        }
    numbers = TensorNumbers()
    graph = described_graph(model.graph, numbers)
    alone = weight_constants(model.graph, model.names)
    weights_of_sites: dict[str, list[int]] = {}
    for number, tensor in enumerate(numbers.tensors):
        if tensor.untyped_storage().data_ptr() in alone:
            weights_of_sites[str(number)] = list(tensor.shape)
        else:
            tensors[f"constant.{number}"] = tensor.clone()
    for utterance, output in zip(model.data.utterances, model.float_outputs(), strict=True):
        tensors[f"float.{utterance.digest()}"] = output.clone()
    description = {
        "kind": KIND,
        "format": FORMAT,
        "name": model.name,
        "bits": {site: list(pair) for site, pair in bits.items()},
        "clipping": vars(model.scheme),
        "sites": sites,
        "graph": graph,
        "weights": weights_of_sites,
        "constants": len(numbers.tensors),
        "from": {"name": model.name, "digest": model.digest},
    }
    write_pair(folder, tensors, description)


def load_exported_graph(folder: Path, data: Path) -> tuple[GraphModel, dict[str, tuple[int, int]]]:
    """The network that was exported to a folder, on a folder of data, and its candidate: the only one that it can
    evaluate. Raises InputError where a file is missing, is not what `export_graph` wrote, or was changed."""
    pair = read_pair(folder, FORMAT)
    with as_written(pair.path):
        record = json_as(GraphExportRecord, pair.text, str(pair.path))
        graph = graph_from(record.graph, _constants(record, pair))
        held = HeldIntegers(record.bits, _weights(record, pair), _formats(record), _references(pair), pair.file.digest)
    scheme = Scheme(record.clipping.weights, record.clipping.activations, record.clipping.per_channel)
    try:
        model = GraphModel(graph, read_data(data).named(graph), record.name, scheme, held)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from error
    if {site.name for site in model.sites} != record.bits.keys():
        raise InputError(f"{folder}: the data do not pass through the sites that it was exported with")
    return model, {site.name: record.bits[site.name] for site in model.sites}


def _constants(record: GraphExportRecord, pair: PairedFiles) -> list[torch.Tensor]:
    """The tensors of the graph, zeros in the place of what is weights of sites alone."""
    made = []
    for number in range(record.constants):
        if str(number) in record.weights:
            made.append(torch.zeros(record.weights[str(number)]))
        elif f"constant.{number}" not in pair.file.tensors:
            raise InputError(f"{pair.file.path}: tensor constant.{number} is missing")
        else:
            made.append(pair.file.tensors[f"constant.{number}"])
    return made


def _weights(record: GraphExportRecord, pair: PairedFiles) -> dict[str, Weights]:
    held = {}
    for site, (bits, _) in record.bits.items():
        try:
            codes, steps = pair.file.tensors[f"{site}.codes"], pair.file.tensors[f"{site}.steps"]
        except KeyError as error:
            raise InputError(f"{pair.file.path}: tensor {error} is missing") from None
        half = 1 << (bits - 1)
        if codes.dim() != 2 or codes.is_floating_point() or not codes.numel():
            raise InputError(f"{pair.file.path}: tensor {site}.codes: not a matrix of codes")
        if int(codes.min()) < -half or int(codes.max()) >= half:
            raise InputError(f"{pair.file.path}: tensor {site}.codes: not codes of {bits} bits")
        if steps.shape != codes.shape[:1] or steps.dtype != torch.float32 or not bool((steps > 0).all()):
            raise InputError(f"{pair.file.path}: tensor {site}.steps: expected a positive number for each row")
        held[site] = Weights(codes.float(), steps, bits)
    return held


def _formats(record: GraphExportRecord) -> Formats:
    sites = record.sites
    return Formats(
        {site: {record.bits[site][1]: found.activations.grid()} for site, found in sites.items()},
        {site: found.results.grid() for site, found in sites.items()},
        {site: found.states.grid() for site, found in sites.items() if found.states is not None},
    )


def _references(pair: PairedFiles) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix("float."): value for name, value in pair.file.tensors.items() if name.startswith("float.")
    }
