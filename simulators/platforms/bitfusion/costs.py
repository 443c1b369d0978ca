"""How a matrix product runs on Bit Fusion.

Modelled: double-buffered input, weight and output buffers; edge tiles at their size; a product's results handed to the
elementwise layer behind it under the array's columns, without a trip to DRAM; recurrent products step by step, their
weights kept on chip where the whole weight buffer holds them, and streamed again at every step where it does not.

A period of the program is one tile of the outer loop, or one time step of a recurrent product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import ceil

from simulators.lowering.builder import SegmentBuilder
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, LayerWork, Moved, Segment, Step
from simulators.platforms.bitfusion.machine import LOAD_WEIGHTS, WEIGHTS
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiles import Loops, Style, TaskCost, Tiles, loop_nest
from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware, tile_cycles
from simulators.workloads.operations import VECTOR_BITS, VectorLayer

STEPWISE, MOST_STEPS = 16, 20_000
"""Recurrent products whose time steps are kept, and steps of one, of half a KiB each: without them utterances of a
delta network take twice as long (`benchmarks/caches.py`)."""
RESIDENT_LOADS = 32
"""Parts in which weights that stay on chip are loaded."""


def op_cycles(layer: VectorLayer, spec: BitFusionSpec) -> int:
    """Lane cycles of one step of an elementwise layer."""
    return sum(count * spec.post_processing.cycles_per_op[op] for op, count in layer.operations_per_step.items())


def transfer_cycles(bits: int, spec: BitFusionSpec) -> int:
    """Cycles of a transfer on the DRAM channel."""
    return spec.channel.cycles(bits)


@dataclass(frozen=True)
class TiledProduct:
    """A product on its way to tasks: layer 0 of its segment, the elementwise layer that takes its results layer 1."""

    spec: BitFusionSpec
    hardware: TilingHardware
    product: Product
    tiling: Tiling
    output_bits: int
    fused: VectorLayer | None
    results: int
    """Results of one step: what the elementwise layer takes of it is shared out among them."""
    active: Fraction = Fraction(1)
    """Share of the inputs that a vector multiplies, where it does not wait for another. Weights are loaded whole, for
    every vector leaves out others."""
    computed_weights: bool = False
    """Whether its weights are results of earlier layers."""

    def segment(self, works: tuple[LayerWork, ...], groups: int) -> Segment:
        """A product whose vectors do not depend on each other, `groups` times."""
        p, t = self.product, self.tiling
        cuts = _cut(p.outputs, t.m), _cut(p.inputs, t.k), _cut(p.vectors, t.n)
        (m, *sizes_m), (k, *sizes_k), (n, *sizes_n) = cuts
        whole, edge = sizes_m if t.outer == "outputs" else sizes_n
        nest = loop_nest(Loops(self._style, t.outer, m, k, n, whole == edge, groups))
        costs = [self.cost(what, sizes_m[i], sizes_k[j], sizes_n[q]) for what, i, j, q in nest.marks]
        return nest.segment(costs, works)

    def emit_recurrent(self, builder: SegmentBuilder, transmitted: Sequence[tuple[int, int]], stays: bool) -> None:
        """A product whose next vector needs this one's result: one period a time step, of which `transmitted` gives
        (steps, inputs), in order. `stays`: weights do, all of them; of others, the columns of these inputs are
        loaded."""
        p, t = self.product, self.tiling
        tiles = Tiles(self._style, self.cost)
        if self._style.vectors:
            builder.emit(1, [(1, [tiles.vectors()])])
        parts_m = _cut(p.outputs, t.m)[0]
        parts_k = _cut(p.inputs, t.k)[0]
        # Weights that stay are loaded in parts, so that the first step starts with the first.
        loads = min(parts_m * parts_k, RESIDENT_LOADS) if stays else 0
        if stays:
            bits = p.stored_bits(p.outputs * p.inputs)
            part, last_part = (
                self._resident_load(bits // loads),
                self._resident_load(bits - bits // loads * (loads - 1)),
            )
            builder.emit(loads, [(1, [part])], [(1, [last_part])])
        by_inputs = _time_steps(self, loads)
        for _, inputs in transmitted:
            if inputs not in by_inputs:
                by_inputs[inputs] = self._time_step(tiles, inputs, loads)
        builder.emit_in_turn([(time_steps, by_inputs[inputs]) for time_steps, inputs in transmitted])
        if sum(map(len, by_inputs.values())) > MOST_STEPS:
            _time_steps.cache_clear()  # whoever uses one goes on with it

    def cost(self, what: str, m: int, k: int, n: int) -> TaskCost:
        """What a task of `tiles.py` takes, on m outputs, k inputs and n vectors."""
        p, fused = self.product, self.fused
        match what:
            case "vectors":
                assert fused is not None
                bits, cycles = self._dram(fused.vector_words * VECTOR_BITS)
                return TaskCost(cycles, ((1, "dram_read", bits),))
            case "weights":
                bits, cycles = self._dram(p.stored_bits(m * k))
                return TaskCost(cycles, ((0, "dram_read", bits), (0, "weight_buffer_write", bits)))
            case "inputs" | "all inputs":
                n, k = (p.vectors, p.inputs) if what == "all inputs" else (n, k)
                bits, cycles = self._dram(self._active_of(p.tile_bits(n, k, n < self.tiling.n)))
                return TaskCost(cycles, ((0, "dram_read", bits), (0, "input_buffer_write", bits)))
            case "multiply" | "accumulate":
                return self._on_array(m, k, n, what == "accumulate")
            case "drain":
                return TaskCost(self.hardware.pipeline_cycles)
        sums = n * m * self.spec.buffers.partial_sum_bits
        match what:
            case "preload":
                bits, cycles = self._dram(sums)
                return TaskCost(cycles, ((0, "dram_read", bits), (0, "output_buffer_write", bits)))
            case "extra":
                assert fused is not None
                rest = fused.inputs_per_step - self.results
                bits, cycles = self._dram(self._share(rest * fused.activation_bits, m, n))
                return TaskCost(cycles, self._buffered("dram_read", bits))
            case "process":
                busy = max(1, -(-self._share(self._op_cycles, m, n) // self.spec.post_processing.lanes))
                return TaskCost(busy, ((0, "output_buffer_read", sums),), works_on=1)
            case "store" if fused is not None:
                bits, cycles = self._dram(self._share(fused.outputs_per_step * fused.output_bits, m, n))
                return TaskCost(cycles, self._buffered("dram_write", bits))
            case "store":
                true_bits = self.spec.corrections.true_output_bits
                width = self.output_bits if true_bits else self.spec.buffers.partial_sum_bits
                bits, cycles = self._dram(n * m * width)
                return TaskCost(cycles, ((0, "output_buffer_read", sums), (0, "dram_write", bits)))
        raise ValueError(f"{what} is no task of a tile")

    def _on_array(self, m: int, k: int, n: int, accumulates: bool) -> TaskCost:
        spec, p = self.spec, self.product
        shape = (m, k, n) if spec.corrections.true_edge_tiles else (self.tiling.m, self.tiling.k, self.tiling.n)
        k, multiplied = self._active_of(k), self._active_of(shape[1])
        if spec.skips_pruned_weights:
            multiplied = p.kept(multiplied)
        cycles = tile_cycles(self.hardware, p, shape[0], multiplied, shape[2])
        sums = n * m * spec.buffers.partial_sum_bits
        readers = ceil(m / spec.array.columns) if spec.corrections.share_inputs_in_row else m
        moved: Moved = (
            (0, "input_buffer_read", n * k * p.activation_bits * readers),
            (0, "weight_buffer_read", n * p.stored_bits(m * k)),
            (0, "output_buffer_write", sums),
        )
        if accumulates or self._style.preloads:
            moved = (*moved, (0, "output_buffer_read", sums))
        return TaskCost(cycles, moved, works_on=0)

    @staticmethod
    def _buffered(direction: str, bits: int) -> Moved:
        """What the elementwise layer exchanges with DRAM goes through the output buffer."""
        return ((1, direction, bits), (1, "output_buffer_write", bits), (1, "output_buffer_read", bits))

    def _share(self, total: int, m: int, n: int) -> int:
        """What m outputs of n vectors have of a total over the results of one step, rounded up; in whole numbers, for
        floats would add a bit here and there."""
        return -(-total * m * n // self.results)

    def _active_of(self, total: int) -> int:
        """The active share of a total, rounded up."""
        return total if self.active == 1 else ceil(self.active * total)

    def _dram(self, bits: int) -> tuple[int, int]:
        """Bits, and their cycles on the channel."""
        return bits, transfer_cycles(bits, self.spec)

    @cached_property
    def _style(self) -> Style:
        fused = self.fused
        return Style(
            depth=2 if self.spec.buffers.double_buffered else 1,
            preloads=not self.spec.corrections.skip_first_preload,
            fused=fused is not None,
            extra=fused is not None and fused.inputs_per_step > self.results,
            vectors=fused is not None and fused.vector_words > 0,
            computed_weights=self.computed_weights,
        )

    @cached_property
    def _op_cycles(self) -> int:
        assert self.fused is not None
        return op_cycles(self.fused, self.spec)

    def _time_step(self, tiles: Tiles, inputs: int, loads: int) -> list[Step]:
        """One step with so many inputs; `loads`: in how many parts the weights that stay were loaded, or 0."""
        p, t = self.product, self.tiling
        stays = loads > 0
        parts_m, whole_m, edge_m = _cut(p.outputs, t.m)
        parts_k, whole_k, edge_k = _cut(inputs, t.k)
        whole_parts_k = _cut(p.inputs, t.k)[0]
        every = parts_m * whole_parts_k
        steps: list[Step] = []
        for i in range(parts_m):
            m = edge_m if i == parts_m - 1 else whole_m
            for q in range(parts_k):
                k = edge_k if q == parts_k - 1 else whole_k
                last = i == parts_m - 1 and q == parts_k - 1
                # Its part of the weights that stay, counted back from the last; or the tile that was just loaded. Those
                # of some inputs only lie anywhere in the rows.
                part = q + 1 if inputs == p.inputs else whole_parts_k
                back = loads + 1 + -(i * whole_parts_k + part) * loads // every if stays else 1
                needs: list[Label] = [EVERYTHING_BEFORE, ("result", 1), ("weights", back)]
                roles = ("multiply", *(("inputs free",) if last else ()))
                if stays:
                    roles = (*roles, *(("weights free",) if last else ()))
                else:
                    steps.append(tiles.weights(m, k))
                    roles = (*roles, "weights free")
                if q == 0:
                    needs.append(("outputs free", self._style.depth))
                steps += tiles.multiply(roles, tuple(needs), (m, k, 1), q == 0)
            # Weights that stay are given back as two parts, so that the next product's first wait for the last step.
            ending = i == parts_m - 1
            freed = ("weights free",) if stays and ending else ()
            steps += tiles.finish(m, 1, ("result",) if ending else (), i == 0, freed)
        return steps

    def _resident_load(self, bits: int) -> Step:
        """A part of the weights that stay, into the buffer that the product before has left."""
        whole, cycles = self._dram(bits)
        moved = ((0, "dram_read", whole), (0, "weight_buffer_write", whole))
        return Step(("weights",), LOAD_WEIGHTS, cycles, WEIGHTS, (("weights free", 1),), moved)


@lru_cache(maxsize=STEPWISE)
def _time_steps(product: TiledProduct, loads: int) -> dict[int, list[Step]]:
    """The steps of one time step by its number of inputs, to be filled: of a few hundred time steps many have as many
    inputs, and so have those of other utterances."""
    return {}


def _cut(whole: int, tile: int) -> tuple[int, int, int]:
    """Number of tiles, the size of all but the last, and of the last."""
    count = ceil(whole / tile)
    return count, tile if count > 1 else whole, whole - (count - 1) * tile
