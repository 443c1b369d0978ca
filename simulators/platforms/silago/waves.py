"""A matrix product on SiLago, wave by wave: each wave gives each cell that takes part one output.

Only cells that have an output are fed and read: the last wave of a product, one of few outputs, or a depthwise
convolution moves what its outputs need and no more.
"""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import NamedTuple

from simulators.engine.machine import COMPUTE
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import Label, Repetition, Step
from simulators.platforms.silago.fabric import (
    buffered_rows,
    cells,
    off_chip,
    overhead_cycles,
    row_link_cycles,
    word_cycles,
)
from simulators.platforms.silago.machine import (
    CELLS,
    FETCH,
    INPUTS,
    LOAD_INPUTS,
    LOAD_WEIGHTS,
    OFF_CHIP,
    OUTPUTS,
    RECURRENCE,
    REDUCTION,
    SPILL,
    STORE,
    WEIGHTS,
)
from simulators.platforms.silago.pieces import Pieces, pieces
from simulators.platforms.silago.product import WaveProduct
from simulators.platforms.silago.spec import SilagoSpec

BOTH_OPERANDS: tuple[Label, ...] = (("weights", 1), ("inputs", 1))
"""What a row waits for before it is multiplied."""


class _Wave(NamedTuple):
    """One output a cell."""

    words: int
    """Words of each dot product."""
    outputs: int
    """Cells that take part."""
    read_bits: int
    """Bits of inputs that come from DRAM meanwhile."""


def independent_vectors(builder: SegmentBuilder, spec: SilagoSpec, p: WaveProduct) -> None:
    """Vectors that do not wait for each other: one period a wave, piece by piece of the weights; in each, vectors in a
    row that multiply equally many words take all its waves, and then the next such vectors. Raises
    InputError for tiles that do not hold the weights of one output."""
    cut = pieces(spec, p)
    waves = sum(cut.waves)
    edge = p.outputs - (waves - 1) * cut.outputs
    share, rest = divmod(p.spilled_bits or 0, waves * sum(count for count, _ in p.vectors))
    ending = ("piece free",) if p.fetched else ()

    @cache  # of a few hundred vectors many multiply as many words
    def steps(what: _Wave, needs: tuple[Label, ...]) -> list[Repetition]:
        return _wave_steps(spec, p, what, needs, ending)

    def emit(count: int, what: _Wave, needs: tuple[Label, ...], last: bool) -> None:
        """Equal waves; the last one of a product has what is left over of its inputs."""
        final = steps(what._replace(read_bits=share + rest), needs) if last and rest else None
        if count:
            builder.emit(count, steps(what, needs), final)

    if p.fetched and cut.held == 2:
        _fetch(builder, spec, p, cut, 0)
    for piece, length in enumerate(cut.waves):
        ends = piece == len(cut.waves) - 1
        needs: tuple[Label, ...] = (("configured", 1),)
        if p.fetched:
            ahead = cut.held == 2 and not ends
            if ahead or cut.held == 1:
                _fetch(builder, spec, p, cut, piece + ahead)
            needs = (*needs, ("piece", 2 if ahead else 1))
        for group, (count, words) in enumerate(p.vectors):
            emit((length - ends) * count, _Wave(words, cut.outputs, share), needs, False)
            if ends:
                emit(count, _Wave(words, edge, share), needs, group == len(p.vectors) - 1)


