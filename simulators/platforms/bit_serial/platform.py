"""A bit-serial array as a platform: see `lowering.py` for what is modelled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import ceil

from simulators.inputs.code_digest import Code
from simulators.inputs.errors import InputError
from simulators.lowering.platform import MappingRow, Platform, loops_shown
from simulators.lowering.segments import LayerWork, Segment
from simulators.platforms.bit_serial import lowering
from simulators.platforms.bit_serial.machine import MACHINE
from simulators.platforms.bit_serial.mapping import SerialMapping, best_order, inner_tile, other
from simulators.platforms.bit_serial.products import serial_product, sides
from simulators.platforms.bit_serial.spec import BitSerialSpec
from simulators.run.report import PartialReport
from simulators.workloads.operations import (
    ActivationMatmul,
    Conv2d,
    Elementwise,
    Layer,
    Matmul,
    Pool2d,
    VectorLayer,
)
from simulators.workloads.trace import Trace

MODULES = ("cost_model", "lowering", "machine", "mapping", "platform", "products", "published", "runs", "spec")
"""Those that decide a figure."""


class BitSerial(Platform):
    """A bit-serial matrix array of BISMO's family (Umuroglu et al., FPL 2018; TRETS 2019)."""

    spec = BitSerialSpec
    changes_bits_between_layers = True
    machine = MACHINE
    operations = (Matmul, Conv2d, ActivationMatmul, Elementwise, Pool2d)
    counts_output_bits = False

    def choose(self, layers: Sequence[Layer], place: int, spec: BitSerialSpec) -> SerialMapping | None:
        """A layer's products, and which operand is the outer one."""
        (layer,) = layers
        if isinstance(layer, VectorLayer):
            return None
        product = serial_product(layer, spec)
        try:
            return SerialMapping(product, best_order(product, spec))
        except InputError as error:
            raise InputError(f"layer {layer.name}: {error}") from None

    def lower(self, layers: Sequence[Layer], choice: SerialMapping | None, spec: BitSerialSpec) -> Segment:
        """The tasks of one layer."""
        (layer,) = layers
        return lowering.tasks(layer, choice, spec)

    def mapping(self, layers: Sequence[Layer], choice: SerialMapping, spec: BitSerialSpec) -> MappingRow:
        """The outer operand, blocks of both, and words and passes of a block pair."""
        product, both = choice.product, sides(choice.product, spec)
        outer, inner = both[choice.outer], both[other(choice.outer)]
        tile = inner_tile(inner).blocks
        passes = product.weight_bits * product.activation_bits
        nest = (
            *([f"{product.times} products"] if product.times > 1 else []),
            f"{ceil(inner.blocks / tile)} tiles of {tile} blocks of {inner.name}",
            f"{outer.blocks} blocks of {outer.height} rows of {outer.name}",
            f"{tile} blocks of {inner.height} rows of {inner.name}",
            f"{passes} passes of {product.k_words} words",
        )
        return {
            "outer": choice.outer, "outer blocks": outer.blocks, "inner blocks": inner.blocks, "tile": tile,
            "passes": passes, "words": product.k_words, "loops": loops_shown(nest),
        }  # fmt: skip

    def energy_pj(self, layer: Layer, work: LayerWork, spec: BitSerialSpec) -> dict[str, float]:
        """Energy in pJ of binary operations; the one figure that is published has all else in it."""
        component = "elementwise" if isinstance(layer, VectorLayer) else "array"
        return {component: lowering.binary_operations(layer, work, spec) * spec.energy.pj_per_binary_operation}

    def bits_per_cycle(self, spec: BitSerialSpec) -> dict[str, float]:
        """Bandwidth of the read channel, or of both operands' streams where those are wider, and of the write channel;
        of this none where results cost nothing."""
        channel, corrections = spec.dram.read_bits_per_cycle, spec.corrections
        read = channel if corrections.shared_channel else max(channel, 2 * spec.array.word_bits)
        written = {"dram_write": spec.dram.write_bits_per_cycle} if corrections.write_results else {}
        return {"dram_read": read, **written}

    def tasks_key(self, spec: BitSerialSpec) -> Hashable:
        """All that tasks depend on but energies and the clock."""
        parts = (spec.array, spec.buffers, spec.dram, spec.elementwise, spec.corrections)
        return tuple(part.model_dump_json() for part in parts)

    def published(self, trace: Trace, arch_name: str, spec: BitSerialSpec) -> PartialReport:
        """The closed form behind HAQ's latency table."""
        from simulators.platforms.bit_serial.published_report import published_report

        return published_report(trace, arch_name, spec)

    @property
    def code(self) -> Code:
        """Not what shows the published model, nor what holds it against the table."""
        return Code(tuple(f"simulators.platforms.bit_serial.{module}" for module in MODULES))


PLATFORM = BitSerial()
