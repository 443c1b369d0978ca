"""Training of an acoustic model: frame-wise cross entropy against phone states, checkpointed every epoch, resumable.

A run is a function of its recipe and its data: batches and dropout masks of an epoch are drawn from (seed, epoch), so
a run that was killed and resumed passes through the same states as one that was not.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.glibc_memory import keep_freed_memory
from quant.arithmetic.protocol import Arithmetic
from quant.files.checkpoint import TRAINING_STATE
from quant.files.tensor_files import TensorFile, read_tensors, tensors_as_bytes
from quant.networks.geometry import Geometry
from quant.networks.network import Network
from quant.speech.batches import UtteranceBatch, pack, plan
from quant.training.best_epoch import BestEpoch
from quant.training.product_types import (
    BEFORE_THE_CHOICE,
    PRODUCT_TYPES,
    Products,
    as_products,
    dtype_of,
    fastest_products,
)
from quant.training.run_state import check_state, had_gradient, moments_of, restore_moments, state_file
from simulators.inputs.errors import InputError
from simulators.inputs.files import write_whole
from simulators.inputs.json_files import parse_json
from simulators.inputs.source_locations import shown


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run depends on, besides its data."""

    geometry: Geometry
    epochs: int = 12
    """Passes over the training set."""
    frames_per_batch: int = 4096
    """Padded frames of a batch, at most."""
    learning_rate: float = 2e-3
    """Peak of a one-cycle schedule: linear warm-up over a tenth of the steps, then half a cosine to zero."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW, as a share of the learning rate."""
    dropout: float = 0.2
    """Share of (utterance, channel) pairs that are dropped before a product."""
    gradient_norm: float = 1.0
    """Gradients of a larger norm are scaled down to it."""
    seed: int = 1
    """Decides the first weights, the batches and the dropout."""
    normalised: bool = True
    """Whether input products are batch-normalised; a network that is trained on has no normalisation any more."""
    products: Products = BEFORE_THE_CHOICE
    """Type of the products' operands: `float32` or `bfloat16`."""

    def __post_init__(self) -> None:
        for name in ("epochs", "frames_per_batch"):
            if getattr(self, name) < 1:
                raise InputError(f"training recipe: {name} is {getattr(self, name)}: it must be at least 1")
        if not 0.0 <= self.dropout < 1.0:
            raise InputError(f"training recipe: dropout is {self.dropout}: it must lie in [0, 1)")
        if not 0.0 < self.learning_rate < float("inf"):
            raise InputError(f"training recipe: learning_rate is {self.learning_rate}: it must be positive and finite")
        if not 0 <= self.seed < 1 << 32:
            raise InputError(f"training recipe: seed is {self.seed}: it must lie between 0 and 2^32 - 1")
        if self.products not in PRODUCT_TYPES:
            allowed = " or ".join(PRODUCT_TYPES)
            raise InputError(f"training recipe: products is {self.products!r}: it must be {allowed}")

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint records of it."""
        return {**asdict(self), "geometry": self.geometry.to_dict()}


@dataclass(frozen=True)
class Examples:
    """The training utterances."""

    features: Sequence[np.ndarray]
    """Normalised features (T, F) of each."""
    labels: Sequence[np.ndarray]
    """Phone states (T,) of each."""
    digest: str
    """Tells their corpus apart from others."""


@dataclass(frozen=True)
class TrainingStep:
    """What a progress display needs after each optimiser step."""

    epoch: int
    """Counted from 1."""
    done: int
    """Optimiser steps so far."""
    total: int
    """Optimiser steps of the whole run."""
    loss: float
    """Cross entropy of the batch, in nats a frame."""
    frames_per_second: float | None
    """Frames trained on in a second, where they are counted."""


class TrainingArithmetic(FloatArithmetic):
    """Products with operands of a type and results in float32; recurrences stay in float32."""

    def __init__(self, products: Products):
        self._dtype = dtype_of(products)

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        y = functional.linear(x.to(self._dtype), weight.to(self._dtype)).float()
        return y if bias is None else y + bias


@dataclass(frozen=True)
class Start:
    """A network to train on from, instead of a new one, in an arithmetic of its own."""

    network: Network
    """Without what only training needs; not changed."""
    identity: str
    """Tells this start apart from others, arithmetic included."""
    arithmetic: Callable[[Network], Arithmetic]
    """Made anew for every epoch, so that it holds nothing that a resumed run lacks."""


def train(
    recipe: Recipe,
    examples: Examples,
    folder: Path,
    resume: bool = False,
    start: Start | None = None,
    on_step: Callable[[TrainingStep], None] | None = None,
    on_epoch: Callable[[int, Network], None] | None = None,
    best: BestEpoch | None = None,
) -> Network:
    """Train to the end of the recipe and return the network as it is stored, without what only training needs.

    The state is saved in `folder` after every epoch, with the best one so far where `best` is told of each. Raises
    InputError if the folder holds a run and `resume` is false, or if the run that it holds has another recipe or other
    data.
    """
    keep_freed_memory()
    network = Network(recipe.geometry, recipe.dropout, normalised=recipe.normalised and start is None)
    if start is None:
        network.initialise(torch.Generator().manual_seed(recipe.seed))
    else:
        network.load_state_dict(start.network.state_dict())
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    identity = {"recipe": recipe.to_dict(), "data": examples.digest} | ({"start": start.identity} if start else {})
    path = state_file(folder, resume)
    first_epoch = _restore(path, network, optimiser, identity, best) if path.exists() else 0
    if best is not None and not path.exists():
        best.begin()

    lengths = [len(x) for x in examples.features]
    plans = [
        plan(lengths, recipe.frames_per_batch, np.random.default_rng([recipe.seed, epoch]))
        for epoch in range(recipe.epochs)
    ]
    total = sum(map(len, plans))
    done = sum(map(len, plans[:first_epoch]))
    for epoch in range(first_epoch, recipe.epochs):
        masks = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        arithmetic = TrainingArithmetic(recipe.products) if start is None else start.arithmetic(network)
        for positions in plans[epoch]:
            started = time.perf_counter()
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * one_cycle((done + 1) / total)
            batch = pack(examples.features, examples.labels, positions)
            loss = _step(network, arithmetic, optimiser, batch, masks, recipe.gradient_norm)
            done += 1
            if not math.isfinite(loss):
                raise InputError(
                    f"training diverged in epoch {epoch + 1}: the loss is {loss}; "
                    f"lower learning_rate ({recipe.learning_rate})"
                )
            if on_step:
                on_step(
                    TrainingStep(
                        epoch + 1, done, total, loss, int(batch.lengths.sum()) / (time.perf_counter() - started)
                    )
                )
        if best is not None:
            best.end_epoch(epoch + 1, network.folded().state_dict())
        _save(path, network, optimiser, identity, epoch + 1, best)
        if on_epoch:
            on_epoch(epoch + 1, network.folded())
    return network.folded()


def chosen_products(folder: Path, resume: bool, wanted: Products | None) -> Products:
    """The type of a run's products: what is wanted, or what the run to be resumed in a folder began with, or what is
    faster here. Raises InputError for a state that cannot be read."""
    if wanted is not None:
        return wanted
    path = folder / TRAINING_STATE
    if not (resume and path.exists()):
        return fastest_products()
    stored = parse_json(read_tensors(path).described, str(path))
    recipe = stored.get("recipe") if isinstance(stored, dict) else None
    try:
        return as_products(_completed(recipe)["products"]) if isinstance(recipe, dict) else BEFORE_THE_CHOICE
    except (TypeError, ValueError):  # what is wrong with the rest is said where all of it is restored
        return BEFORE_THE_CHOICE


def _completed(recipe: dict[str, Any]) -> dict[str, Any]:
    """A stored recipe with what older ones do not say: its type of products, and normalisation."""
    return {"products": BEFORE_THE_CHOICE, "normalised": True, **recipe}


def one_cycle(progress: float) -> float:
    """Share of the peak learning rate at `progress` in (0, 1] of the run."""
    warm_up = 0.1
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warm_up) / (1.0 - warm_up)))


def _step(
    network: Network,
    arithmetic: Arithmetic,
    optimiser: torch.optim.Optimizer,
    batch: UtteranceBatch,
    masks: torch.Generator,
    gradient_norm: float,
) -> float:
    assert batch.labels is not None
    logits = network(batch.features, batch.lengths, arithmetic, masks)
    loss = functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), gradient_norm)
    optimiser.step()
    return float(loss.detach())


def _save(
    path: Path, network: Network, optimiser: torch.optim.Optimizer, identity: dict[str, Any], epochs_done: int,
    best: BestEpoch | None,
) -> None:  # fmt: skip
    tensors = dict(network.state_dict()) | moments_of(optimiser, network.named_parameters())
    described = {**identity, "epochs_done": epochs_done}
    if best is not None:
        tensors, described = tensors | best.tensors(), described | best.described()
    write_whole(path, tensors_as_bytes(tensors, described))


def _restore(
    path: Path, network: Network, optimiser: torch.optim.Optimizer, identity: dict[str, Any], best: BestEpoch | None
) -> int:
    """Number of epochs that a state's run has done."""
    file = read_tensors(path)
    stored = parse_json(file.described, str(path))
    wanted = json.loads(json.dumps(identity))
    if not isinstance(stored, dict) or not {"recipe", "data", "epochs_done"} <= stored.keys():
        raise InputError(f"{path}: not the state of a training run as mohaq writes it")
    if best is not None:
        best.restore(path, stored)
    epochs_done = stored.pop("epochs_done")
    if isinstance(stored["recipe"], dict):
        stored["recipe"] = _completed(stored["recipe"])
    if stored != wanted:
        different = [key for key in ("recipe", "data", "start") if stored.get(key) != wanted.get(key)]
        raise InputError(f"{path}: the run to resume has another {' and other '.join(different)}")
    if type(epochs_done) is not int or not 1 <= epochs_done <= wanted["recipe"]["epochs"]:
        raise InputError(f"{path}: epochs_done: {shown(epochs_done)}: expected 1 to {wanted['recipe']['epochs']}")
    _restore_tensors(file, network, optimiser, best)
    return epochs_done


def _restore_tensors(
    file: TensorFile, network: Network, optimiser: torch.optim.Optimizer, best: BestEpoch | None
) -> None:
    """Take parameters and the optimiser's moments from a state. Raises InputError where any is missing, misshapen or
    not finite."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    # Biases that batch normalisation stands in for have no gradient.
    trained = [(name, p) for name, p in network.named_parameters() if had_gradient(name, file.tensors)]
    of_best = {} if best is None else best.shapes(shapes)
    check_state(file.path, file.tensors, shapes | of_best, [name for name, _ in trained])
    network.load_state_dict({name: file.tensors[name] for name in shapes})
    restore_moments(optimiser, trained, file.tensors)
    if best is not None:
        best.restore_parameters(file.tensors)
