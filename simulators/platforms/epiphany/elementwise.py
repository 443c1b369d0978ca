"""Elementwise layers by themselves, and pooling: elements spread over all cores, in chunks of several steps, or of a
part of one."""

from __future__ import annotations

from math import ceil

from simulators.engine.machine import Machine
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Segment, Step
from simulators.platforms.epiphany.core import LOAD_BITS
from simulators.platforms.epiphany.machine import (
    BRIDGE_READ,
    BRIDGE_WRITE,
    ELEMENTWISE,
    FPU,
    INPUTS,
    OUTPUTS,
    WEIGHTS,
    queues_of,
)
from simulators.platforms.epiphany.mesh import OFF_CHIP, WRITES
from simulators.platforms.epiphany.products import Constants, elementwise_cycles, on_chip, operand_bits
from simulators.platforms.epiphany.spec import EpiphanySpec, exact
from simulators.workloads.operations import VECTOR_BITS, VectorLayer


def chunks_of(layer: VectorLayer, spec: EpiphanySpec) -> int:
    """Chunks of all steps: what comes and what leaves of each has half of the cores' room for streams each."""
    elements = max(layer.inputs_per_step, layer.outputs_per_step, 1) * layer.steps
    bits = elements * max(operand_bits(layer.activation_bits), operand_bits(layer.output_bits))
    room = spec.mesh.grid.nodes * max(1, int(spec.memory.stream_kib * 1024 * 8) // 2)
    return ceil(bits / room)


def elementwise_segment(layer: VectorLayer, constants: Constants, spec: EpiphanySpec, machine: Machine) -> Segment:
    """The tasks of one layer."""
    cycles = elementwise_cycles(layer, spec) * layer.steps
    peak = spec.mesh.grid.nodes * layer.elementwise_operations / cycles
    builder = SegmentBuilder(machine, [LayerWork(layer.elementwise_operations, peak, ELEMENTWISE)])
    needs: tuple[Label, ...] = (EVERYTHING_BEFORE,)
    if layer.vector_words and constants is Constants.IN_DRAM:
        bits = layer.vector_words * VECTOR_BITS
        load = ceil(bits / 8 * exact(spec.dram.read_cycles_per_byte))
        moved = ((0, "dram_read", bits),)
        queue = queues_of(spec.mesh.grid).read_weights
        builder.emit(1, [(1, [Step(("constants",), queue, load, WEIGHTS, needs, moved)])])
        needs = (("constants", 1),)
    chunks = chunks_of(layer, spec)
    builder.emit(chunks, [(1, _chunk(layer, chunks, needs, spec))])
    return builder.segment()


def _chunk(layer: VectorLayer, chunks: int, needs: tuple[Label, ...], spec: EpiphanySpec) -> list[Step]:
    """One chunk: a row's share comes to each row, every core works on its own, and what it made leaves."""
    grid, queues = spec.mesh.grid, queues_of(spec.mesh.grid)
    inputs, outputs = layer.inputs_per_step * layer.steps, layer.outputs_per_step * layer.steps
    here, there = on_chip(inputs, layer.activation_bits, spec), on_chip(outputs, layer.output_bits, spec)
    of_row = ceil(inputs * operand_bits(layer.activation_bits) / (chunks * grid.rows))
    made = ceil(outputs * operand_bits(layer.output_bits) / (chunks * grid.rows))
    operations = ceil(elementwise_cycles(layer, spec) * layer.steps / (chunks * grid.nodes))
    read, left = of_row * grid.rows + ceil(layer.vector_words * VECTOR_BITS / chunks), made * grid.rows
    accesses = ceil((read + left) / (LOAD_BITS * grid.nodes))
    cycles = max(1, operations, accesses)
    beat_bits = 8 * spec.mesh.link_bytes
    steps: list[Step] = []
    for row in range(grid.rows):
        cores = [grid.node(row, column) for column in range(grid.columns)]
        edge = cores[-1]
        waits = needs
        if of_row and not here:
            fetch = ceil(of_row / 8 * exact(spec.dram.read_cycles_per_byte))
            free = (EVERYTHING_BEFORE, *((f"done {core}", 2) for core in cores))
            moved = ((0, "dram_read", of_row), (0, "mesh_read", of_row))
            link = queues.link(WRITES, (edge, edge - 1))
            steps.append(Step((f"fetched {row}",), queues.bridge(BRIDGE_READ), fetch, INPUTS, free, moved))
            steps.append(Step((f"in {row}",), link, ceil(of_row / beat_bits), INPUTS, ((f"fetched {row}", 1),)))
            waits = (*needs, (f"in {row}", 1))
        if made and not there:
            waits = (*waits, (f"stored {row}", 2))
        for core in cores:
            lead = core == 0
            local = ((0, "sram_read", read), (0, "sram_write", left)) if lead else ()
            queue, works_on = queues.core(core, FPU), 0 if lead else None
            steps.append(Step((f"done {core}",), queue, cycles, ELEMENTWISE, waits, local, works_on))
        if made and not there:
            after = tuple((f"done {core}", 1) for core in cores)
            link = queues.link(OFF_CHIP, (edge - 1, edge))
            write = ceil(made / 8 * exact(spec.dram.write_cycles_per_byte))
            steps.append(Step((f"left {row}",), link, ceil(made / beat_bits), OUTPUTS, after))
            written = ((0, "dram_write", made),)
            steps.append(Step((f"stored {row}",), queues.bridge(BRIDGE_WRITE), write, OUTPUTS, after, written))
    return steps
