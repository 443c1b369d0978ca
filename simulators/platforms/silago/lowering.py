"""SiLago: how a trace's layers become tasks on DRRA cells, the links to their DiMArch tiles, and a DRAM channel.

Mapping of a matrix product: a *wave* gives each cell one output. Weights and inputs stream from DiMArch to the
register files row by row (256 bits: 16 words), double-buffered; a cell multiplies one word a cycle, because a word of
multiply-accumulates takes both 16-bit read ports. Below 16 bits a word holds 2 or 4 operands, which accumulate apart
and are added up at the end (reduction). An input row is multicast to the cells of a window. Elementwise work spreads
over the cells; sigmoid, tanh, exponential and division use the one lane that has them.

Cells run in lock step, so one column's link and one cell stand for all. Weights stay in DiMArch for all utterances as
far as they fit, in the order of the layers; those that do not are brought from DRAM, once an utterance for a product
whose vectors are independent (piece by piece, each piece serving all vectors), at every step for a recurrent one. A
route is locked while it streams: the link is a server of one transfer at a time. Not modelled: instruction issue inside
a wave (`cell.py` times a cell by itself), routes that cross columns.

A period of the program is one wave, one time step of a recurrent product, or one step of an elementwise layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from simulators.engine.machine import COMPUTE, Machine, Queue
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Repetition, Segment, Step
from simulators.platforms.silago.spec import SilagoSpec
from simulators.workloads.operations import VECTOR_BITS, Layer, Matmul, VectorLayer

_CELLS, _LINK, _DRAM = range(3)
LOAD_WEIGHTS, LOAD_INPUTS, STORE, CELLS, FETCH, SPILL = range(6)
_, WEIGHTS, INPUTS, OUTPUTS, REDUCTION, CONFIGURATION, OFF_CHIP, RECURRENCE = range(8)
MACHINE = Machine(
    servers=("cells", "link", "dram"),
    compute_servers=(True, False, False),
    queues=(
        Queue("load weights", _LINK),
        Queue("load inputs", _LINK),
        Queue("store outputs", _LINK),
        Queue("cells", _CELLS),
        Queue("fetch", _DRAM),
        Queue("spill", _DRAM),
    ),
    kinds=("compute", "weights", "inputs", "outputs", "reduction", "configuration", "dram", "recurrence"),
    prefetch_queue=FETCH,
)
SPECIAL = frozenset({"sigmoid", "tanh", "exp", "divide"})
BUFFERED_ROWS = 2
"""Rows of weights and of inputs that a register file holds at a time: one in use, one arriving."""


@dataclass(frozen=True)
class _Product:
    """A product as the cells see it."""

    outputs: int
    words: int
    """Words of one whole dot product."""
    vectors: list[tuple[int, int]]
    """(vectors in a row, words that each multiplies): fewer where hardware skips what a delta network holds."""
    bits: int
    output_bits: int
    fetched: bool
    """Whether the weights come from DRAM."""
    spilled: bool
    """Whether inputs and outputs go through DRAM."""

    @property
    def row_bits_total(self) -> int:
        return self.words * 16


def resident(parameters: Sequence[tuple[str, int]], spec: SilagoSpec) -> list[int]:
    """Layers whose parameters stay in DiMArch: as many as fit, in order. Without DRAM all must.

    `parameters` has each layer's name and the bits of its parameters; the result a 1 for each that stays.
    """
    free = _tile_bits(spec.dimarch.weight_tiles, spec)
    stay = []
    for name, bits in parameters:
        if bits > free and spec.dram is None:
            raise InputError(
                f"{spec.name}: dimarch.weight_tiles: {spec.dimarch.weight_tiles}: the parameters up to layer "
                f"{name} need {bits - free} bits more than the tiles hold, and there is no dram"
            )
        stay.append(int(bits <= free))
        free -= bits * stay[-1]
    return stay


def tasks(layer: Layer, stays: bool, spec: SilagoSpec) -> Segment:
    """The tasks of one layer, its parameters in DiMArch or not. Raises InputError for a precision that the cells lack
    or a memory that is too small."""
    builder = SegmentBuilder(MACHINE, [_work(layer, spec)])
    spilled = _spills(layer, spec)
    _configure(builder, spec)
    if isinstance(layer, VectorLayer):
        _elementwise(builder, spec, layer, spilled)
        return builder.segment()
    gemm, (weight_bits, _) = layer.as_gemm(), layer.operand_bits
    assert gemm is not None
    transmitted = [(gemm.n, gemm.k)]
    if isinstance(layer, Matmul) and spec.skips_inactive_inputs:
        transmitted = layer.transmitted()
    vectors = [(count, ceil(inputs * weight_bits / spec.cell.word_bits)) for count, inputs in transmitted]
    words = ceil(gemm.k * weight_bits / spec.cell.word_bits)
    product = _Product(gemm.m, words, vectors, weight_bits, layer.output_bits, not stays, spilled)
    for _ in range(gemm.products):
        (_recurrent if layer.waits_for_itself else _stationary)(builder, spec, product)
    if str(weight_bits) not in spec.energy.mac_pj:
        raise InputError(f"layer {layer.name}: the architecture's energy.mac_pj has no figure for {weight_bits} bits")
    return builder.segment()


def cells(spec: SilagoSpec) -> int:
    """Number of DRRA cells."""
    return spec.fabric.rows * spec.fabric.columns


def _tile_bits(tiles: int, spec: SilagoSpec) -> int:
    return tiles * spec.dimarch.tile_rows * spec.dimarch.row_bits


def _spills(layer: Layer, spec: SilagoSpec) -> bool:
    """Whether a layer's inputs and outputs, over all steps, exceed the tiles for activations."""
    *_, activations = layer.operands()
    excess = activations.bits + layer.outputs_total().bits - _tile_bits(spec.dimarch.activation_tiles, spec)
    if excess > 0 and spec.dram is None:
        raise InputError(
            f"{spec.name}: dimarch.activation_tiles: {spec.dimarch.activation_tiles}: layer {layer.name} reads and "
            f"writes {excess} bits more than the tiles hold, and there is no dram"
        )
    return excess > 0


