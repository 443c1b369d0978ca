"""The code that decides a simulated figure: what all platforms share, and a platform's own."""

from __future__ import annotations

from simulators.inputs.code_digest import Code
from simulators.run.simulation import PLATFORMS

SHARED = Code(
    (
        "simulators.engine", "simulators.lowering", "simulators.hardware.spec", "simulators.inputs.jit",
        "simulators.run.batch", "simulators.run.population", "simulators.run.report", "simulators.run.simulation",
        "simulators.workloads.trace",
    ),
    libraries=("numpy", "numba"),
)  # fmt: skip
"""Reading, naming and showing have no say in the figures; an architecture and a trace have digests of their own."""


def cost_code(platform: str) -> Code:
    """Of cycles and energies on a platform."""
    return SHARED | PLATFORMS[platform].code
