"""The closed form of Bit Fusion's released simulator (Sharma et al., ISCA 2018), with its mapping search: exact to
the bit.

It is validated, not improved: what it gets wrong (`docs/machine-model.md`) is what the discrete-event simulator
corrects. Dimensions of a convolution: batch B, output size O, kernel K, stride S, channels IC and OC. A product of B
vectors with an IC × OC matrix is a 1 × 1 convolution with O = 1. The kernel stands in this module because nothing
else calls it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from simulators.engine.program import Ints
from simulators.hardware.sram import sram_table_file
from simulators.inputs.errors import InputError
from simulators.inputs.jit import compiled

ORDERS: NDArray[np.int64] = np.array(list(permutations(range(5))), np.int64)
"""All 120 loop orders over (B, OW, OH, IC, OC), outermost first."""

PARTIAL_SUM_BITS = 32
DRAM_PJ_PER_BIT = 15.0
CORE_PJ_PER_UNIT_CYCLE = {8: 0.4591875, 16: 2.11345}
"""One fusion unit in one compute cycle, by its widest operand: 0.235104 nJ for 16 × 32 units of 8 bits, and 0.2705216
nJ for 8 × 16 units of 16 bits."""


@dataclass(frozen=True)
class PublishedHardware:
    """Units in rows × columns, operand range of a unit, buffers, and DRAM bandwidth. The defaults are the published
    configuration."""

    rows: int = 16
    """Fusion units of a column."""
    columns: int = 32
    """Fusion units of a row."""
    widest_operand_bits: int = 8
    narrowest_operand_bits: int = 2
    dram_bits_per_cycle: int = 192
    input_bytes: int = 32768
    weight_bytes: int = 65536
    output_bytes: int = 16384

    def half_bits(self) -> tuple[int, int, int]:
        """What a tile of weights, activations and outputs may fill."""
        return self.weight_bytes * 4, self.input_bytes * 4, self.output_bytes * 4


@dataclass(frozen=True)
class PublishedLayer:
    """One layer. `expanded` (im2col) holds for convolutions fed by the network's input."""

    kernel: int
    """Elements along each side of the kernel."""
    output_size: int
    """Results along each side of a channel."""
    stride: int
    """Elements between the windows of two neighbouring results."""
    in_channels: int
    """Number of input channels."""
    out_channels: int
    """Number of output channels."""
    batch: int
    """Inputs that are computed together."""
    activation_bits: int
    weight_bits: int
    expanded: bool = False


@dataclass(frozen=True)
class PublishedResult:
    """Figures of the best mapping; energies in nJ."""

    cycles: int
    compute_cycles: int
    stall_cycles: int
    dram_read_bits: int
    dram_write_bits: int
    input_read_bits: int
    input_write_bits: int
    weight_read_bits: int
    weight_write_bits: int
    output_read_bits: int
    output_write_bits: int
    core_nj: float
    weight_nj: float
    input_nj: float
    output_nj: float
    dram_nj: float
    tile: tuple[int, int, int, int, int]
    """b, ow, oh, ic, oc."""
    order: tuple[int, int, int, int, int]
    """Loops outermost first, as positions in `tile`."""

    @property
    def total_nj(self) -> float:
        return self.core_nj + self.weight_nj + self.input_nj + self.output_nj + self.dram_nj