def _configure(builder: SegmentBuilder, spec: SilagoSpec) -> None:
    """A layer begins when the one before it is done: sequencers are loaded, the first row is under way."""
    if spec.cell.instructions_per_layer > spec.cell.instruction_slots:
        raise InputError(
            f"{spec.name}: cell.instruction_slots: {spec.cell.instruction_slots}: a layer's configuration has "
            f"{spec.cell.instructions_per_layer} instructions"
        )
    cycles = spec.cell.instructions_per_layer + spec.dimarch.first_row_cycles
    builder.emit(1, [(1, [Step(("configured",), CELLS, cycles, CONFIGURATION, (EVERYTHING_BEFORE,))])])


def _stationary(builder: SegmentBuilder, spec: SilagoSpec, p: _Product) -> None:
    """Independent vectors: one period a wave. A last wave with idle cells takes as long as the others."""
    waves = ceil(p.outputs / cells(spec))
    if not p.fetched:
        for count, words in p.vectors:
            builder.emit(waves * count, _wave(spec, p, words, (("configured", 1),)))
        return
    # Pieces of half of the weight tiles, in whole waves, so that the next piece is fetched while one is in use; where
    # half does not hold one wave, pieces of all of them, fetched when the one before has been used.
    wave_bits, tile_bits = cells(spec) * p.row_bits_total, _tile_bits(spec.dimarch.weight_tiles, spec)
    parts = 2 if wave_bits <= tile_bits // 2 else 1
    fitting = tile_bits // parts // wave_bits
    if fitting < 1:
        raise InputError(
            f"{spec.name}: dimarch.weight_tiles: {spec.dimarch.weight_tiles}: they must hold the weights of "
            f"one output a cell, {wave_bits} bits: {wave_bits - tile_bits} too few"
        )

    def fetch(first: int) -> None:
        outputs = min(fitting * cells(spec), p.outputs - first * cells(spec))
        bits, cycles = _off_chip(spec, outputs * p.row_bits_total)
        moved = ((0, "dram_read", bits),)
        builder.emit(1, [(1, [Step(("piece",), FETCH, cycles, OFF_CHIP, (("piece free", 1),), moved)])])

    if parts == 2:
        fetch(0)
    for first in range(0, waves, fitting):
        more = parts == 2 and first + fitting < waves
        if parts == 1 or more:
            fetch(first + fitting if more else first)
        needs: tuple[Label, ...] = (("configured", 1), ("piece", 2 if more else 1))
        for count, words in p.vectors:
            builder.emit(min(fitting, waves - first) * count, _wave(spec, p, words, needs, ("piece free",)))


