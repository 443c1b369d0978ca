"""What every platform's lowering is written with: named steps of a period, from which a compact program is made.

A lowering describes period i of a layer as a list of steps. A step has *roles*, under which others depend on it: the
t-th step of a role, counted over the whole layer, is `(role, t)`; a negative t counts back from the end of the layers
before (`("store", -1)` is the last store of an earlier layer), and means nothing where there was none. So a
dependency on the task that freed a buffer half, `("weights free", t - 2)`, reads the same for a layer's first tile
and for its hundredth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from simulators.machine import Machine, Program, Task, program

Label = tuple[str, int]
HISTORY = 2
"""Periods that a step may depend back on: the first two are written out, the others repeat, the last is written out."""
KEPT = 2
"""Steps of each role that later layers can refer to."""


@dataclass(frozen=True)
class Step:
    """A task with its names: what it is, when it may start, and what it moves."""

    roles: tuple[str, ...]
    queue: int
    service: int
    kind: int
    after: tuple[Label, ...] = ()
    moved: tuple[tuple[int, str, int], ...] = ()
    """(layer, level_direction, bits), added to that layer's traffic; `busy_cycles` counts cycles in the same way."""


@dataclass
class LayerWork:
    """What a layer does, apart from timing."""

    name: str
    work: int
    """Multiply-accumulates of a product, operations of an elementwise layer."""
    peak_per_cycle: float
    """Most of that work that the hardware can do in a cycle, at this precision."""
    busy_cycles: int = 0
    """Cycles in which the layer's own compute unit works on it, overlapped or not."""
    bits: dict[str, int] = field(default_factory=dict)
    """Traffic by `level_direction`, such as `dram_read`."""
    energy_pj: dict[str, float] = field(default_factory=dict)
    """By component, without what depends on time."""


@dataclass(frozen=True)
class Lowered:
    """A trace on a machine."""

    machine: Machine
    program: Program
    layers: tuple[LayerWork, ...]
    hosts: dict[int, tuple[int, int]]
    """Layer → (layer whose blocks hold its tasks, kind of these tasks): an elementwise layer that runs inside a
    product's."""
    leakage_mw: float
    frequency_mhz: float


class Builder:
    """Collects blocks of tasks, layer by layer."""

    def __init__(self, layers: Sequence[LayerWork]):
        self.layers = layers
        self._blocks: list[tuple[int, int, list[Task]]] = []
        self._earlier: dict[str, list[tuple[int, int]]] = {}

    def emit(self, layer: int, periods: int, make: Callable[[int], list[Step]]) -> None:
        """Add a layer's periods. `make(i)` gives period i; all have the same roles in the same order, and those from
        HISTORY to the last but one are alike.
        """
        written = [*range(min(periods, HISTORY))]
        steady = periods - HISTORY - 1
        if steady > 0:
            written.append(HISTORY)
        if periods > HISTORY:
            written.append(periods - 1)
        made = {i: make(i) for i in written}
        length = len(made[0])
        places: dict[str, list[int]] = {}
        for position, step in enumerate(made[0]):
            for role in step.roles:
                places.setdefault(role, []).append(position)

        def unrolled(role: str, t: int) -> int:
            return t // len(places[role]) * length + places[role][t % len(places[role])]

        first_block = len(self._blocks)
        for i in written:
            repeat = steady if steady > 0 and i == HISTORY else 1
            tasks = []
            for position, step in enumerate(made[i]):
                here = i * length + position
                relative = tuple(here - unrolled(role, t) for role, t in step.after if t >= 0)
                absolute = tuple(p for role, t in step.after if t < 0 for p in self._before(role, t))
                tasks.append(Task(step.queue, step.service, step.kind, relative, absolute))
                for owner, level, bits in step.moved:
                    traffic = self.layers[owner].bits
                    traffic[level] = traffic.get(level, 0) + bits * repeat
            self._blocks.append((repeat, layer, tasks))
        self._remember(first_block, written, periods, length, places, unrolled)

    def program(self) -> Program:
        """The program of all that was emitted."""
        return program(self._blocks)

    def _before(self, role: str, t: int) -> list[tuple[int, int]]:
        known = self._earlier.get(role, [])
        return [known[t]] if len(known) >= -t else []

    def _remember(
        self, first_block: int, written: list[int], periods: int, length: int, places: dict[str, list[int]],
        unrolled: Callable[[str, int], int],
    ) -> None:  # fmt: skip
        """Keep the last steps of each role as (block, offset before its end)."""
        ends = [i + self._blocks[first_block + b][0] for b, i in enumerate(written)]  # periods up to each block's end
        for role, positions in places.items():
            total = periods * len(positions)
            for t in range(max(0, total - KEPT), total):
                u = unrolled(role, t)
                block = next(b for b, end in enumerate(ends) if u < end * length)
                self._earlier.setdefault(role, []).append((first_block + block, ends[block] * length - u))
            self._earlier[role] = self._earlier[role][-KEPT:]
