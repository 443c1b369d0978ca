"""EdgeDRNN: how a trace's layers become tasks.

A delta layer of the hardware is an input product, a recurrent product and the gates behind it. Each is run over all
steps: cycles of its steps are those of the RTL's cycle law, from the masks of sent elements, and add up over layers, so
it does not matter whether layers or steps are the outer loop. The tasks of a layer are what the delta encoder, the
memory, the lanes and the activation unit did one after the other in all steps; `step_tasks` has the same machine slot
by slot and burst by burst, and ends in the same cycle.

Not in the RTL, and assumptions here: 4- and 2-bit weights (a beat still has one for each lane, and fewer bytes); LSTM
and Li-GRU (4 and 2 weights a column and neuron, the activation takes as long as a GRU's); a second direction (a layer
of its own that scans the same inputs); products without recurrence (a layer without states, one weight a column and
output, one cycle of activation for each output of a lane). Inputs that are no multiple of the lanes are filled up with
zeros by the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from simulators.engine.machine import COMPUTE
from simulators.inputs.errors import InputError
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Segment, Step
from simulators.platforms.edgedrnn.cycle_law import DRAIN, LANES, MEMORY, SCAN, DeltaMasks, layer_cycles, list_cycles
from simulators.platforms.edgedrnn.machine import (
    ACTIVATE,
    ACTIVATION,
    BURST,
    COMMAND,
    LATENCY,
    MACHINE,
    OTHER_ACTIVATION,
    OTHER_STATES,
    RESET,
    SCANNING,
    STATES,
)
from simulators.platforms.edgedrnn.machine import SCAN as SCAN_SLOTS
from simulators.platforms.edgedrnn.network import LayerSize, bias_is_sent, check_size
from simulators.platforms.edgedrnn.spec import EdgeDrnnSpec
from simulators.workloads.masks import Sent, sent_of
from simulators.workloads.operations import Elementwise, Layer, Matmul

BLOCKS = (2, 3, 4)
"""Weights of a column for each neuron: Li-GRU, GRU, LSTM."""


class DeltaPass(NamedTuple):
    """One direction of a delta layer, or a product without recurrence, over all steps."""

    masks: DeltaMasks
    """Masks of all that is scanned, filled-up inputs included."""
    cycles: dict[int, int]
    """Cycles of all steps by LANES, MEMORY, SCAN and DRAIN."""
    burst_cycles: int
    """Cycles of one column in the lanes."""

    @property
    def input_columns(self) -> int:
        """Columns of inputs and bias that were sent over all steps."""
        return int(np.count_nonzero(self.masks.bias) + np.count_nonzero(self.masks.inputs))

    @property
    def state_columns(self) -> int:
        """Columns of states that were sent over all steps."""
        return int(np.count_nonzero(self.masks.states))


def directions_of(layers: Sequence[Layer]) -> int:
    """How many directions a delta layer has that begins with the first of these layers; 0 where none does: an input
    product, and for each direction a recurrent product and the elementwise layer behind it."""
    first = layers[0]
    if not isinstance(first, Matmul) or first.recurrent:
        return 0
    found = 0
    while found < 2 and len(layers) >= 3 + 2 * found:
        product, gates = layers[1 + 2 * found : 3 + 2 * found]
        if not (isinstance(product, Matmul) and product.recurrent and isinstance(gates, Elementwise)):
            break
        found += 1
        if not gates.recurrent or {product.steps, gates.steps} != {first.steps}:
            return 0
        if first.out_features == found * product.out_features:
            sizes = {(layers[1 + 2 * i].as_gemm(), layers[2 + 2 * i].outputs_total().elements) for i in range(found)}
            return found if len(sizes) == 1 else 0
    return 0


def tasks(layers: Sequence[Layer], from_reset: bool, spec: EdgeDrnnSpec) -> Segment:
    """The tasks of a delta layer, or of a product without recurrence. Raises InputError for what the accelerator cannot
    run."""
    first = layers[0]
    if not isinstance(first, Matmul):
        raise InputError(f"layer {first.name}: {first.op}: {spec.name} runs it behind a recurrent product alone")
    if len(layers) == 1 and first.recurrent:
        raise InputError(
            f"layer {first.name}: recurrent: {spec.name} runs it behind an input product of as many gates, with the "
            "recurrent elementwise layer of its gates behind it"
        )
    works = [_work(layer, kind, spec) for layer, kind in zip(layers, _kinds(layers), strict=True)]
    builder = SegmentBuilder(MACHINE, works)
    after: Label = EVERYTHING_BEFORE
    steps: list[Step] = []
    if from_reset:
        steps.append(Step(("reset",), SCAN_SLOTS, 1, RESET, (after,)))
        after = ("reset", 1)
    for number in range(max(1, len(layers) // 2)):
        of_pass = [first, *layers[1 + 2 * number : 3 + 2 * number]]
        at = (0, 1 + 2 * number, 2 + 2 * number) if len(layers) > 1 else (0, 0, 0)
        ran = delta_pass(of_pass, spec)
        steps += _steps(ran, works, at, after)
        after = (steps[-1].roles[0], 1)
        _move(ran, works, of_pass, at, spec)
    builder.emit(1, [(1, steps)])
    return builder.segment()


def delta_pass(layers: Sequence[Layer], spec: EdgeDrnnSpec) -> DeltaPass:
    """One direction of a delta layer (input product, recurrent product, gates), or a product alone. Raises InputError
    that names the layer."""
    first, timing = layers[0], spec.timing
    assert isinstance(first, Matmul)
    _check("inputs", first.in_features, first)
    inputs = _sent(first, spec)
    filled = -first.in_features % spec.lanes
    if filled:
        inputs = np.pad(inputs, ((0, 0), (0, filled)))
    bias = np.zeros(first.steps, np.uint8)
    bias[0] = bias_is_sent(spec.encoder.input_threshold)
    if len(layers) == 1:
        _check("outputs", first.out_features, first)
        burst = -(-first.out_features // spec.lanes)
        masks = DeltaMasks(bias, inputs, np.zeros((first.steps, 0), np.uint8))
        cycles = list_cycles(masks, burst, timing)
        cycles[:, DRAIN] = 13 + burst
    else:
        size = _size(layers[1], inputs.shape[1], spec)
        _check_gates(layers[2], size)
        masks, burst = DeltaMasks(bias, inputs, _sent(layers[1], spec)), size.burst_cycles(spec.lanes)
        cycles = layer_cycles(masks, size, timing)
    total = cycles.sum(axis=0).tolist()
    return DeltaPass(masks, {part: total[part] for part in (LANES, MEMORY, SCAN, DRAIN)}, burst)


def _size(recurrent: Layer, inputs: int, spec: EdgeDrnnSpec) -> LayerSize:
    assert isinstance(recurrent, Matmul)
    hidden, rows = recurrent.in_features, recurrent.out_features
    _check("neurons", hidden, recurrent)
    if hidden % spec.lanes:
        raise InputError(f"layer {recurrent.name}: {hidden} neurons: expected a multiple of lanes: {spec.lanes}")
    if rows % hidden or rows // hidden not in BLOCKS:
        raise InputError(f"layer {recurrent.name}: {rows} outputs of {hidden} neurons: expected 2, 3 or 4 for each")
    return LayerSize(inputs, hidden, rows // hidden)


def _check_gates(gates: Layer, size: LayerSize) -> None:
    """Refuse gates that leave other than a state of each neuron: the activation unit's cycles are of neurons."""
    assert isinstance(gates, Elementwise)
    if gates.outputs != size.hidden:
        raise InputError(
            f"layer {gates.name}: outputs: {gates.outputs}: expected one for each of {size.hidden} neurons"
        )


