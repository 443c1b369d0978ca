"""SiLago: how a trace's layers become tasks on DRRA cells, the links to their DiMArch tiles, and a DRAM channel.

Mapping of a matrix product: a *wave* gives each cell one output. Weights and inputs stream from DiMArch to the
register files row by row (256 bits: 16 words), double-buffered; a cell multiplies one word a cycle, because a word of
multiply-accumulates takes both 16-bit read ports. Below 16 bits a word holds 2 or 4 operands, which accumulate apart
and are added up at the end (reduction). An input row is multicast to the cells of a window. Elementwise work spreads
over the cells; sigmoid, tanh, exponential and division use the one lane that has them.

Cells run in lock step, so one column's link and one cell stand for all. Weights stay in DiMArch for all utterances as
far as they fit, in the order of the layers; those that do not are brought from DRAM, once an utterance for a product
whose vectors are independent (a wave's at a time, which serve all vectors), at every step for a recurrent one. The
constants of an elementwise layer are weights, all of which every step reads. A route is locked while it streams: the
link is a server of one transfer at a time. Not modelled: instruction issue inside a wave (`cell.py` times a cell by
itself), routes that cross columns.

A period of the program is one wave, one time step of a recurrent product, or one step of an elementwise layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.platform import PlacedLayer
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Segment, Step
from simulators.platforms.silago.fabric import BUFFERED_ROWS, cells, off_chip, tile_bits, word_cycles
from simulators.platforms.silago.input_reads import input_read_bits
from simulators.platforms.silago.machine import (
    CELLS,
    CONFIGURATION,
    FETCH,
    INPUTS,
    LOAD_INPUTS,
    LOAD_WEIGHTS,
    MACHINE,
    OFF_CHIP,
    OUTPUTS,
    SPILL,
    STORE,
    WEIGHTS,
)
from simulators.platforms.silago.product import WaveProduct
from simulators.platforms.silago.spec import SilagoSpec
from simulators.platforms.silago.waves import dependent_vectors, independent_vectors
from simulators.workloads.operations import VECTOR_BITS, Conv2d, Layer, Matmul, VectorLayer

SPECIAL = frozenset({"sigmoid", "tanh", "exp", "divide"})
"""Operations of the lane for special functions."""


def resident(parameters: Sequence[PlacedLayer], spec: SilagoSpec) -> list[int]:
    """A 1 for each layer whose parameters stay in DiMArch, as many as fit, in order; 0 for others. Without DRAM all
    must. Raises InputError where they do not."""
    free = tile_bits(spec.dimarch.weight_tiles, spec)
    stay = []
    for name, bits, _ in parameters:
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
        _elementwise(builder, spec, layer, stays, spilled)
        return builder.segment()
    gemm = layer.as_gemm()
    assert gemm is not None
    product = wave_product(layer, stays, spec)
    for _ in range(gemm.products):
        (dependent_vectors if layer.waits_for_itself else independent_vectors)(builder, spec, product)
    if str(product.bits) not in spec.energy.mac_pj:
        raise InputError(f"layer {layer.name}: the architecture's energy.mac_pj has no figure for {product.bits} bits")
    return builder.segment()


def wave_product(layer: Layer, stays: bool, spec: SilagoSpec) -> WaveProduct:
    """A product, or one group of a convolution, as the cells see it."""
    gemm, (weight_bits, _) = layer.as_gemm(), layer.operand_bits
    assert gemm is not None
    transmitted = [(gemm.n, gemm.k)]
    if isinstance(layer, Matmul) and spec.skips_inactive_inputs:
        transmitted = layer.transmitted()
    vectors = [(count, ceil(inputs * weight_bits / spec.cell.word_bits)) for count, inputs in transmitted]
    words = ceil(gemm.k * weight_bits / spec.cell.word_bits)
    read_bits = input_read_bits(layer, spec) // gemm.products if _spills(layer, spec) else None
    product = WaveProduct(gemm.m, words, vectors, weight_bits, layer.output_bits, not stays, read_bits)
    if isinstance(layer, Matmul | Conv2d) and layer.weight_sparsity is not None:
        stored = Fraction(layer.parameter_bits, layer.parameters * weight_bits)
        multiplied = Fraction(layer.kept_inputs, gemm.k) if spec.skips_pruned_weights else None
        product = replace(product, stored_share=stored, multiplied_share=multiplied)
    return product


def _spills(layer: Layer, spec: SilagoSpec) -> bool:
    """Whether a layer's inputs and outputs, over all steps, exceed the tiles for activations."""
    *_, activations = layer.operands()
    excess = activations.bits + layer.outputs_total().bits - tile_bits(spec.dimarch.activation_tiles, spec)
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


