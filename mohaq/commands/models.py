"""Commands that read a model and leave its parameters as they are, besides `evaluate`: `delta`, `trace`, `export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mohaq.app import command, err, out
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
from mohaq.networks import load_network
from mohaq.options import (
    ActivationClipping,
    Bits,
    Corpus,
    Csv,
    Data,
    ModelName,
    PerChannel,
    Root,
    WeightClipping,
    written,
)
from mohaq.targets import write
from mohaq.task_models import load_task_model
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_targets
from simulators.inputs.terminal import DescriptionColumn

if TYPE_CHECKING:
    from simulators import Trace


@command(epilog="Example: `mohaq delta --model gru --bits 4 --thresholds 0,1,2 --csv delta.csv`")
def delta(
    context: typer.Context,
    bits: Bits,
    model: ModelName = "gru",
    data: Data = None,
    thresholds: Annotated[
        str, typer.Option(help="Values to combine for layer inputs (x) and recurrent inputs (h), in activation codes.")
    ] = "0,1,2",
    fc: Annotated[int | None, typer.Option(min=0, help="Threshold of the output layer; default: as x.")] = None,
    corpus: Corpus = "embedded",
    root: Root = None,
    split: Annotated[str, typer.Option(help="`dev` or `test`.")] = "dev",
    csv_file: Csv = None,
    trace_file: Annotated[
        Path | None,
        written("--trace", help="Write the trace of an utterance at the last thresholds, activity step by step."),
    ] = None,
    utterance: Annotated[int, typer.Option(min=0, help="Of --trace, counted from 0.")] = 0,
) -> None:
    """Sweep thresholds of a delta network: error rate against eliminated operations."""
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from quant.evaluation.delta_sweep import combinations, sweep, to_csv

    check_targets({"--csv": csv_file, "--trace": trace_file}, {"the candidate": bits, "the model": model})
    kind = model_kind(model)
    if kind is ModelKind.NETWORK:
        raise InputError(f"--model {model}: delta networks are those of this project's recognisers")
    refuse_exported(model, kind)
    refuse_options(model, kind, given_options(context))
    recogniser = load_recogniser(model, corpus, root)
    candidate = recogniser.parse_bits(bits)
    try:
        values = [int(word) for word in thresholds.split(",")]
    except ValueError:
        raise InputError(f"--thresholds {thresholds}: they must be whole numbers, as in 0,1,2") from None
    if min(values) < 0:
        raise InputError(f"--thresholds {thresholds}: they must be at least 0")
    recogniser.utterances(split)  # a corpus that cannot be read is said before the bar begins
    bar = Progress(DescriptionColumn(), BarColumn(), TimeRemainingColumn(), console=err, transient=True)
    with bar as progress:
        swept = sweep(recogniser, candidate, values, fc, split)
        points = list(progress.track(swept, len(combinations(recogniser, values)), description="delta"))
    if csv_file is not None:
        write(csv_file, to_csv(points))
    if trace_file is not None:
        recogniser.trace_delta(candidate, points[-1].thresholds, utterance, split).save(trace_file)
    if csv_file != "-":
        names = [site.name for site in recogniser.sites]
        table = Table("x", "h", "FC", "error %", "eliminated %", f"transmitted %: {' '.join(names)}", box=SIMPLE_HEAD)
        for point in points:
            result = point.result
            table.add_row(
                str(point.x), "-" if point.h is None else str(point.h), str(point.fc), f"{result.rate.error:.2f}",
                f"{100 * result.eliminated:.1f}", " ".join(f"{100 * result.active[name]:.0f}" for name in names),
            )  # fmt: skip
        out.show(table)


@command(epilog="Example: `mohaq trace --bits 4x8 --out sru-4x8.yaml`")
def trace(
    context: typer.Context,
    bits: Annotated[str, Bits.__metadata__[0]] = "",
    model: ModelName = "sru",
    data: Data = None,
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
    refuse_exported(model, kind)
    if on_edgedrnn(arithmetic, thresholds):
        check_edgedrnn(model, kind, bits, given)
        from quant.evaluation.edgedrnn_network import trace_edgedrnn

        recogniser = load_recogniser(model, corpus, root)
        _write_trace(trace_edgedrnn(recogniser, register_thresholds(thresholds), utterance or 0, split), output)
        return
    needed_bits(bits)
    if chunk is not None and steps is not None:
        raise InputError(f"--chunk {chunk}: a chunk has its own number of frames: leave out --steps")
    refuse_options(model, kind, given)
    if kind is ModelKind.NETWORK or kind.is_of_task:
        check_no_utterance(kind, given)
        loaded = load_network(model, data) if kind is ModelKind.NETWORK else load_task_model(model, kind, root)
        _write_trace(loaded.trace(loaded.parse_bits(bits), steps), output)
        return
    recogniser = load_recogniser(model, corpus, root)
    candidate = recogniser.parse_bits(bits)
    if has_thresholds(candidate):
        for option, value in (("--steps", steps), ("--chunk", chunk)):
            if value is not None:
                raise InputError(f"{option} {value}: a trace with thresholds is of an utterance (--utterance)")
        result = recogniser.trace_utterance(candidate, utterance or 0, split)
    else:
        check_no_utterance(kind, given)
        if chunk is None:
            result = recogniser.trace(candidate, 300 if steps is None else steps)
        else:
            result = recogniser.trace_chunk(candidate, chunk)
    _write_trace(result, output)


def _write_trace(result: "Trace", output: Path | None) -> None:
    if output is None:
        print(result.to_yaml(), end="")
    else:
        result.save(output)
        out.say(f"{output}: {len(result.layers)} layers, {result.weight_bits_total / 8 / 2**20:.2f} MiB")


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
    if kind is ModelKind.EXPORTED_NETWORK:
        refuse_exported(model, kind)
    refuse_options(model, kind, given_options(context))
    scheme = (clipping, activation_clipping, per_channel)
    if kind is ModelKind.NETWORK:
        network = load_network(model, data, *scheme)
        out.say(export_network(form, network, network.parse_bits(needed_bits(bits)), output))
        return
    if kind is ModelKind.EXPORTED_RECOGNISER:
        if form == OWN_FORMAT:
            raise InputError(f"--model {model}: it is an exported model already: --format c, qdq or qonnx says another")
        checkpoint, weights, candidate = load_export(Path(model))
    else:
        recogniser = load_recogniser(model, "embedded", None, *scheme)
        recogniser.weights.scheme.refuse_codebooks("no format of exports has them")
        candidate = recogniser.parse_bits(needed_bits(bits))
        checkpoint, weights = recogniser.checkpoint, recogniser.weights
    if form != OWN_FORMAT:
        file = export_as(form, checkpoint, weights, candidate, output)
        out.say(f"{file}: {file.stat().st_size / 2**20:.2f} MiB")
        return
    write_export(checkpoint, weights, candidate, output)
    out.say(f"{output}: model.safetensors and model.json")
