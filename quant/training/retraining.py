"""Retraining of a checkpoint for a candidate, as MOHAQ retrains its beacons (Rezk et al. 2022, section 4.4)."""

from collections.abc import Callable
from pathlib import Path

from quant.arithmetic.clipping import Scheme
from quant.files.checkpoint import Checkpoint, save_checkpoint
from quant.sites.candidate import Bits, check_candidate, name_of
from quant.speech.features import Features
from quant.training.calibrating import calibrate_on
from quant.training.loop import Examples, Recipe, Start, TrainingStep, chosen_products, train
from quant.training.product_types import BEFORE_THE_CHOICE, Products
from quant.training.straight_through import StraightThrough
from simulators.inputs.files import make_folder

RESULT = "retrained.safetensors"
"""The checkpoint that a retraining leaves in its folder."""

LEARNING_RATE = 5e-4
"""Peak; a quarter of that of training from nothing."""


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
    *,
    epochs: int = 1,
    learning_rate: float = LEARNING_RATE,
    seed: int = 1,
    products: Products | None = None,
    scheme: Scheme | None = None,
    resume: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
) -> Path:
    """Train a checkpoint on for a candidate, on normalised training utterances, and write `retrained.safetensors` to
    `folder`: full-precision weights with ranges seen anew, the decoder's weights as they were. With thresholds every
    pass is that of the delta network.

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
        f"{checkpoint.digest}:{name}:{scheme.name}",
        lambda network: StraightThrough(network, bits, checkpoint.calibration, scheme, products),
    )
    make_folder(folder)
    examples = Examples(training.mats, training.labels, training.digest)
    network = train(recipe, examples, folder, resume, start, on_step)
    for parameter in network.parameters():  # what is calibrated and measured is what is stored: float16
        parameter.data = parameter.data.half().float()
    record = {**checkpoint.record, "retrained": {"from": checkpoint.digest, "bits": name, "epochs": epochs,
              "learning_rate": learning_rate, "seed": seed, "clipping": scheme.name, "products": products}}  # fmt: skip
    calibration = calibrate_on(network, training, checkpoint.record["recipe"]["seed"])
    path = folder / RESULT
    save_checkpoint(path, network, checkpoint.statistics, checkpoint.decoder, calibration, record)
    return path