def _elementwise(builder: SegmentBuilder, spec: SilagoSpec, layer: VectorLayer, stays: bool, spilled: bool) -> None:
    """Operations spread evenly over the cells: what needs the special lane on that, the rest one operation a cell a
    cycle. Constants are read at every step, as the weights of a product are for every vector."""
    count = cells(spec)
    cycles_of = spec.cell.cycles_per_op
    special = sum(n * cycles_of[op] for op, n in layer.operations_per_step.items() if op in SPECIAL)
    plain = sum(n * cycles_of[op] for op, n in layer.operations_per_step.items() if op not in SPECIAL)
    busy = ceil(special / (count * spec.cell.special_function_lanes)) + word_cycles(spec, ceil(plain / count))
    read, written = layer.inputs_per_step * layer.activation_bits, layer.outputs_per_step * layer.output_bits
    link = spec.dimarch.link_bits_per_cycle * spec.fabric.columns
    registers = 2 * sum(layer.operations_per_step.values()) * VECTOR_BITS
    brought, constants = _constants(builder, spec, layer, stays)
    needs: tuple[Label, ...] = (("inputs", 1), ("weights", 1)) if constants else (("inputs", 1),)
    # The last step leaves the tiles that constants from DRAM took.
    roles = ("process", "registers free", "piece free") if brought else ("process", "registers free")
    steps = [
        Step(("inputs",), LOAD_INPUTS, max(1, ceil(read / link)), INPUTS,
             (("configured", 1), ("registers free", BUFFERED_ROWS)), ((0, "sram_read", read),)),
        *constants,
        Step(roles, CELLS, busy, COMPUTE, needs, ((0, "register_file_read", registers),), works_on=0),
        Step(("store",), STORE, max(1, ceil(written / link)), OUTPUTS, (("process", 1),),
             ((0, "sram_write", written),)),
    ]  # fmt: skip
    if spilled:
        _, cycles = off_chip(spec, read + written)
        moved = ((0, "dram_read", read), (0, "dram_write", written))
        steps.append(Step(("spill",), SPILL, cycles, OFF_CHIP, (("store", 1),), moved))
    builder.emit(layer.steps, [(1, steps)])


def _constants(builder: SegmentBuilder, spec: SilagoSpec, layer: VectorLayer, stays: bool) -> tuple[bool, list[Step]]:
    """Whether the constants of an elementwise layer come from DRAM, and what brings them to the cells at every step:
    whole rows over the links of all columns, behind the step's inputs. Those from DRAM come once, ahead of the layer,
    where the tiles hold them all, else at every step."""
    if not layer.vector_words:
        return False, []
    rows = ceil(layer.parameter_bits / spec.dimarch.row_bits)
    cycles = ceil(rows / spec.fabric.columns) * ceil(spec.dimarch.row_bits / spec.dimarch.link_bits_per_cycle)
    free: tuple[Label, ...] = (("configured", 1), ("registers free", BUFFERED_ROWS))
    moved = ((0, "sram_read", rows * spec.dimarch.row_bits),)
    if stays:
        return False, [Step(("weights",), LOAD_WEIGHTS, cycles, WEIGHTS, free, moved)]
    once = layer.parameter_bits <= tile_bits(spec.dimarch.weight_tiles, spec)
    bits, fetch_cycles = off_chip(spec, layer.parameter_bits)
    after: tuple[Label, ...] = (("piece free", 1),) if once else (("configured", 1), ("piece free", 1))
    fetch = Step(("piece",), FETCH, fetch_cycles, OFF_CHIP, after, ((0, "dram_read", bits),))
    read = Step(("weights",), LOAD_WEIGHTS, cycles, WEIGHTS, (*free, ("piece", 1)), moved)
    if once:
        builder.emit(1, [(1, [fetch])])
        return True, [read]
    return True, [fetch, read]


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
    macs = layer.effective_macs(spec.skips_inactive_inputs, spec.skips_pruned_weights)
    return LayerWork(macs, cells(spec) * words_per_cycle * macs_per_word, COMPUTE)


def energy_pj(layer: Layer, work: LayerWork, spec: SilagoSpec) -> dict[str, float]:
    """Published terms (MAC, SRAM) and assumed ones (register file, network, elementwise, DRAM), in pJ by component."""
    e, bits = spec.energy, work.bits
    if isinstance(layer, VectorLayer):
        per_step = sum(count * e.pj_per_op[op] for op, count in layer.operations_per_step.items())
        energy = {"elementwise": per_step * layer.steps}
    else:
        macs = layer.effective_macs(spec.skips_inactive_inputs, spec.skips_pruned_weights)
        energy = {"mac": macs * e.mac_pj[str(layer.operand_bits[0])]}  # type: ignore[index]
    on_chip = bits.get("sram_read", 0) + bits.get("sram_write", 0)
    off_chip = bits.get("dram_read", 0) + bits.get("dram_write", 0)
    energy["sram"] = on_chip * e.sram_pj_per_bit
    energy["noc"] = on_chip * e.noc_pj_per_bit
    energy["register_file"] = bits.get("register_file_read", 0) * e.register_file_pj_per_bit
    if off_chip and spec.dram is not None:
        energy["dram"] = off_chip * spec.dram.pj_per_bit
    return energy
