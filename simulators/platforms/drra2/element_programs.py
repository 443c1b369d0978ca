"""Programs of elementwise work: each kind of operation is a program of its own over all its elements.

Its length is that of the earliest schedule of its transfers, which takes an element a cycle without a gap. Where a
kind's operands exceed the SRAM, programs were seen to wait for each register file's rows: so they do here. Pooling
reads all elements of a window one after the other.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from simulators.inputs.errors import InputError
from simulators.platforms.drra2.column_shares import ColumnShare, column_shares, filled_up, passes_of
from simulators.platforms.drra2.port_nest import nest
from simulators.platforms.drra2.program_parts import (
    HALT,
    ColumnProgram,
    ProgramPart,
    column_program,
    configurations,
    longest,
    shortest,
)
from simulators.platforms.drra2.spec import Drra2Spec
from simulators.workloads.operations import Pool2d, VectorLayer

ONE_OPERAND = frozenset({"relu", "sigmoid", "tanh", "exp"})
DRAIN_ROWS = 3
"""Cycles behind the last word read: its result, and the last row through SRAM to the buffer, in the end of which the
schedule ends (stored schedule A)."""


class ElementWork(NamedTuple):
    """One kind of operation."""

    results: int
    """Words that come out."""
    operands: int
    """Vectors that go in."""
    words: int
    """Words of each operand that the DPU reads for a result."""
    cycles: int
    """Cycles of the DPU for a word."""
    rows: int
    """Rows in which each operand comes."""


def element_works(layer: VectorLayer, spec: Drra2Spec) -> tuple[ElementWork, ...]:
    """Kinds of operations of a layer: over all steps, or of one where each waits for the one before. Raises InputError
    for a kind without a figure."""
    counts = layer.operations_per_step
    for op in counts:
        for key, table in (("cycles_per_op", spec.cycles_per_op), ("energy.pj_per_op", spec.energy.pj_per_op)):
            if op not in table:
                raise InputError(f"layer {layer.name}: ops.{op}: {spec.name}: {key} has no figure for it")
    steps = 1 if layer.waits_for_itself else layer.steps
    if isinstance(layer, Pool2d):
        cycles = max(spec.cycles_per_op[op] for op in counts)  # type: ignore[index]
        window = layer.kernel[0] * layer.kernel[1]
        rows = ceil(layer.inputs_per_step * steps / spec.fabric.row_words)
        return (ElementWork(layer.outputs_per_step * steps, 1, window, cycles, rows),)
    cycles_of: dict[str, int] = {str(op): cycles for op, cycles in spec.cycles_per_op.items()}
    works = []
    for op, count in counts.items():
        if count:
            rows = ceil(count * steps / spec.fabric.row_words)
            works.append(ElementWork(count * steps, 1 if op in ONE_OPERAND else 2, 1, cycles_of[op], rows))
    return tuple(works)


def element_program(work: ElementWork, spec: Drra2Spec) -> ColumnProgram:
    """The program of one kind. Raises InputError for one that the cell does not hold."""
    fabric = spec.fabric
    words = fabric.register_file_words
    files = ceil(work.results / words)
    loads = ceil(work.results * work.words / words)
    written = nest((min(loads * words, words) // fabric.row_words, work.operands - 1), (loads, 0))
    read = nest((words, 0), (loads, 0))
    results = nest((min(words, work.results), 0), (files, 0))
    issue = configurations([written, read] * work.operands + [results], work.operands, spec)
    shares, used = column_shares(work.results, fabric.columns, fabric.row_words, fabric.file_rows)
    waits = work.rows * work.operands > fabric.sram_rows

    def program(share: ColumnShare) -> ColumnProgram:
        ways = (share, filled_up(share, fabric.file_rows))
        return shortest(column_program(_parts(way, issue, waits, work, spec), used, spec) for way in ways)

    return longest(program(share) for share in shares)


def _parts(
    share: ColumnShare, issue: int, waits: bool, work: ElementWork, spec: Drra2Spec
) -> tuple[tuple[int, ProgramPart], ...]:
    """A pass of whole rows and one of the rest, where there are any."""
    passes = [of.rows * spec.fabric.row_words + of.rest for of in passes_of(share)]
    parts = []
    for number, made in enumerate(passes):
        loads = ceil(made * work.words / spec.fabric.register_file_words)
        reload = loads * work.operands * spec.fabric.file_rows if waits else 0
        words = made * work.words * work.cycles
        rows = ceil(work.rows * made / work.results) * work.operands
        reload = max(reload, rows - words)  # windows far apart: rows come more slowly than their words are read
        end = DRAIN_ROWS + HALT * (number == len(passes) - 1)
        load = 1 + work.operands
        parts.append((1, ProgramPart(issue, load, words, reload, end)))
    return tuple(parts)
