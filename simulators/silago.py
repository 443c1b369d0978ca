"""SiLago: how a trace's layers become tasks on DRRA cells, the links to their DiMArch tiles, and a DRAM channel.

Mapping of a matrix product: a *wave* gives each cell one output. Weights and inputs stream from DiMArch to the
register files row by row (256 bits: 16 words), double-buffered; a cell multiplies one word a cycle, because a word of
multiply-accumulates takes both 16-bit read ports. Below 16 bits a word holds 2 or 4 operands, which accumulate apart
and are added up at the end (reduction). An input row is multicast to the cells of a window. Elementwise work spreads
over the cells; sigmoid, tanh, exponential and division use the one lane that has them.

Cells run in lock step, so one column's link and one cell stand for all. Weights stay in DiMArch for all utterances as
far as they fit, in the order of the layers; those that do not are brought from DRAM, once an utterance for a product
whose vectors are independent (piece by piece, each piece serving all vectors), at every step for a recurrent one. Not
modelled: instruction issue inside a wave, contention of routes between columns, hops (all tiles answer alike).

A period of the program is one wave, one time step of a recurrent product, or one step of an elementwise layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import ceil

from simulators.errors import InputError
from simulators.lowering import Builder, Label, LayerWork, Lowered, Step
from simulators.machine import COMPUTE, Machine, Queue
from simulators.specs import SilagoSpec
from simulators.trace import VECTOR_BITS, Conv2d, Elementwise, Matmul, Trace

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
)
SPECIAL = frozenset({"sigmoid", "tanh", "exp", "divide"})
BUFFERED_ROWS = 2
"""Rows of weights and of inputs that a register file holds at a time: one in use, one arriving."""


@dataclass(frozen=True)
class _Product:
    """A product as the cells see it."""

    layer: int
    outputs: int
    words: int
    """Words of one dot product."""
    vectors: int
    bits: int
    output_bits: int
    fetched: bool
    """Whether the weights come from DRAM."""
    spilled: bool
    """Whether inputs and outputs go through DRAM."""

    @property
    def row_bits_total(self) -> int:
        return self.words * 16


def lower(trace: Trace, spec: SilagoSpec) -> Lowered:
    """The tasks of one utterance. Raises InputError for a precision that the cells lack or a memory that is too
    small."""
    works = [_work(layer, spec) for layer in trace.layers]
    builder = Builder(works)
    resident = _resident(trace, spec)
    for i, layer in enumerate(trace.layers):
        spilled = _spills(layer, spec)
        _configure(builder, spec, i)
        if isinstance(layer, Elementwise):
            _elementwise(builder, spec, i, layer, spilled)
            continue
        inputs, vectors, recurrent = _shape(layer, spec)
        words = ceil(inputs * layer.weight_bits / spec.cell.word_bits)
        outputs = layer.out_channels if isinstance(layer, Conv2d) else layer.out_features
        product = _Product(i, outputs, words, vectors, layer.weight_bits, layer.output_bits, i not in resident, spilled)
        (_recurrent if recurrent else _stationary)(builder, spec, product)
    for layer, work in zip(trace.layers, works, strict=True):
        _dynamic_energy(layer, work, spec)
    return Lowered(MACHINE, builder.program(), tuple(works), {}, spec.energy.leakage_mw, spec.frequency_mhz)


def cells(spec: SilagoSpec) -> int:
    """Number of DRRA cells."""
    return spec.fabric.rows * spec.fabric.columns


def _tile_bits(tiles: int, spec: SilagoSpec) -> int:
    return tiles * spec.dimarch.tile_rows * spec.dimarch.row_bits


def _resident(trace: Trace, spec: SilagoSpec) -> set[int]:
    """Layers whose parameters stay in DiMArch: as many as fit, in order. Without DRAM all must."""
    free = _tile_bits(spec.dimarch.weight_tiles, spec)
    resident = set()
    for i, layer in enumerate(trace.layers):
        bits = (
            layer.vector_parameters * VECTOR_BITS
            if isinstance(layer, Elementwise)
            else layer.weights * layer.weight_bits
        )
        if bits <= free:
            free -= bits
            resident.add(i)
        elif spec.dram is None:
            raise InputError(
                f"{spec.name}: dimarch.weight_tiles: {spec.dimarch.weight_tiles}: the parameters up to layer "
                f"{layer.name} need {bits - free} bits more than the tiles hold, and there is no dram"
            )
    return resident


def _spills(layer: Matmul | Conv2d | Elementwise, spec: SilagoSpec) -> bool:
    """Whether a layer's inputs and outputs, over all steps, exceed the tiles for activations."""
    if isinstance(layer, Elementwise):
        elements = (layer.inputs * layer.activation_bits + layer.outputs * layer.output_bits) * layer.steps
    elif isinstance(layer, Conv2d):
        height, width = layer.output_size
        read = layer.in_channels * layer.input_size[0] * layer.input_size[1] * layer.activation_bits
        elements = (read + layer.out_channels * height * width * layer.output_bits) * layer.steps
    else:
        elements = (layer.in_features * layer.activation_bits + layer.out_features * layer.output_bits) * layer.steps
    excess = elements - _tile_bits(spec.dimarch.activation_tiles, spec)
    if excess > 0 and spec.dram is None:
        raise InputError(
            f"{spec.name}: dimarch.activation_tiles: {spec.dimarch.activation_tiles}: layer {layer.name} reads and "
            f"writes {excess} bits more than the tiles hold, and there is no dram"
        )
    return excess > 0


