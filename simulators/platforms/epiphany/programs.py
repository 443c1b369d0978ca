"""Small programs on the mesh, task by task: what measured figures are of.

A word or a beat of 8 bytes is a task of every link that it takes, so flows that share a link wait for each other there.
A link takes beats in the order in which they would come if nothing were in their way, of equals that of the flow that
was named first: the oldest first. So flows share what there is of it, whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from math import ceil
from typing import NamedTuple

from simulators.engine.machine import COMPUTE
from simulators.engine.program import Program, Task, program
from simulators.platforms.epiphany.core import kernel_cycles, row_end_cycles
from simulators.platforms.epiphany.machine import (
    BRIDGE_READ,
    BRIDGE_WRITE,
    DMA_0,
    FPU,
    INPUTS,
    INTEGER,
    MESH,
    OUTPUTS,
    SOFTWARE,
    queues_of,
)
from simulators.platforms.epiphany.mesh import READS, WRITES
from simulators.platforms.epiphany.spec import EpiphanySpec, exact

BEAT_BYTES = 8
"""What DMA moves at a time."""
WORD_BYTES = 4


class Flow(NamedTuple):
    """A DMA write."""

    source: int
    """Node that writes."""
    target: int
    """Node that is written to."""
    amount: int
    """Bytes."""


class _Planned(NamedTuple):
    """A task of a transfer, before it is in order."""

    due: int
    """Cycle in which it would start if nothing were in its way."""
    number: int
    """Its own, by which others wait for it; of one transfer they rise."""
    queue: int
    cycles: int
    after: tuple[int, ...]


@dataclass
class MeshTasks:
    """Collects the tasks of a program in order."""

    spec: EpiphanySpec
    tasks: list[Task] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queues = queues_of(self.spec.mesh.grid)

    def add(self, queue: int, cycles: int, kind: int, after: Iterable[int]) -> int:
        """Add a task that waits for others, by their numbers; its own number."""
        self.tasks.append(Task(queue, cycles, kind, tuple(len(self.tasks) - task for task in after)))
        return len(self.tasks) - 1

    def way(self, network: int, source: int, target: int) -> Iterator[tuple[int, int]]:
        """(queue, cycles) that a word takes one after the other from node to node."""
        grid, mesh = self.spec.mesh.grid, self.spec.mesh
        for link in grid.route(source, target):
            cycles = mesh.two_hops_cycles // 2
            if grid.is_odd(link[0]):
                cycles = mesh.two_hops_cycles - cycles
            if cycles > 1:
                yield self.queues.stage(network, link), cycles - 1
            yield self.queues.link(network, link), 1

    def word(self, network: int, source: int, target: int, after: Sequence[int]) -> int:
        """Pass one word from node to node; the number of the last task."""
        for queue, cycles in self.way(network, source, target):
            after = [self.add(queue, cycles, MESH, after)]
        return after[0]

    def copies(self, flows: Sequence[Flow], after: Sequence[int] = ()) -> list[int]:
        """DMA writes that begin at the same time, beat by beat; the last task of each."""
        numbers = count()
        planned: list[_Planned] = []
        ends = []
        for flow in flows:
            of_flow = list(self._beats(flow, numbers))
            planned += of_flow
            ends.append(of_flow[-1].number)
        placed: dict[int, int] = {}
        for task in sorted(planned):
            waits = [placed[number] for number in task.after] if task.after else after
            placed[task.number] = self.add(task.queue, task.cycles, MESH, waits)
        return [placed[end] for end in ends]

    def copy(self, flow: Flow, after: Sequence[int]) -> list[int]:
        """A blocking DMA write as a whole: every link of its way is taken for its beats, and the channel for as long as
        it sends them. The last tasks."""
        channel = self.queues.core(flow.source, DMA_0)
        dma, grid = self.spec.dma, self.spec.mesh.grid
        begun = [self.add(channel, dma.setup_cycles, MESH, after)]
        beats = -(-flow.amount // self.spec.mesh.link_bytes)
        passed = [
            self.add(self.queues.link(WRITES, link), beats, MESH, begun)
            for link in grid.route(flow.source, flow.target)
        ]
        sent = self.add(channel, dma.write_cycles(flow.amount) - dma.setup_cycles, MESH, begun)
        return [*passed, self.word(WRITES, flow.source, flow.target, [sent])]

    def _beats(self, flow: Flow, numbers: Iterator[int]) -> Iterator[_Planned]:
        """A flow's tasks by the cycle in which they would start. The n-th beat leaves the channel in the whole cycle
        that n times the rate is rounded down to."""
        dma = self.spec.dma
        rate = exact(dma.write_cycles_per_byte) * BEAT_BYTES
        channel = self.queues.core(flow.source, DMA_0)
        way = list(self.way(WRITES, flow.source, flow.target))
        sent = next(numbers)
        yield _Planned(0, sent, channel, dma.setup_cycles, ())
        leaves = [int(n * rate) for n in range(-(-flow.amount // BEAT_BYTES) + 1)]
        leaves[1:] = [max(now, n + 1) for n, now in enumerate(leaves[1:])]
        for before, now in pairwise(leaves):
            due = dma.setup_cycles + before
            sent, waits = next(numbers), (sent,)
            yield _Planned(due, sent, channel, now - before, waits)
            due, behind = due + now - before, sent
            for queue, cycles in way:
                behind, waits = next(numbers), (behind,)
                yield _Planned(due, behind, queue, cycles, waits)
                due += cycles


def ping_pong(spec: EpiphanySpec, source: int, target: int) -> tuple[Program, int]:
    """A word and its flag from node to node and back, and how many ways that is."""
    tasks = MeshTasks(spec)
    sent = tasks.add(tasks.queues.core(source, INTEGER), spec.core.flag_cycles, SOFTWARE, ())
    there = tasks.word(WRITES, source, target, [sent])
    answered = tasks.add(tasks.queues.core(target, INTEGER), spec.core.flag_cycles, SOFTWARE, [there])
    tasks.word(WRITES, target, source, [answered])
    return program([(1, 0, tasks.tasks)]), 2


def remote_read(spec: EpiphanySpec, source: int, target: int) -> Program:
    """A core reads one word of another's memory."""
    tasks = MeshTasks(spec)
    asked = tasks.add(tasks.queues.core(source, INTEGER), spec.core.remote_read_cycles, SOFTWARE, ())
    there = tasks.word(READS, source, target, [asked])
    tasks.word(WRITES, target, source, [there])
    return program([(1, 0, tasks.tasks)])


