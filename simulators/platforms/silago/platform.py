"""SiLago as a platform: see `lowering.py` for what is modelled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from simulators.inputs.code_digest import Code
from simulators.lowering.platform import Platform
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.silago import lowering
from simulators.platforms.silago.machine import MACHINE
from simulators.platforms.silago.spec import SilagoSpec
from simulators.workloads.operations import Conv2d, Elementwise, Layer, Matmul, Pool2d

MODULES = ("fabric", "input_reads", "lowering", "machine", "pieces", "platform", "product", "spec", "waves")
"""Those that decide a figure."""


class Silago(Platform):
    """SiLago: DRRA cells under a DiMArch of memory tiles. The fabric is configured anew for each layer."""

    spec = SilagoSpec
    machine = MACHINE
    operations = (Matmul, Conv2d, Elementwise, Pool2d)

    def places(self, parameters: Sequence[tuple[str, int]], spec: SilagoSpec) -> Sequence[int]:
        """1 for each layer whose parameters stay in DiMArch, 0 for the others."""
        return lowering.resident(parameters, spec)

    def lower(self, layers: Sequence[Layer], choice: int, spec: SilagoSpec) -> Segment:
        """The tasks of one layer, its parameters in DiMArch (1) or not (0)."""
        (layer,) = layers
        return lowering.tasks(layer, bool(choice), spec)

    def energy_pj(self, layer: Layer, work: LayerWork, spec: SilagoSpec) -> dict[str, float]:
        """Energy in pJ of cells, memory, network and DRAM."""
        return lowering.energy_pj(layer, work, spec)

    def leakage_mw(self, spec: SilagoSpec) -> float:
        """Leakage in mW of the whole fabric."""
        return spec.energy.leakage_mw

    def bits_per_cycle(self, spec: SilagoSpec) -> dict[str, float]:
        """Bandwidth of the links to DiMArch, all columns together, and of the channel to DRAM."""
        levels: dict[str, float] = {"sram": spec.dimarch.link_bits_per_cycle * spec.fabric.columns}
        return levels if spec.channel is None else {**levels, "dram": spec.channel.bits_per_cycle}

    def tasks_key(self, spec: SilagoSpec) -> Hashable:
        """All that tasks depend on but energies and the clock."""
        parts = (spec.fabric, spec.cell, spec.dimarch)
        return (
            *(part.model_dump_json() for part in parts), spec.skips_inactive_inputs,
            spec.channel, frozenset(spec.energy.mac_pj), frozenset(spec.energy.pj_per_op),
        )  # fmt: skip

    @property
    def code(self) -> Code:
        """The fabric's own code."""
        return Code(tuple(f"simulators.platforms.silago.{module}" for module in MODULES))


PLATFORM = Silago()
