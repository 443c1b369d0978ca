"""Programs of matrix products, vector by vector, and of convolutions that slide over what a register file holds.

A product's weights stream through the second register file, a register file's worth at a time, and the DPU reads a word
of both operands a cycle without a gap: loading the next rows takes less than reading these. An output whose inputs do
not fill register files ends with a shorter load, which is not hidden: its rows come alone, and so do the first ones of
the next output, and one cycle more (344 inputs, 5 register files and 24 words: 4 + 8 + 1).
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from simulators.inputs.errors import InputError
from simulators.platforms.drra2.column_shares import ColumnShare, column_shares, even_share, filled_up, passes_of
from simulators.platforms.drra2.port_nest import MOST_DELAY, PortNest, length_of, nest
from simulators.platforms.drra2.program_parts import (
    DRAIN,
    FILL,
    HALT,
    ColumnProgram,
    ProgramPart,
    column_program,
    configurations,
    longest,
    shortest,
)
from simulators.platforms.drra2.spec import Drra2Spec


class ProductSizes(NamedTuple):
    """Matrix products, so many of M x K by K x N."""

    outputs: int
    """M."""
    vectors: int
    """N."""
    inputs: int
    """K."""
    products: int
    """Products of these sizes, one after the other."""
    recurrent: bool = False
    """Whether each vector waits for the results of the one before: then each takes a run of the program."""


class SlidingSizes(NamedTuple):
    """A convolution whose windows of a row of outputs fit a register file, and whose kernel fits another."""

    outputs: int
    """Results of all maps together."""
    maps: int
    """Maps of results: each has its own kernel."""
    taps: int
    """Inputs of an output."""
    window_words: int
    """Words under a row of outputs."""


def product_share(sizes: ProductSizes, spec: Drra2Spec) -> tuple[int, int, int]:
    """Products of the column with most to do, outputs of each, and how many columns have any: columns share outputs, or
    whole products where that is even or better."""
    columns = spec.fabric.columns
    outputs, used = even_share(sizes.outputs, columns)
    products, of = even_share(sizes.products, columns)
    if sizes.products > 1 and products * sizes.outputs < sizes.products * outputs:
        return products, sizes.outputs, of
    return sizes.products, outputs, used


def product_program(sizes: ProductSizes, spec: Drra2Spec) -> ColumnProgram:
    """A vector that fits a register file stays there, with others beside it; a longer one stays in SRAM and streams
    with the weights. Raises InputError for a program that the cell does not hold."""
    words, row = spec.fabric.register_file_words, spec.fabric.row_words
    products, outputs, used = product_share(sizes, spec)
    apart = sizes.inputs + rest_cycles(sizes.inputs, spec)
    if apart - 1 > MOST_DELAY:
        raise InputError(
            f"{sizes.inputs} inputs of an output: results come every {apart} cycles, and a port's delay holds "
            f"{MOST_DELAY}"
        )
    issue = configurations(_product_ports(sizes, spec), 2, spec)
    gap = rest_cycles(sizes.inputs, spec)

    def part(vectors: int) -> ProgramPart:
        load = ceil(vectors * sizes.inputs / row) + 2 + FILL
        results = outputs * vectors
        return ProgramPart(load=load, words=results * sizes.inputs, reload=results * gap)

    if sizes.recurrent:
        run = part(1)._replace(configure=issue, leave=DRAIN + HALT)
        return column_program([(sizes.vectors * products, run)], used, spec)
    loads, rest = divmod(sizes.vectors, vectors_at_once(sizes, spec))
    parts = [(1, ProgramPart(configure=issue))]
    if loads:
        parts.append((loads * products, part(max(1, words // sizes.inputs))))
    if rest:
        parts.append((products, part(rest)))
    return column_program([*parts, (1, ProgramPart(leave=DRAIN + HALT))], used, spec)


def vectors_at_once(sizes: ProductSizes, spec: Drra2Spec) -> int:
    """Vectors that are in a register file at a time."""
    return 1 if sizes.recurrent else max(1, spec.fabric.register_file_words // sizes.inputs)


def rest_cycles(inputs: int, spec: Drra2Spec) -> int:
    """Cycles that an output of so many inputs waits for what does not fill a register file, and the next for its first
    one: rows of both operands, and one."""
    rest = inputs % spec.fabric.register_file_words
    if inputs < spec.fabric.register_file_words or not rest:
        return 0
    return 2 * ceil(rest / spec.fabric.row_words) + 2 * spec.fabric.file_rows + 1


def _product_ports(sizes: ProductSizes, spec: Drra2Spec) -> list[PortNest]:
    """Ports of the compute cell before the first activation, as one column alone would have them."""
    words, rows, row = spec.fabric.register_file_words, spec.fabric.file_rows, spec.fabric.row_words
    at_once = vectors_at_once(sizes, spec)
    vectors = 1 if sizes.recurrent else sizes.vectors * sizes.products
    apart = sizes.inputs + rest_cycles(sizes.inputs, spec) - 1
    results = nest((min(sizes.outputs, words), apart), (ceil(sizes.outputs / words), 0), (vectors, 0))
    if sizes.inputs <= words:
        files = ceil(sizes.outputs * sizes.inputs / words)
        return [
            nest((ceil(at_once * sizes.inputs / row), 0), (ceil(vectors / at_once), words)),
            nest((sizes.inputs, 0), (sizes.outputs, 0), (vectors, 0)),
            nest((rows, 0), (files, words - rows), (vectors, 0)),
            nest((words, 0), (files, 0), (vectors, 0)),
            results,
        ]
    made = sizes.outputs * vectors
    files, rest = divmod(sizes.inputs, words)
    ports = [results]
    for _ in range(2):
        ports.append(nest((rows, 1), (files, words - 2 * rows), (made, 0)))
        ports.append(nest((words, 0), (files, 0), (made, 0)) if rest else nest((words, 0), (files * made, 0)))
        if rest:
            ports.append(nest((ceil(rest / row), 1), (made, words)))
            ports.append(nest((rest, 0), (made, words)))
    return ports


def sliding_program(sizes: SlidingSizes, spec: Drra2Spec) -> ColumnProgram:
    """Rows of outputs, each over the words under it; the kernel stays. Raises InputError for a program that the cell
    does not hold."""
    fabric = spec.fabric
    shares, used = column_shares(sizes.outputs, fabric.columns, fabric.row_words, fabric.file_rows)
    rows = ceil(sizes.outputs / fabric.row_words)
    ports = [
        nest((fabric.file_rows, 0), (rows, fabric.register_file_words)),
        nest(*_windows(ColumnShare(rows, 0), sizes, spec)),
        nest((ceil(sizes.taps / fabric.row_words), 0), (sizes.maps, 0)),
        nest((sizes.taps, 0), (sizes.outputs, 0)),
        nest((fabric.row_words, sizes.taps), (fabric.file_rows, 0), (ceil(rows / fabric.file_rows), 0)),
    ]
    issue = configurations(ports, 2, spec)

    def program(share: ColumnShare) -> ColumnProgram:
        ways = (share, filled_up(share, fabric.file_rows))
        return shortest(column_program(_sliding_parts(way, issue, sizes, spec), used, spec) for way in ways)

    return longest(program(share) for share in shares)


def _sliding_parts(
    share: ColumnShare, issue: int, sizes: SlidingSizes, spec: Drra2Spec
) -> tuple[tuple[int, ProgramPart], ...]:
    """A pass of whole rows and one of the rest, where there are any; each map's kernel is loaded once."""
    kernel = ceil(sizes.taps / spec.fabric.row_words) + 2
    made = share.rows * spec.fabric.row_words + share.rest
    kernels = min(sizes.maps, ceil(made * sizes.maps / sizes.outputs))
    passes = passes_of(share)
    parts: list[tuple[int, ProgramPart]] = []
    for number, of in enumerate(passes):
        length = length_of(_windows(of, sizes, spec))
        words = (of.rows * spec.fabric.row_words + of.rest) * sizes.taps
        end = DRAIN + HALT * (number == len(passes) - 1)
        loaded = kernel + (kernels - 1) * kernel * (number == 0)
        parts.append((1, ProgramPart(issue, loaded + FILL, words, length - words, end)))
    return tuple(parts)


def _windows(share: ColumnShare, sizes: SlidingSizes, spec: Drra2Spec) -> list[tuple[int, int]]:
    """Levels of the reads of words under the windows of one pass, with the idle cycles that programs leave."""
    timing, fabric = spec.timing, spec.fabric
    window = timing.window_cycles
    if share.rest:
        return [(sizes.taps, 0), (share.rest, window)]
    row = window + timing.window_row_cycles
    of_file = min(share.rows, fabric.file_rows)
    files, left = divmod(share.rows, fabric.file_rows)
    if share.rows > fabric.file_rows and left:  # rows of a part of a register file: one level of all rows
        return [(sizes.taps, 0), (fabric.row_words, window), (share.rows, row)]
    file = row + timing.window_file_cycles
    return [(sizes.taps, 0), (fabric.row_words, window), (of_file, row), (max(files, 1), file)]
