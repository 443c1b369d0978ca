"""Bit Fusion's machine, and how a matrix product runs on it, tile by tile.

Modelled: double-buffered input, weight and output buffers; edge tiles at their size; a product's results handed to the
elementwise layer behind it under the array's columns, without a trip to DRAM; recurrent products step by step, their
weights kept on chip where the whole weight buffer holds them, and streamed again at every step where it does not.

A period of the program is one tile of the outer loop, or one time step of a recurrent product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from simulators.bitfusion_spec import BitFusionSpec
from simulators.machine import COMPUTE, Machine, Queue
from simulators.segment_builder import SegmentBuilder
from simulators.segments import EVERYTHING_BEFORE, Label, Run, Step
from simulators.tiling import Hardware, Product, Tiling, tile_cycles
from simulators.trace import Elementwise

_DRAM, _ARRAY, _PIPELINE, _POST = range(4)
# Queues in order of priority: what the array waits for now, results that hold a part of the output buffer, and then
# what it will want later.
LOAD_INPUTS, STORE, LOAD_WEIGHTS, MULTIPLY, DRAIN, PROCESS = range(6)
_, WEIGHTS, INPUTS, OUTPUTS, DRAINING, PROCESSING, RECURRENCE = range(7)
MACHINE = Machine(
    servers=("dram", "array", "array pipeline", "post-processing"),
    compute_servers=(False, True, False, True),
    queues=(
        Queue("load inputs", _DRAM),
        Queue("store outputs", _DRAM),
        Queue("load weights", _DRAM),
        Queue("multiply", _ARRAY),
        Queue("drain", _PIPELINE),
        Queue("process", _POST),
    ),
    kinds=("compute", "weights", "inputs", "outputs", "drain", "post-processing", "recurrence"),
    ahead=LOAD_WEIGHTS,
)

RESIDENT_LOADS = 32
"""Parts in which weights that stay on chip are loaded."""


def op_cycles(layer: Elementwise, spec: BitFusionSpec) -> int:
    """Lane cycles of one step of an elementwise layer."""
    return sum(count * spec.post_processing.cycles_per_op[op] for op, count in layer.ops.items())


@dataclass(frozen=True)
class TiledProduct:
    """A product on its way to tasks: layer 0 of its segment, the elementwise layer that takes its results layer 1."""

    spec: BitFusionSpec
    hardware: Hardware
    product: Product
    tiling: Tiling
    output_bits: int
    fused: Elementwise | None
    active: float = 1.0
    """Share of the inputs that a vector multiplies, where it does not wait for another. Weights are loaded whole, for
    every vector leaves out others."""

    @property
    def depth(self) -> int:
        """Tiles that a buffer holds at a time."""
        return 2 if self.spec.buffers.double_buffered else 1

    def dram(self, bits: float) -> tuple[int, int]:
        """Whole bits, and cycles on the channel."""
        whole = ceil(bits)
        return whole, max(1, -(-whole // self.spec.dram.bits_per_cycle))

    def emit(self, builder: SegmentBuilder) -> None:
        """A product whose vectors do not depend on each other: one period a tile of the outer loop."""
        p, t = self.product, self.tiling
        sizes = (_cut(p.outputs, t.m), _cut(p.vectors, t.n))
        outer, inner = sizes if t.outer == "outputs" else sizes[::-1]
        if self._inputs_stay:
            bits, cycles = self.dram(self.active * p.input_bits(p.vectors, p.inputs))
            moved = ((0, "dram_read", bits), (0, "input_buffer_write", bits))
            after = (EVERYTHING_BEFORE, ("inputs free", self.depth))
            builder.emit(1, [(1, [Step(("inputs",), LOAD_INPUTS, cycles, INPUTS, after, moved)])])

        def period(size: int) -> list[Run]:
            def tile(inner_size: int, first: bool, last: bool) -> list[Step]:
                m, n = (size, inner_size) if t.outer == "outputs" else (inner_size, size)
                return self._tile(m, n, first, last)

            count, whole, edge = inner
            if count == 1:
                return [(1, tile(edge, True, True))]
            return [
                (1, tile(whole, True, False)),
                (count - 2, tile(whole, False, False) if count > 2 else []),
                (1, tile(edge, False, True)),
            ]

        count, whole, edge = outer
        builder.emit(count, period(whole), None if edge == whole else period(edge))

    def emit_recurrent(self, builder: SegmentBuilder, transmitted: Sequence[tuple[int, int]], stays: bool) -> None:
        """A product whose next vector needs this one's result: one period a time step, of which `transmitted` gives
        (steps, inputs), in order. `stays`: weights do, all of them; of others, the columns of these inputs are
        loaded."""
        p, t = self.product, self.tiling
        parts_m = _cut(p.outputs, t.m)[0]
        parts_k = _cut(p.inputs, t.k)[0]
        # Weights that stay are loaded in parts, so that the first step starts with the first.
        tiles = parts_m * parts_k
        loads = min(tiles, RESIDENT_LOADS) if stays else 0
        if stays:
            bits = p.outputs * p.inputs * p.weight_bits
            part, last_part = (
                self._resident_load(bits // loads),
                self._resident_load(bits - bits // loads * (loads - 1)),
            )
            builder.emit(loads, [(1, [part])], [(1, [last_part])])
        for time_steps, inputs in transmitted:
            builder.emit(time_steps, [(1, self._time_step(inputs, loads))])

    def _time_step(self, inputs: int, loads: int) -> list[Step]:
        """One step with so many inputs; `loads`: in how many parts the weights that stay were loaded, or 0."""
        p, t = self.product, self.tiling
        stays = loads > 0
        parts_m, whole_m, edge_m = _cut(p.outputs, t.m)
        parts_k, whole_k, edge_k = _cut(inputs, t.k)
        whole_parts_k = _cut(p.inputs, t.k)[0]
        tiles = parts_m * whole_parts_k
        steps: list[Step] = []
        for i in range(parts_m):
            m = edge_m if i == parts_m - 1 else whole_m
            for q in range(parts_k):
                k = edge_k if q == parts_k - 1 else whole_k
                last = i == parts_m - 1 and q == parts_k - 1
                # Its part of the weights that stay, counted back from the last; or the tile that was just loaded. Those
                # of some inputs only lie anywhere in the rows.
                part = q + 1 if inputs == p.inputs else whole_parts_k
                back = loads + 1 + -(i * whole_parts_k + part) * loads // tiles if stays else 1
                needs: list[Label] = [EVERYTHING_BEFORE, ("result", 1), ("weights", back)]
                roles = ("multiply", *(("inputs free",) if last else ()))
                if stays:
                    roles = (*roles, *(("weights free",) if last else ()))
                else:
                    steps.append(self._load("weights", m * k * p.weight_bits))
                    roles = (*roles, "weights free")
                if q == 0:
                    needs.append(("outputs free", self.depth))
                steps += self._multiply(roles, tuple(needs), m, k, 1, q)
            steps += self._finish(m, 1, ("result",) if i == parts_m - 1 else (), i == 0)
        return steps

    def _resident_load(self, bits: int) -> Step:
        """A part of the weights that stay, into the buffer that the product before has left."""
        whole, cycles = self.dram(bits)
        moved = ((0, "dram_read", whole), (0, "weight_buffer_write", whole))
        return Step(("weights",), LOAD_WEIGHTS, cycles, WEIGHTS, (("weights free", 1),), moved)

    @property
    def _inputs_stay(self) -> bool:
        p, t = self.product, self.tiling
        return t.outer == "outputs" and t.n >= p.vectors and t.k >= p.inputs

    def _tile(self, m: int, n: int, first: bool, last: bool) -> list[Step]:
        """The parts of the reduction of m outputs by n vectors, and their results. `first`, `last`: within a tile of
        the outer loop."""
        p, t = self.product, self.tiling
        parts_k, whole_k, edge_k = _cut(p.inputs, t.k)
        outputs_outer = t.outer == "outputs"
        steps: list[Step] = []
        begins: list[int] = []
        for q in range(parts_k):
            begins.append(len(steps))
            if 1 < q < parts_k - 1:  # all parts but the first and the last are alike
                steps += steps[begins[q - 1] :]
                continue
            k = edge_k if q == parts_k - 1 else whole_k
            roles, needs = ["multiply"], [("weights", 1), ("inputs", 1)]
            # With the whole reduction in one tile, what belongs to the outer loop is loaded once for all of the inner.
            if not (outputs_outer and parts_k == 1):
                steps.append(self._load("weights", m * k * p.weight_bits))
                roles.append("weights free")
            else:
                if first:
                    steps.append(self._load("weights", m * k * p.weight_bits))
                roles += ["weights free"] * last
            if self._inputs_stay:
                roles.append("inputs free")
            elif outputs_outer or parts_k > 1:
                steps.append(self._load("inputs", self.active * p.input_bits(n, k), first and q == 0))
                roles.append("inputs free")
            else:
                if first:
                    steps.append(self._load("inputs", self.active * p.input_bits(n, k), True))
                roles += ["inputs free"] * last
            if q == 0:
                needs.append(("outputs free", self.depth))
            steps += self._multiply(tuple(roles), tuple(needs), m, k, n, q)
        return steps + self._finish(m, n, (), first)

    def _load(self, what: str, bits: float, first: bool = False) -> Step:
        """A tile of weights or inputs into a free part of its buffer; a layer's first inputs wait for the results
        before it."""
        whole, cycles = self.dram(bits)
        buffer = "weight_buffer_write" if what == "weights" else "input_buffer_write"
        queue, kind = (LOAD_WEIGHTS, WEIGHTS) if what == "weights" else (LOAD_INPUTS, INPUTS)
        after: tuple[Label, ...] = ((f"{what} free", self.depth), *((EVERYTHING_BEFORE,) if first else ()))
        return Step((what,), queue, cycles, kind, after, ((0, "dram_read", whole), (0, buffer, whole)))

    def _multiply(self, roles: tuple[str, ...], needs: tuple[Label, ...], m: int, k: int, n: int, q: int) -> list[Step]:
        """One tile on the array, behind the preload of its partial sums where the published model has one."""
        spec, p = self.spec, self.product
        shape = (m, k, n) if spec.corrections.true_edge_tiles else (self.tiling.m, self.tiling.k, self.tiling.n)
        k, multiplied = ceil(k * self.active), ceil(shape[1] * self.active)
        cycles = tile_cycles(self.hardware, p, shape[0], multiplied, shape[2])
        sums = n * m * spec.buffers.partial_sum_bits
        readers = ceil(m / spec.array.columns) if spec.corrections.share_inputs_in_row else m
        moved = [
            (0, "input_buffer_read", n * k * p.activation_bits * readers),
            (0, "weight_buffer_read", n * m * k * p.weight_bits),
            (0, "output_buffer_write", sums),
            (0, "busy_cycles", cycles),
        ]
        if q > 0 or not spec.corrections.skip_first_preload:
            moved.append((0, "output_buffer_read", sums))
        steps = []
        if q == 0 and not spec.corrections.skip_first_preload:
            whole, preload = self.dram(sums)
            traffic = ((0, "dram_read", whole), (0, "output_buffer_write", whole))
            free = (EVERYTHING_BEFORE, ("outputs free", self.depth))
            steps.append(Step(("preload",), LOAD_INPUTS, preload, OUTPUTS, free, traffic))
            needs = (*needs, ("preload", 1))
        steps.append(Step(roles, MULTIPLY, cycles, COMPUTE, needs, tuple(moved)))
        return steps

    def _finish(self, m: int, n: int, ending: tuple[str, ...], first: bool) -> list[Step]:
        """A tile's results leave the array: through the pipeline, the elementwise work behind it if any, and to
        DRAM."""
        spec, fused = self.spec, self.fused
        waiting = RECURRENCE if ending else DRAINING  # the next step of a recurrent product waits for this one's result
        pipeline = self.hardware.pipeline_cycles
        sums = (0, "output_buffer_read", n * m * spec.buffers.partial_sum_bits)
        behind: Label = ("multiply", 1)
        if fused is None:
            width = self.output_bits if spec.corrections.true_output_bits else spec.buffers.partial_sum_bits
            bits, cycles = self.dram(n * m * width)
            moved = (sums, (0, "dram_write", bits))
            return [
                Step(("drain", *ending), DRAIN, pipeline, waiting, (behind,)),
                Step(("store", "outputs free"), STORE, cycles, OUTPUTS, (("drain", 1),), moved),
            ]
        steps = [Step(("drain",), DRAIN, pipeline, waiting, (behind,))]
        share = n * m / self.product.outputs
        needs: tuple[Label, ...] = (("drain", 1), ("vectors", 1))
        extra = fused.inputs - self.product.outputs
        if extra:
            bits, cycles = self.dram(extra * share * fused.activation_bits)
            traffic = ((1, "dram_read", bits), (1, "output_buffer_write", bits), (1, "output_buffer_read", bits))
            free: tuple[Label, ...] = (("outputs free", self.depth), *((EVERYTHING_BEFORE,) if first else ()))
            steps.append(Step(("extra",), LOAD_INPUTS, cycles, INPUTS, free, traffic))
            needs = (*needs, ("extra", 1))
        bits, cycles = self.dram(fused.outputs * share * fused.output_bits)
        results = ((1, "output_buffer_write", bits), (1, "output_buffer_read", bits), (1, "dram_write", bits))
        busy = max(1, ceil(op_cycles(fused, spec) * share / spec.post_processing.lanes))
        work = (sums, (1, "busy_cycles", busy))
        steps.append(Step(("process", *ending), PROCESS, busy, PROCESSING, needs, work))
        steps.append(Step(("store", "outputs free"), STORE, cycles, OUTPUTS, (("process", 1),), results))
        return steps


def _cut(whole: int, tile: int) -> tuple[int, int, int]:
    """Number of tiles, the size of all but the last, and of the last."""
    count = ceil(whole / tile)
    return count, tile if count > 1 else whole, whole - (count - 1) * tile
