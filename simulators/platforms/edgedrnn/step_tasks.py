"""EdgeDRNN's steps on the machine model, slot by slot and burst by burst: what the cycle law says in a formula.

Scan slots are tasks of the delta encoder, those up to the next sent one together; a command is a task of the memory
that takes its latency, and waits for its slot and for the burst before it; a burst, or the null entry that closes a
list, is a task of the lanes; a slot that meets a full FIFO waits until the entry before the last 33 has left, which two
stages of one cycle each notice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.engine.machine import COMPUTE
from simulators.engine.program import Program, Task, program
from simulators.platforms.edgedrnn.cycle_law import DeltaMasks
from simulators.platforms.edgedrnn.machine import (
    ACTIVATE,
    ACTIVATION,
    BURST,
    COMMAND,
    FIFO_READ,
    FIFO_UPDATE,
    LATENCY,
    RESET,
    SCAN,
    SCANNING,
)
from simulators.platforms.edgedrnn.network import DeltaTiming, LayerSize


class StepTasks:
    """Collects the tasks of steps in order."""

    def __init__(self, timing: DeltaTiming):
        self.timing = timing
        self.tasks: list[Task] = []
        self.step_ends: list[int] = []
        """The last task of each step."""

    def add(self, queue: int, cycles: int, kind: int, after: Sequence[int]) -> int:
        """Add a task that waits for others, by their numbers; its own number."""
        self.tasks.append(Task(queue, cycles, kind, tuple(len(self.tasks) - task for task in after)))
        return len(self.tasks) - 1

    def layer(self, sent: Sequence[bool], inputs: int, size: LayerSize, after: Sequence[int]) -> int:
        """One layer in one step: what of its bias, inputs, empty slots and states is sent. The number of its last
        task."""
        closing = (inputs, len(sent) - 1)
        entries: list[int] = []
        bursts: list[int] = []
        scanned, last = list(after), -1
        for slot in (slot for slot in range(len(sent)) if sent[slot] or slot in closing):
            ahead = slot - last - (0 if sent[slot] else 1)
            waits = self._place(entries)
            if ahead:
                scanned = [self.add(SCAN, ahead, SCANNING, [*scanned, *waits])]
                waits = []
            if sent[slot]:
                fetched = scanned
                if self.timing.memory_latency:
                    fetched = [self.add(COMMAND, self.timing.memory_latency, LATENCY, [*scanned, *bursts[-1:]])]
                bursts.append(self.add(BURST, size.burst_cycles(self.timing.lanes), COMPUTE, fetched))
                entries.append(bursts[-1])
            else:  # the null entry is made while its slot is scanned
                begins = [*scanned, *waits]
                entries.append(self.add(BURST, 1, SCANNING, begins))
                scanned = [self.add(SCAN, 1, SCANNING, begins)]
            last = slot
        return self.add(ACTIVATE, size.drain_cycles(self.timing.lanes), ACTIVATION, entries[-1:])

    def _place(self, entries: Sequence[int]) -> list[int]:
        """What the next slot waits for where the FIFO and its output register are full."""
        places = self.timing.fifo_entries + 1
        if len(entries) < places:
            return []
        left = self.add(FIFO_READ, 1, SCANNING, [entries[-places]])
        return [self.add(FIFO_UPDATE, 1, SCANNING, [left])]


def step_program(
    layers: Sequence[DeltaMasks], sizes: Sequence[LayerSize], timing: DeltaTiming, from_reset: bool = True
) -> tuple[Program, list[int]]:
    """A network's steps as a program of one segment, and the last task of each step."""
    collected = StepTasks(timing)
    after = [collected.add(SCAN, 1, RESET, ())] if from_reset else []
    for step in range(len(layers[0].bias)):
        for masks, size in zip(layers, sizes, strict=True):
            filled = size.scanned_inputs(timing.lanes) - size.inputs
            slots = (masks.bias[step : step + 1], masks.inputs[step], np.zeros(filled), np.zeros(2), masks.states[step])
            sent = np.concatenate(slots).astype(bool).tolist()
            after = [collected.layer(sent, size.inputs + filled, size, after)]
        collected.step_ends += after
    return program([(1, 0, collected.tasks)]), collected.step_ends