def evaluate(layer: PublishedLayer, hardware: PublishedHardware) -> PublishedResult:
    """The best mapping among 120 loop orders × tilings: fewest cycles, then least energy.

    Raises InputError for operands wider than a unit's, and where no tile fits the buffers.
    """
    widest = hardware.widest_operand_bits
    fused = (widest // max(layer.activation_bits, 2)) * (widest // max(layer.weight_bits, 2))
    if not fused:
        raise InputError(
            f"{layer.weight_bits}x{layer.activation_bits} bits: the published model has no answer for operands "
            f"wider than {widest} bits"
        )
    energies = _energies(hardware)
    tiles = _tiles(layer, hardware)
    o = layer.output_size
    shape = np.array([layer.batch, o, o, layer.in_channels, layer.out_channels, layer.kernel, layer.stride], np.int64)
    figures = np.zeros(21, np.int64)
    found = _search(
        shape, layer.activation_bits, layer.weight_bits, layer.expanded, hardware.rows * fused, hardware.columns,
        hardware.dram_bits_per_cycle, np.array(hardware.half_bits(), np.int64), ORDERS, *tiles, energies, figures,
    )  # fmt: skip
    if not found:
        raise InputError("the published model finds no tile of this layer that fits half of each buffer")
    compute, reads, writes = int(figures[1]), int(figures[3]), int(figures[4])
    traffic = figures[5:11].tolist()
    return PublishedResult(
        cycles=int(figures[0]),
        compute_cycles=compute,
        stall_cycles=int(figures[2]),
        dram_read_bits=reads,
        dram_write_bits=writes,
        input_read_bits=traffic[0],
        input_write_bits=traffic[1],
        weight_read_bits=traffic[2],
        weight_write_bits=traffic[3],
        output_read_bits=traffic[4],
        output_write_bits=traffic[5],
        core_nj=compute * float(energies[0]),
        input_nj=float(traffic[0] * energies[1] + traffic[1] * energies[2]),
        weight_nj=float(traffic[2] * energies[3] + traffic[3] * energies[4]),
        output_nj=float(traffic[4] * energies[5] + traffic[5] * energies[6]),
        dram_nj=(reads + writes) * float(energies[7]),
        tile=tuple(figures[11:16].tolist()),
        order=tuple(figures[16:21].tolist()),
    )


def _tiles(layer: PublishedLayer, hardware: PublishedHardware) -> tuple[Ints, Ints, Ints, Ints]:
    """Tile sizes tried of b, ow = oh, ic, oc: powers of two clipped to the dimension; oc in multiples of the
    columns."""

    def powers(whole: int, unit: int = 1) -> Ints:
        sizes = [min(unit, whole)]
        while sizes[-1] < whole:
            sizes.append(min(sizes[-1] * 2, whole))
        return np.array(sizes, np.int64)

    unit = 1 if layer.expanded else hardware.columns
    return (
        powers(layer.batch), powers(layer.output_size), powers(layer.in_channels), powers(layer.out_channels, unit)
    )  # fmt: skip


def _energies(hardware: PublishedHardware) -> NDArray[np.float64]:
    """nJ: a compute cycle; a bit read and written of the input, weight and output buffer; a bit of DRAM."""
    widest = hardware.widest_operand_bits
    if widest not in CORE_PJ_PER_UNIT_CYCLE:
        raise InputError(f"widest operand of {widest} bits: the published core energies are for 8 and 16")
    units = hardware.rows * hardware.columns
    block = widest * (widest // hardware.narrowest_operand_bits) // 8
    # The input buffer is cut into a bank a row, the weight buffer into one a unit, the output buffer into one a column.
    picojoules = [
        *_bank(hardware.input_bytes / hardware.rows, block, 0),
        *_bank(hardware.weight_bytes / units, block, 0),
        *_bank(hardware.output_bytes / hardware.columns, PARTIAL_SUM_BITS // 8, 1),
    ]
    return np.array([CORE_PJ_PER_UNIT_CYCLE[widest] * units, *picojoules, DRAM_PJ_PER_BIT]) * 1e-3


def _bank(size_bytes: float, block_bytes: int, ports: int) -> tuple[float, float]:
    table = sram_table()
    if (size_bytes, block_bytes, ports) not in table:
        raise InputError(f"an SRAM bank of {size_bytes:g} bytes in blocks of {block_bytes}: not in the CACTI table")
    return table[size_bytes, block_bytes, ports]


@cache
def sram_table() -> dict[tuple[float, int, int], tuple[float, float]]:
    """CACTI 7 at 45 nm: (bytes, bytes of a block, read-write ports) → pJ a bit read, written."""
    with open(sram_table_file(), newline="", encoding="utf-8") as file:
        return {
            (float(row["size (bytes)"]), int(float(row["block size (bytes)"])), int(row["read-write port"])): (
                float(row["read_pJ_per_bit"]),
                float(row["write_pJ_per_bit"]),
            )
            for row in csv.DictReader(file)
        }


@compiled
def _search(
    shape: Ints, a_bits: int, w_bits: int, expanded: bool, lanes: int, columns: int, bandwidth: int, half: Ints,
    orders: Ints, b_tiles: Ints, o_tiles: Ints, ic_tiles: Ints, oc_tiles: Ints, energies: NDArray[np.float64],
    best: Ints,
) -> bool:  # fmt: skip
    """Fills `best` with the 21 figures of the best mapping; False if no tile fits."""
    kernel, stride = shape[5], shape[6]
    taps = kernel * kernel
    found = False
    best_energy = 0.0
    counts = np.empty(5, np.int64)
    tile = np.empty(5, np.int64)
    hold = np.empty(3, np.int64)
    traffic = np.empty(3, np.int64)
    for b in b_tiles:
        for o in o_tiles:
            for ic in ic_tiles:
                for oc in oc_tiles:
                    tile[0], tile[1], tile[2], tile[3], tile[4] = b, o, o, ic, oc
                    weights = -(-taps * ic // lanes) * lanes * oc * w_bits
                    if expanded:
                        inputs = o * o * taps * ic * b * a_bits
                    else:
                        side = (o - 1) * stride + kernel
                        inputs = side * side * ic * b * a_bits
                    outputs = o * o * -(-oc // columns) * columns * b * 32
                    if weights > half[0] or inputs > half[1] or outputs > half[2]:
                        continue
                    tiles = 1
                    for d in range(5):
                        counts[d] = -(-shape[d] // tile[d])
                        tiles *= counts[d]
                    depth = -(-taps * ic // lanes) if expanded else taps * -(-ic // lanes)
                    compute = tiles * b * -(-oc // columns) * o * o * depth
                    macs = tiles * b * o * o * taps * ic * oc
                    for r in range(orders.shape[0]):
                        for tensor in range(3):
                            size = weights if tensor == 0 else (inputs if tensor == 1 else outputs)
                            moved = size
                            fits = True
                            for position in range(4, -1, -1):
                                d = orders[r, position]
                                if tensor == 0:
                                    indexed = d >= 3
                                elif tensor == 1:
                                    indexed = d != 4
                                else:
                                    indexed = d != 3
                                if fits and not indexed:
                                    continue
                                moved *= counts[d]
                                if fits:
                                    if size * counts[d] <= half[tensor]:
                                        size *= counts[d]
                                    else:
                                        fits = False
                            hold[tensor], traffic[tensor] = size, moved
                        reads = traffic[0] + traffic[1] + traffic[2]
                        writes = traffic[2]
                        first, final = hold[0] + hold[1] + hold[2], hold[2]
                        latency = -(-first // bandwidth) + -(-final // bandwidth)
                        stall = max(0, -(-(reads + writes - first - final) // bandwidth) - compute) + latency
                        cycles = compute + stall
                        if found and cycles > best[0]:
                            continue
                        sums = tiles * b * o * o * oc * 32
                        input_read, weight_read = macs * a_bits, macs * w_bits
                        energy = (
                            compute * energies[0]
                            + input_read * energies[1] + traffic[1] * energies[2]
                            + weight_read * energies[3] + traffic[0] * energies[4]
                            + (sums + writes) * energies[5] + (sums + traffic[2]) * energies[6]
                            + (reads + writes) * energies[7]
                        )  # fmt: skip
                        if found and cycles == best[0] and energy >= best_energy:
                            continue
                        found = True
                        best_energy = energy
                        best[0], best[1], best[2], best[3], best[4] = cycles, compute, stall, reads, writes
                        best[5], best[6] = input_read, traffic[1]
                        best[7], best[8] = weight_read, traffic[0]
                        best[9], best[10] = sums + writes, sums + traffic[2]
                        for d in range(5):
                            best[11 + d] = tile[d]
                            best[16 + d] = orders[r, d]
    return found
