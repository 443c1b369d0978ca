"""A platform of one's own: a systolic array that keeps outputs in place while both operands stream past, fed from DRAM.

mohaq simulate mohaq-sru-8bit --plugin docs/examples/output_stationary.py --arch docs/examples/output_stationary.yaml
"""

from collections.abc import Sequence
from math import ceil

from simulators.platform import (
    COMPUTE,
    EVERYTHING_BEFORE,
    ActivationMatmul,
    Conv2d,
    Elementwise,
    Figure,
    InputError,
    Layer,
    LayerWork,
    Machine,
    Matmul,
    Platform,
    PlatformSpec,
    Pool2d,
    Queue,
    Segment,
    SegmentBuilder,
    Step,
    Units,
    VectorLayer,
    register_platform,
)

LOAD, STORE, ARRAY, VECTOR = range(4)  # queues, the first of highest priority
LOADS, STORES = 1, 2  # kinds of tasks besides COMPUTE: what a waiting cycle is charged to


class OutputStationarySpec(PlatformSpec):
    """What its YAML file may say; units are in the names."""

    rows: Units
    columns: Units
    vector_lanes: Units
    dram_bits_per_cycle: Units
    dram_pj_per_bit: Figure
    mac_pj: Figure
    op_pj: Figure


class OutputStationary(Platform):
    """Every layer is a segment of tiles; two are in flight: one is loaded while the other is computed."""

    spec = OutputStationarySpec
    machine = Machine(
        servers=("dram", "array", "vector unit"),
        compute_servers=(False, True, True),
        queues=(Queue("load", 0), Queue("store", 0), Queue("array", 1), Queue("vector", 2)),
        kinds=("compute", "loads", "stores"),
    )
    operations = (Matmul, Conv2d, ActivationMatmul, Elementwise, Pool2d)

    def lower(self, layers: Sequence[Layer], choice: int, spec: OutputStationarySpec) -> Segment:
        """The tasks of one layer."""
        (layer,) = layers
        if layer.waits_for_itself and layer.is_product:
            raise InputError(f"layer {layer.name}: {spec.name} runs no products that wait for their own results")
        *_, activations = layer.operands()
        if isinstance(layer, VectorLayer):
            tiles, queue = layer.steps, VECTOR
            cycles = ceil(layer.elementwise_operations / layer.steps / spec.vector_lanes)
            read, written = ceil(activations.bits / tiles), ceil(layer.outputs_total().bits / tiles)
            work = LayerWork(layer.elementwise_operations, spec.vector_lanes, COMPUTE)
        else:
            gemm, (first_bits, activation_bits) = layer.as_gemm(), layer.operand_bits
            assert gemm is not None
            tiles, queue = ceil(gemm.m / spec.rows) * ceil(gemm.n / spec.columns) * gemm.products, ARRAY
            cycles = gemm.k + spec.rows + spec.columns  # fill, stream, drain
            read = gemm.k * (spec.rows * first_bits + spec.columns * activation_bits)
            written = spec.rows * spec.columns * layer.output_bits
            work = LayerWork(layer.macs, spec.rows * spec.columns, COMPUTE)
        load, store = (max(1, ceil(bits / spec.dram_bits_per_cycle)) for bits in (read, written))
        loaded, stored = ((0, "dram_read", read),), ((0, "dram_write", written),)
        builder = SegmentBuilder(self.machine, [work])
        builder.emit(tiles, [(1, [
            Step(("loaded",), LOAD, load, LOADS, (EVERYTHING_BEFORE, ("free", 2)), loaded),
            Step(("computed", "free"), queue, cycles, COMPUTE, (("loaded", 1),), works_on=0),
            Step(("stored",), STORE, store, STORES, (("computed", 1),), stored),
        ])])  # fmt: skip
        return builder.segment()

    def energy_pj(self, layer: Layer, work: LayerWork, spec: OutputStationarySpec) -> dict[str, float]:
        """Energy of what was computed and moved, by component."""
        computed = {"vector": work.work * spec.op_pj} if layer.as_gemm() is None else {"array": work.work * spec.mac_pj}
        return {**computed, "dram": sum(work.bits.values()) * spec.dram_pj_per_bit}

    def bits_per_cycle(self, spec: OutputStationarySpec) -> dict[str, int]:
        """Bandwidth by level of memory, for the roofline."""
        return {"dram": spec.dram_bits_per_cycle}


register_platform("output-stationary", OutputStationary())
