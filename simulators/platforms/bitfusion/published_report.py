"""The published closed form applied to a trace's products. What it does not model it leaves out, and says so."""

from __future__ import annotations

from dataclasses import replace

from simulators.inputs.errors import InputError
from simulators.platforms.bitfusion.published import PublishedHardware, PublishedLayer, PublishedResult, evaluate
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiling import precision
from simulators.run.published import report_of
from simulators.run.report import LayerReport, PartialReport
from simulators.workloads.operations import Conv2d, Layer, Matmul
from simulators.workloads.trace import Trace


def published_report(trace: Trace, arch_name: str, spec: BitFusionSpec) -> PartialReport:
    """Every product by the closed form with its own mapping search; a recurrent one is a batch of one vector, at every
    time step. Energy is the released simulator's, which has no leakage and its own figures for SRAM.

    Raises InputError for operands wider than a fusion unit's, for convolutions that are not square, and for products
    that the closed form knows nothing of.
    """
    hardware = PublishedHardware(
        rows=spec.array.rows,
        columns=spec.array.columns,
        widest_operand_bits=spec.array.unit_operand_bits,
        dram_bits_per_cycle=_whole_bits_per_cycle(spec),
        input_bytes=_bytes(spec, "input_kib"),
        weight_bytes=_bytes(spec, "weight_kib"),
        output_bytes=_bytes(spec, "output_kib"),
    )
    layers = []
    for layer in trace.layers:
        if not layer.is_product:
            continue
        published, times = _published(layer)
        try:
            result = evaluate(published, hardware)
        except InputError as error:
            raise InputError(f"layer {layer.name}: {error}") from None
        layers.append(_report(layer, result, times, spec))
    report = report_of(trace, arch_name, spec.frequency_mhz, layers, hardware.dram_bits_per_cycle)
    return replace(report, energy_of="those of the released simulator's tables")


def _whole_bits_per_cycle(spec: BitFusionSpec) -> int:
    rate = spec.channel.rate
    if rate.denominator != 1:
        key = "gb_per_s" if spec.dram.gb_per_s is not None else "bits_per_cycle"
        raise InputError(
            f"{spec.name}: dram.{key}: {getattr(spec.dram, key):g}: {float(rate):g} bits in a cycle of the array: the "
            "published model needs whole bits"
        )
    return rate.numerator


def _bytes(spec: BitFusionSpec, key: str) -> int:
    size = getattr(spec.buffers, key) * 1024
    if size != int(size):
        raise InputError(f"{spec.name}: buffers.{key}: {size / 1024:g}: the published model needs whole bytes")
    return int(size)


def _published(layer: Layer) -> tuple[PublishedLayer, int]:
    """The closed form's layer, and how often it runs."""
    if layer.index_bits:
        raise InputError(f"layer {layer.name}: weight_sparsity: the published model knows dense weights only")
    if isinstance(layer, Matmul):
        batch = 1 if layer.recurrent else layer.steps
        shape = (1, 1, 1, layer.in_features, layer.out_features, batch)
        return PublishedLayer(*shape, layer.activation_bits, layer.weight_bits), layer.steps // batch
    if not isinstance(layer, Conv2d):
        raise InputError(f"layer {layer.name}: {layer.op}: the published model has no such operation")
    if layer.dilation != (1, 1):
        raise InputError(f"layer {layer.name}: dilation {list(layer.dilation)}: the published model has none")
    height, width = layer.output_size
    if layer.kernel[0] != layer.kernel[1] or layer.stride[0] != layer.stride[1] or height != width:
        raise InputError(
            f"layer {layer.name}: kernel {list(layer.kernel)}, stride {list(layer.stride)}, output {[height, width]}: "
            "the published model has square convolutions only"
        )
    groups = layer.groups
    shape = (
        layer.kernel[0], height, layer.stride[0], layer.in_channels // groups, layer.out_channels // groups, layer.steps
    )  # fmt: skip
    return PublishedLayer(*shape, layer.activation_bits, layer.weight_bits, layer.expanded), groups


def _report(layer: Layer, result: PublishedResult, times: int, spec: BitFusionSpec) -> LayerReport:
    fused = precision(*layer.operand_bits, spec.array.unit_operand_bits)
    peak = spec.array.rows * spec.array.columns * fused.products / fused.passes
    cycles = result.cycles * times
    nanojoules = {
        "array": result.core_nj,
        "dram": result.dram_nj,
        "input_buffer": result.input_nj,
        "weight_buffer": result.weight_nj,
        "output_buffer": result.output_nj,
    }
    bits = {
        "dram_read": result.dram_read_bits,
        "dram_write": result.dram_write_bits,
        "input_buffer_read": result.input_read_bits,
        "input_buffer_write": result.input_write_bits,
        "weight_buffer_read": result.weight_read_bits,
        "weight_buffer_write": result.weight_write_bits,
        "output_buffer_read": result.output_read_bits,
        "output_buffer_write": result.output_write_bits,
    }
    return LayerReport(
        name=layer.name,
        cycles=cycles,
        compute_cycles=result.compute_cycles * times,
        stall_cycles={"dram": result.stall_cycles * times} if result.stall_cycles else {},
        utilisation=layer.macs / (cycles * peak),
        energy_uj={name: nj * times * 1e-3 for name, nj in nanojoules.items()},
        bits={name: n * times for name, n in bits.items()},
        unit="compute",
        macs=layer.macs,
        dense_equivalent_macs=layer.macs,
        work=layer.macs,
        peak_per_cycle=peak,
        busy_cycles=result.compute_cycles * times,
    )
