"""Named steps, and the segments that are made of them.

A *segment* is a layer, or a product with the elementwise layer that runs behind it. It does not know its neighbours:
what it depends on in earlier segments is either all of them (EVERYTHING_BEFORE), or, for tasks of the queue that runs
ahead, what a role's last steps were, whichever segment they are of. So a segment is made once for a layer's shape and
bits, and reused in every network that holds it.

A step has *roles*, under which others depend on it: `(role, back)` is the step of that role `back` before, counted
back from the step that depends on it. A load that reuses a half of a buffer depends on `("weights free", 2)`, in a
layer's first tile and in its hundredth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from simulators.engine.program import Ints, Program

Label = tuple[str, int]
EVERYTHING_BEFORE: Label = ("everything before", 0)
"""All tasks of the segments before are complete."""
KEPT = 32
"""Steps of each role that what comes later can refer to."""

Moved = tuple[tuple[int, str, int], ...]
"""Traffic of a step: (layer of the segment, level and direction such as `dram_read`, bits)."""


class Step(NamedTuple):
    """A task with its names: what it is, when it may start, and what it moves."""

    roles: tuple[str, ...]
    queue: int
    """Index into the machine's queues."""
    cycles: int
    """Service time on the queue's server."""
    kind: int
    """What a cycle that waits for it is charged to: an index into the machine's kinds."""
    after: tuple[Label, ...] = ()
    moved: Moved = ()
    works_on: int | None = None
    """The layer of the segment whose own work this is: its unit is busy meanwhile."""


Repetition = tuple[int, list[Step]]
"""How often steps follow each other within a period, and the steps."""


@dataclass
class LayerWork:
    """What a layer does, apart from timing."""

    work: int
    """Multiply-accumulates of a product that are done, operations of an elementwise layer."""
    peak_per_cycle: float
    """Most of that work that the hardware can do in a cycle, at this precision."""
    own_kind: int
    """Kind of the tasks that are this layer's own work."""
    busy_cycles: int = 0
    """Cycles in which the layer's own compute unit works on it, overlapped or not."""
    never_skipped: int = 0
    """Multiply-accumulates besides the layer's own, which are done whatever is skipped: a bias as a column."""
    bits: dict[str, int] = field(default_factory=dict)
    """Traffic in bits by level and direction, such as `dram_read`."""

    def move(self, level: str, bits: int) -> None:
        """Add traffic."""
        self.bits[level] = self.bits.get(level, 0) + bits


def count_step(works: Sequence[LayerWork], cycles: int, moved: Moved, works_on: int | None, times: int) -> None:
    """Add what a step does, so many times, to the layers of its segment. Raises TypeError, ValueError or IndexError for
    traffic that cannot be, or of a layer that there is not; a fraction of a bit is seen by `SegmentBuilder.segment`."""
    for layer, level, bits in moved:
        if bits < 0 or layer < 0:
            raise ValueError(f"{bits} bits of {level} in layer {layer}")
        works[layer].move(level, bits * times)
    if works_on is not None:
        if works_on < 0:
            raise ValueError(f"work in layer {works_on}")
        works[works_on].busy_cycles += cycles * times


class PrefetchTask(NamedTuple):
    """A task that may start before the segments before its own are complete."""

    cycles: int
    kind: int
    """Index into the machine's kinds."""
    after: tuple[Label, ...]
    """Roles of earlier segments that it waits for, counted back from their end."""


Places = tuple[tuple[int, int], ...]
"""(block, offset before its end in tasks) of steps."""


@dataclass(frozen=True, eq=False)
class Template:
    """What the tasks of a segment depend on, whatever they take: segments whose steps have the same names share it."""

    program: Program
    """The T stored tasks, with a service time of one cycle each, without what those that run ahead depend on in earlier
    segments."""
    source: Ints
    """(T,) position of each stored task's step among all that were written down."""
    prefetch_waits: dict[int, tuple[Label, ...]]
    """Stored task → roles of earlier segments that it waits for."""
    prefetchable: tuple[tuple[int, tuple[Label, ...]], ...]
    """Stored task and what it waits for, of each that may run ahead: in order, up to the first that waits for a
    barrier."""
    all_prefetchable: bool
    """Whether no other task of the queue that runs ahead is left."""
    last_steps: dict[str, Places]
    """Role → its last steps, the last first."""

    def segment(self, works: tuple[LayerWork, ...], cycles: Ints, kind: Ints) -> Segment:
        """The segment with these works, service times in cycles and kinds of the stored tasks, (T,) each."""
        return Segment(works, self.program.timed(cycles, kind), self)


@dataclass(frozen=True)
class Segment:
    """A layer, or several that run together, as tasks."""

    works: tuple[LayerWork, ...]
    """What each of its layers does."""
    program: Program
    """The template's, with service times and kinds."""
    template: Template

    @cached_property
    def prefetchable(self) -> tuple[PrefetchTask, ...]:
        """What may run ahead, in order."""
        service, kind = self.program.service, self.program.kind
        return tuple([PrefetchTask(int(service[j]), int(kind[j]), after) for j, after in self.template.prefetchable])
