"""The three stages of a bit-serial array, block by block in plain loops: a second way to the platform's cycles.

Every stage does its work in order. A block pair is executed when what it needs is there and there is room for its
results; the pipeline runs empty behind it; its results are written. Buffers give back what was used.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from simulators.platforms.bit_serial.spec import BitSerialSpec


class Side(NamedTuple):
    """An operand: its rows, planes, rows of a block, and words of its buffer."""

    rows: int
    planes: int
    height: int
    words: int

    def blocks(self) -> list[int]:
        """Rows of each block."""
        return [min(self.height, self.rows - begin) for begin in range(0, self.rows, self.height)]


class Stages:
    """The times until which the stages are busy."""

    def __init__(self, spec: BitSerialSpec, k_words: int):
        self.spec, self.k_words = spec, k_words
        self.fetch = {"shared": 0, "outer": 0, "inner": 0}
        self.execute, self.write = 0, 0
        self.room: list[int] = []
        """Ends of the results' writes."""

    def load(self, who: str, side: Side, rows: int, begin: int) -> int:
        """When a block is there that may be fetched from `begin` on."""
        on = self.spec.corrections
        words = (side.height if on.pad_rows else rows) * side.planes * self.k_words
        channel = "shared" if on.shared_channel else who
        rate = self.spec.dram.read_bits_per_cycle if on.shared_channel else self.spec.array.word_bits
        self.fetch[channel] = max(self.fetch[channel], begin) + ceil(words * self.spec.array.word_bits / rate)
        return self.fetch[channel]

    def multiply(self, needs: int, passes: int, results: int) -> tuple[int, int]:
        """When a block pair's passes end, and when its sums are there."""
        on, array = self.spec.corrections, self.spec.array
        full = self.room[-array.result_blocks] if on.write_results and len(self.room) >= array.result_blocks else 0
        ended = max(self.execute, needs, full) + passes * self.k_words
        self.execute = ended + (array.pipeline_cycles if on.pipeline_latency else 0)
        if on.write_results:
            bits = results * array.accumulator_bits
            self.write = max(self.write, self.execute) + ceil(bits / self.spec.dram.write_bits_per_cycle)
            self.room.append(self.write)
        return ended, self.execute


def cycles(spec: BitSerialSpec, outer: Side, inner: Side, k_words: int, times: int = 1, dependent: bool = False) -> int:
    """Cycles of products that follow each other; blocks are used when they are there (`whole_blocks`)."""
    on, stages = spec.corrections, Stages(spec, k_words)
    whole, half = (inner.words // parts // (inner.height * inner.planes * k_words) for parts in (1, 2))
    blocks = inner.blocks()
    tile = len(blocks) if len(blocks) <= whole else ceil(len(blocks) / ceil(len(blocks) / (half or whole)))
    held = 2 if tile <= half else 1
    outer_held = min(2, outer.words // (outer.height * outer.planes * k_words))
    tiles = [blocks[begin : begin + tile] for begin in range(0, len(blocks), tile)]
    outers = [outer.blocks()] * times
    if dependent and len(tiles) > 1:
        outers = [[rows] for rows in outers[0]]
    freed: dict[str, list[int]] = {"outer": [], "inner": []}

    def free(who: str, parts: int) -> int:
        return freed[who][-parts] if len(freed[who]) >= parts else 0

    def size(side: Side, rows: int) -> int:
        return side.height if on.pad_rows else rows

    for of_product in outers:
        for number, part in enumerate(tiles):
            for p, outer_rows in enumerate(of_product):
                begin = free("outer", outer_held)
                if dependent and number == 0:
                    begin = max(begin, stages.write if on.write_results else stages.execute)
                needs = stages.load("outer", outer, outer_rows, begin)
                for q, inner_rows in enumerate(part):
                    if p == 0:
                        loaded = stages.load("inner", inner, inner_rows, free("inner", held) if q == 0 else 0)
                        needs = max(needs, loaded)
                    results = size(outer, outer_rows) * size(inner, inner_rows)
                    ended, _ = stages.multiply(needs, outer.planes * inner.planes, results)
                freed["outer"].append(ended)
            freed["inner"].append(ended)
    return max(stages.execute, stages.write)
