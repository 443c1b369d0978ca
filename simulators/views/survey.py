"""The objectives of Rezk et al. (IEEE Access 8, 2020) for several architectures on one network, and published
accelerators beside them, which are context and validate nothing.

The five aspects of flexibility are after the survey; that it has just these was not confirmed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simulators.hardware.arch import Arch
from simulators.hardware.area import area_mm2
from simulators.hardware.spec import precisions_shown
from simulators.lowering.platform import Platform, platform_named
from simulators.run.report import Report
from simulators.views.comparison import Comparison
from simulators.workloads.operations import Elementwise, Matmul
from simulators.workloads.trace import Trace

FLEXIBILITY = "Flexibility: five aspects after Rezk et al. 2020, as far as the platform says"
UNKNOWN = "not said"


class PublishedAccelerator(NamedTuple):
    """An accelerator by the figures of its publication."""

    name: str
    technology: str
    """Process, or kind of device."""
    network: str
    figures: str


CONTEXT = (
    PublishedAccelerator("ESE 2017", "XCKU060 FPGA", "sparse LSTM", "282 GOP/s, 2.52 TOP/s dense-equivalent, 41 W"),
    PublishedAccelerator("DeltaRNN 2018", "Zynq-7100 FPGA", "GRU 256", "1.2 TOP/s effective, 164 GOP/s/W"),
    PublishedAccelerator("Chipmunk 2018", "65 nm", "LSTM", "3.08 GOP/s/mW at 1.24 mW"),
    PublishedAccelerator("EdgeDRNN 2020", "Zynq-7007S FPGA", "2-layer GRU, 5 M", "20.2 GOP/s effective, 2.42 W wall"),
    PublishedAccelerator("CSB-RNN 2020", "FPGA", "block-pruned RNN", "23-67 µs"),
    PublishedAccelerator("RNNAccel 2020", "40 nm", "LSTM, GRU keywords", "1.27 TOPS/W, 90 % of MACs used"),
    PublishedAccelerator("Spartus 2022", "FPGA", "LSTM 1,024", "9.4 TOP/s, 1.1 TOP/s/W, 1 µs a step"),
    PublishedAccelerator("DeltaKWS 2024", "65 nm", "delta GRU keywords", "36 nJ a decision, 90.5 %"),
    PublishedAccelerator("Qian 2024", "embedded FPGA", "LSTM", "11.89 GOP/s/W, 32,873 samples/s"),
)  # fmt: skip
"""Figures of abstracts, two operations a multiply-accumulate; technologies and ways of measuring differ."""


def objectives_of(trace: Trace, report: Report, arch: Arch) -> dict[str, str]:
    """The survey's objectives for one architecture by its report of a trace, as they are shown."""
    platform = platform_named(arch.platform)
    seconds, watts = report.latency_ms / 1e3, report.energy_uj / 1e3 / report.latency_ms
    gops = 2 * report.macs / seconds / 1e9
    dense = 2 * report.dense_equivalent_macs / seconds / 1e9
    factor = report.real_time_factor
    area = None if arch.spec.area_parts_mm2() is None else sum(area_mm2(arch).values())
    node = f"{arch.spec.technology_nm:g} nm" if arch.spec.technology_nm else UNKNOWN
    return {
        "GOP/s, effective": f"{gops:,.4g}",
        "GOP/s, dense-equivalent": f"{dense:,.4g}",
        "latency ms": f"{report.latency_ms:,.4g}",
        "real-time factor": UNKNOWN if factor is None else f"{factor:.3g}",
        "GOP/s/W": f"{gops / watts:,.4g}" if watts else UNKNOWN,
        "µJ a frame" if report.has_frames else "µJ an input": f"{report.energy_uj / report.steps:,.4g}",
        "model MiB": f"{sum(layer.parameter_bits for layer in trace.layers) / 8 / 2**20:.4g}",
        "from DRAM MiB": f"{_dram_mib(report):,.4g}",
        "on chip": _on_chip(trace, report),
        "area mm²": UNKNOWN if area is None else f"{area:.4g}",
        "technology": node,
        **flexibility_of(platform, arch),
    }


def _dram_mib(report: Report) -> float:
    return sum(layer.bits.get("dram_read", 0) for layer in report.layers) / 8 / 2**20


def _on_chip(trace: Trace, report: Report) -> str:
    """Layers whose parameters are read from DRAM at most once: what is read beyond the operands is less than half of
    them, as what fills up a last block is."""
    kept = []
    for layer, figures in zip(trace.layers, report.layers, strict=True):
        beyond = figures.bits.get("dram_read", 0) - sum(operand.bits for operand in layer.operands())
        kept.append(beyond <= 0 or 2 * beyond < layer.parameter_bits)
    return f"{sum(kept)} of {len(kept)} layers read once"


def flexibility_of(platform: Platform, arch: Arch) -> dict[str, str]:
    """What the platform takes, by the five aspects."""
    others = [str(kind.model_fields["op"].default) for kind in platform.operations if kind not in (Matmul, Elementwise)]
    switches = ("skips_inactive_inputs", "skips_pruned_weights")
    skips = [key.replace("_", " ") for key in switches if getattr(arch.spec, key, False)]
    stores = ["stores pruned weights"] if platform.stores_pruned_weights else []
    return {
        "cells": "yes" if {Matmul, Elementwise} <= set(platform.operations) else "no",
        "other layers": ", ".join(others) or "none",
        "bit choices": precisions_shown(arch.precisions)
        + (", others run" if platform.runs_unlisted_precisions else ""),
        "sparsity": ", ".join([*stores, *skips]) or "none",
        "change at run time": "bits of each layer" if platform.changes_bits_between_layers else "no",
    }


def survey_rows(trace: Trace, variants: Sequence[Comparison], archs: Sequence[Arch]) -> list[dict[str, str]]:
    """The objectives of all, by variant."""
    return [
        {"arch": variant.name, **objectives_of(trace, variant.report, arch)}
        for variant, arch in zip(variants, archs, strict=True)
    ]
