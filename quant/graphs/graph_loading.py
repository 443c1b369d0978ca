"""Networks from ONNX files, with their data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quant.arithmetic.clipping import Scheme
from quant.graphs.data_settings import DataSettings
from quant.graphs.graph_data import GivenUtterance, GraphData, read_data
from quant.graphs.graph_model import GraphModel
from quant.graphs.onnx_files import read_onnx
from quant.graphs.simplifying import simplified
from simulators.inputs.errors import InputError


def load(
    path: str | Path,
    data: str | Path | Sequence[Mapping[str, Any]],
    scheme: Scheme | None = None,
    settings: DataSettings | None = None,
) -> GraphModel:
    """The network of an ONNX file. `data` is a folder (`docs/bring-your-own-model.md`), or a list of what the network
    is given: an array for each input, by its name, and `labels` where the error counts these; `settings` are what
    `data.yaml` says in a folder. Raises InputError for a file that cannot be read, and data that do not fit."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    graph = simplified(read_onnx(path))
    if isinstance(data, str | Path):
        if settings is not None:
            raise InputError(f"settings: those of {data} are in its data.yaml")
        found = read_data(Path(data), graph)
    else:
        found = GraphData(tuple(_utterance(i, given) for i, given in enumerate(data)), settings or DataSettings())
    if not found.utterances:
        raise InputError("data: expected at least one utterance")
    try:
        return GraphModel(graph, found, path.stem, scheme)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _utterance(number: int, given: Mapping[str, Any]) -> GivenUtterance:
    tensors = {name: torch.as_tensor(np.asarray(value)) for name, value in given.items()}
    labels = tensors.pop("labels", None)
    return GivenUtterance(f"utterance {number}", tensors, labels)
