"""EdgeDRNN as a platform: see `lowering.py` for what is modelled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.lowering.platform import Choices, MappingRow, Platform, loops_shown
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.edgedrnn import lowering
from simulators.platforms.edgedrnn.machine import MACHINE
from simulators.platforms.edgedrnn.network import MOST_LAYERS, bias_is_sent
from simulators.platforms.edgedrnn.spec import EdgeDrnnSpec
from simulators.workloads.operations import Elementwise, Layer, Matmul

MODULES = ("cycle_law", "lowering", "machine", "network", "platform", "spec")
"""Those that decide a figure."""


class EdgeDrnn(Platform):
    """EdgeDRNN: a delta encoder, DRAM that streams columns of weights, lanes that take one a cycle each."""

    spec = EdgeDrnnSpec
    machine = MACHINE
    operations = (Matmul, Elementwise)

    def group(self, layers: Sequence[Layer]) -> list[int]:
        """A delta layer, all its directions, is one segment; so is any other layer by itself."""
        lengths: list[int] = []
        chained, left = 0, 0  # recurrent layers that read each other, and what the last of them leaves
        while sum(lengths) < len(layers):
            ahead = layers[sum(lengths) : sum(lengths) + 5]
            first, directions = ahead[0], lowering.directions_of(ahead)
            lengths.append(1 + 2 * directions)
            if directions:
                assert isinstance(first, Matmul)
                recurrent = ahead[1]
                assert isinstance(recurrent, Matmul)
                chained = chained + 1 if first.in_features == left else 1
                left = directions * recurrent.in_features
            if chained > MOST_LAYERS:
                raise InputError(f"layer {first.name}: recurrent layer {chained}: EdgeDRNN runs {MOST_LAYERS}")
        return lengths

    def choices(self, layers: Sequence[Layer], place: int, spec: EdgeDrnnSpec) -> Choices:
        """Whether the network's reset is before the segment: it is for the first, and decides."""
        return Choices((False, True), best=(1, 0, 0, 1))

    def lower(self, layers: Sequence[Layer], choice: bool, spec: EdgeDrnnSpec) -> Segment:
        """The tasks of a delta layer or of a product, from reset or not."""
        return lowering.tasks(layers, choice, spec)

    def mapping(self, layers: Sequence[Layer], choice: bool, spec: EdgeDrnnSpec) -> MappingRow:
        """Columns that are sent one after the other, and the beats of each."""
        gemm = layers[0].as_gemm()
        assert gemm is not None
        beats = -(-gemm.m // spec.lanes)
        nest = (f"{gemm.n} steps", f"at most {gemm.k} columns that are sent", f"{beats} beats of {spec.lanes} weights")
        return {"outputs": gemm.m, "columns": gemm.k, "beats": beats, "loops": loops_shown(nest)}

    def energy_pj(self, layer: Layer, work: LayerWork, spec: EdgeDrnnSpec) -> dict[str, float]:
        """Energy in pJ of lanes or activation, of DRAM and of memory on chip."""
        return lowering.energy_pj(layer, work, spec)

    def has_dram_energy(self, spec: EdgeDrnnSpec) -> bool:
        """Always: what DRAM reads and writes."""
        return True

    def leakage_mw(self, spec: EdgeDrnnSpec) -> float:
        """Power in mW that does not depend on work."""
        return spec.energy.static_mw

    def bits_per_cycle(self, spec: EdgeDrnnSpec) -> dict[str, float]:
        """Bandwidth of DRAM at 8-bit weights, one for each lane, and of memory on chip: an element in and one out, and
        a 24-bit sum of each lane read and written."""
        return {"dram": 8.0 * spec.lanes, "sram": 32.0 + 48.0 * spec.lanes}

    def tasks_key(self, spec: EdgeDrnnSpec) -> Hashable:
        """All that decides cycles: the thresholds by whether the bias is sent."""
        return spec.timing, bias_is_sent(spec.encoder.input_threshold)

    @property
    def code(self) -> Code:
        """The accelerator's own code, and that of masks."""
        own = (f"simulators.platforms.edgedrnn.{module}" for module in MODULES)
        return Code((*own, "simulators.workloads.masks"))


PLATFORM = EdgeDrnn()
