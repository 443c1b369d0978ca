"""Cycle-approximate discrete-event simulators of accelerators for quantized recurrent networks."""

from simulators.hardware.arch import Arch, arch_names, load_arch
from simulators.inputs.errors import InputError
from simulators.run.batch import Batch, simulate_batch
from simulators.run.report import LayerReport, Report
from simulators.run.simulation import simulate
from simulators.workloads.trace import Conv2d, Elementwise, Matmul, Trace, load_trace

__all__ = [
    "Arch",
    "Batch",
    "Conv2d",
    "Elementwise",
    "InputError",
    "LayerReport",
    "Matmul",
    "Report",
    "Trace",
    "arch_names",
    "load_arch",
    "load_trace",
    "simulate",
    "simulate_batch",
]
