"""The published closed form applied to a trace's products. What it does not model it leaves out, and says so."""

from __future__ import annotations

from simulators.inputs.errors import InputError
from simulators.platforms.bit_serial.cost_model import binary_operations_per_cycle
from simulators.platforms.bit_serial.layers import product_of
from simulators.platforms.bit_serial.published import PublishedCycles, evaluate
from simulators.platforms.bit_serial.spec import BitSerialSpec
from simulators.run.published import report_of
from simulators.run.report import LayerReport, PartialReport
from simulators.workloads.operations import Layer
from simulators.workloads.trace import Trace


def published_report(trace: Trace, arch_name: str, spec: BitSerialSpec) -> PartialReport:
    """Every product by the closed form in the better of its orders. Energy is that of the spec: HAQ publishes none.

    Raises InputError for a layer that the closed form has no answer to, and a trace without products.
    """
    layers = []
    for layer in trace.layers:
        if layer.is_product:
            product = product_of(layer, spec.published_array)
            try:
                result = evaluate(product, *layer.operand_bits, spec.published_array)
            except InputError as error:
                raise InputError(f"layer {layer.name}: {error}") from None
            layers.append(_report(layer, result, spec))
    return report_of(trace, arch_name, spec.frequency_mhz, layers, 2 * spec.array.word_bits)


def _report(layer: Layer, result: PublishedCycles, spec: BitSerialSpec) -> LayerReport:
    weight_bits, activation_bits = layer.operand_bits
    array = spec.published_array
    peak = array.rows * array.columns * array.word_bits / (weight_bits * activation_bits)
    stalls = result.cycles - result.steps
    operations = result.steps * binary_operations_per_cycle(array)
    return LayerReport(
        name=layer.name,
        cycles=result.cycles,
        compute_cycles=result.steps,
        stall_cycles={"operands": stalls} if stalls else {},
        utilisation=layer.macs / (result.cycles * peak),
        energy_uj={"array": operations * spec.energy.pj_per_binary_operation * 1e-6},
        bits={"dram_read": result.loaded_words * array.word_bits},
        unit="compute",
        macs=layer.macs,
        dense_equivalent_macs=layer.macs,
        work=layer.macs,
        peak_per_cycle=peak,
        busy_cycles=result.steps,
    )
