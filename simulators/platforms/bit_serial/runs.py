"""A run: all blocks of one operand, the outer, against a tile of blocks of the other, as steps of the three stages.

With the first outer block the blocks of the tile arrive one by one, and are multiplied as they do; then outer blocks
follow each other, each against the whole tile. Every block pair is executed plane by plane, a cycle a word, and handed
to the result stage.

Where words are used as they arrive (`whole_blocks: false`), a block is cut at its critical word, the one whose arrival,
less the steps that can be done before it, is latest: steps up to it wait for nothing, the others for it. The end of
each block pair is then what it would be if every word were a task of its own, for arrivals and steps are both linear in
word and plane.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from simulators.engine.machine import COMPUTE
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, Moved, Repetition, Step
from simulators.platforms.bit_serial.machine import EXECUTE, PIPELINE, RESULT, RESULTS
from simulators.platforms.bit_serial.products import Side
from simulators.platforms.bit_serial.spec import BitSerialSpec

Labels = tuple[Label, ...]


class Stages(NamedTuple):
    """What the stages take besides the operands."""

    whole_blocks: bool
    """Whether a block is used when all of it is there; else word by word."""
    drain_cycles: int
    """Cycles in which the pipeline runs empty behind a block pair."""
    written: bool
    """Whether results take the write channel."""
    accumulator_bits: int
    write_bits_per_cycle: int
    results_free: Labels
    """What the passes of a block pair wait for: room for its results."""


@lru_cache(maxsize=64)
def stages_of(spec: BitSerialSpec) -> Stages:
    """The stages of an architecture."""
    corrections, array = spec.corrections, spec.array
    return Stages(
        corrections.whole_blocks,
        array.pipeline_cycles if corrections.pipeline_latency else 0,
        corrections.write_results,
        array.accumulator_bits,
        spec.dram.write_bits_per_cycle,
        (("results free", array.result_blocks),) if corrections.write_results else (),
    )


class Phase(NamedTuple):
    """Periods that are alike."""

    periods: int
    """Number of periods."""
    repetitions: list[Repetition]


class _Where(NamedTuple):
    """A block pair's place."""

    first_outer: bool
    last_outer: bool
    first_inner: bool
    last_inner: bool
    outer_rows: int
    inner_rows: int


class _Use(NamedTuple):
    """What a block pair needs of a fetch."""

    steps: int
    """Steps of the pair before the first that needs it."""
    token: Labels
    """The fetch, or nothing where it takes no task."""
    moved: Moved
    """What a fetch without a task moves."""


