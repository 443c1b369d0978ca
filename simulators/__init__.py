"""Cycle-approximate discrete-event simulators of accelerators for quantized recurrent networks."""

from simulators.hardware.arch import Arch, arch_names, load_arch
from simulators.inputs.errors import InputError
from simulators.run.batch import simulate_batch
from simulators.run.network_walk import Batch
from simulators.run.report import LayerReport, Report
from simulators.run.simulation import simulate
from simulators.workloads.operations import ActivationMatmul, Conv2d, Elementwise, Matmul, Pool2d
from simulators.workloads.trace import Trace, load_trace

__all__ = [
    "ActivationMatmul",
    "Arch",
    "Batch",
    "Conv2d",
    "Elementwise",
    "InputError",
    "LayerReport",
    "Matmul",
    "Pool2d",
    "Report",
    "Trace",
    "arch_names",
    "load_arch",
    "load_trace",
    "simulate",
    "simulate_batch",
]
