"""The tasks of a matrix product on Bit Fusion, tile by tile: which there are, in which order, what each waits for.

How long a task takes and what it moves is asked for as it is written down. So tiles are written with their sizes, as
those of recurrent products are, or with marks in place of sizes: such a `LoopNest` is written once for all products
whose loops run equally often, and costs are put in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulators.engine.machine import COMPUTE
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import (
    EVERYTHING_BEFORE,
    Label,
    LayerWork,
    Moved,
    Repetition,
    Segment,
    Step,
    count_step,
)
from simulators.platforms.bitfusion.machine import (
    DRAIN,
    DRAINING,
    INPUTS,
    LOAD_INPUTS,
    LOAD_WEIGHTS,
    MACHINE,
    MULTIPLY,
    OUTPUTS,
    PROCESS,
    PROCESSING,
    RECURRENCE,
    STORE,
    WEIGHTS,
)  # fmt: skip
from simulators.platforms.bitfusion.tiling import Outer

LOOP_NESTS = 4096
"""How many are kept: without them a candidate that is new takes 1.4 to 1.8 times as long."""


class TaskCost(NamedTuple):
    """What a task takes."""

    cycles: int
    moved: Moved = ()
    works_on: int | None = None
    """The layer of the segment whose own work it is."""


class Style(NamedTuple):
    """What decides which tasks a tile has."""

    depth: int
    """Tiles that a buffer holds at a time."""
    preloads: bool
    """Whether partial sums are loaded before the first part of a reduction too, as the published model has it."""
    fused: bool
    """Whether an elementwise layer takes the results."""
    extra: bool
    """Whether that one takes more than the results."""
    vectors: bool
    """Whether that one has biases or recurrent vectors."""
    computed_weights: bool = False
    """Whether the operand that lies in the weight buffer is a result of earlier layers, and cannot be prefetched."""


class Tiles:
    """Writes tiles of m outputs, k inputs and n vectors. `cost` takes what a task does, m, k and n, and is asked for
    weights, inputs, all inputs, preload, multiply, accumulate (the parts of a reduction behind the first), drain,
    extra, process, store and vectors."""

    def __init__(self, style: Style, cost: Callable[[str, int, int, int], TaskCost]):
        self.style = style
        self._cost = cost

    def step(
        self, what: str, sizes: tuple[int, int, int], roles: tuple[str, ...], queue: int, kind: int,
        after: tuple[Label, ...],
    ) -> Step:  # fmt: skip
        """A task with its cost."""
        cost = self._cost(what, *sizes)
        return Step(roles, queue, cost.cycles, kind, after, cost.moved, cost.works_on)

    def vectors(self) -> Step:
        """Biases and recurrent vectors of the elementwise layer."""
        return self.step("vectors", (0, 0, 0), ("vectors",), LOAD_WEIGHTS, WEIGHTS, ())

    def weights(self, m: int, k: int) -> Step:
        """A tile of weights, into a free part of their buffer."""
        computed = (EVERYTHING_BEFORE,) if self.style.computed_weights else ()
        after: tuple[Label, ...] = (("weights free", self.style.depth), *computed)
        return self.step("weights", (m, k, 0), ("weights",), LOAD_WEIGHTS, WEIGHTS, after)

    def inputs(self, n: int, k: int, first: bool) -> Step:
        """A tile of inputs, into a free part of their buffer; a layer's first wait for the results before it."""
        after: tuple[Label, ...] = (("inputs free", self.style.depth), *((EVERYTHING_BEFORE,) if first else ()))
        return self.step("inputs", (0, k, n), ("inputs",), LOAD_INPUTS, INPUTS, after)

    def all_inputs(self) -> Step:
        """All inputs, which stay."""
        after = (EVERYTHING_BEFORE, ("inputs free", self.style.depth))
        return self.step("all inputs", (0, 0, 0), ("inputs",), LOAD_INPUTS, INPUTS, after)

    def multiply(
        self, roles: tuple[str, ...], needs: tuple[Label, ...], sizes: tuple[int, int, int], first: bool
    ) -> list[Step]:
        """One tile on the array, the first of a reduction or another, behind the preload of its partial sums where the
        published model has one."""
        steps = []
        if first and self.style.preloads:
            free = (EVERYTHING_BEFORE, ("outputs free", self.style.depth))
            steps.append(self.step("preload", sizes, ("preload",), LOAD_INPUTS, OUTPUTS, free))
            needs = (*needs, ("preload", 1))
        steps.append(self.step("multiply" if first else "accumulate", sizes, roles, MULTIPLY, COMPUTE, needs))
        return steps

    def finish(self, m: int, n: int, ending: tuple[str, ...], first: bool, drained: tuple[str, ...] = ()) -> list[Step]:
        """A tile's results leave the array: through the pipeline, the elementwise work behind it if any, and to
        DRAM. `ending`: the roles of the step that the next one of a recurrent product waits for; `first`: of a tile of
        the outer loop, or of a time step; `drained`: more roles of the drain."""
        waiting = RECURRENCE if ending else DRAINING
        sizes = (m, 0, n)
        behind: Label = ("multiply", 1)
        if not self.style.fused:
            return [
                self.step("drain", sizes, ("drain", *ending, *drained), DRAIN, waiting, (behind,)),
                self.step("store", sizes, ("store", "outputs free"), STORE, OUTPUTS, (("drain", 1),)),
            ]
        steps = [self.step("drain", sizes, ("drain", *drained), DRAIN, waiting, (behind,))]
        needs: tuple[Label, ...] = (("drain", 1), *((("vectors", 1),) if self.style.vectors else ()))
        if self.style.extra:
            free: tuple[Label, ...] = (("outputs free", self.style.depth), *((EVERYTHING_BEFORE,) if first else ()))
            steps.append(self.step("extra", sizes, ("extra",), LOAD_INPUTS, INPUTS, free))
            needs = (*needs, ("extra", 1))
        steps.append(self.step("process", sizes, ("process", *ending), PROCESS, PROCESSING, needs))
        steps.append(self.step("store", sizes, ("store", "outputs free"), STORE, OUTPUTS, (("process", 1),)))
        return steps


