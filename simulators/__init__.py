"""Cycle-approximate discrete-event simulators of accelerators for quantized recurrent networks."""

from simulators.arch import Arch, arch_names, load_arch
from simulators.batch import Batch, simulate_batch
from simulators.errors import InputError
from simulators.report import LayerReport, Report
from simulators.simulation import simulate
from simulators.trace import Conv2d, Elementwise, Matmul, Trace, load_trace

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