def _recurrent(builder: SegmentBuilder, spec: SilagoSpec, p: _Product) -> None:
    """Vectors that wait for each other: one period a time step, its waves one after the other."""
    waves = ceil(p.outputs / cells(spec))
    start: tuple[Label, ...] = (("configured", 1), ("result", 1))
    first: list[Step] = []
    if p.fetched:
        bits, cycles = _off_chip(spec, p.outputs * p.row_bits_total)
        first.append(Step(("piece",), FETCH, cycles, OFF_CHIP, start, ((0, "dram_read", bits),)))
        start = (*start, ("piece", 1))
    # The first row of a step is requested when the step begins: its latency is exposed.
    first.append(Step(("begin",), CELLS, spec.dimarch.first_row_cycles, RECURRENCE, start))
    for time_steps, words in p.vectors:
        runs = (_wave(spec, p, words, (("begin", 1),), ending) for ending in ((), ("result",)))
        wave, last = ([step for count, steps in run for step in steps * count] for run in runs)
        builder.emit(time_steps, [(1, first), (waves - 1, wave), (1, last)])


def _wave(
    spec: SilagoSpec, p: _Product, words: int, needs: tuple[Label, ...], ending: tuple[str, ...] = ()
) -> list[Repetition]:
    """One output a cell: rows of weights and inputs stream in, words are multiplied, lanes reduced, the result
    stored."""
    per_row = spec.dimarch.row_bits // spec.cell.word_bits
    rows = ceil(words / per_row)
    row_cycles = ceil(spec.dimarch.row_bits / spec.dimarch.link_bits_per_cycle)
    sharing = min(2 * spec.fabric.window_columns + 1, spec.fabric.columns)
    # Outputs go to the columns first: a product of few outputs leaves rows of cells, and their share of the link, idle.
    used_rows = min(spec.fabric.rows, ceil(p.outputs / spec.fabric.columns))
    row_bits, used = spec.dimarch.row_bits, used_rows * spec.fabric.columns
    overhead = spec.cell.loop_setup_cycles + (spec.cell.reduction_cycles if p.bits < spec.cell.word_bits else 0)
    free: tuple[Label, ...] = (*needs, ("registers free", _buffered_rows(spec)))
    # Without a step of its own, the end of the wave is the end of its last row.
    closing = () if overhead else ending

    def row(words: int, roles: tuple[str, ...]) -> list[Step]:
        busy = _word_cycles(spec, words)
        return [
            Step(("weights",), LOAD_WEIGHTS, used_rows * row_cycles, WEIGHTS, free,
                 ((0, "sram_read", used * row_bits),)),
            Step(("inputs",), LOAD_INPUTS, max(1, ceil(row_cycles / sharing)), INPUTS, free,
                 ((0, "sram_read", ceil(spec.fabric.columns / sharing) * row_bits),)),
            Step(("multiply", "registers free", *roles), CELLS, busy, COMPUTE, (("weights", 1), ("inputs", 1)),
                 ((0, "register_file_read", 2 * used * words * spec.cell.word_bits),), works_on=0),
        ]  # fmt: skip

    steps = row(words - (rows - 1) * per_row, closing)
    if overhead:
        steps.append(Step(("reduce", *ending), CELLS, overhead, REDUCTION, (("multiply", 1),)))
    written = used * p.output_bits
    out = max(1, ceil(used_rows * p.output_bits / spec.dimarch.link_bits_per_cycle))
    behind: Label = ("reduce", 1) if overhead else ("multiply", 1)
    steps.append(Step(("store",), STORE, out, OUTPUTS, (behind,), ((0, "sram_write", written),)))
    if p.spilled:
        waves = ceil(p.outputs / cells(spec))
        bits, cycles = _off_chip(spec, written + ceil(p.row_bits_total / waves))
        moved = ((0, "dram_write", written), (0, "dram_read", bits - written))
        steps.append(Step(("spill",), SPILL, cycles, OFF_CHIP, (("store", 1),), moved))
    return [(rows - 1, row(per_row, ())), (1, steps)]


