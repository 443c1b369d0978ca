"""Epiphany as a platform: see `mapping.py` and `lowering.py` for what is modelled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from simulators.engine.machine import Machine
from simulators.hardware.spec import Pair
from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.lowering.platform import MappingRow, PlacedLayer, Platform, loops_shown
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.epiphany import lowering
from simulators.platforms.epiphany.core import LOAD_BITS
from simulators.platforms.epiphany.machine import machine_of
from simulators.platforms.epiphany.mapping import COPY, StreamingTiles, best_tiles
from simulators.platforms.epiphany.mesh import MeshGrid
from simulators.platforms.epiphany.products import Constants, elementwise_cycles, operand_bits, streamed_product
from simulators.platforms.epiphany.spec import EpiphanySpec
from simulators.workloads.operations import (
    ActivationMatmul,
    Conv2d,
    Elementwise,
    Layer,
    Matmul,
    Pool2d,
    VectorLayer,
)

MODULES = ("core", "elementwise", "exchange", "lowering", "machine", "mapping", "mesh", "platform", "products", "spec",
           "streams")  # fmt: skip
"""Those that decide a figure."""
MIB_BITS = 8 << 20


class Epiphany(Platform):
    """A mesh of cores with local memories (Olofsson, Nordström, Ul-Abdin 2014), behind a board's DRAM."""

    spec = EpiphanySpec
    changes_bits_between_layers = True
    machine = machine_of(MeshGrid(4, 4))
    operations = (Matmul, Conv2d, ActivationMatmul, Elementwise, Pool2d)
    runs_unlisted_precisions = True
    widest_weights = 32

    def machine_of(self, spec: EpiphanySpec) -> Machine:
        """The mesh of the spec."""
        return machine_of(spec.mesh.grid)

    def group(self, layers: Sequence[Layer]) -> list[int]:
        """A product with the elementwise layer behind it that takes all its results, step by step, or one layer."""
        lengths: list[int] = []
        while sum(lengths) < len(layers):
            first, *behind = layers[sum(lengths) : sum(lengths) + 2]
            lengths.append(1 + int(bool(behind) and _runs_behind(first, behind[0])))
        return lengths

    def places(self, parameters: Sequence[PlacedLayer], spec: EpiphanySpec) -> Sequence[int]:
        """How often the network's weights fit on the cores, in parts of COPY; where they do not even once, they come
        from DRAM. Raises InputError where there is no room there either."""
        bits = sum(layer.bits for layer in parameters)
        on_cores = int(spec.mesh.grid.nodes * spec.memory.weights_kib * 1024 * 8)
        copies = on_cores * COPY // max(bits, 1)
        if copies < COPY and bits > spec.dram.mib * MIB_BITS:
            largest = max(parameters, key=lambda layer: layer.bits).name
            raise InputError(
                f"layer {largest}: dram.mib: {spec.dram.mib:g}: weights of {bits / MIB_BITS:.4g} MiB fit neither there "
                f"nor on {spec.mesh.grid.nodes} cores with {spec.memory.weights_kib:g} KiB for them each"
            )
        return [0 if copies < COPY else min(copies, spec.mesh.rows * 32 * COPY)] * len(parameters)

    def choose(self, layers: Sequence[Layer], place: int, spec: EpiphanySpec) -> StreamingTiles | Constants:
        """A product's tiles, or where another layer's constants lie. Raises InputError for what has no room."""
        lowering.check_operations(layers, spec)
        for layer in layers:
            _check_dram(layer, spec)
        constants = Constants.ON_CORES if place else Constants.IN_DRAM
        if isinstance(layers[0], VectorLayer):
            return constants
        return best_tiles(layers[0], streamed_product(layers, constants, spec), place, spec)

    def lower(self, layers: Sequence[Layer], choice: StreamingTiles | Constants, spec: EpiphanySpec) -> Segment:
        """The tasks of a segment."""
        return lowering.tasks(layers, choice, spec)

    def stored_as(self, pair: Pair) -> Pair:
        """Weights lie packed, or wider where a mapping has room for that; activations are half words or words."""
        return pair[0], operand_bits(pair[1])

    def multiplied_as(self, pair: Pair) -> Pair:
        """Operands are multiplied as half words or words."""
        return operand_bits(pair[0]), operand_bits(pair[1])

    def mapping(self, layers: Sequence[Layer], choice: StreamingTiles, spec: EpiphanySpec) -> MappingRow:
        """Where weights lie, and the loops around a core's kernel."""
        residence = "resident" if choice.resident else "loaded" if choice.weights_fit else "streamed"
        nest = (
            f"{choice.product.products * choice.output_tiles} tiles of {choice.output_tile} outputs a core",
            f"{choice.groups} x {choice.vector_tiles} tiles of {choice.vector_tile} vectors",
            f"{choice.input_tiles} tiles of {choice.input_tile} inputs",
            f"{choice.stripes} stripes of {choice.stripe_bytes} bytes",
        )
        return {
            "cores": choice.groups * choice.cores, "groups": choice.groups, "weights": residence,
            "stored bits": choice.stored_bits, "outputs a core": choice.outputs, "stripes": choice.stripes,
            "loops": loops_shown(nest),
        }  # fmt: skip

    def energy_pj(self, layer: Layer, work: LayerWork, spec: EpiphanySpec) -> dict[str, float]:
        """Energy in pJ by component: the chip's published power, split by assumption, and DRAM."""
        energy, bits = spec.energy, work.bits
        if isinstance(layer, VectorLayer):
            done = {"elementwise": elementwise_cycles(layer, spec) * layer.steps * energy.pj_per_op}
        else:
            done = {"cores": layer.macs * energy.mac_pj}
        return {
            **done,
            "local memory": (bits.get("sram_read", 0) + bits.get("sram_write", 0)) * energy.memory_pj_per_bit,
            "mesh": bits.get("mesh_read", 0) * energy.mesh_pj_per_bit,
            "dram": (bits.get("dram_read", 0) + bits.get("dram_write", 0)) * spec.dram.pj_per_bit,
        }

    def has_dram_energy(self, spec: EpiphanySpec) -> bool:
        """Always: what DRAM reads and writes."""
        return True

    def leakage_mw(self, spec: EpiphanySpec) -> float:
        """Power in mW that does not depend on work."""
        return spec.energy.static_mw

    def bits_per_cycle(self, spec: EpiphanySpec) -> dict[str, float]:
        """Bandwidth of DRAM each way, and of all cores' loads and stores, one of 64 bits each."""
        dram = {"dram_read": 8 / spec.dram.read_cycles_per_byte, "dram_write": 8 / spec.dram.write_cycles_per_byte}
        return {**dram, "sram": float(LOAD_BITS * spec.mesh.grid.nodes)}

    def tasks_key(self, spec: EpiphanySpec) -> Hashable:
        """All that tasks depend on but energies, area, the clock and DRAM's size."""
        dram = (spec.dram.read_cycles_per_byte, spec.dram.write_cycles_per_byte)
        return (*(part.model_dump_json() for part in (spec.mesh, spec.memory, spec.core, spec.dma)), dram)

    @property
    def code(self) -> Code:
        """Not what holds the mesh against measurements."""
        return Code(tuple(f"simulators.platforms.epiphany.{module}" for module in MODULES))


