"""The command that sweeps thresholds of a delta network: `delta`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mohaq.app import command, err, out
from mohaq.corpora import load_recogniser
from mohaq.model_kinds import ModelKind, given_options, model_kind, refuse_exported, refuse_options
from mohaq.networks import load_network
from mohaq.options import Bits, Corpus, Csv, Data, ModelName, Root, Weights, written
from mohaq.targets import write
from simulators.inputs.errors import InputError
from simulators.inputs.files import check_targets
from simulators.inputs.terminal import DescriptionColumn

if TYPE_CHECKING:
    from quant import Recogniser
    from quant.evaluation.delta_sweep import DeltaPoint, HasThresholds
    from quant.graphs.delta_network import DeltaNetwork

LARGEST = (1 << 16) - 1
"""Threshold in codes: those of 16 bits differ by no more."""


@command(epilog="Example: `mohaq delta --model gru --bits 4 --thresholds 0,1,2 --csv delta.csv`")
def delta(
    context: typer.Context,
    bits: Bits,
    model: ModelName = "gru",
    data: Data = None,
    weights: Weights = None,
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
    check_targets({"--csv": csv_file, "--trace": trace_file}, {"the candidate": bits, "the model": model})
    values = _values(thresholds)
    kind = model_kind(model)
    refuse_exported(model, kind)
    given = given_options(context)
    given.pop("--thresholds", None)  # those of a training, of the same name, are recognisers'
    refuse_options(model, kind, given)
    if trace_file is None and "--utterance" in given:
        raise InputError(f"--utterance {utterance}: it is that of --trace")
    held: DeltaNetwork | Recogniser
    if kind is ModelKind.NETWORK:
        from quant.graphs import delta_network

        network = load_network(model, data, weights=weights)
        held, candidate = delta_network.DeltaNetwork(network), network.parse_bits(bits)
        if held.without:
            why = "; ".join(f"{site}: {reason}" for site, reason in held.without.items())
            err.say(f"no threshold, everything is sent: {why}")
    else:
        held = load_recogniser(model, corpus, root)
        candidate = held.parse_bits(bits)
        held.utterances(split)  # a corpus that cannot be read is said before the bar begins
    points = _swept(held, candidate, values, fc, split)
    _write_points(points, csv_file)
    if trace_file is not None:
        held.trace_delta(candidate, points[-1].thresholds, utterance, split).save(trace_file)


def _values(text: str) -> list[int]:
    """Thresholds as the option has them. Raises InputError."""
    try:
        values = [int(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"--thresholds {text}: they must be whole numbers, as in 0,1,2") from None
    if not all(0 <= value <= LARGEST for value in values):
        raise InputError(f"--thresholds {text}: they must be 0 to {LARGEST}, the largest change of a code")
    return values


def _swept(
    model: "HasThresholds", bits: dict[str, tuple[int, int]], values: list[int], fc: int | None, split: str
) -> "list[DeltaPoint]":
    """All points, under a bar."""
    from rich.progress import BarColumn, Progress, TimeRemainingColumn

    from quant.evaluation.delta_sweep import combinations, sweep

    bar = Progress(DescriptionColumn(), BarColumn(), TimeRemainingColumn(), console=err, transient=True)
    with bar as progress:
        points = sweep(model, bits, values, fc, split)
        return list(progress.track(points, len(combinations(model, values)), description="delta"))


def _write_points(points: "list[DeltaPoint]", csv_file: str | None) -> None:
    """Write the table where it is asked for, and print it unless standard output has it."""
    from quant.evaluation.delta_sweep import to_csv

    if csv_file is not None:
        write(csv_file, to_csv(points))
    if csv_file == "-":
        return
    names = list(points[0].result.active)
    table = Table("x", "h", "FC", "error %", "eliminated %", f"transmitted %: {' '.join(names)}", box=SIMPLE_HEAD)
    for point in points:
        result = point.result
        table.add_row(
            str(point.x), "-" if point.h is None else str(point.h), str(point.fc), f"{result.rate.error:.2f}",
            f"{100 * result.eliminated:.1f}", " ".join(f"{100 * result.active[name]:.0f}" for name in names),
        )  # fmt: skip
    out.show(table)