def _shape(layer: Matmul | Conv2d, spec: SilagoSpec) -> tuple[int, int, bool]:
    """Length of the reduction, number of vectors, and whether they wait for each other."""
    pair = (layer.weight_bits, layer.activation_bits)
    if pair not in spec.precisions:
        legal = ", ".join(f"{w}x{a}" for w, a in spec.precisions)
        raise InputError(
            f"layer {layer.name}: {pair[0]}x{pair[1]} bits: {spec.name} multiplies {legal} (weights x activations)"
        )
    if isinstance(layer, Conv2d):
        if layer.groups != 1:
            raise InputError(
                f"layer {layer.name}: groups {layer.groups}: grouped convolutions are not modelled on SiLago"
            )
        height, width = layer.output_size
        return layer.in_channels * layer.kernel[0] * layer.kernel[1], layer.steps * height * width, False
    return (
        ceil(layer.in_features * layer.active) if spec.skips_inactive_inputs else layer.in_features,
        layer.steps,
        layer.recurrent,
    )


def _configure(builder: Builder, spec: SilagoSpec, layer: int) -> None:
    """A layer begins when the one before it is done: sequencers are loaded, the first row is under way."""
    if spec.cell.instructions_per_layer > spec.cell.instruction_slots:
        raise InputError(
            f"{spec.name}: cell.instruction_slots: {spec.cell.instruction_slots}: a layer's configuration has "
            f"{spec.cell.instructions_per_layer} instructions"
        )
    cycles = spec.cell.instructions_per_layer + spec.dimarch.read_latency_cycles
    step = Step(("configured",), CELLS, cycles, CONFIGURATION, (("store", -1), ("spill", -1)))
    builder.emit(layer, 1, lambda _: [step])


def _stationary(builder: Builder, spec: SilagoSpec, p: _Product) -> None:
    """Independent vectors: one period a wave, all alike (a last wave with idle cells takes as long)."""
    waves = ceil(p.outputs / cells(spec))
    if not p.fetched:
        builder.emit(p.layer, waves * p.vectors, lambda w: _wave(spec, p, w, (("configured", -1),)))
        return
    # Pieces of half of the weight tiles, in whole waves, so that the next piece is fetched while one is in use.
    wave_bits = cells(spec) * p.row_bits_total
    fitting = _tile_bits(spec.dimarch.weight_tiles, spec) // 2 // wave_bits
    if fitting < 1:
        excess = wave_bits - _tile_bits(spec.dimarch.weight_tiles, spec) // 2
        raise InputError(
            f"{spec.name}: dimarch.weight_tiles: {spec.dimarch.weight_tiles}: half of them must hold the weights of "
            f"one output a cell, {wave_bits} bits: {excess} too few"
        )
    firsts = range(0, waves, fitting)

    def fetch(first: int) -> None:
        outputs = min(fitting * cells(spec), p.outputs - first * cells(spec))
        bits, cycles = _off_chip(spec, outputs * p.row_bits_total)
        step = Step(("piece",), FETCH, cycles, OFF_CHIP, (("piece free", -1),), ((p.layer, "dram_read", bits),))
        builder.emit(p.layer, 1, lambda _: [step])

    fetch(0)
    for first in firsts:
        more = first + fitting < waves
        if more:
            fetch(first + fitting)
        needs: tuple[Label, ...] = (("configured", -1), ("piece", -2 if more else -1))
        count = min(fitting, waves - first) * p.vectors
        builder.emit(p.layer, count, partial(_wave, spec, p, needs=needs, ending=("piece free",)))