def _check(what: str, size: int, layer: Layer) -> None:
    try:
        check_size(what, size)
    except InputError as error:
        raise InputError(f"layer {layer.name}: {error}") from None


def _sent(layer: Layer, spec: EdgeDrnnSpec) -> Sent:
    """What of a product's inputs is sent (steps, inputs): all of it, or what its masks say."""
    assert isinstance(layer, Matmul)
    if layer.masks is not None:
        return sent_of(layer.masks, layer.in_features)
    if isinstance(layer.active, tuple) or layer.active != 1:
        raise InputError(f"layer {layer.name}: active: a share: {spec.name} takes masks of what is sent, step by step")
    return np.ones((layer.steps, layer.in_features), np.uint8)


def _kinds(layers: Sequence[Layer]) -> tuple[int, ...]:
    return (COMPUTE, STATES, ACTIVATION, OTHER_STATES, OTHER_ACTIVATION)[: len(layers)]


def _work(layer: Layer, kind: int, spec: EdgeDrnnSpec) -> LayerWork:
    """What a layer does, without traffic. The activation unit does all operations of a neuron in 5 cycles a lane."""
    if isinstance(layer, Elementwise):
        peak = layer.elementwise_operations / layer.steps * spec.lanes / (5 * max(layer.outputs, 1))
        return LayerWork(layer.elementwise_operations, peak, kind)
    return LayerWork(0, spec.lanes, kind)


