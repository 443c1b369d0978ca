"""Cycle-approximate discrete-event simulators of accelerators for quantized recurrent networks."""

from simulators.errors import InputError

__all__ = ["InputError"]
