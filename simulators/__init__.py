"""Cycle-approximate discrete-event simulators of accelerators for quantized recurrent networks."""

from simulators.arch import Arch, load_arch
from simulators.errors import InputError
from simulators.trace import Conv2d, Elementwise, Matmul, Trace, load_trace

__all__ = ["Arch", "Conv2d", "Elementwise", "InputError", "Matmul", "Trace", "load_arch", "load_trace"]
