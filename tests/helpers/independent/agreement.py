"""The simulators held against the independent simulation: cycles of the network, and bits by layer and level."""

from __future__ import annotations

from independent.bitfusion_network import BitFusionNetwork
from independent.silago_network import SilagoNetwork
from simulators import Arch, Trace, simulate
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.silago.spec import SilagoSpec
from simulators.run.simulation import Simulator

Figures = dict[str, int]
"""Cycles, and bits by `layer level` where there are any."""


def simulated(trace: Trace, arch: Arch) -> Figures:
    """What the simulator says."""
    report = simulate(trace, arch)
    bits = {f"{layer.name} {level}": n for layer in report.layers for level, n in layer.bits.items() if n}
    return {"cycles": report.cycles, **bits}


def expected(trace: Trace, arch: Arch) -> Figures:
    """What the independent simulation says, with the simulator's choices, on Bit Fusion the network's tilings."""
    if isinstance(arch.spec, BitFusionSpec):
        tilings = dict(Simulator(arch).mappings(trace.layers))
        simulation = BitFusionNetwork(trace.layers, tilings, arch.spec).simulation
    else:
        assert isinstance(arch.spec, SilagoSpec)
        simulation = SilagoNetwork(trace.layers, arch.spec).simulation
    figures = {"cycles": simulation.run()}
    for layer, moved in zip(trace.layers, simulation.moved, strict=True):
        figures |= {f"{layer.name} {level}": n for level, n in moved.items() if n}
    return figures


def differences(trace: Trace, arch: Arch) -> list[str]:
    """A line for each figure that differs."""
    ours, theirs = simulated(trace, arch), expected(trace, arch)
    return [
        f"{name}: {ours.get(name, 0):,} simulated, {theirs.get(name, 0):,} expected"
        for name in sorted({*ours, *theirs})
        if ours.get(name, 0) != theirs.get(name, 0)
    ]