class Loops(NamedTuple):
    """How the loops of a product run whose vectors do not depend on each other: all that decides on its tasks but how
    long they take."""

    style: Style
    outer: Outer
    m: int
    """Tiles of the outputs."""
    k: int
    """Tiles of the reduction."""
    n: int
    """Tiles of the vectors."""
    alike: bool
    """Whether the last tile of the outer loop is as large as the others."""
    groups: int
    """Products that follow each other."""


class Mark(NamedTuple):
    """What stands for a task's cost in a loop nest; a size is 1 for the last tile of its loop, 0 for any other."""

    what: str
    m: int
    """Which size of the outputs."""
    k: int
    """Which size of the reduction."""
    n: int
    """Which size of the vectors."""


class LoopNest:
    """The tasks of some loops, without their costs."""

    def __init__(self, loops: Loops):
        numbers: dict[Mark, int] = {}
        counts = LayerWork(0, 1.0, COMPUTE)

        def number(what: str, m: int, k: int, n: int) -> TaskCost:
            """The mark's number, from 1, in place of cycles; of moved bits, one at each time."""
            at = numbers.setdefault(Mark(what, m, k, n), len(numbers) + 1)
            return TaskCost(at, ((0, str(at), 1),))

        builder = SegmentBuilder(MACHINE, (counts,))
        write(builder, Tiles(loops.style, number), loops)
        self._template, marks, self._kinds = builder.template()
        self._marks = marks - 1
        self.marks = tuple(numbers)
        self._counts = [counts.bits[str(at)] for at in numbers.values()]
        """Number of tasks of each mark."""

    def segment(self, costs: Sequence[TaskCost], works: tuple[LayerWork, ...]) -> Segment:
        """The segment with costs by mark; traffic is added to the works, where there are any."""
        if works:
            for count, cost in zip(self._counts, costs, strict=True):
                count_step(works, *cost, count)
        cycles = np.array([cost.cycles for cost in costs], np.int64)[self._marks]
        return self._template.segment(works, cycles, self._kinds)


@lru_cache(maxsize=LOOP_NESTS)
def loop_nest(loops: Loops) -> LoopNest:
    """The tasks of some loops, written once."""
    return LoopNest(loops)


def write(builder: SegmentBuilder, tiles: Tiles, loops: Loops) -> None:
    """Loops as periods, one a tile of the outer loop; the sizes of their tiles are marks."""
    if loops.style.vectors:
        builder.emit(1, [(1, [tiles.vectors()])])
    outer, inner = (loops.m, loops.n) if loops.outer == "outputs" else (loops.n, loops.m)

    def period(outer_last: int) -> list[Repetition]:
        def tile(last: int, begins: bool, ends: bool) -> list[Step]:
            m, n = (outer_last, last) if loops.outer == "outputs" else (last, outer_last)
            return _tile(tiles, loops, m, n, begins, ends)

        if inner == 1:
            return [(1, tile(1, True, True))]
        between: list[Repetition] = [(inner - 2, tile(0, False, False))] if inner > 2 else []
        return [(1, tile(0, True, False)), *between, (1, tile(1, False, True))]

    for _ in range(loops.groups):
        if _inputs_stay(loops):
            builder.emit(1, [(1, [tiles.all_inputs()])])
        if loops.alike:
            builder.emit(outer, period(1))
        else:
            builder.emit(outer, period(0), period(1))


def _inputs_stay(loops: Loops) -> bool:
    return loops.outer == "outputs" and loops.n == 1 and loops.k == 1


def _tile(tiles: Tiles, loops: Loops, m: int, n: int, begins: bool, ends: bool) -> list[Step]:
    """The parts of the reduction of a tile of outputs and vectors, and its results. `begins`, `ends`: a tile of the
    outer loop."""
    whole = loops.k == 1  # what belongs to the outer loop is then loaded once for all of the inner
    once = {"weights": whole and loops.outer == "outputs", "inputs": whole and loops.outer == "vectors"}
    steps: list[Step] = []
    starts: list[int] = []
    for q in range(loops.k):
        starts.append(len(steps))
        if 1 < q < loops.k - 1:  # all parts but the first and the last are alike
            steps += steps[starts[q - 1] :]
            continue
        k = int(q == loops.k - 1)
        roles, needs = ["multiply"], [("weights", 1), ("inputs", 1)]
        if begins or not once["weights"]:
            steps.append(tiles.weights(m, k))
        if ends or not once["weights"]:
            roles.append("weights free")
        if _inputs_stay(loops):
            roles.append("inputs free")
        else:
            if begins or not once["inputs"]:
                steps.append(tiles.inputs(n, k, begins and q == 0))
            if ends or not once["inputs"]:
                roles.append("inputs free")
        if q == 0:
            needs.append(("outputs free", loops.style.depth))
        steps += tiles.multiply(tuple(roles), tuple(needs), (m, k, n), q == 0)
    return steps + tiles.finish(m, n, (), begins)
