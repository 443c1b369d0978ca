"""A network on SiLago, task by task, by docs/machine-model.md."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from independent.event_simulation import Buffer, EventSimulation, Task
from simulators import Matmul
from simulators.platforms.silago.spec import SilagoSpec
from simulators.workloads.operations import VECTOR_BITS, Layer, VectorLayer

QUEUES = {
    "weights": "link", "inputs": "link", "results": "link", "cells": "cells", "fetch": "dram", "spill": "dram",
}  # fmt: skip
SPECIAL = ("sigmoid", "tanh", "exp", "divide")
"""Operations of the one lane that has them."""


class SilagoNetwork:
    """The tasks of a network on one SiLago."""

    def __init__(self, layers: Sequence[Layer], spec: SilagoSpec):
        self.spec = spec
        self.simulation = EventSimulation(QUEUES)
        d, c = spec.dimarch, spec.cell
        self.cells = spec.fabric.rows * spec.fabric.columns
        self.row_words = d.row_bits // c.word_bits
        self.first_row = d.read_latency_cycles + 2 * d.extra_hops
        self.row_cycles = ceil(Fraction(d.row_bits, d.link_bits_per_cycle))
        self.sharing = min(2 * spec.fabric.window_columns + 1, spec.fabric.columns)
        self.tile_bits = d.tile_rows * d.row_bits
        self.row_uses: list[Task] = []
        """What used up a row of the register files, in order."""
        self.pieces = Buffer(1)
        free = d.weight_tiles * self.tile_bits
        for layer in layers:
            stays = layer.parameter_bits <= free
            free -= layer.parameter_bits if stays else 0
            self.simulation.begin_segment()
            self.moved = self.simulation.begin_layer()
            configured = self.simulation.add("cells", c.instructions_per_layer + self.first_row)
            if isinstance(layer, VectorLayer):
                self._elementwise(layer, configured)
            else:
                _Product(self, layer, stays, configured).add()

    def spills(self, layer: Layer) -> bool:
        """Whether what a layer reads and leaves exceeds the tiles for activations."""
        bits = layer.operands()[-1].bits + layer.outputs_total().bits
        return bits > self.spec.dimarch.activation_tiles * self.tile_bits

    def off_chip(self, bits: int) -> int:
        """Cycles of so many bits on the DRAM channel."""
        assert self.spec.dram is not None
        return max(1, ceil(Fraction(bits, self.spec.dram.bits_per_cycle)))

    def word_cycles(self, words: int) -> int:
        """Cycles of a cell for words of two operands each."""
        return ceil(Fraction(2 * words, min(2 * self.spec.cell.mac_lanes, self.spec.cell.read_ports)))

    def row_free(self, rows: int) -> list[Task]:
        """The use of the row that was in the register file so many rows before."""
        return self.row_uses[-rows:][:1] if len(self.row_uses) >= rows else []

    def _elementwise(self, layer: VectorLayer, configured: Task) -> None:
        """Steps, each spread over all cells."""
        spec, add, ops = self.spec, self.simulation.add, layer.operations_per_step
        cycles = dict.fromkeys((True, False), 0)
        for op, count in ops.items():
            cycles[op in SPECIAL] += count * spec.cell.cycles_per_op[op]
        busy = ceil(Fraction(cycles[True], self.cells * spec.cell.special_function_lanes))
        busy += self.word_cycles(ceil(Fraction(cycles[False], self.cells)))
        link = spec.dimarch.link_bits_per_cycle * spec.fabric.columns
        read, written = layer.inputs_per_step * layer.activation_bits, layer.outputs_per_step * layer.output_bits
        for _ in range(layer.steps):
            loaded = add("inputs", max(1, ceil(Fraction(read, link))), [configured, *self.row_free(2)])
            done = add("cells", busy, [loaded])
            self.row_uses.append(done)
            stored = add("results", max(1, ceil(Fraction(written, link))), [done])
            self.moved.update(sram_read=read, sram_write=written)
            self.moved.update(register_file_read=2 * sum(ops.values()) * VECTOR_BITS)
            if self.spills(layer):
                add("spill", self.off_chip(read + written), [stored])
                self.moved.update(dram_read=read, dram_write=written)


class _Product:
    """A matrix product or a convolution, wave by wave."""

    def __init__(self, network: SilagoNetwork, layer: Layer, stays: bool, configured: Task):
        gemm = layer.as_gemm()
        assert gemm is not None
        self.network, self.spec, self.layer, self.gemm = network, network.spec, layer, gemm
        self.add_task, self.moved = network.simulation.add, network.moved
        self.stays, self.configured = stays, configured
        self.bits = layer.operand_bits[0]
        self.words = self._words(gemm.k)
        """Words of one whole dot product."""
        self.waves = ceil(Fraction(gemm.m, network.cells))
        self.spilled = network.spills(layer)
        counts = [(gemm.n, gemm.k)]
        if isinstance(layer, Matmul) and self.spec.skips_inactive_inputs:
            counts = layer.transmitted()
        self.vectors = [self._words(inputs) for count, inputs in counts for _ in range(count)]
        """Words that each vector multiplies."""
        self.used_rows = min(self.spec.fabric.rows, ceil(Fraction(gemm.m, self.spec.fabric.columns)))
        """Rows of cells that have outputs."""

    def add(self) -> None:
        """All tasks of the layer but its configuration."""
        for _ in range(self.gemm.products):
            if self.layer.waits_for_itself:
                self._recurrent()
            elif self.stays:
                self._waves([self.configured], self.waves)
            else:
                self._in_pieces()

    def _words(self, inputs: int) -> int:
        return ceil(Fraction(inputs * self.bits, self.spec.cell.word_bits))

    def _fetch(self, outputs: int, after: Sequence[Task], behind_all: bool) -> Task:
        """Weights of some outputs from DRAM."""
        bits = outputs * self.words * self.spec.cell.word_bits
        self.moved["dram_read"] += bits
        return self.add_task("fetch", self.network.off_chip(bits), after, behind_all)

    def _waves(self, needs: Sequence[Task], waves: int) -> Task:
        """Some waves for each vector in turn; the last task of their cells."""
        return [self._wave(words, needs) for words in self.vectors for _ in range(waves)][-1]

    def _in_pieces(self) -> None:
        """Weights from DRAM in pieces of whole waves: of half of the tiles, the next of which is fetched while one is
        used, or of all of them where half holds no wave."""
        network = self.network
        wave = network.cells * self.words * self.spec.cell.word_bits
        tiles = self.spec.dimarch.weight_tiles * network.tile_bits
        ahead = wave <= tiles // 2
        fitting = (tiles // 2 if ahead else tiles) // wave
        pieces = [min(fitting, self.waves - begin) for begin in range(0, self.waves, fitting)]

        def fetch(piece: int) -> Task:
            outputs = min(fitting * network.cells, self.gemm.m - piece * fitting * network.cells)
            return self._fetch(outputs, network.pieces.free(), False)

        coming = fetch(0) if ahead else None
        for piece, waves in enumerate(pieces):
            here = coming or fetch(piece)
            if ahead and piece + 1 < len(pieces):
                coming = fetch(piece + 1)
            network.pieces.used(self._waves([self.configured, here], waves))

    def _recurrent(self) -> None:
        """Time steps, each of which waits for the results of the one before."""
        result: list[Task] = []
        for words in self.vectors:
            start = [self.configured, *result]
            if not self.stays:
                start.append(self._fetch(self.gemm.m, start, True))
            begun = self.add_task("cells", self.network.first_row, start)
            for _ in range(self.waves):
                last = self._wave(words, [begun])
            result = [last]

    def _wave(self, words: int, needs: Sequence[Task]) -> Task:
        """One output a cell, row by row; the last task of the cells."""
        network, spec, add = self.network, self.spec, self.add_task
        used, row_bits = self.used_rows * spec.fabric.columns, spec.dimarch.row_bits
        held = min(2, spec.cell.register_file_words // (2 * network.row_words))
        rows = ceil(Fraction(words, network.row_words))
        for row in range(rows):
            now = min(network.row_words, words - row * network.row_words)
            free = [*needs, *network.row_free(held)]
            weights = add("weights", self.used_rows * network.row_cycles, free)
            inputs = add("inputs", max(1, ceil(Fraction(network.row_cycles, network.sharing))), free)
            done = add("cells", network.word_cycles(now), [weights, inputs])
            network.row_uses.append(done)
            shared = ceil(Fraction(spec.fabric.columns, network.sharing))
            self.moved.update(sram_read=(used + shared) * row_bits)
            self.moved.update(register_file_read=2 * used * now * spec.cell.word_bits)
        overhead = spec.cell.loop_setup_cycles
        overhead += spec.cell.reduction_cycles if self.bits < spec.cell.word_bits else 0
        if overhead:
            done = add("cells", overhead, [done])
        self._store(done, used)
        return done

    def _store(self, done: Task, used: int) -> None:
        """The results of a wave go to DiMArch, and with the inputs of it through DRAM where the tiles are too small."""
        spec, written = self.spec, used * self.layer.output_bits
        link = Fraction(self.used_rows * self.layer.output_bits, spec.dimarch.link_bits_per_cycle)
        stored = self.add_task("results", max(1, ceil(link)), [done])
        self.moved["sram_write"] += written
        if self.spilled:
            read = ceil(Fraction(self.words * spec.cell.word_bits, self.waves))
            self.add_task("spill", self.network.off_chip(written + read), [stored])
            self.moved.update(dram_write=written, dram_read=read)
