"""`mohaq train`: from a corpus to a checkpoint and its card. Progress on a console, state in a folder, resumable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quant.arithmetic.calibration import NOT_CALIBRATED, calibrate_on
from quant.evaluation.recogniser import Recogniser, find_checkpoint
from quant.files.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from quant.networks import registry as networks
from quant.networks.registry import Network
from quant.networks.sru import Sru, SruGeometry
from quant.sites.candidate import BIT_WIDTHS, homogeneous
from quant.speech.corpus import load_corpus
from quant.speech.digits import is_digits
from quant.speech.embedded import embedded_corpus
from quant.speech.features import Features, load_features
from quant.speech.scoring import Decoder, tune_decoder
from quant.speech.utterances import SPLITS
from quant.training.loop import BFloat16Arithmetic, Examples, Recipe, Start, Step, train
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole

LEARNING_RATE_FROM = 1e-3
"""Peak for a network that starts from a trained one."""

SMALL = Recipe(
    geometry=SruGeometry(layers=2, cells=48, projection=32),
    epochs=8,
    frames_per_batch=2048,
    learning_rate=1e-2,
    dropout=0.0,
)
"""Trains in seconds on the small embedded corpus: for tests and first tries."""


def recipe_of(cell: str, small: bool, layers: int | None = None, cells: int | None = None) -> Recipe:
    """The recipe of a cell: the same for all, but for the geometry. Small ones are for tests. `layers` and `cells`
    replace the published sizes. Raises InputError."""
    sizes = {name: value for name, value in (("layers", layers), ("cells", cells)) if value is not None}
    if small:
        sizes = {**({"layers": 2, "cells": 48} | ({"projection": 32} if cell == Sru.cell else {})), **sizes}
        return replace(SMALL, geometry=networks.geometry(cell, sizes))
    return Recipe(geometry=networks.geometry(cell, sizes))


def run_training(
    folder: Path,
    corpus_root: Path | None = None,
    *,
    name: str = "model",
    cell: str = "sru",
    layers: int | None = None,
    cells: int | None = None,
    epochs: int | None = None,
    seed: int = 1,
    small: bool = False,
    resume: bool = False,
    start: str | None = None,
    skip_bad: bool = False,
    console: Console | None = None,
) -> Path:
    """Train, calibrate, tune the decoder on dev, and write `NAME.safetensors` with its card `NAME.md` to `folder`.

    `start`: a model whose layers to train on from, in its geometry; its output layer is kept only if it recognises
    the same units.

    `corpus_root` is a corpus in TIMIT's layout; None is the embedded corpus. Returns the checkpoint's path.
    """
    console = console or Console(quiet=True)
    recipe = replace(recipe_of(cell, small, layers, cells), seed=seed)
    begun = None if start is None else load_checkpoint(find_checkpoint(start))
    if begun is not None:
        if small or layers is not None or cells is not None or cell not in (Sru.cell, begun.network.cell):
            raise InputError(f"{start}: a network to start from has its own cell and sizes")
        recipe = Recipe(geometry=begun.network.geometry, seed=seed, learning_rate=LEARNING_RATE_FROM)
    make_folder(folder)
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    corpus_size = None if corpus_root else "small" if small else "full"
    root = corpus_root or embedded_corpus(size=str(corpus_size))
    corpora = {split: load_corpus(root, split, skip_bad) for split in SPLITS}
    for split, corpus in corpora.items():
        if corpus.skipped:
            console.print(f"{split}: {len(corpus.skipped)} utterances skipped; the first: {corpus.skipped[0]}")
    raw = {split: load_features(corpus) for split, corpus in corpora.items()}
    recipe = replace(recipe, geometry=replace(recipe.geometry, outputs=raw["train"].units.classes))
    record: dict[str, Any] = {
        "corpus": corpus_name(corpus_root),
        "corpus_size": corpus_size,
        "corpus_seed": 0,
        "minutes": {split: round(features.frames / 6000, 1) for split, features in raw.items()},
        "digests": {split: features.digest for split, features in raw.items()},
        "recipe": asdict(recipe),
        "mohaq": version("mohaq"),
    }
    decoder = Decoder.estimate(raw["train"])
    if begun is not None:
        record["start"] = {"name": begun.name, "digest": begun.digest}
    network = _train(recipe, raw, decoder, record, folder, resume, corpus_root, skip_bad, console, begun)

    path = folder / f"{name}.safetensors"
    statistics = raw["train"].statistics()
    for parameter in network.parameters():  # what is calibrated and measured is what is stored: float16
        parameter.data = parameter.data.half().float()
    calibration = calibrate_on(network, raw["train"].normalised(statistics), seed)
    save_checkpoint(path, network, statistics, decoder, calibration, record)
    console.print("tuning the decoder on dev")
    untuned = Recogniser(load_checkpoint(path), corpus_root, skip_bad=skip_bad)
    decoder = tune_decoder(decoder, untuned.log_posteriors(None, "dev"), raw["dev"].phones)
    save_checkpoint(path, network, statistics, decoder, calibration, record)
    command = training_command(recipe, network.cell, small, start, corpus_root, skip_bad)
    write_whole(folder / f"{name}.md", _card(path, command, corpus_root, skip_bad, console).encode())
    return path


def training_command(
    recipe: Recipe, cell: str, small: bool, start: str | None, corpus_root: Path | None, skip_bad: bool
) -> str:
    """What trains the same model again."""
    words = ["mohaq train --out FOLDER"]
    if start is not None:
        words.append(f"--start {start}" if Path(start).name == start else f"--start FOLDER/{Path(start).name}")
    else:
        words += ["--small"] * small + [f"--cell {cell}"] * (cell != Sru.cell)
        usual = replace(recipe_of(cell, small).geometry, outputs=recipe.geometry.outputs)
        if cell != Sru.cell or recipe.geometry != usual:
            words.append(f"--layers {recipe.geometry.layers} --cells {recipe.geometry.cells}")
    if corpus_root:
        words.append(f"--corpus {corpus_name(corpus_root)} --root FOLDER" + " --skip-bad" * skip_bad)
    return " ".join([*words, f"--epochs {recipe.epochs} --seed {recipe.seed}"])


def corpus_name(root: Path | None) -> str:
    """What lies in a corpus's folder; None is the embedded corpus."""
    if root is None:
        return "embedded"
    return "fsdd" if is_digits(root) else "timit"


