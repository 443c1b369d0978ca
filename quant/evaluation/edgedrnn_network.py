"""A network of this project's GRU as EdgeDRNN computes it: an arithmetic beside float32 and quantized integers.

The accelerator has each direction of a layer as one GRU of its own (`quant.arithmetic.edgedrnn`), which reads what the
layer before leaves, both directions side by side. Parameters become Q1.7 and what is read Q8.8, each the nearest value
that there is. The RTL adds one bias to the candidate's sum outside of the reset gate; the bias that this project's GRU
has inside of it goes there as well, by half, as the gate of a zero sum has it. The output layer is the host's, in
float32 on the network's Q8.8 outputs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from quant.arithmetic.edgedrnn import (
    ACTIVATION_FRACTION_BITS,
    WEIGHT_FRACTION_BITS,
    Thresholds,
    Weights,
    gate_tables,
)
from quant.arithmetic.edgedrnn_kernels import gru_layer
from quant.arithmetic.float_arithmetic import FloatArithmetic
from quant.arithmetic.protocol import RecurrentLayer
from quant.evaluation.delta_activity import eliminated_share
from quant.evaluation.rates import DeltaResult
from quant.evaluation.recogniser import Recogniser
from quant.networks.gru import Gru
from quant.networks.network import Network
from quant.sites.candidate import homogeneous
from quant.sites.site import DIRECTIONS
from quant.speech.batches import UtteranceBatch
from simulators import Elementwise, Matmul, Trace
from simulators.inputs.errors import InputError
from simulators.platforms.edgedrnn.network import GRU_BLOCKS, MOST_LAYERS, check_size
from simulators.workloads.masks import masks_of

WEIGHT_BITS, ACTIVATION_BITS = 8, 16

RESET_OF_ZERO = 0.5
"""The reset gate of a zero sum."""


@dataclass
class EdgeDrnnArithmetic(FloatArithmetic):
    """Inference of one batch of utterances, each from reset on. Products are the host's, in float32."""

    weights: tuple[tuple[Weights, ...], ...]
    """Columns of each layer, forward and backward, as `network_weights` makes them."""
    thresholds: Thresholds
    lengths: torch.Tensor
    """(B,) in frames."""
    sent: list[NDArray[np.bool_]] = field(default_factory=list)
    """(D, B, T, 1 + I + H) of each layer of D directions: columns that were fetched, each direction in its own order
    of time."""

    def recurrence(self, layer: RecurrentLayer, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """The next layer of the network, of D directions: x (T, B, K), lengths (B,) in frames → h (T, B, D, C),
        Q8.8."""
        weights = self.weights[len(self.sent)]
        hidden = weights[0].shape[2]
        inputs = fixed_point(x, ACTIVATION_FRACTION_BITS, ACTIVATION_BITS).astype(np.int16)
        inputs = inputs.transpose(1, 0, 2)  # (B, T, K)
        sent = np.zeros((len(weights), *inputs.shape[:2], len(weights[0])), np.bool_)
        h = np.zeros((*inputs.shape[:2], len(weights), hidden), np.int16)
        for utterance, length in enumerate(lengths.tolist()):
            for direction, columns in enumerate(weights):
                in_order = slice(None) if direction == 0 else slice(None, None, -1)
                values = np.ascontiguousarray(inputs[utterance, :length][in_order])
                outputs = np.zeros((length, hidden), np.int16)
                gru_layer(
                    values, columns, self.thresholds.inputs, self.thresholds.states, *gate_tables(), outputs,
                    sent[direction, utterance, :length],
                )  # fmt: skip
                h[utterance, :length, direction] = outputs[in_order]
        self.sent.append(sent)
        return torch.from_numpy(h.transpose(1, 0, 2, 3).astype(np.float32) / (1 << ACTIVATION_FRACTION_BITS))


def evaluate_edgedrnn(model: Recogniser, thresholds: Thresholds, split: str = "dev") -> DeltaResult:
    """Error of a recogniser on a split as EdgeDRNN computes it, and what of its inputs was sent. Raises InputError for
    a network that it cannot run."""
    weights = network_weights(model.network)
    rate, batches = model.evaluate_with(partial(_batch_arithmetic, weights, thresholds), split)
    active = {}
    for number, (first, recurrent) in enumerate(model.network.layer_sites):
        border = 1 + first.in_features
        for site, columns in ((first, slice(1, border)), (recurrent, slice(border, None))):
            sent = sum(int(batch.sent[number][..., columns].sum()) for batch in batches)
            frames = model.network.geometry.directions * sum(int(batch.lengths.sum()) for batch in batches)
            active[site.name] = sent / (frames * site.in_features)
    return DeltaResult(rate, active, eliminated_share(model.sites, active))


@torch.inference_mode()
def trace_edgedrnn(model: Recogniser, thresholds: Thresholds, utterance: int = 0, split: str = "dev") -> Trace:
    """The trace of one utterance with masks of what EdgeDRNN sends at each step. Each direction of a layer is a GRU of
    its own, backward ones in their order of time; the output layer is dense."""
    batch = model.utterance(utterance, split)
    arithmetic = _batch_arithmetic(network_weights(model.network), thresholds, batch)
    model.network(batch.features, batch.lengths, arithmetic)
    plain = model.trace(homogeneous(model.sites, WEIGHT_BITS, ACTIVATION_BITS), int(batch.lengths[0]))
    layers = tuple(_by_direction(plain.layers, arithmetic.sent))
    return Trace(name=f"{plain.name}-edgedrnn", steps=plain.steps, layers=layers)


def _batch_arithmetic(
    weights: tuple[tuple[Weights, ...], ...], thresholds: Thresholds, batch: UtteranceBatch
) -> EdgeDrnnArithmetic:
    return EdgeDrnnArithmetic(weights, thresholds, batch.lengths)


def _by_direction(layers: Sequence[object], sent: Sequence[NDArray[np.bool_]]) -> Iterator[Matmul | Elementwise]:
    """A network's layers, of each of which (input product, then for each direction recurrent product and gates) the
    directions are told apart, with the masks of the first utterance."""
    letters = "fb" if len(sent[0]) == DIRECTIONS else ("",)
    of_layer = 1 + 2 * len(letters)
    for number, columns in enumerate(sent):
        first, *directions = layers[number * of_layer : (number + 1) * of_layer]
        assert isinstance(first, Matmul)
        border = 1 + first.in_features
        for direction, letter in enumerate(letters):
            masks = columns[direction, 0]
            recurrent, gates = directions[2 * direction : 2 * direction + 2]
            assert isinstance(recurrent, Matmul)
            assert isinstance(gates, Elementwise)
            yield first.but(
                name=f"{first.name}{letter}", out_features=first.out_features // len(letters),
                active=tuple(masks_of(masks[:, 1:border])),
            )  # fmt: skip
            yield recurrent.but(active=tuple(masks_of(masks[:, border:])))
            yield gates
    for layer in layers[len(sent) * of_layer :]:
        assert isinstance(layer, Matmul)
        yield layer


def network_weights(network: Network) -> tuple[tuple[Weights, ...], ...]:
    """The columns of each layer, forward and, unless it is causal, backward. Raises InputError for a network that is no
    GRU, or that has more or larger layers than the accelerator's registers count."""
    if type(network.cell) is not Gru or network.geometry.projection is not None:
        raise InputError(f"arithmetic edgedrnn: it is a GRU's, and this network is of {network.cell.title}")
    geometry = network.geometry
    if geometry.layers > MOST_LAYERS:
        raise InputError(f"arithmetic edgedrnn: {geometry.layers} layers: EdgeDRNN runs 1 to {MOST_LAYERS}")
    for what, size in (("inputs", max(geometry.layer_inputs)), ("hidden size", geometry.cells)):
        check_size(f"arithmetic edgedrnn: {what}", size)
    return tuple(_layer_weights(network, number) for number in range(geometry.layers))


def fixed_point(x: torch.Tensor, fraction_bits: int, bits: int) -> NDArray[np.float64]:
    """The nearest signed fixed point of so many bits, ties to even, saturating, in its units."""
    scaled = np.rint(x.detach().double().numpy() * float(1 << fraction_bits))
    largest = 1 << (bits - 1)
    return np.clip(scaled, -largest, largest - 1)


def _layer_weights(network: Network, number: int) -> tuple[Weights, ...]:
    directions = network.geometry.directions
    first, recurrent = network.layer_sites[number]
    matrices = [network.get_parameter(site.name).detach() for site in (first, recurrent)]
    inner = network.get_parameter(f"{network.cell.vectors_prefix}{number}").detach()
    bias = network.get_parameter(f"B{number}").detach().view(directions, GRU_BLOCKS, -1).clone()
    bias[:, -1] += RESET_OF_ZERO * inner
    cells = bias.shape[-1]
    inputs, states = (matrix.view(directions, GRU_BLOCKS, cells, -1) for matrix in matrices)
    columns = torch.cat((bias[..., None], inputs, states), -1).permute(0, 3, 1, 2)  # (D, 1 + I + H, 3, H)
    return tuple(
        np.ascontiguousarray(fixed_point(each, WEIGHT_FRACTION_BITS, WEIGHT_BITS), np.int8) for each in columns
    )
