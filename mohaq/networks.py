"""The network that `--model` names, with the data that `--data` names, where it is no recogniser of this project."""

from pathlib import Path
from typing import TYPE_CHECKING

from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    from quant.graphs.graph_model import GraphModel


def is_module(model: str) -> bool:
    """Whether a name is that of a module of Python and what makes a network in it: `module:factory`."""
    return ":" in model and not Path(model).exists()


def is_network(model: str) -> bool:
    """Whether a name is that of an ONNX file, or `module:factory`."""
    return model.endswith(".onnx") or is_module(model)


def load_network(
    model: str,
    data: Path | None,
    clipping: str = "mse",
    activation_clipping: str = "mse",
    per_channel: bool = False,
    weights: Path | None = None,
) -> "GraphModel":
    """The network of a file, or of Python, and its data, with the weights that a retraining left, if they are given.
    Raises InputError for one without data."""
    from quant import Scheme, load

    network = load(model, _needed(data, model), Scheme(clipping, activation_clipping, per_channel))
    return network if weights is None else network.with_weights_of(weights)


def load_exported_network(model: str, data: Path | None) -> "tuple[GraphModel, dict[str, tuple[int, int]]]":
    """The network that was exported to a folder, and its candidate. Raises InputError for one without data."""
    from quant.graph_exports.own_format import load_exported_graph

    return load_exported_graph(Path(model), _needed(data, model))


def _needed(data: Path | None, model: str) -> Path:
    if data is None:
        raise InputError(f"--model {model}: --data is missing: the folder of what it is given")
    return data
