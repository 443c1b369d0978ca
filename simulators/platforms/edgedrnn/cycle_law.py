"""EdgeDRNN's cycle law: exact against its RTL (SensorsINI/EdgeDRNN @2f57fc6) on every step it was compared with.

The delta encoder scans a layer's elements in order: the bias, the inputs, two empty slots, the states, one a cycle. A
non-zero delta enters the FIFO and makes a command; after the memory's latency the lanes take its column, P weights a
cycle. A command is taken when the burst before it has come in. Where the last input or the last state is zero, a null
entry closes the list. A full FIFO holds the encoder. Behind the last entry a layer drains and activates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.inputs.errors import InputError
from simulators.inputs.jit import compiled
from simulators.platforms.edgedrnn.network import DeltaTiming, LayerSize
from simulators.workloads.masks import Sent

LANES, MEMORY, SCAN, DRAIN = range(4)
"""What the cycles of a layer's step go to: bursts in the lanes; lanes that wait for the memory's latency; lanes that
wait for the delta encoder, null entries included; drain and activation."""
_EMPTY_SLOTS = 2
"""Between inputs and states."""
_CLOSES = np.uint8(2)
"""Beside the 1 of what is sent: marks the last slot of inputs and of states."""
_RELEASE_CYCLES = 2
"""From the end of an entry's work to the scan of a slot that waited for its place."""


@dataclass(frozen=True)
class DeltaMasks:
    """What a layer sends, step by step."""

    bias: NDArray[np.uint8]
    """(steps,) 1 where the bias is sent: in the first step after reset, if the threshold lets it."""
    inputs: Sent
    """(steps, inputs)."""
    states: Sent
    """(steps, hidden)."""


def layer_cycles(masks: DeltaMasks, size: LayerSize, timing: DeltaTiming) -> NDArray[np.int64]:
    """Cycles of a layer in each step by what they go to, (steps, 4): LANES, MEMORY, SCAN, DRAIN. Their sum is what the
    layer takes; a first step after reset takes one more for the whole network (see `step_cycles`).

    Raises InputError for masks of other shapes than the layer's.
    """
    for name, found, length in (("inputs", masks.inputs, size.inputs), ("states", masks.states, size.hidden)):
        if found.shape != (len(masks.bias), length):
            raise InputError(f"masks of {name}: shape {found.shape}: expected ({len(masks.bias)}, {length})")
    filled = size.scanned_inputs(timing.lanes) - size.inputs
    inputs = np.pad(masks.inputs, ((0, 0), (0, filled))) if filled else masks.inputs
    cycles = list_cycles(DeltaMasks(masks.bias, inputs, masks.states), size.burst_cycles(timing.lanes), timing)
    cycles[:, DRAIN] = size.drain_cycles(timing.lanes)
    return cycles


def list_cycles(masks: DeltaMasks, burst_cycles: int, timing: DeltaTiming) -> NDArray[np.int64]:
    """Cycles (steps, 4) as `layer_cycles` has them, of all that is scanned as the masks have it, without the DRAIN."""
    cycles = np.zeros((len(masks.bias), 4), np.int64)
    bias, inputs, states = (np.ascontiguousarray(mask, np.uint8) for mask in (masks.bias, masks.inputs, masks.states))
    _scan(bias, inputs, states, burst_cycles, timing.memory_latency, timing.fifo_entries + 1, cycles)
    return cycles


def step_cycles(
    layers: Sequence[DeltaMasks], sizes: Sequence[LayerSize], timing: DeltaTiming, from_reset: bool = True
) -> NDArray[np.int64]:
    """Cycles of each step of a network, (steps,), from the last output of the step before to its own; of the first step
    after a reset, from the first valid input. Raises InputError for masks that are not the network's."""
    if len(layers) != len(sizes):
        raise InputError(f"masks of {len(layers)} layers: the network has {len(sizes)}")
    if len({len(masks.bias) for masks in layers}) != 1:
        raise InputError(f"masks of {[len(masks.bias) for masks in layers]} steps: expected as many of each layer")
    total = np.zeros(len(layers[0].bias), np.int64)
    for masks, size in zip(layers, sizes, strict=True):
        total += layer_cycles(masks, size, timing).sum(axis=1)
    if from_reset and len(total):
        total[0] += 1
    return total


def sent_columns(masks: DeltaMasks) -> NDArray[np.int64]:
    """Columns of weights that a layer fetches in each step, (steps,), the bias included."""
    columns: NDArray[np.int64] = (
        masks.bias.astype(np.int64)
        + masks.inputs.sum(axis=1, dtype=np.int64)
        + masks.states.sum(axis=1, dtype=np.int64)
    )
    return columns


@compiled
def _scan(
    bias: Sent, inputs: Sent, states: Sent, burst: int, latency: int, places: int, cycles: NDArray[np.int64]
) -> None:
    """Fill LANES, MEMORY and SCAN of `cycles` (steps, 4). `places`: entries between encoder and lanes, the output
    register included. Times are in cycles; the bias is scanned at 0."""
    last_input = inputs.shape[1]
    first_state = 1 + last_input + _EMPTY_SLOTS
    slots = first_state + states.shape[1]
    row = np.zeros(slots, np.uint8)
    ends = np.empty(places, np.int64)  # of the last entries' work, a ring
    for step in range(len(bias)):
        row[0] = bias[step]
        row[1 : 1 + last_input] = inputs[step]
        row[first_state:] = states[step]
        row[last_input] |= _CLOSES
        row[slots - 1] |= _CLOSES
        t, free, read, entries, place, before = -1, 0, 0, 0, 0, -1
        lanes = memory = scan = 0
        for slot in range(slots):
            if row[slot] == 0:
                continue
            # All slots since the entry before wait for the same place in the FIFO: so does the first of them alone.
            t += 1
            if entries >= places:
                t = max(t, ends[place] + _RELEASE_CYCLES)
            t += slot - before - 1
            before = slot
            if row[slot] & 1:
                command = max(read, t + 1)
                waits = max(command + latency - free, 0)
                memory += min(waits, latency)
                scan += waits - min(waits, latency)
                lanes += burst
                free += waits + burst
                read = free
            else:
                scan += max(t - free, 0) + 1
                free = max(free, t) + 1
            ends[place] = free
            entries += 1
            place = place + 1 if place + 1 < places else 0
        cycles[step, 0], cycles[step, 1], cycles[step, 2] = lanes, memory, scan
