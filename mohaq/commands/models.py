"""Commands that write what others read of a model, whose parameters stay as they are: `trace`, `export`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mohaq.app import command, out
from mohaq.corpora import load_recogniser
from mohaq.delta_options import (
    Arithmetic,
    RegisterThresholds,
    check_edgedrnn,
    check_no_utterance,
    has_thresholds,
    on_edgedrnn,
    register_thresholds,
)
from mohaq.model_kinds import ModelKind, given_options, model_kind, needed_bits, refuse_exported, refuse_options
from mohaq.networks import load_exported_network, load_network
from mohaq.options import (
    ActivationClipping,
    Bits,
    Corpus,
    Data,
    ModelName,
    PerChannel,
    Root,
    WeightClipping,
    Weights,
    written,
)
from mohaq.task_models import load_task_model
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_targets

if TYPE_CHECKING:
    from simulators import Trace


@command(epilog="Example: `mohaq trace --bits 4x8 --out sru-4x8.yaml`")
def trace(
    context: typer.Context,
    bits: Annotated[str, Bits.__metadata__[0]] = "",
    model: ModelName = "sru",
    data: Data = None,
    weights: Weights = None,
    root: Root = None,
    steps: Annotated[
        int | None, typer.Option(help="Frames; default: 300, and those of the first file of --data.")
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="FRAMES",
            help="Of a causal recogniser: what so many frames of a stream take; not with --steps.",
        ),
    ] = None,
    output: Annotated[Path | None, written("--out", help="A .yaml or .json file; standard output without it.")] = None,
    arithmetic: Arithmetic = "quantized",
    thresholds: RegisterThresholds = None,
    utterance: Annotated[int | None, typer.Option(min=0, help="Whose masks of sent elements, counted from 0.")] = None,
    split: Annotated[str, typer.Option(help="Of the utterance: `dev` or `test`.")] = "dev",
    corpus: Corpus = "embedded",
) -> None:
    """Write the layer trace of a model at given bit-widths: what `mohaq simulate` reads. With thresholds it is that of
    an utterance, with masks of the elements that each step sends."""
    check_targets({"--out": output}, {"the candidate": bits, "the model": model})
    kind, given = model_kind(model), given_options(context)
    if on_edgedrnn(arithmetic, thresholds):
        check_edgedrnn(model, kind, bits, given)
        from quant.evaluation.edgedrnn_network import trace_edgedrnn

        recogniser = load_recogniser(model, corpus, root)
        _write_trace(trace_edgedrnn(recogniser, register_thresholds(thresholds), utterance or 0, split), output)
        return
    if kind is ModelKind.EXPORTED_RECOGNISER:
        refuse_exported(model, kind)
    if not kind.is_exported:
        needed_bits(bits)
    if chunk is not None and steps is not None:
        raise InputError(f"--chunk {chunk}: a chunk has its own number of frames: leave out --steps")
    refuse_options(model, kind, given)
    if kind is ModelKind.NETWORK:
        network = load_network(model, data, weights=weights)
        candidate = network.parse_bits(bits)
        if _is_of_utterance(candidate, kind, given):
            result = network.trace_utterance(candidate, utterance or 0)
        else:
            result = network.trace(candidate, steps)
    elif kind is ModelKind.RECOGNISER:
        recogniser = load_recogniser(model, corpus, root)
        candidate = recogniser.parse_bits(bits)
        if _is_of_utterance(candidate, kind, given):
            result = recogniser.trace_utterance(candidate, utterance or 0, split)
        elif chunk is None:
            result = recogniser.trace(candidate, 300 if steps is None else steps)
        else:
            result = recogniser.trace_chunk(candidate, chunk)
    else:
        check_no_utterance(kind, given)
        result = _trace_of(model, kind, bits, data, root, steps)
    _write_trace(result, output)


def _is_of_utterance(candidate: Mapping[str, tuple[int, int]], kind: ModelKind, given: Mapping[str, object]) -> bool:
    """Whether a candidate's trace is that of an utterance, as those with thresholds are. Raises InputError for options
    that do not go with that."""
    if not has_thresholds(candidate):
        check_no_utterance(kind, given)
        return False
    for option in ("--steps", "--chunk"):
        if option in given:
            raise InputError(f"{option} {given[option]}: a trace with thresholds is of an utterance (--utterance)")
    return True


def _trace_of(
    model: str, kind: ModelKind, bits: str, data: Path | None, root: Path | None, steps: int | None
) -> "Trace":
    """The trace of a model that has no thresholds."""
    if kind is ModelKind.EXPORTED_NETWORK:
        exported, own = load_exported_network(model, data)
        return exported.trace(own, steps)
    of_task = load_task_model(model, kind, root)
    return of_task.trace(of_task.parse_bits(bits), steps)


def _write_trace(result: "Trace", output: Path | None) -> None:
    if output is None:
        print(result.to_yaml(), end="")
    else:
        result.save(output)
        layers = f"{len(result.layers)} layer{'s' if len(result.layers) > 1 else ''}"
        out.say(f"{output}: {layers}, {result.weight_bits_total / 8 / 2**20:.2f} MiB")


@command(epilog="Example: `mohaq export --bits 4x8 --out sru-4x8`, then `mohaq evaluate --model sru-4x8`")
def export(
    context: typer.Context,
    output: Annotated[
        Path,
        written(
            "--out", help="Folder for model.safetensors and model.json, model.h or model.onnx; or a file .h or .onnx."
        ),
    ],
    bits: Annotated[str, Bits.__metadata__[0]] = "",
    model: ModelName = "sru",
    data: Data = None,
    weights: Weights = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="`mohaq` (loaded back by --model), `c` (a header of C99), `qdq` (ONNX) or `qonnx`: these three run.",
        ),
    ] = "mohaq",
    clipping: WeightClipping = "mse",
    activation_clipping: ActivationClipping = "mse",
    per_channel: PerChannel = False,
) -> None:
    """Write a quantized model: integer weights, scales and the candidate. An exported model's folder has its bits, and
    is written in another format."""
    from quant.exports.writing import OWN_FORMAT, check_export, export_as
    from quant.files.export import export as write_export
    from quant.files.export import load_export
    from quant.graph_exports.graph_writing import export_network

    check_export(form, output)
    kind = model_kind(model)
    refuse_options(model, kind, given_options(context))
    if kind.is_exported and form == OWN_FORMAT:
        raise InputError(f"--model {model}: it is an exported model already: --format c, qdq or qonnx says another")
    scheme = (clipping, activation_clipping, per_channel)
    if kind is ModelKind.EXPORTED_NETWORK:
        out.say(export_network(form, *load_exported_network(model, data), output))
        return
    if kind is ModelKind.NETWORK:
        network = load_network(model, data, *scheme, weights)
        out.say(export_network(form, network, network.parse_bits(needed_bits(bits)), output))
        return
    if kind is ModelKind.EXPORTED_RECOGNISER:
        checkpoint, held, candidate = load_export(Path(model))
    else:
        recogniser = load_recogniser(model, "embedded", None, *scheme)
        recogniser.weights.scheme.refuse_codebooks("no format of exports has them")
        candidate = recogniser.parse_bits(needed_bits(bits))
        checkpoint, held = recogniser.checkpoint, recogniser.weights
    if form != OWN_FORMAT:
        file = export_as(form, checkpoint, held, candidate, output)
        out.say(f"{file}: {file.stat().st_size / 2**20:.2f} MiB")
        return
    write_export(checkpoint, held, candidate, output)
    out.say(f"{output}: model.safetensors and model.json")
