"""Commands that read a model and leave its parameters as they are: `evaluate`, `delta`, `trace`, `export`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mohaq.app import command, err, out
from mohaq.corpora import corpus_root, load_recogniser, stored_kib
from mohaq.delta_options import (
    Arithmetic,
    RegisterThresholds,
    check_edgedrnn,
    check_no_utterance,
    has_thresholds,
    on_edgedrnn,
    print_delta,
    register_thresholds,
)
from mohaq.networks import check_no_corpus, exported_network, is_network, load_network, refuse_network
from mohaq.options import (
    ActivationClipping,
    Bits,
    Corpus,
    Csv,
    Data,
    ModelName,
    PerChannel,
    Root,
    SkipBad,
    WeightClipping,
    written,
)
from mohaq.targets import write
from mohaq.task_models import load_task_model
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_targets
from simulators.inputs.terminal import DescriptionColumn

if TYPE_CHECKING:
    from quant.evaluation.rates import Rates, ReferenceCheck
    from quant.graphs.graph_model import GraphModel
    from quant.images.image_model import ImageModel
    from quant.tasks.task_gru import TaskGru
    from simulators import Trace


@command(epilog="Example: `mohaq evaluate --bits L0=8x8,P1=4x8,L1=4x4,P2=4x8,L2=4x4,P3=4x8,L3=4x4,FC=4x8 --split test`")
def evaluate(
    bits: Annotated[str, Bits.__metadata__[0]] = "",
    model: ModelName = "sru",
    data: Data = None,
    corpus: Corpus = "embedded",
    root: Root = None,
    split: Annotated[str, typer.Option(help="`dev`, `test` or `train`.")] = "dev",
    clipping: WeightClipping = "mse",
    activation_clipping: ActivationClipping = "mse",
    per_channel: PerChannel = False,
    skip_bad: SkipBad = False,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Only every N-th utterance.")] = 1,
    integer: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="The first N utterances by whole numbers alone, beside the fast path."),
    ] = None,
    arithmetic: Arithmetic = "quantized",
    thresholds: RegisterThresholds = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Phone error rate of a model at given bit-widths; `--bits float` is the unquantized model. An exported model's
    folder needs no bits."""
    exported = _is_exported(model)
    if on_edgedrnn(arithmetic, thresholds):
        check_edgedrnn(bits, model, {
            "--clipping": clipping != "mse", "--activation-clipping": activation_clipping != "mse",
            "--per-channel": per_channel, "--integer": integer is not None, "--data": data is not None,
        })  # fmt: skip
        from quant.evaluation.edgedrnn_network import evaluate_edgedrnn

        recogniser = load_recogniser(model, corpus, root, skip_bad=skip_bad, every=every)
        found = evaluate_edgedrnn(recogniser, register_thresholds(thresholds), split)
        print_delta(found, split, recogniser.unit, as_json)
        return
    if not (bits or exported):
        raise InputError("--bits: missing: a width such as 8, weights x activations such as 4x8, or float")
    found_export = exported_network(model, data) if exported else None
    if is_network(model) or found_export is not None:
        check_no_corpus({
            "--corpus": corpus != "embedded", "--root": root is not None, "--split": split != "dev",
            "--skip-bad": skip_bad, "--every": every != 1, "--integer": integer is not None,
        })  # fmt: skip
    others = {
        "--data": data is not None, "--corpus": corpus != "embedded",
        "--activation-clipping": activation_clipping != "mse", "--per-channel": per_channel, "--skip-bad": skip_bad,
        "--every": every != 1, "--integer": integer is not None,
    }  # fmt: skip
    of_task = None if is_network(model) or exported else load_task_model(model, root, others, clipping)
    if of_task is not None:
        _print_task_model(of_task, bits, split, as_json)
        return
    if exported:
        _refuse_choices(model, bits, clipping, activation_clipping, per_channel)
    if found_export is not None:
        loaded, own = found_export
        _print_network(loaded, loaded.evaluate(own), as_json)
        return
    network = load_network(model, data, clipping, activation_clipping, per_channel)
    if network is not None:
        rates = network.evaluate(None if bits == "float" else network.parse_bits(bits))
        _print_network(network, rates, as_json)
        return
    if exported:
        from quant.evaluation.loading import load_exported_model

        candidate: dict[str, tuple[int, int]] | None
        recogniser, candidate = load_exported_model(
            Path(model), corpus_root(corpus, root), skip_bad=skip_bad, every=every
        )
    else:
        recogniser = load_recogniser(model, corpus, root, clipping, activation_clipping, per_channel, skip_bad, every)
        candidate = None if bits == "float" else recogniser.parse_bits(bits)
    if integer is not None:
        if candidate is None:
            raise InputError("--integer: the unquantized model has no integers")
        _print_reference(recogniser.evaluate_reference(candidate, integer, split))
        return
    rate = recogniser.evaluate(candidate, split=split)
    size = None if candidate is None else stored_kib(recogniser, candidate)
    if recogniser.skipped:
        first = recogniser.skipped[0]
        err.say(f"{len(recogniser.skipped)} utterances skipped; the first: {first}")
    if as_json:
        print(json.dumps(rate.to_dict() | ({} if size is None else {"size_kib": size})))
    else:
        subsets = ", ".join(f"{x:.2f}" for x in rate.subsets)
        out.say(
            f"{split}: {recogniser.unit} error rate {rate.error:.2f} % ({rate.substitutions} substitutions, "
            f"{rate.insertions} insertions, {rate.deletions} deletions of {rate.reference_phones} {recogniser.unit}s); "
            f"worst of 4 groups {rate.error_max:.2f} % ({subsets})" + ("" if size is None else f"; {size:,.1f} KiB"),
        )


