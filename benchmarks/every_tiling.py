"""All tilings of a matrix product on Bit Fusion, simulated exactly: what `mapping_quality.py` holds choices against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil

from simulators import Arch
from simulators.platforms.bitfusion import lowering
from simulators.platforms.bitfusion.machine import MACHINE
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware, precision
from simulators.run.segment_cache import SegmentCache
from simulators.workloads.operations import Layer

SMALL = 12
"""Dimensions of which every tile size is tried."""

Cost = tuple[int, float]
"""Cycles, and energy in µJ."""


class Exact:
    """Costs of networks of single segments with given tilings, on one architecture."""

    def __init__(self, arch: Arch):
        assert isinstance(arch.spec, BitFusionSpec)
        self.spec = arch.spec
        self.cache = SegmentCache(arch.platform, MACHINE)
        self._energy: dict[int, float] = {}

    def segment(self, layers: tuple[Layer, ...], tiling: Tiling) -> int:
        """Number of a segment with a tiling."""
        key = (tiling, *(layer.shape for layer in layers))
        number = self.cache.number(key, layers, lambda: lowering.tasks(layers, tiling, self.spec))
        if number not in self._energy:
            works = self.cache.segment(number).works
            parts = (lowering.energy_pj(layer, work, self.spec) for layer, work in zip(layers, works, strict=True))
            self._energy[number] = sum(sum(part.values()) for part in parts) * 1e-6
        return number

    def cost(self, numbers: Sequence[int]) -> Cost:
        """A network of these segments."""
        cycles = sum(timing.cycles for timing in self.cache.run(numbers))
        leakage = self.spec.leakage_mw * cycles / self.spec.frequency_mhz * 1e-3
        return cycles, sum(self._energy[number] for number in numbers) + leakage


def sizes(whole: int, unit: int) -> list[int]:
    """Tile sizes of a dimension: those that make different numbers of tiles, as small as they can be and as large, and
    multiples of the unit; of a small dimension all."""
    if whole <= SMALL:
        return list(range(1, whole + 1))
    balanced = {ceil(whole / count) for count in range(1, whole + 1)}
    full = {(whole - 1) // (count - 1) for count in range(2, whole + 1)}
    return sorted(balanced | full | set(range(unit, whole, unit)))


def tilings(product: Product, spec: BitFusionSpec) -> Iterator[tuple[float, Tiling]]:
    """All that fit, with a lower bound of their cycles."""
    hardware = TilingHardware.of(spec)
    p, b, positions = product, spec.buffers, product.positions
    fused = precision(p.weight_bits, p.activation_bits, spec.array.unit_operand_bits)
    lanes = spec.array.rows * fused.products
    weights, inputs, sums = (hardware.capacity_bits(kib) for kib in (b.weight_kib, b.input_kib, b.output_kib))
    for k in sizes(p.inputs // positions, lanes):
        parts_k = ceil(p.inputs // positions / k)
        along = positions * (parts_k - 1) * ceil(k / lanes)
        along += positions * ceil((p.inputs // positions - (parts_k - 1) * k) / lanes)
        k *= positions
        for m in sizes(p.outputs, spec.array.columns):
            if m * k * p.weight_bits > weights:
                continue
            parts_m = ceil(p.outputs / m)
            columns = (parts_m - 1) * ceil(m / spec.array.columns)
            columns += ceil((p.outputs - (parts_m - 1) * m) / spec.array.columns)
            for n in sizes(p.vectors, 1):
                if n * m * b.partial_sum_bits > sums or p.input_bits(n, k) > inputs:
                    continue
                parts_n = ceil(p.vectors / n)
                for outer in ("outputs", "vectors"):
                    stays = parts_k == 1
                    loads_w = 1 if stays and outer == "outputs" else parts_n
                    loads_i = 1 if stays and (outer == "vectors" or parts_n == 1) else parts_m
                    moved = p.outputs * p.inputs * p.weight_bits * loads_w
                    if p.window is None:
                        moved += p.vectors * p.inputs * p.activation_bits * loads_i
                    bound = max(fused.passes * p.vectors * columns * along, moved / spec.channel.bits_per_cycle)
                    yield bound, Tiling(outer, m, k, n)  # type: ignore[arg-type]


def every_cost(exact: Exact, layers: tuple[Layer, ...], limit: Callable[[int], float]) -> list[tuple[Cost, int]]:
    """Costs and segments of one product by itself, in order, of all tilings that take up to `limit` cycles; it is given
    the fewest that are known."""
    product = lowering.as_product(layers[0])
    if layers[0].waits_for_itself:
        candidates = [(0.0, tiling) for tiling in _recurrent(product.step(), exact.spec)]
    else:
        candidates = sorted(tilings(product, exact.spec))
    found: list[tuple[Cost, int]] = []
    fewest = 1 << 60
    for bound, tiling in candidates:
        if bound > limit(fewest):
            break  # bounds rise, and the limit falls
        number = exact.segment(layers, tiling)
        cost = exact.cost([number])
        assert cost[0] >= bound, f"{tiling}: {cost[0]} cycles, and at least {bound}"
        fewest = min(fewest, cost[0])
        found.append((cost, number))
    return sorted((cost, number) for cost, number in found if cost[0] <= limit(fewest))


def _recurrent(step: Product, spec: BitFusionSpec) -> Iterator[Tiling]:
    """All tiles of one vector."""
    for _, tiling in tilings(step, spec):
        if tiling.outer == "outputs":
            yield tiling
    if lowering.stays(step, spec):  # the weights of a tile need not fit half of the buffer
        capacity = TilingHardware.of(spec).capacity_bits(spec.buffers.output_kib)
        for m in sizes(step.outputs, spec.array.columns):
            if m * spec.buffers.partial_sum_bits <= capacity:
                yield Tiling("outputs", m, step.inputs, 1)
