"""The command `evaluate`: the error of a model at given bit-widths."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mohaq.app import command, err, out
from mohaq.corpora import corpus_root, load_recogniser, stored_kib
from mohaq.delta_options import (
    Arithmetic,
    RegisterThresholds,
    check_edgedrnn,
    on_edgedrnn,
    print_delta,
    register_thresholds,
)
from mohaq.model_kinds import ModelKind, given_options, model_kind, needed_bits, refuse_options
from mohaq.networks import load_exported_network, load_network
from mohaq.options import (
    ActivationClipping,
    Bits,
    Corpus,
    Data,
    ModelName,
    PerChannel,
    Root,
    SkipBad,
    WeightClipping,
    Weights,
)
from mohaq.task_models import load_task_model
from simulators.inputs.errors import InputError

if TYPE_CHECKING:
    from quant import Recogniser
    from quant.evaluation.rates import Rates, ReferenceCheck
    from quant.graphs.graph_model import GraphModel
    from quant.images.image_model import ImageModel
    from quant.tasks.task_gru import TaskGru

FLOAT = "float"
"""What `--bits` says of the unquantized model."""


@command(epilog="Example: `mohaq evaluate --bits L0=8x8,P1=4x8,L1=4x4,P2=4x8,L2=4x4,P3=4x8,L3=4x4,FC=4x8 --split test`")
def evaluate(
    context: typer.Context,
    bits: Annotated[str, Bits.__metadata__[0]] = "",
    model: ModelName = "sru",
    data: Data = None,
    weights: Weights = None,
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
    """Error of a model at given bit-widths, the phone error rate of a recogniser; `--bits float` is the unquantized
    model. An exported model's folder needs no bits."""
    kind, given = model_kind(model), given_options(context)
    scheme = (clipping, activation_clipping, per_channel)
    if on_edgedrnn(arithmetic, thresholds):
        check_edgedrnn(model, kind, bits, given)
        from quant.evaluation.edgedrnn_network import evaluate_edgedrnn

        recogniser = load_recogniser(model, corpus, root, skip_bad=skip_bad, every=every)
        found = evaluate_edgedrnn(recogniser, register_thresholds(thresholds), split)
        print_delta(found, split, recogniser.unit, as_json)
        return
    if not kind.is_exported:
        needed_bits(bits, FLOAT)
    refuse_options(model, kind, given)
    match kind:
        case ModelKind.TASK_GRU | ModelKind.IMAGES:
            if split not in ("train", "dev", "test"):
                raise InputError(f"--split {split}: it must be train, dev or test")
            _print_task_model(load_task_model(model, kind, root, clipping), bits, split, as_json)
        case ModelKind.NETWORK:
            network = load_network(model, data, *scheme, weights)
            _print_network(network, network.evaluate(None if bits == FLOAT else network.parse_bits(bits)), as_json)
        case ModelKind.EXPORTED_NETWORK:
            network, own = load_exported_network(model, data)
            _print_network(network, network.evaluate(own), as_json)
        case ModelKind.EXPORTED_RECOGNISER:
            from quant.evaluation.loading import load_exported_model

            root = corpus_root(corpus, root)
            recogniser, own = load_exported_model(Path(model), root, skip_bad=skip_bad, every=every)
            _evaluate_recogniser(recogniser, own, split, integer, as_json)
        case ModelKind.RECOGNISER:
            recogniser = load_recogniser(model, corpus, root, *scheme, skip_bad, every)
            candidate = None if bits == FLOAT else recogniser.parse_bits(bits)
            _evaluate_recogniser(recogniser, candidate, split, integer, as_json)


def _evaluate_recogniser(
    recogniser: "Recogniser", bits: dict[str, tuple[int, int]] | None, split: str, integer: int | None, as_json: bool
) -> None:
    """Evaluate a candidate, or the unquantized model, and print what it gives; `integer`: so many utterances by whole
    numbers instead."""
    if integer is not None:
        if bits is None:
            raise InputError("--integer: the unquantized model has no integers")
        _print_reference(recogniser.evaluate_reference(bits, integer, split))
        return
    rate = recogniser.evaluate(bits, split=split)
    size = None if bits is None else stored_kib(recogniser, bits)
    if recogniser.skipped:
        first = recogniser.skipped[0]
        err.say(f"{len(recogniser.skipped)} utterances skipped; the first: {first}")
    if as_json:
        print(json.dumps(rate.to_dict() | ({} if size is None else {"size_kib": size})))
        return
    subsets = ", ".join(f"{x:.2f}" for x in rate.subsets)
    out.say(
        f"{split}: {recogniser.unit} error rate {rate.error:.2f} % ({rate.substitutions} substitutions, "
        f"{rate.insertions} insertions, {rate.deletions} deletions of {rate.reference_phones} {recogniser.unit}s); "
        f"worst of 4 groups {rate.error_max:.2f} % ({subsets})" + ("" if size is None else f"; {size:,.1f} KiB"),
    )


def _print_task_model(model: "TaskGru | ImageModel", bits: str, split: str, as_json: bool) -> None:
    from quant.tasks.task_gru import TaskGru

    candidate = None if bits == FLOAT else model.parse_bits(bits)
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
        files, parts = len(network.data.utterances), network.error_parts
        over = f"over {files} file{'s' if files > 1 else ''}"
        worst = f"; worst of {parts} parts {rates.error_max:.2f} %" if parts > 1 else ""
        out.say(f"{network.name}: {network.error_name} {rates.error:.2f} % {over}{worst}")


def _print_reference(found: "ReferenceCheck") -> None:
    out.say(
        f"error rate {found.reference_error:.2f} % in whole numbers alone, {found.fast_error:.2f} % by the fast "
        f"path; the likeliest state is the same in {100 * found.agreement:.1f} % of frames",
    )  # fmt: skip
    taken = ", ".join(f"{site} {bits}" for site, bits in found.accumulator_bits.items())
    out.say(f"accumulator bits taken: {taken}")