@dataclass(frozen=True, slots=True)
class BlockRun:
    """Blocks of the outer operand against a tile of the inner one."""

    stages: Stages
    outer: Side
    """The whole outer operand, or as much of it as a tile has."""
    inner: Side
    """A tile of the inner operand."""
    begins_after: Labels
    """What the run begins after, besides all layers before."""
    outer_free: Labels
    """What the fetch of each outer block waits for."""
    inner_free: Labels
    """What the first fetch of the inner operand waits for besides."""

    def phases(self) -> Iterator[Phase]:
        """The run in order, as periods. With the first outer block the blocks of the tile arrive, each once, so what
        repeats of it is a phase of its own."""
        blocks, height, last = self.outer.blocks, self.outer.height, self.outer.last_rows
        for count, steps in self._outer_block(height if blocks > 1 else last, True, blocks == 1):
            yield Phase(count, [(1, steps)])
        if blocks > 2:
            yield Phase(blocks - 2, self._outer_block(height, False, False))
        if blocks > 1:
            yield Phase(1, self._outer_block(last, False, True))

    def _outer_block(self, outer_rows: int, first: bool, last: bool) -> list[Repetition]:
        """One outer block against the tile."""
        blocks, height, final = self.inner.blocks, self.inner.height, self.inner.last_rows
        if blocks == 1:
            return [(1, self._pair(_Where(first, last, True, True, outer_rows, final)))]
        begin = self._pair(_Where(first, last, True, False, outer_rows, height))
        if not first and not self.stages.written and not self.stages.drain_cycles:
            # Nothing happens between the other block pairs.
            where = _Where(False, last, False, True, outer_rows, self.inner.rows - height)
            return [(1, begin + self._execute(where, [], (), blocks - 1))]
        end = self._pair(_Where(first, last, False, True, outer_rows, final))
        if blocks == 2:
            return [(1, begin), (1, end)]
        middle = self._pair(_Where(first, last, False, False, outer_rows, height))
        return [(1, begin), (blocks - 2, middle), (1, end)]

    def _pair(self, where: _Where) -> list[Step]:
        """One block pair: what is fetched for it, its execution, its results."""
        steps: list[Step] = []
        uses: list[_Use] = []
        begins = where.first_outer and where.first_inner
        after = (EVERYTHING_BEFORE, *self.begins_after) if begins else ()
        if where.first_inner:
            uses.append(self._fetch(steps, self.outer, where.outer_rows, (*after, *self.outer_free), begins))
        if where.first_outer:
            waits = (*after, *self.inner_free) if begins else ()
            ahead = begins and self.inner.queue != self.outer.queue
            uses.append(self._fetch(steps, self.inner, where.inner_rows, waits, ahead))
        return steps + self._execute(where, uses, after)

    def _fetch(self, steps: list[Step], side: Side, rows: int, after: Labels, ahead: bool) -> _Use:
        """Add the fetch of a block: up to its critical word, and the rest. `ahead`: its stream begins here."""
        bits = side.bits(side.moved_rows(rows))
        if self.stages.whole_blocks:
            steps.append(Step((side.name,), side.queue, side.cycles(bits), side.kind, after, _read(bits)))
            return _Use(0, ((side.name, 1),), ())
        critical, before = self._critical(side, side.moved_rows(rows))
        # A word can be used in the cycle in which it arrives, so the stream's tasks end a cycle before it is there.
        cycles, rest = side.cycles(critical) - ahead, side.cycles(bits) - side.cycles(critical)
        begins = (EVERYTHING_BEFORE, *self.begins_after)
        if not ahead and self._begins_in_time(side):
            after = (*begins, *after)
        first_bits = critical if rest else bits
        if cycles:
            steps.append(Step((side.name,), side.queue, cycles, side.kind, after, _read(first_bits)))
        if rest:
            waits = () if cycles else after
            steps.append(Step((f"{side.name} behind",), side.queue, rest, side.kind, waits, _read(bits - first_bits)))
        return _Use(before, ((side.name, 1),), ()) if cycles else _Use(0, (), _read(first_bits))

    def _begins_in_time(self, side: Side) -> bool:
        """Whether the first block of an operand is there, up to its critical word, as its stream begins: then it has no
        task that the others could be behind."""
        rows = side.moved_rows(side.height if side.blocks > 1 else side.last_rows)
        return side.cycles(self._critical(side, rows)[0]) == 1

    def _critical(self, side: Side, rows: int) -> tuple[int, int]:
        """(bits up to the critical word of a block of so many rows, steps of a block pair before the first that needs
        it)."""
        word_steps = self.outer.planes * self.inner.planes
        plane_steps = 1 if side is self.outer else self.outer.planes
        bits, rate = rows * side.word_bits, side.bits_per_cycle
        word = side.k_words - 1 if bits * side.planes > word_steps * rate else 0
        plane = side.planes - 1 if bits > plane_steps * rate else 0
        return (word * side.planes + plane + 1) * bits, word * word_steps + plane * plane_steps

    def _execute(self, where: _Where, uses: list[_Use], after: Labels, pairs: int = 1) -> list[Step]:
        """The passes of a block pair, cut where they begin to need what is fetched, and its results; or of several
        pairs behind each other."""
        stages, whole = self.stages, pairs * self.outer.planes * self.inner.planes * self.outer.k_words
        rows = self.outer.moved_rows(where.outer_rows) * self.inner.moved_rows(where.inner_rows)
        bits = rows * stages.accumulator_bits
        moved = () if stages.written else _written(bits)
        steps = []
        cuts = [0] if stages.whole_blocks else sorted({0, *(use.steps for use in uses)})
        for begin, end in pairwise([*cuts, whole]):
            waits = (*after, *stages.results_free) if begin == 0 else ()
            for use in uses:
                if use.steps == begin:
                    waits += use.token
                    moved += use.moved
            roles = self._roles(where) if end == whole else ("begun",)
            steps.append(Step(roles, EXECUTE, end - begin, COMPUTE, waits, moved, works_on=0))
            moved = ()
        if stages.drain_cycles:
            steps.append(Step(("executed",), EXECUTE, stages.drain_cycles, PIPELINE))
        if stages.written:
            cycles = -(-bits // stages.write_bits_per_cycle)
            steps.append(Step(("results", "results free"), RESULT, cycles, RESULTS, (("executed", 1),), _written(bits)))
        if where.last_outer and where.last_inner:
            steps[-1] = steps[-1]._replace(roles=(*steps[-1].roles, "run"))
        return steps

    def _roles(self, where: _Where) -> tuple[str, ...]:
        """What the end of a block pair's passes is."""
        roles = ["passes"] if self.stages.drain_cycles else ["executed"]
        if where.last_inner:
            roles += [self.outer.free, self.inner.free] if where.last_outer else [self.outer.free]
        return tuple(roles)


def _read(bits: int) -> Moved:
    return ((0, "dram_read", bits),)


def _written(bits: int) -> Moved:
    return ((0, "dram_write", bits),)
