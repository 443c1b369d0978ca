"""A new platform: a systolic array that keeps outputs in place while weights and inputs stream past, fed from DRAM.

python docs/examples/output_stationary.py
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, Literal

from simulators import Elementwise, InputError, load_arch, load_trace, simulate
from simulators.engine.machine import COMPUTE, Machine, Queue
from simulators.hardware.spec import Figure, PlatformSpec, Units
from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.platform import Platform
from simulators.lowering.segments import EVERYTHING_BEFORE, LayerWork, Segment, Step
from simulators.run.simulation import register_platform

# What the hardware has: servers, and in-order queues on them, the first of highest priority.
LOAD, STORE, ARRAY, VECTOR = range(4)
MACHINE = Machine(
    servers=("dram", "array", "vector unit"),
    compute_servers=(False, True, True),
    queues=(Queue("load", 0), Queue("store", 0), Queue("array", 1), Queue("vector", 2)),
    kinds=("compute", "loads", "stores"),
)


class OutputStationarySpec(PlatformSpec):
    """What its YAML file may say."""

    platform: Literal["output-stationary"]
    rows: Units
    columns: Units
    vector_lanes: Units
    dram_bits_per_cycle: Units
    dram_pj_per_bit: Figure
    mac_pj: Figure
    op_pj: Figure


def segment(layers: Sequence[Any], _: int, spec: OutputStationarySpec) -> Segment:
    """One layer as tiles: load, compute, store; two tiles are in flight."""
    (layer,) = layers
    if isinstance(layer, Elementwise):
        operations = layer.ops_total
        read, written = layer.inputs * layer.activation_bits, layer.outputs * layer.output_bits
        tiles, queue, cycles = layer.steps, VECTOR, ceil(sum(layer.ops.values()) / spec.vector_lanes)
        work = LayerWork(operations, spec.vector_lanes, COMPUTE, energy_pj={"vector": operations * spec.op_pj})
    elif layer.op == "matmul" and not layer.recurrent:
        tiles = ceil(layer.out_features / spec.rows) * ceil(layer.steps / spec.columns)
        queue, cycles = ARRAY, layer.in_features + spec.rows + spec.columns  # fill, stream, drain
        read = layer.in_features * (spec.rows * layer.weight_bits + spec.columns * layer.activation_bits)
        written = spec.rows * spec.columns * layer.output_bits
        peak = spec.rows * spec.columns
        work = LayerWork(layer.macs, peak, COMPUTE, energy_pj={"array": layer.macs * spec.mac_pj})
    else:
        raise InputError(f"layer {layer.name}: {spec.name} runs elementwise layers and products of independent vectors")
    builder = SegmentBuilder(MACHINE, [work])
    transfer = [max(1, ceil(bits / spec.dram_bits_per_cycle)) for bits in (read, written)]
    steps = [
        Step(("loaded",), LOAD, transfer[0], 1, (EVERYTHING_BEFORE, ("free", 2)), ((0, "dram_read", read),)),
        Step(("computed", "free"), queue, cycles, COMPUTE, (("loaded", 1),), ((0, "busy_cycles", cycles),)),
        Step(("stored",), STORE, transfer[1], 2, (("computed", 1),), ((0, "dram_write", written),)),
    ]
    builder.emit(tiles, [(1, steps)])
    work.busy_cycles = work.bits.pop("busy_cycles")
    work.energy_pj["dram"] = sum(work.bits.values()) * spec.dram_pj_per_bit
    return builder.segment()


register_platform(
    "output-stationary",
    OutputStationarySpec,
    Platform(
        machine=MACHINE,
        group=lambda layers: [1] * len(layers),  # every layer is a segment
        placed=None,  # and nothing stays on chip from one utterance to the next
        segment=segment,
        leakage_mw=lambda spec: 0.0,
        bits_per_cycle=lambda spec: {"dram": spec.dram_bits_per_cycle},
    ),
)

if __name__ == "__main__":
    report = simulate(load_trace("mohaq-sru-8bit"), load_arch(Path(__file__).with_suffix(".yaml")))
    print(f"{report.cycles:,} cycles, {report.energy_uj:,.0f} uJ, {report.utilisation:.0%} of the array used")
    for layer in report.layers[:4]:
        print(layer.name, layer.cycles, layer.stall_cycles)
