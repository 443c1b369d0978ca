"""A network on SiLago, task by task, by docs/machine-model.md."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from independent.dram import dram_cycles
from independent.event_simulation import Buffer, EventSimulation, Task
from independent.silago_inputs import read_bits
from simulators import Matmul
from simulators.platforms.silago.lowering import wave_product
from simulators.platforms.silago.pieces import pieces
from simulators.platforms.silago.spec import SilagoSpec
from simulators.workloads.operations import VECTOR_BITS, Layer, VectorLayer

QUEUES = {
    "results": "link", "inputs": "link", "weights": "link", "cells": "cells", "fetch": "dram", "spill": "dram",
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
                self._elementwise(layer, stays, configured)
            else:
                _Product(self, layer, stays, configured).add()

    def spills(self, layer: Layer) -> bool:
        """Whether what a layer reads and leaves exceeds the tiles for activations."""
        bits = layer.operands()[-1].bits + layer.outputs_total().bits
        return bits > self.spec.dimarch.activation_tiles * self.tile_bits

    def off_chip(self, bits: int) -> int:
        """Cycles of so many bits on the DRAM channel."""
        assert self.spec.dram is not None
        return dram_cycles(bits, self.spec.dram, self.spec.frequency_mhz)

    def word_cycles(self, words: int) -> int:
        """Cycles of a cell for words of two operands each."""
        return ceil(Fraction(2 * words, min(2 * self.spec.cell.mac_lanes, self.spec.cell.read_ports)))

    def row_free(self, rows: int) -> list[Task]:
        """The use of the row that was in the register file so many rows before."""
        return self.row_uses[-rows:][:1] if len(self.row_uses) >= rows else []

    def _elementwise(self, layer: VectorLayer, stays: bool, configured: Task) -> None:
        """Steps, each spread over all cells, each of which reads all constants."""
        spec, add, ops = self.spec, self.simulation.add, layer.operations_per_step
        cycles = dict.fromkeys((True, False), 0)
        for op, count in ops.items():
            cycles[op in SPECIAL] += count * spec.cell.cycles_per_op[op]
        busy = ceil(Fraction(cycles[True], self.cells * spec.cell.special_function_lanes))
        busy += self.word_cycles(ceil(Fraction(cycles[False], self.cells)))
        link = spec.dimarch.link_bits_per_cycle * spec.fabric.columns
        read, written = layer.inputs_per_step * layer.activation_bits, layer.outputs_per_step * layer.output_bits
        constants = layer.vector_words * VECTOR_BITS
        rows, once = (
            ceil(Fraction(constants, spec.dimarch.row_bits)),
            constants <= spec.dimarch.weight_tiles * self.tile_bits,
        )
        fetched = [self._constants(constants, self.pieces.free(), False)] if once and constants and not stays else []
        for _ in range(layer.steps):
            operands = [add("inputs", max(1, ceil(Fraction(read, link))), [configured, *self.row_free(2)])]
            if constants:
                if not (stays or once):
                    fetched = [self._constants(constants, [configured, *self.pieces.free()], True)]
                cycles = ceil(Fraction(rows, spec.fabric.columns)) * self.row_cycles
                operands.append(add("weights", cycles, [configured, *fetched, *self.row_free(2)]))
                self.moved.update(sram_read=rows * spec.dimarch.row_bits)
            done = add("cells", busy, operands)
            self.row_uses.append(done)
            if fetched:
                self.pieces.used(done)
            stored = add("results", max(1, ceil(Fraction(written, link))), [done])
            self.moved.update(sram_read=read, sram_write=written)
            self.moved.update(register_file_read=2 * sum(ops.values()) * VECTOR_BITS)
            if self.spills(layer):
                add("spill", self.off_chip(read + written), [stored])
                self.moved.update(dram_read=read, dram_write=written)

    def _constants(self, bits: int, after: Sequence[Task], behind_all: bool) -> Task:
        """Constants of an elementwise layer from DRAM."""
        self.moved["dram_read"] += bits
        return self.simulation.add("fetch", self.off_chip(bits), after, behind_all)


class _Product:
    """A matrix product or a convolution, wave by wave."""

    def __init__(self, network: SilagoNetwork, layer: Layer, stays: bool, configured: Task):
        gemm = layer.as_gemm()
        assert gemm is not None
        self.network, self.spec, self.layer, self.gemm = network, network.spec, layer, gemm
        self.add_task, self.moved = network.simulation.add, network.moved
        self.stays, self.configured = stays, configured
        self.bits = layer.operand_bits[0]
        self.vectors = [(gemm.n, self._words(gemm.k))]
        """(vectors, words that each multiplies), in order."""
        if isinstance(layer, Matmul) and self.spec.skips_inactive_inputs:
            self.vectors = [(count, self._words(inputs)) for count, inputs in layer.transmitted()]
        self.spilled = network.spills(layer)
        self.spilled_bits = 0
        """Inputs of all vectors that come from DRAM."""
        if self.spilled:
            self.spilled_bits = read_bits(layer, self.spec.dimarch.activation_tiles * network.tile_bits)
            self.spilled_bits //= gemm.products

    def add(self) -> None:
        """All tasks of the layer but its configuration."""
        for _ in range(self.gemm.products):
            if self.layer.waits_for_itself:
                self._recurrent()
            else:
                self._independent()

    def _words(self, inputs: int) -> int:
        return ceil(Fraction(inputs * self.bits, self.spec.cell.word_bits))

    def _fetch(self, outputs: int, words: int, after: Sequence[Task], behind_all: bool) -> Task:
        """So many words of weights of each of some outputs, from DRAM."""
        bits = outputs * words * self.spec.cell.word_bits
        self.moved["dram_read"] += bits
        return self.add_task("fetch", self.network.off_chip(bits), after, behind_all)

    def _independent(self) -> None:
        """Pieces of weights, in as many waves as the simulator chose, each of which serves all vectors. Equal vectors
        in a row take their turns wave by wave. Of two pieces in the tiles one is fetched while the other is used."""
        chosen = pieces(self.spec, wave_product(self.layer, self.stays, self.spec))
        left = self.gemm.m
        cut: list[list[int]] = []
        for length in chosen.waves:
            cut.append([min(chosen.outputs, left - wave * chosen.outputs) for wave in range(length)])
            left -= sum(cut[-1])
        assert left == 0, "the pieces have all outputs"
        number = sum(count for count, _ in self.vectors) * sum(chosen.waves)
        spilled, over = divmod(self.spilled_bits, number)
        fetched: list[Task] = []
        for at, waves in enumerate(cut):
            coming = range(len(fetched), min(at + chosen.held, len(cut))) if not self.stays else range(0)
            for piece in coming:
                fetched.append(
                    self._fetch(sum(cut[piece]), self._words(self.gemm.k), self.network.pieces.free(), False)
                )
            needs = [self.configured, *fetched[at : at + 1]]
            for count, words in self.vectors:
                for outputs in (outputs for outputs in waves for _ in range(count)):
                    number -= 1
                    last = self._wave(words, outputs, spilled + (over if number == 0 else 0), needs)
            if not self.stays:
                self.network.pieces.used(last)

    def _recurrent(self) -> None:
        """Time steps, each of which waits for the results of the one before, on all cells."""
        cells, outputs = self.network.cells, self.gemm.m
        waves = [min(cells, outputs - begin) for begin in range(0, outputs, cells)]
        steps = [words for count, words in self.vectors for _ in range(count)]
        spilled, over = divmod(self.spilled_bits // len(steps), len(waves))
        result: list[Task] = []
        for words in steps:
            start = [self.configured, *result]
            if not self.stays:
                start.append(self._fetch(outputs, words, start, True))
            begun = self.add_task("cells", self.network.first_row, start)
            for wave, used in enumerate(waves):
                last = self._wave(words, used, spilled + (over if wave == len(waves) - 1 else 0), [begun])
            result = [last]

    def _wave(self, words: int, used: int, spilled: int, needs: Sequence[Task]) -> Task:
        """One output for each of the cells that are used, row by row; the last task of the cells. `spilled`: bits of
        inputs from DRAM."""
        network, spec, add = self.network, self.spec, self.add_task
        used_rows, row_bits = ceil(Fraction(used, spec.fabric.columns)), spec.dimarch.row_bits
        held = min(2, spec.cell.register_file_words // (2 * network.row_words))
        for row in range(ceil(Fraction(words, network.row_words))):
            now = min(network.row_words, words - row * network.row_words)
            free = [*needs, *network.row_free(held)]
            weights = add("weights", used_rows * network.row_cycles, free)
            inputs = add("inputs", max(1, ceil(Fraction(network.row_cycles, network.sharing))), free)
            done = add("cells", network.word_cycles(now), [weights, inputs])
            network.row_uses.append(done)
            shared = ceil(Fraction(min(used, spec.fabric.columns), network.sharing))
            self.moved.update(sram_read=(used + shared) * row_bits)
            self.moved.update(register_file_read=2 * used * now * spec.cell.word_bits)
        overhead = spec.cell.loop_setup_cycles
        overhead += spec.cell.reduction_cycles if self.bits < spec.cell.word_bits else 0
        if overhead:
            done = add("cells", overhead, [done])
        link = Fraction(used_rows * self.layer.output_bits, spec.dimarch.link_bits_per_cycle)
        stored, written = add("results", max(1, ceil(link)), [done]), used * self.layer.output_bits
        self.moved["sram_write"] += written
        if self.spilled:
            add("spill", network.off_chip(written + spilled), [stored])
            self.moved.update(dram_write=written, dram_read=spilled)
        return done
