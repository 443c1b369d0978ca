"""The code that decides a simulated figure: what all platforms share, and a platform's own."""

from __future__ import annotations

from simulators.inputs.code_digest import Code
from simulators.lowering.platform import platform_named

SHARED = Code(
    (
        "simulators.engine", "simulators.lowering", "simulators.hardware.spec", "simulators.inputs.jit",
        *(f"simulators.run.{module}" for module in (
            "batch", "chosen", "in_place", "lookahead", "lowered", "network_walk", "report", "segment_cache",
            "simulation", "trace_batch",
        )),
        *(f"simulators.workloads.{module}" for module in (
            "layer", "layer_fields", "operations", "products", "trace", "vector_layers", "windows",
        )),
    ),
    libraries=("numpy", "numba"),
)  # fmt: skip
"""Reading, naming and showing have no say in the figures; an architecture and a trace have digests of their own."""


def cost_code(platform: str) -> Code:
    """The code of cycles and energies on a platform. Raises InputError for one that there is not."""
    return SHARED | platform_named(platform).code
