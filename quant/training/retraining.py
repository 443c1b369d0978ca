"""Retraining for a candidate: quantized weights and activations in every pass, full-precision weights under them.

Binary-connect (Courbariaux et al. 2015), as MOHAQ retrains its beacons (Rezk et al. 2022, section 4.4): products see
weights and activations on the candidate's grids, gradients pass the rounding as if it were not there, and the optimiser
moves the full-precision weights, which are what is kept. What is wider than a product (sums, gates, states) stays in
floating point, for 16 bits do not change it. Grids of weights follow the weights.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from quant.arithmetic.calibration import Calibration, calibrate_on
from quant.arithmetic.clipping import Scheme, quantize_weights
from quant.arithmetic.grid import Grid
from quant.arithmetic.protocol import FloatArithmetic, in_time, side_by_side
from quant.files.checkpoint import Checkpoint, save_checkpoint
from quant.networks.cells import Cell, recurrence
from quant.networks.registry import Network
from quant.sites.candidate import FIXED_POINT_BITS, Bits, check_candidate, name_of
from quant.sites.site import DIRECTIONS
from quant.speech.features import Features
from quant.training.loop import Examples, Recipe, Start, Step, train
from simulators.inputs.files import make_folder

REFRESH = 25
"""Passes after which the grids of the weights are chosen again."""

RESULT = "retrained.safetensors"

LEARNING_RATE = 5e-4
"""Peak; a quarter of that of training from nothing."""


class _OnGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, grid):  # type: ignore[no-untyped-def]
        codes = torch.mul(x, 1.0 / grid.step).round_()
        inside = (codes >= grid.lowest) & (codes <= grid.highest)
        ctx.save_for_backward(inside)
        return codes.clamp_(grid.lowest, grid.highest).mul_(grid.step)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (inside,) = ctx.saved_tensors
        return grad * inside, None


class _Codes(torch.autograd.Function):
    """Weights by their steps, a row each, with gradients that pass straight through, clipped weights' too."""

    @staticmethod
    def forward(ctx, weight, steps, lowest, highest):  # type: ignore[no-untyped-def]
        return (weight / steps).round_().clamp_(lowest, highest).mul_(steps)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        return grad, None, None, None


class StraightThrough(FloatArithmetic):
    """Products on the candidate's grids in bfloat16, which holds codes of up to 8 bits exactly; differentiable."""

    def __init__(self, network: Network, bits: Bits, calibration: Calibration, scheme: Scheme):
        self._network = network
        self._bits = bits
        self._calibration = calibration
        self._scheme = scheme
        self._steps: dict[str, torch.Tensor] = {}
        self._lowest: dict[str, int] = {}
        self._passes = 0

    def product(
        self, site: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        if site == self._network.sites[0].name:
            self._follow_the_weights()
        x = _OnGrid.apply(x, self._grid(site))
        w = self._rounded(site, weight)
        if max(self._bits[site]) < FIXED_POINT_BITS:
            # Whole codes are exact in bfloat16; their steps are put back behind the product.
            grid, steps = self._grid(site), self._steps[site]
            y = torch.nn.functional.linear((x / grid.step).bfloat16(), (w / steps).bfloat16()).float()
            y = y * (steps[:, 0] * grid.step)
        else:
            y = torch.nn.functional.linear(x, w)
        return y if bias is None else y + bias

    def recurrence(
        self,
        site: str,
        cell: type[Cell],
        u: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        lengths: torch.Tensor,
    ) -> torch.Tensor:
        w = self._rounded(site, weight).unflatten(0, (DIRECTIONS, -1))
        h = recurrence(cell, side_by_side(u, lengths), w, bias, self._grid(site).round)
        return in_time(h, lengths)

    def _grid(self, site: str) -> Grid:
        return self._calibration.grid(site, self._bits[site][1], self._scheme.activations)

    def _rounded(self, site: str, weight: torch.Tensor) -> torch.Tensor:
        highest = 2 ** (self._bits[site][0] - 1) - 1
        return _Codes.apply(weight, self._steps[site], self._lowest[site], highest)

    def _follow_the_weights(self) -> None:
        if self._passes % REFRESH == 0:
            for site in self._network.sites:
                bits = self._bits[site.name][0]
                quantized = quantize_weights(self._network.get_parameter(site.name).detach(), bits, self._scheme)
                self._steps[site.name] = quantized.steps[:, None]
                # At 2 bits the grid may be -1, 0, 1: the lowest code is left out then.
                used = bool((quantized.codes < 1 - 2 ** (bits - 1)).any())
                self._lowest[site.name] = -(2 ** (bits - 1)) if used or bits > 2 else -1
        self._passes += 1


def recipe_of(checkpoint: Checkpoint, epochs: int = 1, learning_rate: float = LEARNING_RATE, seed: int = 1) -> Recipe:
    """Of a retraining. Raises InputError for what is out of bounds."""
    return Recipe(
        geometry=checkpoint.network.geometry,
        epochs=epochs,
        frames_per_batch=checkpoint.record["recipe"]["frames_per_batch"],
        learning_rate=learning_rate,
        weight_decay=0.0,
        dropout=checkpoint.record["recipe"]["dropout"],
        seed=seed,
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
    scheme: Scheme | None = None,
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> Path:
    """Train a checkpoint on for a candidate, on normalised training utterances, and write `retrained.safetensors` to
    `folder`: full-precision weights with ranges seen anew, the decoder's weights as they were.

    The state is kept after every epoch. Raises InputError for a bad candidate or recipe, and as
    `quant.training.loop.train` does for a folder that holds another run. """
    scheme = scheme or Scheme()
    check_candidate(bits, checkpoint.network.sites)
    recipe = recipe_of(checkpoint, epochs, learning_rate, seed)
    name = name_of(bits)
    start = Start(
        checkpoint.network,
        f"{checkpoint.digest}:{name}:{scheme.name}",
        lambda network: StraightThrough(network, bits, checkpoint.calibration, scheme),
    )
    make_folder(folder)
    examples = Examples(training.mats, training.labels, training.digest)
    network = train(recipe, examples, folder, resume, start, on_step)
    for parameter in network.parameters():  # what is calibrated and measured is what is stored: float16
        parameter.data = parameter.data.half().float()
    record = {**checkpoint.record, "retrained": {"from": checkpoint.digest, "bits": name, "epochs": epochs,
              "learning_rate": learning_rate, "seed": seed, "clipping": scheme.name}}  # fmt: skip
    calibration = calibrate_on(network, training, checkpoint.record["recipe"]["seed"])
    path = folder / RESULT
    save_checkpoint(path, network, checkpoint.statistics, checkpoint.decoder, calibration, record)
    return path