def dependent_vectors(builder: SegmentBuilder, spec: SilagoSpec, p: WaveProduct) -> None:
    """Vectors that wait for each other: one period a time step, its waves one after the other. Weights that do not stay
    come from DRAM at every step, the columns of the inputs that it multiplies."""
    waves = ceil(p.outputs / cells(spec))
    steps = sum(count for count, _ in p.vectors)
    share, rest = divmod((p.spilled_bits or 0) // steps, waves)
    by_words: dict[int, list[Repetition]] = {}  # of a few hundred vectors many multiply as many
    for words in {words for _, words in p.vectors}:
        start: tuple[Label, ...] = (("configured", 1), ("result", 1))
        first: list[Step] = []
        if p.fetched:
            bits, cycles = off_chip(spec, p.outputs * p.stored_bits(spec.cell.word_bits, words))
            first.append(Step(("piece",), FETCH, cycles, OFF_CHIP, start, ((0, "dram_read", bits),)))
            start = (*start, ("piece", 1))
        # The first row of a step is requested when the step begins: its latency is exposed.
        first.append(Step(("begin",), CELLS, spec.dimarch.first_row_cycles, RECURRENCE, start))
        needs: tuple[Label, ...] = (("begin", 1),)
        whole = _Wave(words, min(cells(spec), p.outputs), share)
        edge = _Wave(words, p.outputs - (waves - 1) * cells(spec), share + rest)
        runs = (_wave_steps(spec, p, whole, needs), _wave_steps(spec, p, edge, needs, ("result",)))
        wave, last = ([step for count, steps in run for step in steps * count] for run in runs)
        by_words[words] = [(1, first), (waves - 1, wave), (1, last)]
    for time_steps, words in p.vectors:
        builder.emit(time_steps, by_words[words])


def _fetch(builder: SegmentBuilder, spec: SilagoSpec, p: WaveProduct, cut: Pieces, piece: int) -> None:
    """A piece of weights from DRAM, into tiles that the piece before the last has left."""
    outputs = min(cut.waves[piece] * cut.outputs, p.outputs - sum(cut.waves[:piece]) * cut.outputs)
    bits, cycles = off_chip(spec, outputs * p.stored_bits(spec.cell.word_bits, p.words))
    fetch = Step(("piece",), FETCH, cycles, OFF_CHIP, (("piece free", 1),), ((0, "dram_read", bits),))
    builder.emit(1, [(1, [fetch])])


def _wave_steps(
    spec: SilagoSpec, p: WaveProduct, wave: _Wave, needs: tuple[Label, ...], ending: tuple[str, ...] = ()
) -> list[Repetition]:
    """Rows of weights and inputs stream in, words are multiplied, lanes reduced, the results stored."""
    per_row = spec.dimarch.row_bits // spec.cell.word_bits
    rows = ceil(wave.words / per_row)
    # Outputs go to the columns first: a product of few outputs leaves rows of cells, and their share of the link, idle.
    used, used_rows = wave.outputs, ceil(wave.outputs / spec.fabric.columns)
    overhead = overhead_cycles(spec, p.bits)
    free: tuple[Label, ...] = (*needs, ("registers free", buffered_rows(spec)))

    whole = _row(spec, p, used, per_row, (), free) if rows > 1 else []
    # Without a step of its own, the end of the wave is the end of its last row.
    roles, words = () if overhead else ending, wave.words - (rows - 1) * per_row
    steps = whole.copy() if whole and words == per_row and not roles else _row(spec, p, used, words, roles, free)
    if overhead:
        steps.append(Step(("reduce", *ending), CELLS, overhead, REDUCTION, (("multiply", 1),)))
    written = used * p.output_bits
    out = max(1, ceil(used_rows * p.output_bits / spec.dimarch.link_bits_per_cycle))
    behind: Label = ("reduce", 1) if overhead else ("multiply", 1)
    steps.append(Step(("store",), STORE, out, OUTPUTS, (behind,), ((0, "sram_write", written),)))
    if p.spilled_bits is not None:
        _, cycles = off_chip(spec, written + wave.read_bits)
        moved = ((0, "dram_write", written), (0, "dram_read", wave.read_bits))
        steps.append(Step(("spill",), SPILL, cycles, OFF_CHIP, (("store", 1),), moved))
    return [(rows - 1, whole), (1, steps)]


def _row(
    spec: SilagoSpec, p: WaveProduct, used: int, words: int, roles: tuple[str, ...], free: tuple[Label, ...]
) -> list[Step]:
    """A row of weights for each of the cells that take part, one of inputs for each window of their columns, and so
    many words of both multiplied."""
    used_columns, row_bits = min(used, spec.fabric.columns), spec.dimarch.row_bits
    sharing = min(2 * spec.fabric.window_columns + 1, spec.fabric.columns)
    multiplied = p.multiplied(words)
    weight_bits = p.stored_bits(spec.cell.word_bits, row_bits // spec.cell.word_bits)
    weight_cycles, input_cycles = row_link_cycles(spec, ceil(used / spec.fabric.columns), weight_bits)
    return [
        Step(("weights",), LOAD_WEIGHTS, weight_cycles, WEIGHTS, free,
             ((0, "sram_read", used * weight_bits),)),
        Step(("inputs",), LOAD_INPUTS, input_cycles, INPUTS, free,
             ((0, "sram_read", ceil(used_columns / sharing) * row_bits),)),
        Step(("multiply", "registers free", *roles), CELLS, word_cycles(spec, multiplied), COMPUTE, BOTH_OPERANDS,
             ((0, "register_file_read", 2 * used * multiplied * spec.cell.word_bits),), works_on=0),
    ]  # fmt: skip
