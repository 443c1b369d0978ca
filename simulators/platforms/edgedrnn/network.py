"""What EdgeDRNN runs: the timing of the accelerator and the sizes of a network, with the limits of its RTL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from simulators.inputs.errors import InputError

BIAS_DELTA = 256
"""The bias is an input that goes from 0 to 1.0 (Q8.8) in the first step."""
MOST_THRESHOLD = 511
"""Thresholds are 10-bit signed registers in units of 1/256: from 512 on they would be negative."""
MOST_LAYERS = 4
MOST_SIZE = 1024
MOST_LANES = 256
MOST_LATENCY = 1 << 20
FIFO_ENTRIES = 32
"""Entries of the FIFO between delta encoder and multipliers, without its output register."""
GRU_BLOCKS = 3
"""Weights of a column for each neuron: r, u, c. Others (LSTM 4, Li-GRU 2) are not in the RTL."""


def _within(name: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InputError(f"{name}: {value}: expected a whole number from {least} to {most}")


def check_threshold(name: str, value: int) -> None:
    """Raise InputError for a threshold that the 10-bit signed register does not hold as it is meant."""
    _within(name, value, 0, MOST_THRESHOLD)


def bias_is_sent(input_threshold: int) -> bool:
    """Whether the first step sends the bias: its delta is compared with the inputs' threshold, too, and is lost for
    good where that is larger."""
    check_threshold("input threshold", input_threshold)
    return input_threshold <= BIAS_DELTA


@dataclass(frozen=True)
class DeltaTiming:
    """What of the accelerator decides cycles. Raises InputError for what cannot be."""

    lanes: int = 8
    """Multiply-accumulate lanes (NUM_PE), and weights that arrive in a cycle; the RTL runs with 8 and 16."""
    memory_latency: int = 0
    """Cycles from a command to its first beat; 0: data come in the cycle after the command is taken."""
    fifo_entries: int = FIFO_ENTRIES
    """Entries between delta encoder and multipliers, without the output register; the RTL has 32."""

    def __post_init__(self) -> None:
        _within("lanes", self.lanes, 1, MOST_LANES)
        _within("memory_latency", self.memory_latency, 0, MOST_LATENCY)
        _within("fifo_entries", self.fifo_entries, 1, MOST_SIZE)


@dataclass(frozen=True)
class LayerSize:
    """One delta layer."""

    inputs: int
    """Elements of the layer's input."""
    hidden: int
    """Neurons."""
    blocks: int = GRU_BLOCKS
    """Weights of a column for each neuron."""

    def burst_cycles(self, lanes: int) -> int:
        """Cycles in which the weights of one column pass the lanes."""
        return self.blocks * self.hidden // lanes

    def scanned_inputs(self, lanes: int) -> int:
        """Inputs that the delta encoder scans: a last half group of lanes is filled up with zeros."""
        return self.inputs + self.inputs % lanes

    def drain_cycles(self, lanes: int) -> int:
        """Cycles from the last product to the layer's last output: 7 of the pipeline, 5 (H/P + 1) of the activation, 1
        of the output."""
        return 13 + 5 * self.hidden // lanes

    @property
    def columns(self) -> int:
        """Columns of weights: bias, inputs, states."""
        return 1 + self.inputs + self.hidden


def check_size(name: str, value: int) -> None:
    """Raise InputError for a number of inputs or neurons beyond the RTL's."""
    _within(name, value, 1, MOST_SIZE)


def layer_sizes(inputs: int, hidden: Sequence[int], lanes: int = 8, blocks: int = GRU_BLOCKS) -> tuple[LayerSize, ...]:
    """The layers of a network, each reading the one before it.

    Raises InputError for sizes that the RTL does not run: more than 4 layers, a size beyond 1,024, neurons that are
    no multiple of the lanes, inputs that are no multiple of half of them (its outputs are wrong then).
    """
    if not 1 <= len(hidden) <= MOST_LAYERS:
        raise InputError(f"{len(hidden)} layers: EdgeDRNN runs 1 to {MOST_LAYERS}")
    check_size("inputs", inputs)
    if inputs % lanes and 2 * (inputs % lanes) != lanes:
        raise InputError(f"inputs: {inputs}: expected a multiple of half of the {lanes} lanes")
    for size in hidden:
        check_size("hidden size", size)
        if size % lanes:
            raise InputError(f"hidden size: {size}: expected a multiple of the {lanes} lanes")
    return tuple(LayerSize(before, size, blocks) for before, size in pairwise((inputs, *hidden)))


def sums_are_right(layer: LayerSize, timing: DeltaTiming) -> bool:
    """Whether the RTL's accumulators keep up: reading, adding and writing one takes 4 cycles, so that a burst of fewer
    that follows another without latency overtakes it and leaves a wrong sum. Cycles are the same."""
    return layer.burst_cycles(timing.lanes) >= 4 or timing.memory_latency >= 1


def column_addresses(layers: Sequence[LayerSize], base: int = 0) -> list[range]:
    """Byte addresses of the columns of each layer, 8-bit weights, as the RTL commands them: the column's number over
    all layers times the bytes of a column of the *current* layer. With unequal hidden sizes the columns of a layer do
    not follow those of the one before, and overlap them where the hidden size shrinks."""
    addresses, first = [], 0
    for layer in layers:
        stride = layer.blocks * layer.hidden
        addresses.append(range(base + first * stride, base + (first + layer.columns) * stride, stride))
        first += layer.columns
    return addresses