def _recurrent(builder: Builder, spec: SilagoSpec, p: _Product) -> None:
    """Vectors that wait for each other: one period a time step, its waves written out."""
    waves = ceil(p.outputs / cells(spec))

    def make(time: int) -> list[Step]:
        start: list[Label] = [("configured", -1), *([("result", time - 1)] if time else [])]
        steps: list[Step] = []
        if p.fetched:
            bits, cycles = _off_chip(spec, p.outputs * p.row_bits_total)
            steps.append(Step(("piece",), FETCH, cycles, OFF_CHIP, tuple(start), ((p.layer, "dram_read", bits),)))
            start.append(("piece", time))
        # The first row of a step is requested when the step begins: its latency is exposed.
        steps.append(Step(("begin",), CELLS, spec.dimarch.read_latency_cycles, RECURRENCE, tuple(start)))
        for w in range(waves):
            ending = ("result",) if w == waves - 1 else ()
            steps += _wave(spec, p, time * waves + w, (("begin", time),), ending)
        return steps

    builder.emit(p.layer, p.vectors, make)


def _wave(spec: SilagoSpec, p: _Product, w: int, needs: tuple[Label, ...], ending: tuple[str, ...] = ()) -> list[Step]:
    """One output a cell: rows of weights and inputs stream in, words are multiplied, lanes reduced, the result
    stored."""
    per_row = spec.dimarch.row_bits // spec.cell.word_bits
    rows = ceil(p.words / per_row)
    row_cycles = ceil(spec.dimarch.row_bits / spec.dimarch.link_bits_per_cycle)
    sharing = min(2 * spec.fabric.window_columns + 1, spec.fabric.columns)
    row_bits, all_cells = spec.dimarch.row_bits, cells(spec)
    overhead = spec.cell.loop_setup_cycles + (spec.cell.reduction_cycles if p.bits < spec.cell.word_bits else 0)
    buffered = _buffered_rows(spec)
    steps: list[Step] = []
    for r in range(rows):
        c = w * rows + r
        words = min(per_row, p.words - r * per_row)
        busy = _word_cycles(spec, words)
        free: tuple[Label, ...] = (*needs, ("registers free", c - buffered))
        steps += [
            Step(("weights",), LOAD_WEIGHTS, spec.fabric.rows * row_cycles, WEIGHTS, free,
                 ((p.layer, "sram_read", all_cells * row_bits),)),
            Step(("inputs",), LOAD_INPUTS, max(1, ceil(row_cycles / sharing)), INPUTS, free,
                 ((p.layer, "sram_read", ceil(spec.fabric.columns / sharing) * row_bits),)),
            Step(("multiply", "registers free"), CELLS, busy, COMPUTE, (("weights", c), ("inputs", c)),
                 ((p.layer, "busy_cycles", busy),
                  (p.layer, "register_file_read", 2 * all_cells * words * spec.cell.word_bits))),
        ]  # fmt: skip
    last: Label = ("multiply", w * rows + rows - 1)
    if overhead:
        steps.append(Step(("reduce", *ending), CELLS, overhead, REDUCTION, (last,)))
        last = ("reduce", w)
    elif ending:
        # Without a step of its own, the end of the wave is the end of its last row.
        steps[-1] = Step(
            (*steps[-1].roles, *ending), CELLS, steps[-1].service, COMPUTE, steps[-1].after, steps[-1].moved
        )
    written = all_cells * p.output_bits
    out = max(1, ceil(spec.fabric.rows * p.output_bits / spec.dimarch.link_bits_per_cycle))
    steps.append(Step(("store",), STORE, out, OUTPUTS, (last,), ((p.layer, "sram_write", written),)))
    if p.spilled:
        waves = ceil(p.outputs / all_cells)
        bits, cycles = _off_chip(spec, written + ceil(p.row_bits_total / waves))
        moved = ((p.layer, "dram_write", written), (p.layer, "dram_read", bits - written))
        steps.append(Step(("spill",), SPILL, cycles, OFF_CHIP, (("store", w),), moved))
    return steps


