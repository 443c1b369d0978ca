"""Retraining of a network that is a graph for a candidate: its quantized outputs are drawn to those of the float
network on the user's data (distillation, Hinton et al. 2015), with full-precision weights under the quantized ones.

The loss of an utterance is the mean squared difference of the judged outputs, as a share of the mean square of the
float network's. Weights of sites are trained; biases and all else stay. A run is a function of its recipe and its data:
the order of an epoch's utterances is drawn from (seed, epoch), and the state is kept after every epoch. What is written
are the weights of the epoch whose error is least on the same data, or those of before
(`quant.training.best_epoch`).
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from quant.files.tensor_files import check_tensors, read_tensors, tensors_as_bytes
from quant.graphs.graph_straight_through import GraphStraightThrough
from quant.sites.candidate import Bits, check_candidate, name_of, refuse_thresholds
from quant.training.best_epoch import BestEpoch, Retrained
from quant.training.loop import TrainingStep, one_cycle
from quant.training.retraining import LEARNING_RATE, RESULT
from quant.training.run_state import check_state, moments_of, restore_moments, state_file
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole
from simulators.inputs.json_files import parse_json

if TYPE_CHECKING:
    from quant.graphs.graph_model import GraphModel

LARGEST_RATE = 1e6
"""Learning rate beyond which the optimiser's float32 numbers overflow, long after any sense."""
GRADIENT_NORM = 1.0
"""Gradients of a larger norm are scaled down to it."""


