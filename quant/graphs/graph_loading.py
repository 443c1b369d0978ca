"""Networks from ONNX files and modules of torch, with their data."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from quant.arithmetic.clipping import Scheme
from quant.graphs.data_settings import FILE, DataSettings
from quant.graphs.graph import Graph
from quant.graphs.graph_data import GivenUtterance, GraphData, read_data
from quant.graphs.graph_model import GraphModel
from quant.graphs.onnx_files import read_onnx
from quant.graphs.simplifying import simplified
from quant.graphs.torch_programs.exporting import graph_of_module
from simulators.inputs.errors import InputError


def load(
    model: str | Path | nn.Module,
    data: str | Path | Sequence[Mapping[str, Any]],
    scheme: Scheme | None = None,
    settings: DataSettings | None = None,
) -> GraphModel:
    """The network of an ONNX file, of a module of torch, or of `module:factory`: a module of Python that is imported,
    and what makes the module of torch in it. `data` is a folder (`docs/bring-your-own-model.md`), or a list of what the
    network is given: an array for each input, by its name, and `labels` where the error counts these; `settings` are
    what `data.yaml` says in a folder. Raises InputError for what cannot be read, and data that do not fit."""
    if isinstance(data, str | Path):
        if settings is not None:
            raise InputError(f"settings: those of {data} are in its {FILE}")
        found = read_data(Path(data))
    else:
        found = GraphData(tuple(_utterance(i, given) for i, given in enumerate(data)), settings or DataSettings())
    if not found.utterances:
        raise InputError("data: expected at least one utterance")
    name, graph, found = _network(model, found)
    try:
        return GraphModel(simplified(graph), found, name, scheme)
    except InputError as error:
        raise InputError(f"{name}: {error}" if isinstance(model, nn.Module) else f"{model}: {error}") from error


def _network(model: str | Path | nn.Module, data: GraphData) -> tuple[str, Graph, GraphData]:
    """The name of a network, its graph, and the data with their inputs named."""
    if isinstance(model, str | Path) and not (":" in str(model) and not Path(model).exists()):
        path = Path(model)
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        graph = read_onnx(path)
        return path.stem, graph, data.named(graph)
    module = model if isinstance(model, nn.Module) else made_by(str(model))
    name = type(module).__name__.lower()
    named = _as_parameters(module, data.named_by(list(inspect.signature(module.forward).parameters)))
    return name, graph_of_module(module, next(named.calls(named.first_completed)), name), named


def _as_parameters(module: nn.Module, data: GraphData) -> GraphData:
    """The data in single precision where the module's parameters are: numpy's own is double."""
    if any(parameter.dtype is torch.float64 for parameter in module.parameters()):
        return data
    utterances = tuple(
        replace(one, inputs={key: x.float() if x.dtype is torch.float64 else x for key, x in one.inputs.items()})
        for one in data.utterances
    )
    return replace(data, utterances=utterances)


def made_by(text: str) -> nn.Module:
    """The module of torch that `module:factory` makes, where the module is imported from the working folder or the
    path of Python. Raises InputError for one that cannot be imported, or that makes something else."""
    place, _, factory = text.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        made = getattr(import_module(place), factory)()
    except Exception as error:  # of whatever kind: the code is the user's
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{text}: {reason[:300]}") from error
    if not isinstance(made, nn.Module):
        raise InputError(f"{text}: what it makes is of type {type(made).__name__}: expected a module of torch")
    return made


def _utterance(number: int, given: Mapping[str, Any]) -> GivenUtterance:
    tensors = {name: torch.as_tensor(np.asarray(value)) for name, value in given.items()}
    labels = tensors.pop("labels", None)
    return GivenUtterance(f"utterance {number}", tensors, labels)
