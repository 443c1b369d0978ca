"""A network on Bit Fusion, task by task, by docs/machine-model.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from independent.bitfusion_costs import (
    active_share,
    array_cycles,
    elementwise_bits,
    input_bits,
    lane_cycles,
    parts,
    pipeline,
    transfer,
    weight_bits,
)
from independent.event_simulation import Buffer, EventSimulation, Task
from simulators import ActivationMatmul, Conv2d, Elementwise, Matmul
from simulators.platforms.bitfusion.chunks import number_of_chunks
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.workloads.operations import VECTOR_BITS, Layer, VectorLayer

QUEUES = {
    "inputs": "dram", "results": "dram", "weights": "dram",
    "multiply": "array", "drain": "pipeline", "process": "post-processing",
}  # fmt: skip
RESIDENT_PARTS = 32
"""Parts in which weights that stay are loaded, at most."""

Tiling = Mapping[str, Any]
"""`outer`, `out_tile`, `in_tile` and `vector_tile`, as `mapping:` in a spec has them."""
Cut = list[int]
"""Sizes of the tiles of one dimension, the last the edge."""


class BitFusionNetwork:
    """The tasks of a network on one Bit Fusion."""

    def __init__(self, layers: Sequence[Layer], mappings: Mapping[str, Tiling], spec: BitFusionSpec):
        """`mappings`: outer, out_tile, in_tile and vector_tile by the name of the product."""
        self.spec = spec
        self.simulation = EventSimulation(QUEUES)
        self.weights, self.inputs, self.outputs = (Buffer(parts(spec)) for _ in range(3))
        i = 0
        while i < len(layers):
            self.simulation.begin_segment()
            layer, behind = layers[i], layers[i + 1] if i + 1 < len(layers) else None
            if isinstance(layer, VectorLayer):
                self._elementwise(layer)
            elif behind is not None and runs_behind(layer, behind):
                assert isinstance(behind, VectorLayer)
                _Product(self, layer, behind, mappings[layer.name]).add()
                i += 1
            else:
                _Product(self, layer, None, mappings[layer.name]).add()
            i += 1

    def _elementwise(self, layer: VectorLayer) -> None:
        """Chunks as equal as whole bits and cycles allow, the first of which have one more."""
        spec, moved = self.spec, self.simulation.begin_layer()
        constants: list[Task] = []
        if layer.vector_words:
            bits = layer.vector_words * VECTOR_BITS
            constants.append(self.simulation.add("weights", transfer(bits, spec)))
            moved["dram_read"] += bits
        count = number_of_chunks(layer, spec)
        totals = (*elementwise_bits(layer), lane_cycles(layer, spec) * layer.steps)
        for number in range(count):
            read, written, work = (n // count + (1 if number < n % count else 0) for n in totals)
            loaded = self.simulation.add("inputs", transfer(read, spec), self.outputs.free())
            busy = max(1, ceil(Fraction(work, spec.post_processing.lanes)))
            done = self.simulation.add("process", busy, [loaded, *constants])
            self.outputs.used(self.simulation.add("results", transfer(written, spec), [done]))
            moved.update(dram_read=read, dram_write=written)
            moved.update(output_buffer_write=read + written, output_buffer_read=read + written)


def runs_behind(layer: Layer, behind: Layer) -> bool:
    """Whether an elementwise layer takes a product's results under the array's columns."""
    if not (isinstance(layer, Matmul | Conv2d) and isinstance(behind, Elementwise)):
        return False
    return layer.steps == behind.steps and behind.inputs >= results_of_step(layer)


def results_of_step(layer: Layer) -> int:
    """Results that a layer has for one step, of all groups of a convolution."""
    return layer.out_features if isinstance(layer, Matmul) else layer.outputs_total().elements // layer.steps


def cut(whole: int, tile: int) -> Cut:
    """Sizes of the tiles of a dimension."""
    return [min(tile, whole - begin) for begin in range(0, whole, tile)]


class _Product:
    """A product, and the elementwise layer that takes its results."""

    def __init__(self, network: BitFusionNetwork, layer: Layer, behind: VectorLayer | None, mapping: Tiling):
        self.network, self.layer, self.behind, self.mapping = network, layer, behind, mapping
        self.spec, self.simulation = network.spec, network.simulation
        self.moved = self.simulation.begin_layer()
        self.moved_behind = self.simulation.begin_layer() if behind is not None else Counter[str]()
        self.constants: list[Task] = []
        gemm = layer.as_gemm()
        assert gemm is not None
        self.gemm, self.results = gemm, results_of_step(layer)

    def add(self) -> None:
        """All tasks of the segment."""
        if self.behind is not None and self.behind.vector_words:
            self.constants = [self._load("weights", self.behind.vector_words * VECTOR_BITS, (), False, "")]
        if self.layer.waits_for_itself:
            self._recurrent()
        else:
            for _ in range(self.gemm.products):
                self._independent()

    def _independent(self) -> None:
        """Tiles of a product whose vectors do not wait for each other."""
        outer = self.mapping["outer"]
        m, k, n = self._cuts()
        share = active_share(self.layer, self.spec)
        weights_stay, inputs_stay = len(k) == 1 and outer == "outputs", len(k) == 1 and outer == "vectors"
        all_stay = weights_stay and len(n) == 1
        if all_stay:
            loaded = self._inputs(self.gemm.n, self.gemm.k, share)
        for at_m, at_n, begins, ends in _tiles(len(m), len(n), str(outer)):
            part: Task | None = None
            for first, reduction in enumerate(k):
                if begins or not weights_stay:
                    weights = self._weights(m[at_m], reduction)
                if not all_stay and (begins or not inputs_stay):
                    loaded = self._inputs(n[at_n], reduction, share)
                needs = [weights, loaded, *(self.network.outputs.free() if part is None else ())]
                part = self._multiply(m[at_m], ceil(reduction * share), n[at_n], needs, first > 0)
                if ends or not weights_stay:
                    self.network.weights.used(part)
                if all_stay or ends or not inputs_stay:
                    self.network.inputs.used(part)
            assert part is not None
            self._finish(part, m[at_m], n[at_n])

    def _recurrent(self) -> None:
        """Time steps, each of which waits for the results of the one before."""
        layer, spec = self.layer, self.spec
        assert isinstance(layer, Matmul)
        m, whole_k, _ = self._cuts()
        tiles, bits = len(m) * len(whole_k), layer.out_features * layer.in_features * layer.weight_bits
        loaded: list[Task] = []
        if bits <= spec.buffers.weight_kib * 8192:
            count = min(tiles, RESIDENT_PARTS)
            sizes = [bits // count] * (count - 1) + [bits - bits // count * (count - 1)]
            free = self.network.weights.free(1)
            loaded = [self._load("weights", size, free, False, "weight_buffer_write") for size in sizes]
        steps = layer.transmitted() if spec.skips_inactive_inputs else [(layer.steps, layer.in_features)]
        result: list[Task] = []
        for inputs in (inputs for count, inputs in steps for _ in range(count)):
            for row, outputs in enumerate(m):
                part: Task | None = None
                for column, reduction in enumerate(cut(inputs, int(self.mapping["in_tile"]))):
                    if loaded:
                        # Equal tiles in order; those of some inputs only lie anywhere in their rows.
                        tile = row * len(whole_k) + (column + 1 if inputs == layer.in_features else len(whole_k))
                        weights = loaded[ceil(Fraction(tile * len(loaded), tiles)) - 1]
                    else:
                        weights = self._weights(outputs, reduction)
                    needs = [weights, *result, *(self.network.outputs.free() if part is None else ())]
                    part = self._multiply(outputs, reduction, 1, needs, part is not None)
                    if not loaded:
                        self.network.weights.used(part)
                assert part is not None
                drained, last = self._finish(part, outputs, 1)
            if loaded:  # both parts
                self.network.weights.used(part)
                self.network.weights.used(drained)
            result = [last]

    def _cuts(self) -> Iterator[Cut]:
        for whole, tile in ((self.gemm.m, "out_tile"), (self.gemm.k, "in_tile"), (self.gemm.n, "vector_tile")):
            yield cut(whole, int(self.mapping[tile]))

    def _load(self, queue: str, bits: int, after: Sequence[Task], behind_all: bool, into: str) -> Task:
        """A transfer from DRAM; `into`: the level that it is written to, or nothing, for constants of the elementwise
        work."""
        moved = self.moved if into else self.moved_behind
        moved["dram_read"] += bits
        if into:
            moved[into] += bits
        return self.simulation.add(queue, transfer(bits, self.spec), after, behind_all)

    def _weights(self, outputs: int, inputs: int) -> Task:
        bits = outputs * inputs * weight_bits(self.layer)
        known = not isinstance(self.layer, ActivationMatmul)
        return self._load("weights", bits, self.network.weights.free(), not known, "weight_buffer_write")

    def _inputs(self, vectors: int, inputs: int, share: Fraction) -> Task:
        edge = vectors < min(int(self.mapping["vector_tile"]), self.gemm.n)
        bits = ceil(share * input_bits(self.layer, vectors, inputs, edge))
        return self._load("inputs", bits, self.network.inputs.free(), True, "input_buffer_write")

    def _multiply(self, outputs: int, inputs: int, vectors: int, needs: Sequence[Task], adds: bool) -> Task:
        """A tile on the array; `adds`: to sums that lie in the output buffer."""
        groups = ceil(Fraction(outputs, self.spec.array.columns))
        sums = outputs * vectors * self.spec.buffers.partial_sum_bits
        self.moved.update(
            input_buffer_read=vectors * inputs * self.layer.activation_bits * groups,
            weight_buffer_read=vectors * outputs * inputs * weight_bits(self.layer),
            output_buffer_write=sums,
            output_buffer_read=sums if adds else 0,
        )
        return self.simulation.add("multiply", array_cycles(self.layer, self.spec, outputs, inputs, vectors), needs)

    def _finish(self, multiplied: Task, outputs: int, vectors: int) -> tuple[Task, Task]:
        """Results leave the array and go to DRAM, through the elementwise work if any; the drain, and the task after
        which the next time step may begin."""
        drained = self.simulation.add("drain", pipeline(self.spec), [multiplied])
        sums = outputs * vectors * self.spec.buffers.partial_sum_bits
        self.moved["output_buffer_read"] += sums
        if self.behind is None:
            bits, last = outputs * vectors * self.layer.output_bits, drained
            self.moved["dram_write"] += bits
        else:
            bits, last = self._process(self.behind, drained, Fraction(outputs * vectors, self.results))
        self.network.outputs.used(self.simulation.add("results", transfer(bits, self.spec), [last]))
        return drained, last

    def _process(self, behind: VectorLayer, drained: Task, share: Fraction) -> tuple[int, Task]:
        """The elementwise work on a share of a step's results: bits to store, and the work."""
        needs = [drained, *self.constants]
        buffered = 0
        if behind.inputs_per_step > self.results:
            bits = ceil((behind.inputs_per_step - self.results) * share * behind.activation_bits)
            needs.append(self.simulation.add("inputs", transfer(bits, self.spec), self.network.outputs.free()))
            self.moved_behind["dram_read"] += bits
            buffered += bits
        busy = max(1, ceil(lane_cycles(behind, self.spec) * share / self.spec.post_processing.lanes))
        done = self.simulation.add("process", busy, needs)
        stored = ceil(behind.outputs_per_step * share * behind.output_bits)
        buffered += stored
        self.moved_behind.update(dram_write=stored, output_buffer_write=buffered, output_buffer_read=buffered)
        return stored, done


def _tiles(rows: int, columns: int, outer: str) -> Iterator[tuple[int, int, bool, bool]]:
    """(tile of the outputs, tile of the vectors, whether it begins and ends a turn of the outer loop)."""
    inner = columns if outer == "outputs" else rows
    for i in range(rows if outer == "outputs" else columns):
        for j in range(inner):
            yield (i, j, j == 0, j == inner - 1) if outer == "outputs" else (j, i, j == 0, j == inner - 1)
