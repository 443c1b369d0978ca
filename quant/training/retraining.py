"""Retraining of a checkpoint for a candidate, as MOHAQ retrains its beacons (Rezk et al. 2022, section 4.4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from quant.arithmetic.clipping import Scheme
from quant.files.checkpoint import Checkpoint, save_checkpoint
from quant.files.tensor_files import Tensors
from quant.networks.network import Network
from quant.sites.candidate import Bits, check_candidate, name_of
from quant.speech.features import Features
from quant.training.best_epoch import BestEpoch, Errs, Retrained
from quant.training.calibrating import calibrate_on
from quant.training.loop import Examples, Recipe, Start, TrainingStep, chosen_products, train
from quant.training.product_types import BEFORE_THE_CHOICE, Products
from quant.training.straight_through import StraightThrough
from simulators.inputs.files import make_folder

RESULT = "retrained.safetensors"
"""The checkpoint that a retraining leaves in its folder."""

LEARNING_RATE = 5e-4
"""Peak; a quarter of that of training from nothing."""


@dataclass(frozen=True)
class Evaluates:
    """What says how much a candidate errs."""

    evaluate: Callable[[Checkpoint], Errs]
    """With the parameters and the ranges of a checkpoint."""
    data_digest: str
    """Tells what it is evaluated on apart."""


def recipe_of(
    checkpoint: Checkpoint,
    epochs: int = 1,
    learning_rate: float = LEARNING_RATE,
    seed: int = 1,
    products: Products = BEFORE_THE_CHOICE,
) -> Recipe:
    """The recipe of a retraining, which has the checkpoint's batches and dropout. Raises InputError for what is out of
    bounds."""
    return Recipe(
        geometry=checkpoint.network.geometry,
        epochs=epochs,
        frames_per_batch=checkpoint.record["recipe"]["frames_per_batch"],
        learning_rate=learning_rate,
        weight_decay=0.0,
        dropout=checkpoint.record["recipe"]["dropout"],
        seed=seed,
        products=products,
    )


def retrain(
    checkpoint: Checkpoint,
    bits: Bits,
    training: Features,
    folder: Path,
    errs: Evaluates,
    *,
    epochs: int = 1,
    learning_rate: float = LEARNING_RATE,
    seed: int = 1,
    products: Products | None = None,
    scheme: Scheme | None = None,
    resume: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
) -> Retrained:
    """Train a checkpoint on for a candidate, on normalised training utterances, and write `retrained.safetensors` to
    `folder`: full-precision weights with ranges seen anew, the decoder's weights as they were. With thresholds every
    pass is that of the delta network. `errs` says after every epoch what the candidate errs: the best is kept, which
    may be the checkpoint as it was (`quant.training.best_epoch`).

    `products` is the type of the products' operands: by default what a resumed run began with, or what is faster here.
    The state is kept after every epoch. Raises InputError for a bad candidate or recipe, and as
    `quant.training.loop.train` does for a folder that holds another run."""
    scheme = scheme or Scheme()
    check_candidate(bits, checkpoint.network.sites)
    products = chosen_products(folder, resume, products)
    recipe = recipe_of(checkpoint, epochs, learning_rate, seed, products)
    name = name_of(bits)
    start = Start(
        checkpoint.network,
        ":".join((checkpoint.digest, name, scheme.name, errs.data_digest)),
        lambda network: StraightThrough(network, bits, checkpoint.calibration, scheme, products),
    )
    make_folder(folder)
    examples = Examples(training.mats, training.labels, training.digest)
    calibrated = partial(_calibrated, checkpoint, training)
    best = BestEpoch(lambda: errs.evaluate(checkpoint), lambda parameters: errs.evaluate(calibrated(parameters)))
    train(recipe, examples, folder, resume, start, on_step, best=best)
    kept = calibrated(best.parameters) if best.epoch else checkpoint
    retrained = {
        "from": checkpoint.digest, "bits": name, "epochs": epochs, "learning_rate": learning_rate, "seed": seed,
        "clipping": scheme.name, "products": products, "kept_epoch": best.epoch,
    }  # fmt: skip
    record = {**checkpoint.record, "retrained": retrained}
    path = folder / RESULT
    save_checkpoint(path, kept.network, kept.statistics, kept.decoder, kept.calibration, record)
    return best.result(path, epochs)


def _calibrated(checkpoint: Checkpoint, training: Features, parameters: Tensors) -> Checkpoint:
    """A checkpoint with other parameters, as they are stored, in float16, and ranges seen anew."""
    network = Network(checkpoint.network.geometry)
    network.load_state_dict({name: parameter.half().float() for name, parameter in parameters.items()})
    network.requires_grad_(False)
    calibration = calibrate_on(network, training, checkpoint.record["recipe"]["seed"])
    return replace(checkpoint, network=network, calibration=calibration)