def _runs_behind(product: Layer, layer: Layer) -> bool:
    """Whether an elementwise layer takes a product's results step by step."""
    if not product.is_product or not isinstance(layer, Elementwise) or isinstance(product, ActivationMatmul):
        return False
    gemm = product.as_gemm()
    assert gemm is not None
    if isinstance(product, Conv2d) or layer.steps != gemm.n:
        return False
    return layer.inputs >= gemm.m


def _check_dram(layer: Layer, spec: EpiphanySpec) -> None:
    """Raise InputError where what a layer reads or leaves lies neither on the cores nor in DRAM."""
    tensors = [operand for operand in layer.operands() if operand.name in ("activations", "second activations")]
    for tensor in (*tensors, layer.outputs_total()):
        bits = tensor.elements * operand_bits(tensor.width_bits)
        kept = spec.mesh.grid.nodes * spec.memory.activations_kib * 1024 * 8 / 2
        if bits > kept and bits > spec.dram.mib * MIB_BITS:
            raise InputError(
                f"layer {layer.name}: dram.mib: {spec.dram.mib:g}: {tensor.name} of {bits / MIB_BITS:.4g} MiB fit "
                f"neither there nor in the cores' memory.activations_kib: {spec.memory.activations_kib:g}"
            )


PLATFORM = Epiphany()