@contextmanager
def training_progress(epochs: int, console: Console) -> Iterator[tuple[Progress, Callable[[Step], None]]]:
    """A bar with an estimate, and what moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=None)

        def on_step(step: Step) -> None:
            text = f"epoch {step.epoch}/{epochs}, loss {step.loss:.3f}, {step.frames_per_second:,.0f} frames/s"
            progress.update(task, description=text, total=step.total, completed=step.done)

        yield progress, on_step


def _train(
    recipe: Recipe,
    raw: dict[str, Features],
    decoder: Decoder,
    record: dict[str, Any],
    folder: Path,
    resume: bool,
    corpus_root: Path | None,
    skip_bad: bool,
    console: Console,
    begun: Checkpoint | None,
) -> Network:
    statistics = raw["train"].statistics()
    training = raw["train"].normalised(statistics)
    with training_progress(recipe.epochs, console) as (progress, on_step):

        def on_epoch(epoch: int, network: Network) -> None:
            half_way = Checkpoint("", network, statistics, decoder, NOT_CALIBRATED, record, "")
            rate = Recogniser(half_way, corpus_root, skip_bad=skip_bad).evaluate(None)
            progress.console.print(
                f"epoch {epoch}/{recipe.epochs}: dev {decoder.units.unit} error rate {rate.error:.2f} %",
                highlight=False,
            )

        examples = Examples(training.mats, training.labels, training.digest)
        start = None
        if begun is not None:
            start = Start(_with_outputs(begun.network, recipe), begun.digest, lambda _: BFloat16Arithmetic())
        return train(recipe, examples, folder, resume, start, on_step, on_epoch)


def _with_outputs(network: Network, recipe: Recipe) -> Network:
    """The network with an output layer of the recipe's size: a new one, if that is another."""
    made = networks.network(recipe.geometry)
    made.initialise(torch.Generator().manual_seed(recipe.seed))
    state = {
        name: value for name, value in network.state_dict().items() if value.shape == made.get_parameter(name).shape
    }
    made.load_state_dict({**made.state_dict(), **state})
    return made


def _card(path: Path, command: str, corpus_root: Path | None, skip_bad: bool, console: Console) -> str:
    model = Recogniser(load_checkpoint(path), corpus_root, skip_bad=skip_bad)
    record, geometry, name = model.checkpoint.record, model.network.geometry, corpus_name(corpus_root)
    rows = []
    for label, bits in [("float", None), *((f"{b}x{b}", homogeneous(model.sites, b)) for b in BIT_WIDTHS[::-1])]:
        dev, test = model.evaluate(bits, "dev"), model.evaluate(bits, "test")
        rows.append(f"| {label} | {dev.error:.2f} | {dev.error_max:.2f} | {test.error:.2f} | {test.error_max:.2f} |")
        console.print(
            f"{label}: {model.unit} error rate {dev.error:.2f} % on dev, {test.error:.2f} % on test", highlight=False
        )
    recipe, minutes = record["recipe"], record["minutes"]
    weights = sum(site.weights for site in model.sites)
    corpus = f"embedded ({record['corpus_size']}, seed {record['corpus_seed']})" if not corpus_root else _CORPORA[name]
    return f"""# {path.stem}

{_describe(geometry)}, {geometry.outputs} {model.unit} states; {weights:,} weights, stored as float16.

- Corpus: {corpus}; {minutes["train"]} min of train, {minutes["dev"]} of dev, {minutes["test"]} of test.
- Training: {recipe["epochs"]} epochs, seed {recipe["seed"]}; the weights of the last epoch.
- Reproduce: `{command}`

{_MEASURE[model.unit]} Bits are weights x activations, the same at every site, post-training.

| bits | dev | dev, worst | test | test, worst |
|---|---|---|---|---|
{chr(10).join(rows)}
"""


_CORPORA = {"timit": "TIMIT's layout", "fsdd": "Free Spoken Digit Dataset, connected digits; no speaker in two splits"}
_MEASURE = {
    "phone": (
        "Phone error rate in percent over 39 phones (silence included), after Viterbi decoding with a phone bigram;\n"
        "worst: the largest over four groups of speakers."
    ),
    "digit": (
        "Digit error rate in percent (substitutions, insertions, deletions) after decoding with a digit bigram;\n"
        "worst: the largest over four groups of utterances."
    ),
}
_NAMES = {"lstm": "LSTM", "gru": "GRU", "ligru": "Li-GRU"}


def _describe(geometry: networks.Geometry) -> str:
    if isinstance(geometry, SruGeometry):
        return (
            f"Bidirectional SRU: {geometry.layers} layers of {geometry.cells} cells a direction, projections of\n"
            f"{geometry.projection}"
        )
    return f"Bidirectional {_NAMES[geometry.cell]}: {geometry.layers} layers of {geometry.cells} cells a direction"
