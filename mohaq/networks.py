"""The network that `--model` names, with the data that `--data` names, where it is no recogniser of this project."""

from collections.abc import Mapping
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
) -> "GraphModel | None":
    """The network and its data; None for a recogniser, which has a corpus. Raises InputError for a network without
    data, and for data of a recogniser."""
    if not is_network(model):
        if data is not None:
            raise _recogniser_with_data(model, data)
        return None
    if data is None:
        raise InputError(f"--model {model}: --data is missing: the folder of what it is given")
    from quant import Scheme, load

    return load(model, data, Scheme(clipping, activation_clipping, per_channel))


def exported_network(model: str, data: Path | None) -> "tuple[GraphModel, dict[str, tuple[int, int]]] | None":
    """The network that was exported to a folder, and its candidate; None for another model. Raises InputError for one
    without data."""
    from quant.graph_exports.own_format import is_exported_graph, load_exported_graph

    if not is_exported_graph(Path(model)):
        return None
    if data is None:
        raise InputError(f"--model {model}: --data is missing: the folder of what it is given")
    return load_exported_graph(Path(model), data)


def _recogniser_with_data(model: str, data: Path) -> InputError:
    from quant.graph_exports.own_format import is_exported_graph

    if is_exported_graph(Path(model)):
        return InputError(f"--model {model}: an exported network: only `evaluate` takes its folder")
    return InputError(f"--data {data}: it is for an ONNX file or module:factory; {model} has a corpus (--corpus)")


def check_no_corpus(given: Mapping[str, bool]) -> None:
    """Raises InputError where an option that only a recogniser's corpus has is given for a network; `given` says of
    each whether it is."""
    for option, is_given in given.items():
        if is_given:
            raise InputError(f"{option}: it is for recognisers: a network from a file has the data of --data")


def refuse_network(model: str, data: Path | None, what: str) -> None:
    """Raises InputError for a network, and for data of one, where a command takes recognisers of this project only."""
    if is_network(model):
        raise InputError(f"--model {model}: {what}")
    if data is not None:
        raise _recogniser_with_data(model, data)