def _elementwise(builder: SegmentBuilder, spec: SilagoSpec, layer: VectorLayer, spilled: bool) -> None:
    """Operations spread evenly over the cells: what needs the special lane on that, the rest one operation a cell a
    cycle."""
    count = cells(spec)
    cycles_of = spec.cell.cycles_per_op
    special = sum(n * cycles_of[op] for op, n in layer.operations_per_step.items() if op in SPECIAL)
    plain = sum(n * cycles_of[op] for op, n in layer.operations_per_step.items() if op not in SPECIAL)
    busy = ceil(special / (count * spec.cell.special_function_lanes)) + _word_cycles(spec, ceil(plain / count))
    read, written = layer.inputs_per_step * layer.activation_bits, layer.outputs_per_step * layer.output_bits
    link = spec.dimarch.link_bits_per_cycle * spec.fabric.columns
    registers = 2 * sum(layer.operations_per_step.values()) * VECTOR_BITS
    steps = [
        Step(("inputs",), LOAD_INPUTS, max(1, ceil(read / link)), INPUTS,
             (("configured", 1), ("registers free", BUFFERED_ROWS)), ((0, "sram_read", read),)),
        Step(("process", "registers free"), CELLS, busy, COMPUTE, (("inputs", 1),),
             ((0, "register_file_read", registers),), works_on=0),
        Step(("store",), STORE, max(1, ceil(written / link)), OUTPUTS, (("process", 1),),
             ((0, "sram_write", written),)),
    ]  # fmt: skip
    if spilled:
        _, cycles = _off_chip(spec, read + written)
        moved = ((0, "dram_read", read), (0, "dram_write", written))
        steps.append(Step(("spill",), SPILL, cycles, OFF_CHIP, (("store", 1),), moved))
    builder.emit(layer.steps, [(1, steps)])


def _word_cycles(spec: SilagoSpec, words: int) -> int:
    """Cycles of a cell for so many word operations: two operands each, from its own register file, on its lanes."""
    return ceil(2 * words / min(2 * spec.cell.mac_lanes, spec.cell.read_ports))


def _buffered_rows(spec: SilagoSpec) -> int:
    """Rows of each operand that the register file holds, two at most."""
    row_words = spec.dimarch.row_bits // spec.cell.word_bits
    rows = spec.cell.register_file_words // (2 * row_words)
    if rows < 1:
        raise InputError(
            f"{spec.name}: cell.register_file_words: {spec.cell.register_file_words}: a row of weights and one of "
            f"inputs have {2 * row_words}: {2 * row_words - spec.cell.register_file_words} too few"
        )
    return min(rows, BUFFERED_ROWS)


def _off_chip(spec: SilagoSpec, bits: int) -> tuple[int, int]:
    """Bits, and cycles on the DRAM channel; only asked for where there is one."""
    assert spec.channel is not None
    return bits, spec.channel.cycles(bits)


def _work(layer: Layer, spec: SilagoSpec) -> LayerWork:
    """Raises InputError for an operation without a figure."""
    words_per_cycle = min(2 * spec.cell.mac_lanes, spec.cell.read_ports) / 2
    if isinstance(layer, VectorLayer):
        for op in layer.operations_per_step:
            for key, table in (
                ("cell.cycles_per_op", spec.cell.cycles_per_op),
                ("energy.pj_per_op", spec.energy.pj_per_op),
            ):
                if op not in table:
                    raise InputError(f"layer {layer.name}: ops.{op}: the architecture's {key} has no figure for it")
        operations_per_cycle = cells(spec) * max(words_per_cycle, spec.cell.special_function_lanes)
        return LayerWork(layer.elementwise_operations, operations_per_cycle, COMPUTE)
    macs_per_word = spec.cell.word_bits / layer.operand_bits[0]
    return LayerWork(layer.macs, cells(spec) * words_per_cycle * macs_per_word, COMPUTE)


def energy_pj(layer: Layer, work: LayerWork, spec: SilagoSpec) -> dict[str, float]:
    """Published terms (MAC, SRAM) and assumed ones (register file, network, elementwise, DRAM), in pJ by component."""
    e, bits = spec.energy, work.bits
    if isinstance(layer, VectorLayer):
        per_step = sum(count * e.pj_per_op[op] for op, count in layer.operations_per_step.items())
        energy = {"elementwise": per_step * layer.steps}
    else:
        macs = layer.macs
        if isinstance(layer, Matmul) and spec.skips_inactive_inputs:
            macs = layer.out_features * sum(count * inputs for count, inputs in layer.transmitted())
        energy = {"mac": macs * e.mac_pj[str(layer.operand_bits[0])]}  # type: ignore[index]
    on_chip = bits.get("sram_read", 0) + bits.get("sram_write", 0)
    off_chip = bits.get("dram_read", 0) + bits.get("dram_write", 0)
    energy["sram"] = on_chip * e.sram_pj_per_bit
    energy["noc"] = on_chip * e.noc_pj_per_bit
    energy["register_file"] = bits.get("register_file_read", 0) * e.register_file_pj_per_bit
    if off_chip and spec.dram is not None:
        energy["dram"] = off_chip * spec.dram.pj_per_bit
    return energy