def _steps(ran: DeltaPass, works: Sequence[LayerWork], at: tuple[int, int, int], after: Label) -> list[Step]:
    """One task for what each unit did over all steps, one after the other; what took no cycle is left out."""
    first, states, gates = at
    parts = (
        ("scan", SCAN_SLOTS, ran.cycles[SCAN], SCANNING, None),
        ("latency", COMMAND, ran.cycles[MEMORY], LATENCY, None),
        ("inputs", BURST, ran.input_columns * ran.burst_cycles, COMPUTE, first),
        ("states", BURST, ran.state_columns * ran.burst_cycles, works[states].own_kind, states),
        ("activate", ACTIVATE, ran.cycles[DRAIN], works[gates].own_kind, gates),
    )
    steps = []
    for role, queue, cycles, kind, layer in parts:
        if cycles:
            steps.append(Step((role,), queue, cycles, kind, (after,), works_on=layer))
            after = (role, 1)
    return steps


def _move(
    ran: DeltaPass, works: Sequence[LayerWork], layers: Sequence[Layer], at: tuple[int, int, int], spec: EdgeDrnnSpec
) -> None:
    """Count multiply-accumulates and traffic: columns from DRAM, elements on chip each time that they are scanned."""
    column, first = ran.burst_cycles * spec.lanes, layers[0]
    assert isinstance(first, Matmul)
    works[at[0]].never_skipped += min(column, first.out_features)  # the bias, which the first step sends
    for number, columns, layer in zip(at, (ran.input_columns, ran.state_columns), layers, strict=False):
        assert isinstance(layer, Matmul)
        works[number].work += columns * min(column, layer.out_features)  # without what fills up the last beat
        works[number].move("dram_read", columns * column * layer.operand_bits[0])
    for number, layer in zip(at, layers, strict=False):
        read = sum(operand.bits for operand in layer.operands() if operand.name == "activations")
        works[number].move("sram_read", read)
        works[number].move("sram_write", layer.outputs_total().bits)


def energy_pj(layer: Layer, work: LayerWork, spec: EdgeDrnnSpec) -> dict[str, float]:
    """Energy in pJ of lanes or activation, of DRAM and of memory on chip."""
    if isinstance(layer, Elementwise):
        energy = {"activation": layer.elementwise_operations * spec.energy.pj_per_op}
    else:
        energy = {"lanes": work.work * spec.energy.mac_pj[str(layer.operand_bits[0])]}  # type: ignore[index]
    energy["dram"] = work.bits.get("dram_read", 0) * spec.memory.pj_per_bit
    on_chip = work.bits.get("sram_read", 0) + work.bits.get("sram_write", 0)
    return {**energy, "sram": on_chip * spec.energy.sram_pj_per_bit}