def _elementwise(builder: Builder, spec: SilagoSpec, i: int, layer: Elementwise, spilled: bool) -> None:
    """Operations spread evenly over the cells: what needs the special lane on that, the rest one operation a cell a
    cycle."""
    count = cells(spec)
    cycles_of = spec.cell.cycles_per_op
    for op in layer.ops:
        if op not in cycles_of:
            raise InputError(
                f"layer {layer.name}: ops.{op}: the architecture's cell.cycles_per_op has no figure for it"
            )
    special = sum(n * cycles_of[op] for op, n in layer.ops.items() if op in SPECIAL)
    plain = sum(n * cycles_of[op] for op, n in layer.ops.items() if op not in SPECIAL)
    busy = ceil(special / (count * spec.cell.special_function_lanes)) + _word_cycles(spec, ceil(plain / count))
    read, written = layer.inputs * layer.activation_bits, layer.outputs * layer.output_bits
    link = spec.dimarch.link_bits_per_cycle * spec.fabric.columns

    def make(t: int) -> list[Step]:
        steps = [
            Step(("inputs",), LOAD_INPUTS, max(1, ceil(read / link)), INPUTS,
                 (("configured", -1), ("registers free", t - BUFFERED_ROWS)), ((i, "sram_read", read),)),
            Step(("process", "registers free"), CELLS, busy, COMPUTE, (("inputs", t),),
                 ((i, "busy_cycles", busy), (i, "register_file_read", 2 * sum(layer.ops.values()) * VECTOR_BITS))),
            Step(("store",), STORE, max(1, ceil(written / link)), OUTPUTS, (("process", t),),
                 ((i, "sram_write", written),)),
        ]  # fmt: skip
        if spilled:
            _, cycles = _off_chip(spec, read + written)
            moved = ((i, "dram_read", read), (i, "dram_write", written))
            steps.append(Step(("spill",), SPILL, cycles, OFF_CHIP, (("store", t),), moved))
        return steps

    builder.emit(i, layer.steps, make)


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
    assert spec.dram is not None
    return bits, max(1, -(-bits // spec.dram.bits_per_cycle))


def _work(layer: Matmul | Conv2d | Elementwise, spec: SilagoSpec) -> LayerWork:
    if isinstance(layer, Elementwise):
        per_cell = max(min(2 * spec.cell.mac_lanes, spec.cell.read_ports) / 2, spec.cell.special_function_lanes)
        return LayerWork(layer.name, layer.ops_total, cells(spec) * per_cell)
    words_per_cycle = min(2 * spec.cell.mac_lanes, spec.cell.read_ports) / 2
    return LayerWork(layer.name, layer.macs, cells(spec) * words_per_cycle * spec.cell.word_bits / layer.weight_bits)


def _dynamic_energy(layer: Matmul | Conv2d | Elementwise, work: LayerWork, spec: SilagoSpec) -> None:
    """Published terms (MAC, SRAM) and assumed ones (register file, network, elementwise, DRAM), in pJ."""
    e = spec.energy
    work.busy_cycles = work.bits.pop("busy_cycles")
    bits = work.bits
    if isinstance(layer, Elementwise):
        for op in layer.ops:
            if op not in e.pj_per_op:
                raise InputError(
                    f"layer {layer.name}: ops.{op}: the architecture's energy.pj_per_op has no figure for it"
                )
        work.energy_pj["elementwise"] = sum(n * e.pj_per_op[op] for op, n in layer.ops.items()) * layer.steps
    else:
        if str(layer.weight_bits) not in e.mac_pj:
            raise InputError(
                f"layer {layer.name}: the architecture's energy.mac_pj has no figure for {layer.weight_bits} bits"
            )
        work.energy_pj["mac"] = layer.macs * e.mac_pj[str(layer.weight_bits)]  # type: ignore[index]
    on_chip = bits.get("sram_read", 0) + bits.get("sram_write", 0)
    off_chip = bits.get("dram_read", 0) + bits.get("dram_write", 0)
    work.energy_pj["sram"] = on_chip * e.sram_pj_per_bit
    work.energy_pj["noc"] = on_chip * e.noc_pj_per_bit
    work.energy_pj["register_file"] = bits.get("register_file_read", 0) * e.register_file_pj_per_bit
    if off_chip and spec.dram is not None:
        work.energy_pj["dram"] = off_chip * spec.dram.pj_per_bit