@dataclass(frozen=True)
class GraphRecipe:
    """Everything that a retraining depends on, besides network, candidate and data."""

    epochs: int = 1
    """Passes over the data."""
    learning_rate: float = LEARNING_RATE
    """Peak of a one-cycle schedule."""
    seed: int = 1
    """Decides the order of the utterances."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(f"training recipe: epochs is {self.epochs}: it must be at least 1")
        if not 0.0 < self.learning_rate <= LARGEST_RATE:
            rule = f"it must be positive and at most {LARGEST_RATE:g}"
            raise InputError(f"training recipe: learning_rate is {self.learning_rate}: {rule}")
        if not 0 <= self.seed < 1 << 32:
            raise InputError(f"training recipe: seed is {self.seed}: it must lie between 0 and 2^32 - 1")


SENDS_EVERYTHING = "a retraining is of what sends everything"
"""Why a candidate with thresholds is not retrained."""


def retrain_graph(
    model: "GraphModel",
    bits: Bits,
    folder: Path,
    recipe: GraphRecipe,
    resume: bool = False,
    on_step: Callable[[TrainingStep], None] | None = None,
) -> Retrained:
    """Train a network on for a candidate and write `retrained.safetensors`, the float weights of its sites, to a
    folder. Raises InputError for a bad candidate, for a folder that holds another run, or one that is not resumed, and
    for a loss that is not finite."""
    check_candidate(bits, model.sites)
    refuse_thresholds(bits, SENDS_EVERYTHING)
    targets = model.float_outputs()
    _check_trainable(model, bits, targets)
    make_folder(folder)
    weights = {site.name: model.names.weights[site.name].clone().requires_grad_() for site in model.sites}
    optimiser = torch.optim.AdamW(weights.values(), lr=recipe.learning_rate, weight_decay=0.0)
    identity = {
        "kind": "graph retraining", "recipe": asdict(recipe), "of": model.base_digest, "data": model.data_digest,
        "bits": name_of(bits),
    }  # fmt: skip
    if model.digest != model.base_digest:
        identity["from"] = model.digest
    path = state_file(folder, resume)
    best = BestEpoch(lambda: model.evaluate(bits), lambda found: model.with_weights(found).evaluate(bits))
    first = _restore(path, weights, optimiser, identity, best) if path.exists() else 0
    if not path.exists():
        best.begin()
    count = len(model.data.utterances)
    total, done = recipe.epochs * count, first * count
    for epoch in range(first, recipe.epochs):
        held = GraphStraightThrough(weights, bits, model.formats, model.scheme)
        for position in np.random.default_rng([recipe.seed, epoch]).permutation(count).tolist():
            held.next_step()
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * one_cycle((done + 1) / total)
            output, wanted = model.output_with(position, held), targets[position]
            loss = (output - wanted).square().mean() / wanted.square().mean().clamp_min(1e-12)
            optimiser.zero_grad(set_to_none=True)
            if loss.requires_grad:
                loss.backward()
            if done == 0 and loss > 0 and not any(w.grad is not None and w.grad.any() for w in weights.values()):
                raise InputError(
                    f"{model.name}: no weight moves the judged output (its gradient is zero): a retraining needs "
                    "another under `output:`"
                )
            torch.nn.utils.clip_grad_norm_(weights.values(), GRADIENT_NORM)
            optimiser.step()
            done += 1
            if not math.isfinite(float(loss.detach())):
                raise InputError(
                    f"training diverged in epoch {epoch + 1}: the loss is {float(loss.detach())}; "
                    f"lower learning_rate ({recipe.learning_rate})"
                )
            if on_step:
                on_step(TrainingStep(epoch + 1, done, total, float(loss.detach()), None))
        best.end_epoch(epoch + 1, weights)
        _save(path, weights, optimiser, identity, epoch + 1, best)
    kept = best.parameters or {site.name: model.names.weights[site.name] for site in model.sites}
    write_whole(folder / RESULT, tensors_as_bytes(kept, {**identity, "kept_epoch": best.epoch}))
    return best.result(folder / RESULT, recipe.epochs)


def _check_trainable(model: "GraphModel", bits: Bits, targets: list[torch.Tensor]) -> None:
    """Raises InputError for what cannot be drawn to the float network, or written when it is."""
    if not all(target.is_floating_point() for target in targets):
        raise InputError(
            f"{model.name}: the judged output has whole numbers: a retraining needs one in floating point under "
            "`output:`"
        )
    for site in model.sites:
        stored = model.names.stored_bits.get(site.name)
        if stored == bits[site.name][0]:
            raise InputError(
                f"site {site.name}: the network's file has its integers of {stored} bits already: they are retrained "
                "for another width only"
            )
        model.names.place(site.name)


def retrained_graph(model: "GraphModel", path: Path) -> "GraphModel":
    """The network with the weights that a retraining of it left in a file. Raises InputError where there are none,
    or those of another network."""
    file = read_tensors(path)
    described = parse_json(file.described, str(file.path))
    if not isinstance(described, dict) or described.get("of") != model.base_digest:
        raise InputError(f"{file.path}: weights of another network, or retrained with another clipping")
    check_tensors(file.path, file.tensors, {site.name: (site.out_features, site.in_features) for site in model.sites})
    return model.with_weights({site: weight.float() for site, weight in file.tensors.items()})


def _save(
    path: Path, weights: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer, identity: dict[str, Any], done: int,
    best: BestEpoch,
) -> None:  # fmt: skip
    tensors = {site: weight.detach() for site, weight in weights.items()} | moments_of(optimiser, weights.items())
    write_whole(path, tensors_as_bytes(tensors | best.tensors(), {**identity, "epochs_done": done, **best.described()}))


def _restore(
    path: Path, weights: dict[str, torch.Tensor], optimiser: torch.optim.Optimizer, identity: dict[str, Any],
    best: BestEpoch,
) -> int:  # fmt: skip
    """Number of epochs that a state's run has done."""
    file = read_tensors(path)
    stored = parse_json(file.described, str(path))
    if isinstance(stored, dict):
        best.restore(path, stored)
    done = stored.pop("epochs_done", None) if isinstance(stored, dict) else None
    wanted = json.loads(json.dumps(identity))
    if stored != wanted or type(done) is not int or not 1 <= done <= wanted["recipe"]["epochs"]:
        keys = [key for key in wanted if not isinstance(stored, dict) or stored.get(key) != wanted[key]]
        raise InputError(f"{path}: the run to resume has another {' and other '.join(keys) or 'number of epochs'}")
    shapes = {site: tuple(weight.shape) for site, weight in weights.items()}
    check_state(path, file.tensors, shapes | best.shapes(shapes), weights)
    best.restore_parameters(file.tensors)
    for site, weight in weights.items():
        weight.data = file.tensors[site].float()
    restore_moments(optimiser, weights.items(), file.tensors)
    return done
