"""Retraining of a convolutional network on pictures for a candidate, with full-precision weights under quantized ones.

As recognisers are retrained (`quant.training.straight_through`): products see weights, activations and biases as whole
numbers have them, gradients pass the rounding as if it were not there and are zero where activations are clipped, and
the optimiser moves the full-precision weights and biases, which are what is kept. Results of products stay in floating
point, for 16 bits hardly change them. Powers of two of weights follow the weights, those of what products read stay
while the network is retrained.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from quant.evaluation.rates import Rates
from quant.files.tensor_files import Tensors
from quant.images.float_network import Parameters, passed, train_epoch
from quant.images.image_model import ImageModel, checkpoint_bytes
from quant.images.image_networks import CLASSIFIER, ConvLayer, ImageNetwork
from quant.images.image_training import SEEN
from quant.images.integer_network import ImageFormats, IntegerNetwork, codes_of, formats_of, least_error, limits, scaled
from quant.sites.candidate import Bits, name_of
from quant.tasks.epochs import Epochs, OnEpoch, check_length, one_thread
from quant.training.best_epoch import BestEpoch, Retrained
from quant.training.retraining import LEARNING_RATE, RESULT
from quant.training.run_state import state_file
from simulators.inputs.errors import InputError
from simulators.inputs.files import make_folder, write_whole

REFRESH = 10
"""Batches after which the powers of two of the weights are chosen again: a fifth of an epoch of the shipped
networks."""
LARGEST_RATE = 1.0
"""Learning rate beyond which nothing is learnt."""
NAME = "retraining"


@dataclass(frozen=True)
class ImageRetraining:
    """Everything that a retraining depends on besides network, candidate and pictures. Raises InputError for what
    cannot be."""

    epochs: int = 1
    """Passes over the training part."""
    learning_rate: float = LEARNING_RATE
    """Peak of the schedule of `train_epoch`."""
    seed: int = 1
    """Decides the batches and the moves of pictures."""

    def __post_init__(self) -> None:
        check_length(NAME, self.epochs, self.seed)
        if not 0.0 < self.learning_rate <= LARGEST_RATE:
            rule = f"it must be positive and at most {LARGEST_RATE:g}"
            raise InputError(f"{NAME}: learning_rate is {self.learning_rate}: {rule}")


class HeldThrough(torch.autograd.Function):
    """Held values in the place of exact ones, whose gradients are those of the held where `inside` is not zero."""

    @staticmethod
    def forward(ctx: Any, exact: torch.Tensor, held: torch.Tensor, inside: torch.Tensor | None) -> torch.Tensor:
        ctx.inside = inside
        return held

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[Any, ...]:
        return grad if ctx.inside is None else grad * ctx.inside, None, None


class RetrainedNetwork(nn.Module):
    """A network whose products see a candidate's formats; see `Steps` for its passes."""

    def __init__(self, network: ImageNetwork, parameters: Parameters, formats: ImageFormats, bits: Bits):
        super().__init__()
        self._network = network
        self._bits = bits
        self._formats = formats
        self._place = {site.name: i for i, site in enumerate(network.sites)}
        self.weights = nn.ParameterList(parameters.weights[site].clone() for site in self._place)
        self.biases = nn.ParameterList(parameters.biases[site].clone() for site in self._place)
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Choose the powers of two of the weights anew, so that an epoch depends on nothing that a state lacks."""
        self._passes = 0
        self._fractions: list[torch.Tensor] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Results (N, classes) of pictures (N, 1, H, W)."""
        if self._passes % REFRESH == 0:
            rows = [weight.detach().flatten(1) for weight in self.weights]
            widths = [self._bits[site][0] for site in self._place]
            self._fractions = [least_error(w, bits, unsigned=False) for w, bits in zip(rows, widths, strict=True)]
        self._passes += 1
        return passed(self._network, pixels, self)

    def convolution(self, layer: ConvLayer, x: torch.Tensor, added: torch.Tensor | None) -> torch.Tensor:
        """See `Steps`."""
        x, weight, bias = self._operands(layer.name, x)
        y = nn.functional.conv2d(x, weight, bias, layer.stride, layer.kernel // 2, groups=layer.groups)
        y = y if added is None else y + added
        return y.relu() if layer.relu else y

    def classifier(self, x: torch.Tensor) -> torch.Tensor:
        """See `Steps`."""
        return nn.functional.linear(*self._operands(CLASSIFIER, x.mean((2, 3))))

    def parameters_of(self, tensors: Tensors) -> Parameters:
        """The full-precision parameters that a state of this module has (`state_dict`), by their sites."""
        weights = {site: tensors[f"weights.{i}"] for site, i in self._place.items()}
        return Parameters(weights, {site: tensors[f"biases.{i}"] for site, i in self._place.items()})

    def _operands(self, site: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What a site's product sees of its input, its weights and its bias."""
        (w_bits, a_bits), i = self._bits[site], self._place[site]
        unsigned, fraction = self._network.is_unsigned(site), self._formats.inputs[site][a_bits - 1]
        codes, weight = scaled(x.detach(), fraction).round_(), self.weights[i]
        lowest, highest = limits(a_bits, unsigned)
        inside = (codes >= lowest) & (codes <= highest)
        rows, fractions = weight.detach().flatten(1), self._fractions[i][:, None]
        held = scaled(codes_of(rows, fractions, w_bits), -fractions).view_as(weight)
        bias, unit = self.biases[i], self._fractions[i] + fraction
        return (
            HeldThrough.apply(x, scaled(codes.clamp_(lowest, highest), -fraction), inside),
            HeldThrough.apply(weight, held, None),
            HeldThrough.apply(bias, scaled(scaled(bias.detach(), unit).round_(), -unit), None),
        )


def retrain_images(
    model: ImageModel, bits: Bits, folder: Path, recipe: ImageRetraining, *, resume: bool = False,
    on_epoch: OnEpoch | None = None,
) -> Retrained:  # fmt: skip
    """Train a network on for a candidate, on the training part of its pictures, and write `retrained.safetensors` to a
    folder: those of the epoch that errs least on dev, or the network's as they were where none errs less
    (`quant.training.best_epoch`). Raises InputError for a bad candidate, and for a folder that holds a run unless
    `resume`."""
    model.check(bits)
    make_folder(folder)
    identity = {"recipe": asdict(recipe), "of": model.digest, "data": model.data.digest, "bits": name_of(bits)}
    epochs = Epochs(NAME, recipe.epochs, identity, state_file(folder, resume))
    x, y = torch.from_numpy(model.data.train.x)[:, None], torch.from_numpy(model.data.train.y)
    network, computes = model.network, model.computes
    with one_thread():
        trained = RetrainedNetwork(network, computes.parameters, computes.formats, bits)
        optimiser = torch.optim.AdamW(trained.parameters(), weight_decay=0.0)

        def epoch(number: int) -> float:
            trained.begin_epoch()
            return train_epoch(
                trained, optimiser, x, y, recipe.seed, number, recipe.epochs, recipe.learning_rate
            )  # fmt: skip

        def computing(tensors: Tensors) -> IntegerNetwork:
            parameters = trained.parameters_of(tensors)
            with torch.no_grad():
                return type(computes)(network, parameters, formats_of(network, parameters, x[:: -(-len(x) // SEEN)]))

        def on_dev(computing: IntegerNetwork) -> Rates:
            return type(model)(computing, model.data, model.name, model.digest, model.record).evaluate(bits)

        best = BestEpoch(lambda: on_dev(computes), lambda tensors: on_dev(computing(tensors)))
        epochs.train(trained, optimiser, epoch, on_epoch, best)
        kept = computing(best.parameters) if best.epoch else computes
    described = {**asdict(recipe), "of": model.digest, "bits": name_of(bits), "kept_epoch": best.epoch}
    path = folder / RESULT
    write_whole(path, checkpoint_bytes(kept.parameters, kept.formats, {**model.record, "retrained": described}))
    return best.result(path, recipe.epochs)
