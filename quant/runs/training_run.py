"""A training run: from a corpus to a checkpoint and its card, resumable, its progress on a console."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from quant.arithmetic.calibration import NOT_CALIBRATED
from quant.evaluation.recogniser import Recogniser
from quant.files.checkpoint import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from quant.networks.network import Network
from quant.networks.registry import DEFAULT_CELL
from quant.runs.model_card import model_card
from quant.runs.recipes import LEARNING_RATE_FROM, corpus_name, recipe_of, training_command
from quant.speech.corpus import load_corpus
from quant.speech.embedded import embedded_corpus
from quant.speech.features import Features, OnUtterance, load_features
from quant.speech.scoring import Decoder, tune_decoder
from quant.speech.utterances import SPLITS
from quant.training.calibrating import calibrate_on
from quant.training.loop import Examples, Recipe, Start, TrainingArithmetic, TrainingStep, chosen_products, train
from quant.training.product_types import Products, products_per_second
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.terminal import DescriptionColumn, Terminal


@dataclass(frozen=True)
class CorpusFeatures:
    """What a run trains and evaluates on."""

    root: Path | None
    """Folder of a corpus; None is the embedded one."""
    size: str | None
    """Size of the embedded corpus; None of another."""
    skip_bad: bool
    """Whether utterances that cannot be used are left out."""
    splits: dict[str, Features]
    """Features of train, dev and test, not normalised."""


def run_training(
    folder: Path,
    corpus_root: Path | None = None,
    *,
    name: str = "model",
    cell: str = DEFAULT_CELL,
    layers: int | None = None,
    cells: int | None = None,
    causal: bool = False,
    normalised: bool = True,
    epochs: int | None = None,
    seed: int = 1,
    small: bool = False,
    resume: bool = False,
    start: str | None = None,
    skip_bad: bool = False,
    products: Products | None = None,
    console: Terminal | None = None,
) -> Path:
    """Train, calibrate, tune the decoder on dev, and write `NAME.safetensors` with its card `NAME.md` to `folder`.

    `normalised`: whether input products are batch-normalised, unless the network is one to train on.
    `start`: a model whose layers to train on from, in its geometry; its output layer is kept only if it recognises
    the same units.

    `products` is the type of the products' operands: by default what a resumed run began with, or what is faster here.
    `corpus_root` is a corpus in TIMIT's layout; None is the embedded corpus. Returns the checkpoint's path. Raises
    InputError for a recipe or a corpus that cannot be, and for a folder that holds a run unless `resume`.
    """
    console = console or Terminal(quiet=True)
    recipe = replace(recipe_of(cell, small, layers, cells, causal), seed=seed)
    begun = None if start is None else load_checkpoint(find_checkpoint(start))
    if begun is not None:
        if (
            small
            or causal
            or not normalised
            or layers is not None
            or cells is not None
            or cell not in (DEFAULT_CELL, begun.network.cell.name)
        ):
            raise InputError(f"{start}: a network to start from has its own cell and sizes, and no normalisation")
        recipe = Recipe(begun.network.geometry, seed=seed, learning_rate=LEARNING_RATE_FROM)
    make_folder(folder)
    products = chosen_products(folder, resume, products)
    recipe = replace(recipe, epochs=epochs or recipe.epochs, normalised=normalised, products=products)
    corpus = _read_corpus(corpus_root, None if corpus_root else "small" if small else "full", skip_bad, console)
    console.say(products_line(products))
    training = corpus.splits["train"]
    recipe = replace(recipe, geometry=replace(recipe.geometry, outputs=training.units.classes))
    record = _record(recipe, corpus, begun)
    decoder = Decoder.estimate(training)
    network = _train(recipe, corpus, decoder, record, folder, resume, console, begun)

    path = folder / f"{name}.safetensors"
    statistics = training.statistics()
    for parameter in network.parameters():  # what is calibrated and measured is what is stored: float16
        parameter.data = parameter.data.half().float()
    calibration = calibrate_on(network, training.normalised(statistics), seed)
    console.say("tuning the decoder on dev")
    # Not as a file: one without its decoder would lie there as the run's result if this process were killed now.
    untuned = Checkpoint(name, network, statistics, decoder, calibration, record, "")
    posteriors = Recogniser(untuned, corpus_root, skip_bad=skip_bad).log_posteriors(None, "dev")
    decoder = tune_decoder(decoder, posteriors, corpus.splits["dev"].phones)
    save_checkpoint(path, network, statistics, decoder, calibration, record)
    command = training_command(recipe, small, start, corpus_root, skip_bad)
    model = Recogniser(load_checkpoint(path), corpus_root, skip_bad=skip_bad)
    write_whole(folder / f"{name}.md", model_card(model, command, corpus_root, console).encode())
    return path


def products_line(products: Products) -> str:
    """What a run says of its type of products."""
    speeds = ", ".join(f"{name} {2e-9 * speed:.0f}" for name, speed in products_per_second().items())
    return f"products in {products} (GFLOP/s here: {speeds})"


@contextmanager
def training_progress(epochs: int, console: Terminal) -> Iterator[Callable[[TrainingStep], None]]:
    """What moves a bar with an estimate."""
    columns = (DescriptionColumn(), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=None)

        def on_step(step: TrainingStep) -> None:
            text = f"epoch {step.epoch}/{epochs}, loss {step.loss:.3f}"
            if step.frames_per_second is not None:
                text += f", {step.frames_per_second:,.0f} frames/s"
            progress.update(task, description=text, total=step.total, completed=step.done)

        yield on_step


@contextmanager
def features_progress(console: Terminal) -> Iterator[Callable[[str], OnUtterance]]:
    """What moves a bar of its own for the features of each split. It begins with the first that is computed, behind the
    bars of a corpus that is made."""
    columns = (DescriptionColumn(), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console)

    def of(split: str) -> OnUtterance:
        def on_utterance(done: int, total: int) -> None:
            if not progress.tasks or progress.tasks[-1].fields["split"] != split:
                progress.add_task(f"features of {split}", total=total, split=split)
                progress.start()
            progress.update(progress.tasks[-1].id, completed=done)

        return on_utterance

    try:
        yield of
    finally:
        if progress.tasks:
            progress.stop()


def _read_corpus(
    corpus_root: Path | None, corpus_size: str | None, skip_bad: bool, console: Terminal
) -> CorpusFeatures:
    root = corpus_root or embedded_corpus(size=str(corpus_size))
    splits = {}
    with features_progress(console) as on_utterance:
        for split in SPLITS:
            corpus = load_corpus(root, split, skip_bad)
            if corpus.skipped:
                console.say(f"{split}: {len(corpus.skipped)} utterances skipped; the first: {corpus.skipped[0]}")
            splits[split] = load_features(corpus, on_utterance(split))
    return CorpusFeatures(corpus_root, corpus_size, skip_bad, splits)


def _record(recipe: Recipe, corpus: CorpusFeatures, begun: Checkpoint | None) -> dict[str, Any]:
    """What a checkpoint says of how it was made."""
    record: dict[str, Any] = {
        "corpus": corpus_name(corpus.root),
        "corpus_size": corpus.size,
        "corpus_seed": 0,
        "minutes": {split: round(features.frames / 6000, 1) for split, features in corpus.splits.items()},
        "digests": {split: features.digest for split, features in corpus.splits.items()},
        "recipe": recipe.to_dict(),
        "mohaq": version("mohaq"),
    }
    if begun is not None:
        record["start"] = {"name": begun.name, "digest": begun.digest}
    return record


def _train(
    recipe: Recipe,
    corpus: CorpusFeatures,
    decoder: Decoder,
    record: dict[str, Any],
    folder: Path,
    resume: bool,
    console: Terminal,
    begun: Checkpoint | None,
) -> Network:
    """Train to the end, and say the error rate on dev after every epoch."""
    statistics = corpus.splits["train"].statistics()
    training = corpus.splits["train"].normalised(statistics)
    with training_progress(recipe.epochs, console) as on_step:

        def on_epoch(epoch: int, network: Network) -> None:
            half_way = Checkpoint("", network, statistics, decoder, NOT_CALIBRATED, record, "")
            rate = Recogniser(half_way, corpus.root, skip_bad=corpus.skip_bad).evaluate(None)
            console.say(
                f"epoch {epoch}/{recipe.epochs}: dev {decoder.units.unit} error rate {rate.error:.2f} %",
            )

        examples = Examples(training.mats, training.labels, training.digest)
        start = None
        if begun is not None:
            start = Start(
                _with_outputs(begun.network, recipe), begun.digest, lambda _: TrainingArithmetic(recipe.products)
            )
        return train(recipe, examples, folder, resume, start, on_step, on_epoch)


def _with_outputs(network: Network, recipe: Recipe) -> Network:
    """The network with an output layer of the recipe's size: a new one, if that is another."""
    resized = Network(recipe.geometry)
    resized.initialise(torch.Generator().manual_seed(recipe.seed))
    state = {
        name: value for name, value in network.state_dict().items() if value.shape == resized.get_parameter(name).shape
    }
    resized.load_state_dict({**resized.state_dict(), **state})
    return resized
