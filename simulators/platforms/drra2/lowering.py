"""DRRA-2: how a layer becomes tasks. A layer is one program of all columns, or several one after the other; the column
that has most to do stands for all. The parts of a program follow each other as they are not hidden by one another: what
is hidden (rows that come while words are read, configurations behind the first activation) takes no cycle of its own.

Not modelled: how programs come into the instruction memories; what the memory behind the buffers takes, which delivers
a row a cycle to each column.
"""

from __future__ import annotations

from math import ceil

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Repetition, Segment, Step
from simulators.platforms.drra2.element_programs import element_program, element_works
from simulators.platforms.drra2.layer_sizes import program_of, row_traffic, sizes_of
from simulators.platforms.drra2.machine import (
    COLUMNS,
    CONFIGURATION,
    DPU,
    INPUTS,
    ISSUE,
    LEAVE,
    LOAD,
    MACHINE,
    OUTPUTS,
    RELOAD,
)
from simulators.platforms.drra2.program_parts import ColumnProgram, ProgramPart
from simulators.platforms.drra2.spec import WORD_BITS, Drra2Spec
from simulators.workloads.operations import Layer, VectorLayer

PARTS = (
    ("configure", ISSUE, CONFIGURATION), ("load", LOAD, INPUTS), ("words", DPU, COMPUTE), ("reload", LOAD, RELOAD),
    ("leave", LEAVE, OUTPUTS), ("apart", LEAVE, COLUMNS),
)  # fmt: skip


def tasks(layer: Layer, spec: Drra2Spec) -> Segment:
    """The tasks of a layer. Raises InputError that names it for what the columns cannot run."""
    if layer.output_bits > WORD_BITS:
        raise InputError(f"layer {layer.name}: output_bits: {layer.output_bits}: {spec.name}'s words have {WORD_BITS}")
    work = LayerWork(layer.macs or layer.elementwise_operations, spec.fabric.columns, COMPUTE)
    builder = SegmentBuilder(MACHINE, [work])
    try:
        if isinstance(layer, VectorLayer):
            programs = [element_program(kind, spec) for kind in element_works(layer, spec)]
            work.peak_per_cycle = _peak(layer, spec)
            runs = layer.steps if layer.waits_for_itself else 1
            _emit(builder, programs, runs)
            rows = max(_rows_of(layer, spec))
            done = runs * sum(program.cycles for program in programs)
            if (left := ceil(rows / spec.fabric.columns) - done) > 0:  # rows that no operation is on come as well
                builder.emit(1, [(1, [Step(("done",), LOAD, left, INPUTS, (("done", 1),))])])
            _move_elements(work, layer, spec)
        else:
            sizes = sizes_of(layer, spec)
            _emit(builder, [program_of(sizes, spec)], 1)
            _move_product(work, layer, spec)
    except InputError as error:
        if str(error).startswith("layer "):
            raise
        raise InputError(f"layer {layer.name}: {spec.name}: {error}") from None
    return builder.segment()


def _emit(builder: SegmentBuilder, programs: list[ColumnProgram], runs: int) -> None:
    """Programs one after the other, as often as they run."""
    repetitions: list[Repetition] = []
    after: tuple[Label, ...] = (EVERYTHING_BEFORE, ("done", 1))
    for program in programs:
        for count, part in program.parts:
            repetitions.append((count, _steps(part, after)))
            after = (("done", 1),)
    builder.emit(runs, repetitions)


def _rows_of(layer: VectorLayer, spec: Drra2Spec) -> tuple[int, int]:
    """Rows that a layer reads from the buffers, and that it leaves there."""
    row = spec.fabric.row_words
    return (
        ceil((layer.inputs_per_step * layer.steps + layer.vector_words) / row),
        ceil(layer.outputs_per_step * layer.steps / row),
    )


def _steps(part: ProgramPart, after: tuple[Label, ...]) -> list[Step]:
    """What is done one after the other in a part."""
    steps = []
    for name, queue, kind in PARTS:
        cycles = getattr(part, name)
        if cycles:
            steps.append(Step(("done",), queue, cycles, kind, after, works_on=0 if name == "words" else None))
            after = (("done", 1),)
    return steps


def _peak(layer: VectorLayer, spec: Drra2Spec) -> float:
    """Operations of all columns in a cycle of their DPUs, a mean over the kinds."""
    runs = layer.steps if layer.waits_for_itself else 1
    words = runs * sum(kind.results * kind.words * kind.cycles for kind in element_works(layer, spec))
    return spec.fabric.columns * layer.elementwise_operations / words


def _move_product(work: LayerWork, layer: Layer, spec: Drra2Spec) -> None:
    """Count rows, and words of the register files."""
    traffic, bits = row_traffic(layer, sizes_of(layer, spec), spec), spec.fabric.row_bits
    work.move("dram_read", traffic.buffer_read * bits)
    work.move("sram_write", (traffic.buffer_read + traffic.results) * bits)
    work.move("sram_read", (traffic.sram_read + traffic.results) * bits)
    work.move("dram_write", traffic.results * bits)
    work.move("register_file_read", 2 * layer.macs * WORD_BITS)


def _move_elements(work: LayerWork, layer: VectorLayer, spec: Drra2Spec) -> None:
    """Each kind of operation reads its operands from the SRAMs and leaves its results there; what the layer reads and
    leaves comes from the buffers and goes there."""
    row, bits = spec.fabric.row_words, spec.fabric.row_bits
    runs = layer.steps if layer.waits_for_itself else 1
    kinds = element_works(layer, spec)
    inputs, outputs = _rows_of(layer, spec)
    operands = runs * sum(ceil(kind.results * kind.words / row) * kind.operands for kind in kinds)
    results = runs * sum(ceil(kind.results / row) for kind in kinds)
    work.move("dram_read", inputs * bits)
    work.move("dram_write", outputs * bits)
    work.move("sram_write", (inputs + max(results, outputs)) * bits)
    work.move("sram_read", (max(operands, inputs) + outputs) * bits)
    work.move("register_file_read", runs * sum(k.results * k.words * k.operands for k in kinds) * WORD_BITS)


def energy_pj(layer: Layer, work: LayerWork, spec: Drra2Spec) -> dict[str, float]:
    """Energy in pJ by component. None is published for DRRA-2: all of it is assumed, as the spec says."""
    energy, bits = spec.energy, work.bits
    if isinstance(layer, VectorLayer):
        pj: dict[str, float] = {str(op): figure for op, figure in energy.pj_per_op.items()}
        per_step = sum(count * pj[op] for op, count in layer.operations_per_step.items())
        done = {"elementwise": per_step * layer.steps}
    else:
        done = {"mac": layer.macs * energy.mac_pj}
    return {
        **done,
        "sram": (bits.get("sram_read", 0) + bits.get("sram_write", 0)) * energy.sram_pj_per_bit,
        "register_file": bits.get("register_file_read", 0) * energy.register_file_pj_per_bit,
        "dram": (bits.get("dram_read", 0) + bits.get("dram_write", 0)) * energy.dram_pj_per_bit,
    }
