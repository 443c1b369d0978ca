"""EdgeDRNN's arithmetic, exact to the bit against its RTL (SensorsINI/EdgeDRNN @2f57fc6).

Weights are 8-bit Q1.7, activations 16-bit Q8.8, accumulators 24 bits with 15 of fraction; all wrap around. Gates take
multiples of 1/16 (5-bit tables), and the reset gate acts after the recurrent product. An element is sent where it
differs from what was sent last, by a threshold at least. The RTL's sums are wrong, and this model's are not, where
`simulators.platforms.edgedrnn.network.sums_are_right` says no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from quant.arithmetic.edgedrnn_kernels import gru_layer
from simulators.inputs.errors import InputError
from simulators.platforms.edgedrnn.network import GRU_BLOCKS, MOST_LAYERS, check_threshold

WEIGHT_FRACTION_BITS = 7
ACTIVATION_FRACTION_BITS = 8
_GATE_STEPS = 16
"""Steps of a gate's table between 0 and 1."""

Weights = NDArray[np.int8]
"""(1 + I + H, 3, H) in units of 1/128: bias, inputs, states; r, u, c; neurons."""
Values = NDArray[np.int16]
"""(steps, elements) in units of 1/256."""
Tables = tuple[NDArray[np.int16], NDArray[np.int16]]


@dataclass(frozen=True)
class Thresholds:
    """Thresholds in units of 1/256, common to all layers. Raises InputError for what the registers do not hold."""

    inputs: int
    """Least change of an input, and of the bias, that is sent, in 1/256."""
    states: int
    """Least change of a state that is sent, in 1/256."""

    def __post_init__(self) -> None:
        check_threshold("input threshold", self.inputs)
        check_threshold("state threshold", self.states)


@dataclass(frozen=True)
class LayerRun:
    """What one layer did from reset on."""

    outputs: Values
    """(steps, H)."""
    sent: NDArray[np.bool_]
    """(steps, 1 + I + H): columns of weights that were fetched: bias, inputs, states."""


def run(layers: Sequence[Weights], inputs: Values, thresholds: Thresholds) -> list[LayerRun]:
    """Run a network from reset on inputs (steps, I); the last layer's outputs are the network's.

    Raises InputError for weights or inputs of other types or shapes than layers that read each other have.
    """
    if not 1 <= len(layers) <= MOST_LAYERS:
        raise InputError(f"{len(layers)} layers: EdgeDRNN runs 1 to {MOST_LAYERS}")
    if inputs.dtype != np.int16 or inputs.ndim != 2:
        raise InputError(f"inputs: {inputs.dtype} of shape {inputs.shape}: expected int16 (steps, elements)")
    values, runs = inputs, []
    for number, weights in enumerate(layers, start=1):
        _check_weights(number, weights, values.shape[1])
        hidden = weights.shape[2]
        ran = LayerRun(np.zeros((len(values), hidden), np.int16), np.zeros((len(values), len(weights)), np.bool_))
        gru_layer(
            np.ascontiguousarray(values), np.ascontiguousarray(weights), thresholds.inputs, thresholds.states,
            *gate_tables(), ran.outputs, ran.sent,
        )  # fmt: skip
        runs.append(ran)
        values = ran.outputs
    return runs


@cache
def gate_tables() -> Tables:
    """Sigmoid and tanh of every 16-bit value, at value + 32,768: 16 round(16 f(value / 256))."""
    x = np.arange(-(1 << 15), 1 << 15) / (1 << ACTIVATION_FRACTION_BITS)
    unit = (1 << ACTIVATION_FRACTION_BITS) // _GATE_STEPS
    sigmoid, tanh = (
        (unit * np.rint(_GATE_STEPS * values)).astype(np.int16) for values in (1 / (1 + np.exp(-x)), np.tanh(x))
    )
    return sigmoid, tanh


def _check_weights(number: int, weights: Weights, inputs: int) -> None:
    hidden = weights.shape[-1] if weights.ndim else 0
    expected = (1 + inputs + hidden, GRU_BLOCKS, hidden)
    if weights.dtype != np.int8 or weights.shape != expected:
        raise InputError(f"layer {number}: weights {weights.dtype} {weights.shape}: expected int8 {expected}")