def copies(spec: EpiphanySpec, flows: Sequence[Flow]) -> tuple[Program, list[int]]:
    """DMA writes at the same time, and the last task of each."""
    tasks = MeshTasks(spec)
    ends = tasks.copies(flows)
    return program([(1, 0, tasks.tasks)]), ends


def matrix_kernel(spec: EpiphanySpec, size: int) -> Program:
    """A product of two matrices of size x size on one core. A step multiplies an element with a row, whose sums are in
    registers, while the integer slot loads what the next step takes; behind a row its sums are stored, those of the
    next one loaded, and the loop goes on, while nothing is multiplied."""
    queues = queues_of(spec.mesh.grid)
    fpu, integer = queues.core(0, FPU), queues.core(0, INTEGER)
    loads = ceil(size / 2) + 2  # of the row two elements at a time, and an element of the column with its address
    row = [Task(fpu, size, COMPUTE, (1,))]
    for step in range(1, size):
        row += [Task(integer, loads, SOFTWARE, (2 if step == 1 else 3,)), Task(fpu, size, COMPUTE, (1,))]
    row.append(Task(integer, row_end_cycles(spec.core, size), SOFTWARE, (1,)))
    return program([(1, 0, [Task(integer, spec.core.call_cycles, SOFTWARE)]), (size, 0, row)])


def on_chip_product(spec: EpiphanySpec, size: int, copies_a_step: int) -> Program:
    """A product of two matrices on a square mesh by Cannon's algorithm, size x size of either on each core: in every
    step each core multiplies, and then passes its parts on to its left and its upper neighbour, in blocking copies."""
    grid = spec.mesh.grid
    tasks = MeshTasks(spec)
    amount = 2 * size * size * WORD_BYTES // copies_a_step
    received: dict[int, list[int]] = {node: [] for node in range(grid.nodes)}
    lengths: list[int] = []
    for _ in range(2):
        arriving: dict[int, list[int]] = {node: [] for node in range(grid.nodes)}
        for node in range(grid.nodes):
            row, column = grid.place(node)
            left, above = grid.node(row, (column - 1) % grid.columns), grid.node((row - 1) % grid.rows, column)
            waits = received[node]
            done = [tasks.add(tasks.queues.core(node, FPU), kernel_cycles(spec.core, size), COMPUTE, waits)]
            for number in range(copies_a_step):
                target = left if number % 2 == 0 else above
                done = tasks.copy(Flow(node, target, amount), done)
                arriving[target] += done
        received = arriving
        lengths.append(len(tasks.tasks) - sum(lengths))
    first, others = tasks.tasks[: lengths[0]], tasks.tasks[lengths[0] :]
    return program([(1, 0, first), (grid.columns - 1, 0, others)])


def off_chip_product(spec: EpiphanySpec, block: int, blocks: int, multiply_cycles: int) -> Program:
    """A product of two matrices in DRAM, of blocks x blocks blocks of block x block elements each: two blocks come over
    the bridge, are multiplied on chip in so many cycles, and when a block of results has all its products, it leaves.
    Nothing overlaps: the cores hold one block of each."""
    queues, dram = queues_of(spec.mesh.grid), spec.dram
    amount = block * block * WORD_BYTES
    read = ceil(2 * amount * exact(dram.read_cycles_per_byte))
    period = [
        Task(queues.bridge(BRIDGE_READ), read, INPUTS, (1,)),
        Task(queues.core(0, FPU), multiply_cycles, COMPUTE, (1,)),
    ] * blocks
    period.append(Task(queues.bridge(BRIDGE_WRITE), ceil(amount * exact(dram.write_cycles_per_byte)), OUTPUTS, (1,)))
    first = [Task(queues.bridge(BRIDGE_READ), read, INPUTS), *period[1:]]
    return program([(1, 0, first), (blocks * blocks - 1, 0, period)])