@command(epilog="Example: `mohaq delta --model gru --bits 4 --thresholds 0,1,2 --csv delta.csv`")
def delta(
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
    refuse_network(model, data, "delta networks are those of this project's recognisers")
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
    if on_edgedrnn(arithmetic, thresholds):
        given = {"--data": data is not None, "--steps": steps is not None, "--chunk": chunk is not None}
        check_edgedrnn(bits, model, given)
        from quant.evaluation.edgedrnn_network import trace_edgedrnn

        recogniser = load_recogniser(model, corpus, root)
        _write_trace(trace_edgedrnn(recogniser, register_thresholds(thresholds), utterance or 0, split), output)
        return
    if not bits:
        raise InputError("--bits: missing: a width such as 8, or weights x activations such as 4x8")
    if chunk is not None and steps is not None:
        raise InputError(f"--chunk {chunk}: a chunk has its own number of frames: leave out --steps")
    if chunk is not None and is_network(model):
        raise InputError(f"--chunk {chunk}: that of a network from a file is in its data.yaml")
    of_utterance = {"--utterance": utterance is not None, "--split": split != "dev", "--corpus": corpus != "embedded"}
    network = load_network(model, data)
    if network is not None:
        check_no_utterance(of_utterance | {"--root": root is not None})
        _write_trace(network.trace(network.parse_bits(bits), steps), output)
        return
    of_task = load_task_model(model, root, {"--data": data is not None, "--chunk": chunk is not None})
    if of_task is not None:
        check_no_utterance(of_utterance)
        _write_trace(of_task.trace(of_task.parse_bits(bits), steps), output)
        return
    recogniser = load_recogniser(model, corpus, root)
    candidate = recogniser.parse_bits(bits)
    if has_thresholds(candidate):
        for option, value in (("--steps", steps), ("--chunk", chunk)):
            if value is not None:
                raise InputError(f"{option} {value}: a trace with thresholds is of an utterance (--utterance)")
        result = recogniser.trace_utterance(candidate, utterance or 0, split)
    else:
        check_no_utterance(of_utterance | {"--root": root is not None})
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
    from quant.graph_exports.own_format import is_exported_graph

    check_export(form, output)
    network = load_network(model, data, clipping, activation_clipping, per_channel)
    if network is not None:
        out.say(export_network(form, network, network.parse_bits(_needed(bits)), output))
        return
    if _is_exported(model):
        _refuse_choices(model, bits, clipping, activation_clipping, per_channel)
        if is_exported_graph(Path(model)):
            raise InputError(f"--model {model}: an exported network: only `evaluate` takes its folder")
        if form == OWN_FORMAT:
            raise InputError(f"--model {model}: it is an exported model already: --format c, qdq or qonnx says another")
        checkpoint, weights, candidate = load_export(Path(model))
    else:
        recogniser = load_recogniser(model, "embedded", None, clipping, activation_clipping, per_channel)
        recogniser.weights.scheme.refuse_codebooks("no format of exports has them")
        checkpoint, weights, candidate = recogniser.checkpoint, recogniser.weights, recogniser.parse_bits(_needed(bits))
    if form != OWN_FORMAT:
        file = export_as(form, checkpoint, weights, candidate, output)
        out.say(f"{file}: {file.stat().st_size / 2**20:.2f} MiB")
        return
    write_export(checkpoint, weights, candidate, output)
    out.say(f"{output}: model.safetensors and model.json")


def _needed(bits: str) -> str:
    """Raises InputError where none are given."""
    if not bits:
        raise InputError("--bits: missing: a width such as 8, or weights x activations such as 4x8")
    return bits


def _is_exported(model: str) -> bool:
    """Whether a name is that of an exported model's folder."""
    return (Path(model) / "model.json").is_file()


def _refuse_choices(model: str, bits: str, clipping: str, activation_clipping: str, per_channel: bool) -> None:
    """Raises InputError where bits or clippings are given for an exported model, which has its own."""
    if bits:
        raise InputError(f"--bits {bits}: {model} is an exported model: its bits are in its model.json")
    if per_channel or (clipping, activation_clipping) != ("mse", "mse"):
        raise InputError(f"--clipping: {model} is an exported model: what it clips is in its model.json")


def _print_task_model(model: "TaskGru | ImageModel", bits: str, split: str, as_json: bool) -> None:
    from quant.tasks.task_gru import TaskGru

    if split not in ("train", "dev", "test"):
        raise InputError(f"--split {split}: it must be train, dev or test")
    candidate = None if bits == "float" else model.parse_bits(bits)
    rates = model.on_split(split).evaluate(candidate)
    if as_json:
        of = "sequences" if isinstance(model, TaskGru) else "pictures"
        print(json.dumps({"error_max": rates.error_max, "error": rates.error, "of": of}))
        return
    size = "" if candidate is None else f", {model.stored_bits(candidate) / 8192:.2f} KiB"
    out.say(f"{split}: {model.task}: {rates.error:.2f} % wrong; worst of 4 parts {rates.error_max:.2f} %{size}")


def _print_network(network: "GraphModel", rates: "Rates", as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error_max": rates.error_max, "error": rates.error, "of": network.error_name}))
    else:
        files, worst = len(network.data.utterances), f"worst of {network.error_parts} parts {rates.error_max:.2f} %"
        out.say(f"{network.name}: {network.error_name} {rates.error:.2f} % over {files} files; {worst}")


def _print_reference(found: "ReferenceCheck") -> None:
    out.say(
        f"error rate {found.reference_error:.2f} % in whole numbers alone, {found.fast_error:.2f} % by the fast "
        f"path; the likeliest state is the same in {100 * found.agreement:.1f} % of frames",
    )  # fmt: skip
    taken = ", ".join(f"{site} {bits}" for site, bits in found.accumulator_bits.items())
    out.say(f"accumulator bits taken: {taken}")
