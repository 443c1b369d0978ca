"""The kinds of models that `--model` names, and which options each has: commands branch on the kind once."""

from collections.abc import Mapping
from enum import Enum
from pathlib import Path

import typer

from mohaq.networks import is_network
from simulators.inputs.errors import InputError


class ModelKind(Enum):
    """What a name is of, in words that an error can say."""

    RECOGNISER = "a recogniser"
    NETWORK = "a network from a file"
    TASK_GRU = "the operator-wise GRU of a task"
    IMAGES = "a convolutional network for pictures"
    EXPORTED_RECOGNISER = "an exported model"
    EXPORTED_NETWORK = "an exported network"

    @property
    def is_exported(self) -> bool:
        """Whether its bits and what it clips are fixed."""
        return self in (ModelKind.EXPORTED_RECOGNISER, ModelKind.EXPORTED_NETWORK)

    @property
    def is_of_task(self) -> bool:
        """Whether it is evaluated on the data of its task."""
        return self in (ModelKind.TASK_GRU, ModelKind.IMAGES)


def model_kind(model: str) -> ModelKind:
    """What a name is of. One that is of nothing counts as a recogniser's, and is refused where it is read."""
    if is_network(model):
        return ModelKind.NETWORK
    from quant.files.checkpoint import find_checkpoint
    from quant.files.paired_files import DESCRIPTION
    from quant.graph_exports.own_format import is_exported_graph
    from quant.images.image_model import is_image_model
    from quant.tasks.task_gru import is_operator_gru

    if (Path(model) / DESCRIPTION).is_file():
        return ModelKind.EXPORTED_NETWORK if is_exported_graph(Path(model)) else ModelKind.EXPORTED_RECOGNISER
    try:
        path = find_checkpoint(model)
    except InputError:
        return ModelKind.RECOGNISER
    if is_operator_gru(path):
        return ModelKind.TASK_GRU
    return ModelKind.IMAGES if is_image_model(path) else ModelKind.RECOGNISER


_OF_A_CORPUS = frozenset({"--corpus", "--root", "--split", "--skip-bad", "--every", "--integer"})
_CLIPPINGS = frozenset({"--clipping", "--activation-clipping", "--per-channel"})
_OF_A_NETWORK = frozenset({"--data", "--weights"})
_NOT_OF_TASKS = (
    (_OF_A_CORPUS - {"--root", "--split"})
    | {"--products", "--thresholds"}
    | _OF_A_NETWORK
    | {"--chunk", "--activation-clipping", "--per-channel"}
)
_HAS_DATA = "it is for recognisers: a network from a file has the data of --data"
_HAS_NONE = "--model {model}: it is {kind}, which has none"
_HAS_BITS = "{model} is an exported model: its bits are in its model.json"
_HAS_CLIPPINGS = "{model} is an exported model: what it clips is in its model.json"
_HAS_A_CORPUS = "it is for an ONNX file or module:factory; {model} has a corpus (--corpus)"

REFUSED: Mapping[ModelKind, tuple[tuple[frozenset[str], str], ...]] = {
    ModelKind.RECOGNISER: ((_OF_A_NETWORK, _HAS_A_CORPUS),),
    ModelKind.NETWORK: (
        (_OF_A_CORPUS, _HAS_DATA),
        (frozenset({"--products"}), "a network from a file is trained in float32"),
        (frozenset({"--thresholds"}), "a network from a file is not trained with thresholds; `delta` sweeps them"),
        (frozenset({"--chunk"}), "that of a network from a file is in its data.yaml"),
    ),
    ModelKind.TASK_GRU: ((_NOT_OF_TASKS | {"--clipping"}, _HAS_NONE),),
    ModelKind.IMAGES: ((_NOT_OF_TASKS, _HAS_NONE),),
    ModelKind.EXPORTED_RECOGNISER: (
        (_OF_A_NETWORK, _HAS_A_CORPUS),
        (frozenset({"--bits"}), _HAS_BITS),
        (_CLIPPINGS, _HAS_CLIPPINGS),
    ),
    ModelKind.EXPORTED_NETWORK: (
        (_OF_A_CORPUS, _HAS_DATA),
        (frozenset({"--bits"}), _HAS_BITS),
        (_CLIPPINGS, _HAS_CLIPPINGS),
        (frozenset({"--weights"}), "it is for an ONNX file or module:factory; {model} has its own"),
        (frozenset({"--chunk"}), "that of a network from a file is in its data.yaml"),
    ),
}
"""Options that a kind of model does not have, and what is said of them."""


TAKES_EXPORTED = {
    ModelKind.EXPORTED_RECOGNISER: "an exported model: only `evaluate` and `export` take such a folder",
    ModelKind.EXPORTED_NETWORK: "an exported network: `evaluate`, `trace` and `export` take its folder",
}


def refuse_exported(model: str, kind: ModelKind) -> None:
    """Raise InputError for an exported model, where a command does not take one."""
    if kind.is_exported:
        raise InputError(f"--model {model}: {TAKES_EXPORTED[kind]}")


def given_options(context: typer.Context) -> dict[str, object]:
    """The values of the options that a user gave a command, by their long names."""
    given = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name != "DEFAULT":
            given[max(parameter.opts, key=len)] = context.params.get(parameter.name or "")
    return given


def refuse_options(model: str, kind: ModelKind, given: Mapping[str, object]) -> None:
    """Raise InputError for a given option that a kind of model does not have."""
    for options, why in REFUSED[kind]:
        for option, value in given.items():
            if option in options:
                raise InputError(f"{as_given(option, value)}: {why.format(model=model, kind=kind.value)}")


def as_given(option: str, value: object) -> str:
    """An option as a user wrote it."""
    return option if value is True else f"{option} {value}"


def needed_bits(bits: str, besides: str = "") -> str:
    """The widths that `--bits` says, or a word that may stand there `besides`. Raises InputError where it says
    none."""
    if bits:
        return bits
    pairs = "weights x activations such as 4x8"
    forms = f"a width such as 8, {pairs}, or {besides}" if besides else f"a width such as 8, or {pairs}"
    raise InputError(f"--bits: missing: {forms}")
