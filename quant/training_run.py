"""`mohaq train`: from a corpus to a checkpoint and its card. Progress on a console, state in a folder, resumable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quant.batches import pack
from quant.calibration import NOT_CALIBRATED, Calibration, calibrate
from quant.candidate import homogeneous
from quant.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from quant.models import networks
from quant.models.networks import Network
from quant.models.sru import Sru, SruGeometry
from quant.quantizer import BIT_WIDTHS
from quant.recogniser import Recogniser
from quant.speech.corpus import SPLITS, load_corpus
from quant.speech.embedded import embedded_corpus
from quant.speech.features import Features, load_features
from quant.speech.scoring import Decoder, tune_decoder
from quant.train import Examples, Recipe, Step, train
from simulators.files import write_whole

CALIBRATION_UTTERANCES = 32
SMALL = Recipe(
    geometry=SruGeometry(layers=2, cells=48, projection=32),
    epochs=8,
    frames_per_batch=2048,
    learning_rate=1e-2,
    dropout=0.0,
)
"""Trains in seconds on the small embedded corpus: for tests and first tries."""


def recipe_of(cell: str, small: bool, layers: int | None = None, cells: int | None = None) -> Recipe:
    """The recipe of a cell. Those with a recurrent product take larger batches, for a step is one product over a
    batch; small ones are for tests. `layers` and `cells` replace the published sizes. Raises InputError."""
    sizes = {name: value for name, value in (("layers", layers), ("cells", cells)) if value is not None}
    if small:
        sizes = {**({"layers": 2, "cells": 48} | ({"projection": 32} if cell == Sru.cell else {})), **sizes}
        return replace(SMALL, geometry=networks.geometry(cell, sizes))
    if cell == Sru.cell:
        return Recipe(geometry=networks.geometry(cell, sizes))
    return Recipe(geometry=networks.geometry(cell, sizes), frames_per_batch=12288)


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
    console: Console | None = None,
) -> Path:
    """Train, calibrate, tune the decoder on dev, and write `NAME.safetensors` with its card `NAME.md` to `folder`.

    `corpus_root` is a corpus in TIMIT's layout; None is the embedded corpus. Returns the checkpoint's path.
    """
    console = console or Console(quiet=True)
    recipe = replace(recipe_of(cell, small, layers, cells), seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = replace(recipe, epochs=epochs or recipe.epochs)
    corpus_size = None if corpus_root else "small" if small else "full"
    root = corpus_root or embedded_corpus(size=str(corpus_size))
    raw = {split: load_features(load_corpus(root, split)) for split in SPLITS}
    record: dict[str, Any] = {
        "corpus": "timit" if corpus_root else "embedded",
        "corpus_size": corpus_size,
        "corpus_seed": 0,
        "minutes": {split: round(features.frames / 6000, 1) for split, features in raw.items()},
        "digests": {split: features.digest for split, features in raw.items()},
        "recipe": asdict(recipe),
        "mohaq": version("mohaq"),
    }
    decoder = Decoder.estimate(raw["train"])
    network = _train(recipe, raw, decoder, record, folder, resume, corpus_root, console)

    path = folder / f"{name}.safetensors"
    statistics = raw["train"].statistics()
    for parameter in network.parameters():  # what is calibrated and measured is what is stored: float16
        parameter.data = parameter.data.half().float()
    calibration = calibrate_on(network, raw["train"].normalised(statistics), seed)
    save_checkpoint(path, network, statistics, decoder, calibration, record)
    console.print("tuning the decoder on dev")
    untuned = Recogniser(load_checkpoint(path), corpus_root)
    decoder = tune_decoder(decoder, untuned.log_posteriors(None, "dev"), raw["dev"].phones)
    save_checkpoint(path, network, statistics, decoder, calibration, record)
    write_whole(folder / f"{name}.md", _card(path, corpus_root, console).encode())
    return path


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
    console: Console,
) -> Network:
    statistics = raw["train"].statistics()
    training = raw["train"].normalised(statistics)
    with training_progress(recipe.epochs, console) as (progress, on_step):

        def on_epoch(epoch: int, network: Network) -> None:
            half_way = Checkpoint("", network, statistics, decoder, NOT_CALIBRATED, record, "")
            rate = Recogniser(half_way, corpus_root).evaluate(None)
            progress.console.print(
                f"epoch {epoch}/{recipe.epochs}: dev phone error rate {rate.error:.2f} %", highlight=False
            )

        examples = Examples(training.mats, training.labels, training.digest)
        return train(recipe, examples, folder, resume, None, on_step, on_epoch)


def calibrate_on(network: Network, training: Features, seed: int) -> Calibration:
    """Ranges on a random sample of the training set: dev stays unseen by everything but the decoder's three weights."""
    count = min(CALIBRATION_UTTERANCES, len(training))
    positions = np.random.default_rng(seed).choice(len(training), count, replace=False)
    return calibrate(network, pack(training.mats, None, sorted(positions.tolist())))


def _card(path: Path, corpus_root: Path | None, console: Console) -> str:
    model = Recogniser(load_checkpoint(path), corpus_root)
    record, geometry = model.checkpoint.record, model.network.geometry
    rows = []
    for label, bits in [("float", None), *((f"{b}x{b}", homogeneous(model.sites, b)) for b in BIT_WIDTHS[::-1])]:
        dev, test = model.evaluate(bits, "dev"), model.evaluate(bits, "test")
        rows.append(f"| {label} | {dev.error:.2f} | {dev.error_max:.2f} | {test.error:.2f} | {test.error_max:.2f} |")
        console.print(
            f"{label}: phone error rate {dev.error:.2f} % on dev, {test.error:.2f} % on test", highlight=False
        )
    recipe, minutes = record["recipe"], record["minutes"]
    weights = sum(site.weights for site in model.sites)
    corpus = (
        f"embedded ({record['corpus_size']}, seed {record['corpus_seed']})" if not corpus_root else "TIMIT's layout"
    )
    command = "mohaq train --out FOLDER" + (" --small" if record["recipe"]["geometry"]["cells"] == 48 else "")
    if model.network.cell != Sru.cell:
        command += f" --cell {model.network.cell} --layers {geometry.layers} --cells {geometry.cells}"
    command += "" if not corpus_root else " --corpus timit --root FOLDER"
    return f"""# {path.stem}

{_describe(geometry)}, {geometry.outputs} phone states; {weights:,} weights, stored as float16.

- Corpus: {corpus}; {minutes["train"]} min of train, {minutes["dev"]} of dev, {minutes["test"]} of test.
- Training: {recipe["epochs"]} epochs, seed {recipe["seed"]}; the weights of the last epoch.
- Reproduce: `{command} --epochs {recipe["epochs"]} --seed {recipe["seed"]}`

Phone error rate in percent over 39 phones (silence included), after Viterbi decoding with a phone bigram; worst: the
largest over four groups of speakers. Bits are weights x activations, the same at every site, post-training.

| bits | dev | dev, worst | test | test, worst |
|---|---|---|---|---|
{chr(10).join(rows)}
"""


_NAMES = {"lstm": "LSTM", "gru": "GRU", "ligru": "Li-GRU"}


def _describe(geometry: networks.Geometry) -> str:
    if isinstance(geometry, SruGeometry):
        return (
            f"Bidirectional SRU: {geometry.layers} layers of {geometry.cells} cells a direction, projections of\n"
            f"{geometry.projection}"
        )
    return f"Bidirectional {_NAMES[geometry.cell]}: {geometry.layers} layers of {geometry.cells} cells a direction"
