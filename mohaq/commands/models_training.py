"""Commands that change a model's parameters: `train`, `retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mohaq.app import command, err, out
from mohaq.corpora import corpus_root, load_recogniser
from mohaq.delta_options import TrainedThresholds, with_thresholds
from mohaq.model_kinds import ModelKind, given_options, model_kind, refuse_exported, refuse_options
from mohaq.networks import load_network
from mohaq.options import Bits, Corpus, Data, ModelName, Root, SkipBad, TypeOfProducts, Weights, written
from mohaq.task_models import load_image_model, retrain_image_model, train_task_model
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder

if TYPE_CHECKING:
    from quant.graphs.graph_model import GraphModel
    from quant.training.product_types import Products

EXPORTED = "exported"
"""The folder in that of a retraining which has a network from a file with its integers: `--model` of `evaluate`."""


@command(epilog="Example: `mohaq train --out runs/my-sru --epochs 14`; again with `--resume` after an interruption")
def train(
    context: typer.Context,
    output: Annotated[
        Path,
        written(
            "--out", help="Folder of the run: its state after each epoch, the log, and model.safetensors at the end."
        ),
    ],
    task: Annotated[
        str | None,
        typer.Option(
            help="Not a recogniser, but an operator-wise GRU for `mnist-rows`, `japanese-vowels`, `basic-motions`, or "
            "`spoken-digits` with --root; or a convolutional network: `images-mobilenet`, `images-resnet`, "
            "`small-images-mobilenet`, `small-images-resnet`."
        ),
    ] = None,
    cell: Annotated[str, typer.Option(help="`sru`, `lstm`, `gru`, `ligru`, `mingru`, `lru`, or a plugin's.")] = "sru",
    layers: Annotated[int | None, typer.Option(min=1, help="Default: the published number.")] = None,
    cells: Annotated[int | None, typer.Option(min=1, help="Cells of a layer and direction; default: 550.")] = None,
    causal: Annotated[bool, typer.Option("--causal", help="Forward in time alone, as a stream is read.")] = False,
    unnormalised: Annotated[
        bool, typer.Option("--unnormalised", help="Without batch normalisation of the input products.")
    ] = False,
    corpus: Corpus = "embedded",
    root: Root = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the recipe's.")] = None,
    seed: Annotated[int, typer.Option(help="Of the weights, the batches and the dropout.")] = 1,
    start: Annotated[
        str | None,
        typer.Option(
            help="A model to train on from, in its sizes; its output layer is kept if the units are the same."
        ),
    ] = None,
    small: Annotated[
        bool, typer.Option("--small", help="The small model that the tests use: seconds, not minutes.")
    ] = False,
    skip_bad: SkipBad = False,
    products: TypeOfProducts = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Train a speech recogniser, calibrate it, and write its checkpoint and card; with --task a task's model."""
    if task is not None:
        given = given_options(context)
        out.say(f"checkpoint: {train_task_model(task, output, root, cells, epochs, seed, resume, given, err)}")
        return
    from quant.runs.training_run import run_training

    path = run_training(
        output, corpus_root(corpus, root), cell=cell, layers=layers, cells=cells, causal=causal,
        normalised=not unnormalised, epochs=epochs, seed=seed, small=small, resume=resume, start=start,
        skip_bad=skip_bad, products=_products(products), console=err,
    )  # fmt: skip
    out.say(f"checkpoint: {path}")


@command(epilog="Example: `mohaq retrain --bits 2 --out runs/sru-2bit --epochs 2`; again with `--resume` if stopped")
def retrain(
    context: typer.Context,
    bits: Bits,
    output: Annotated[Path, written("--out", help="Folder of the run: its state, and retrained.safetensors.")],
    thresholds: TrainedThresholds = None,
    model: ModelName = "sru",
    data: Data = None,
    weights: Weights = None,
    corpus: Corpus = "embedded",
    root: Root = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training set.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="Peak of the schedule.")] = 5e-4,
    seed: Annotated[int, typer.Option(help="Of batches and dropout.")] = 1,
    products: TypeOfProducts = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
) -> None:
    """Retrain a model for given bit-widths, full-precision weights under quantized ones; with thresholds as a delta
    network. Networks for pictures have the data of their task (--root)."""
    from quant.runs.training_run import features_progress, products_line, training_progress
    from quant.training.loop import chosen_products
    from quant.training.retraining import recipe_of
    from quant.training.retraining import retrain as run_retraining

    kind = model_kind(model)
    refuse_exported(model, kind)
    refuse_options(model, kind, given_options(context))
    if kind is ModelKind.NETWORK:
        network = load_network(model, data, weights=weights)
        _say_all(_retrain_network(network, network.parse_bits(bits), output, epochs, learning_rate, seed, resume))
        return
    if kind is ModelKind.TASK_GRU:
        raise InputError(f"--model {model}: an operator-wise GRU is trained (train --task), and not retrained")
    if kind is ModelKind.IMAGES:
        pictures = load_image_model(model, root)
        _say_all(retrain_image_model(pictures, bits, output, epochs, learning_rate, seed, resume, err))
        return
    recogniser = load_recogniser(model, corpus, root)
    candidate = with_thresholds(recogniser.parse_bits(bits), recogniser.sites, thresholds)
    recipe_of(recogniser.checkpoint, epochs, learning_rate, seed)  # what cannot be is said before it costs minutes
    make_folder(output)
    with features_progress(err) as on_utterance:
        training = recogniser.utterances("train", on_utterance("train"))
    product_type = chosen_products(output, resume, _products(products))
    err.say(products_line(product_type))
    with training_progress(epochs, err) as on_step:
        done = run_retraining(
            recogniser.checkpoint, candidate, training, output, recogniser.errs_at(candidate), epochs=epochs,
            learning_rate=learning_rate, seed=seed, products=product_type, resume=resume, on_step=on_step,
        )  # fmt: skip
    rate = f"{recogniser.unit} error rate {done.before:.2f} % before, {done.after:.2f} % after (dev)"
    _say_all((f"{done.path}: {rate}", *done.notes))


def _retrain_network(
    network: "GraphModel", bits: dict[str, tuple[int, int]], output: Path, epochs: int, learning_rate: float, seed: int,
    resume: bool,
) -> tuple[str, ...]:  # fmt: skip
    """Retrain a network from a file under a bar, write it with its integers too; what came of it, a line each."""
    from quant.graph_exports.own_format import export_graph
    from quant.graphs.graph_retraining import SENDS_EVERYTHING, GraphRecipe, retrain_graph
    from quant.runs.training_run import training_progress
    from quant.sites.candidate import refuse_thresholds

    refuse_thresholds(bits, SENDS_EVERYTHING)
    recipe = GraphRecipe(epochs, learning_rate, seed)
    make_folder(output)
    with training_progress(epochs, err) as on_step:
        done = retrain_graph(network, bits, output, recipe, resume, on_step)
    export_graph(network.with_weights_of(done.path), bits, output / EXPORTED)
    rates = (
        f"{done.path}: {network.error_name} {done.before:.2f} % before, {done.after:.2f} % after, on the data "
        f"that it was retrained on; {output / EXPORTED}: its integers"
    )
    return (rates, *done.notes)


def _say_all(lines: tuple[str, ...]) -> None:
    for line in lines:
        out.say(line)


def _products(text: str | None) -> "Products | None":
    """A type of products as an option names it. Raises InputError."""
    from quant.training.product_types import as_products

    try:
        return None if text is None else as_products(text)
    except ValueError as error:
        raise InputError(f"--products: {error}") from None
