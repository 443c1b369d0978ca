"""Steps of streaming tiles: stripes that flow through chains of cores, weights that come row by row, results that
leave.

A stripe enters a group at the core of its first row that is next to DRAM. Each core passes it on by DMA while it
multiplies it: the cores of that column down the column and along their rows, the others along their rows. A core has
room for two stripes, so the next but one waits until the core has used and passed on this one.
"""

from __future__ import annotations

from math import ceil

from simulators.engine.machine import COMPUTE
from simulators.lowering.segments import EVERYTHING_BEFORE, Label, Step
from simulators.platforms.epiphany.core import OUTPUTS as OUTPUTS_OF_BLOCK
from simulators.platforms.epiphany.core import VECTORS as VECTORS_OF_BLOCK
from simulators.platforms.epiphany.machine import (
    BRIDGE_READ,
    BRIDGE_WRITE,
    DMA_0,
    DMA_1,
    ELEMENTWISE,
    FPU,
    INPUTS,
    OUTPUTS,
    UNPACK,
    WEIGHTS,
    queues_of,
)
from simulators.platforms.epiphany.mapping import StreamingTiles
from simulators.platforms.epiphany.mesh import OFF_CHIP, WRITES
from simulators.platforms.epiphany.spec import EpiphanySpec, exact

PRODUCT = 0
"""The product's number in its segment; the elementwise layer, where there is one, is the last."""


class TileSteps:
    """Makes the steps of a mapped product. `behind`: the number of the elementwise layer in the segment, if there is
    one."""

    def __init__(self, tiles: StreamingTiles, spec: EpiphanySpec, behind: int | None):
        self.tiles, self.spec, self.behind = tiles, spec, behind
        self.grid, self.queues = spec.mesh.grid, queues_of(spec.mesh.grid)
        self.chains = self._chains()
        self._stripe_cycles = max(1, tiles.stripe_cycles(spec))
        self.cores = [core for chain in self.chains for core, _ in chain]
        self.rows: dict[int, list[int]] = {}
        """Cores that have outputs, by row of the mesh."""
        for core in self.cores:
            self.rows.setdefault(core // self.grid.columns, []).append(core)

    def _chains(self) -> list[list[tuple[int, int]]]:
        """Pairs of each group (core, the core that it has its stripes from, itself at the entry), as stripes flow."""
        rows, columns = self.grid.rows // self.tiles.groups, self.grid.columns
        chains = []
        for first in range(0, self.grid.rows, rows):
            chain = []
            for row in range(first, first + rows):
                for column in range(columns - 1, -1, -1):
                    core = self.grid.node(row, column)
                    above = core - columns if row > first else core
                    chain.append((core, above if column == columns - 1 else core + 1))
            chains.append(chain[: self.tiles.cores])
        return chains

    def load(self, pieces: int) -> list[Step]:
        """A tile of weights for every core, row by row, or one of so many pieces of it, which comes when the last
        stripe but one is done: two tiles have room."""
        product, spec, steps = self.tiles.product, self.spec, []
        own = ceil(self.tiles.tile_bits / pieces)
        for row, cores in self.rows.items():
            # A piece is small, and all cores have a tile's time to be done with the one before: the first paces it.
            paced = cores if pieces == 1 else cores[:1]
            free: list[Label] = [] if self.tiles.weights_fit else [(f"done {core}", 2) for core in paced]
            bits = own * len(cores)
            edge = self.grid.node(row, self.grid.columns - 1)
            if product.weights_on_chip:
                queue, cycles, level = self.queues.core(edge, DMA_0), spec.dma.write_cycles(ceil(bits / 8)), "sram_read"
            else:
                queue, level = self.queues.read_weights, "dram_read"
                cycles = ceil(bits / 8 * exact(spec.dram.read_cycles_per_byte))
            after = (EVERYTHING_BEFORE, *free)
            moved = ((PRODUCT, level, bits), (PRODUCT, "mesh_read", bits))
            steps.append(Step((f"fetched {row}",), queue, max(1, cycles), WEIGHTS, after, moved))
            link = self.queues.link(WRITES, (edge, edge - 1))
            beats = ceil(bits / (8 * spec.mesh.link_bytes))
            steps.append(Step((f"weights {row}",), link, beats, WEIGHTS, ((f"fetched {row}", 1),)))
        if self._unpacks:
            cycles = max(1, ceil(self.tiles.output_tile * self.tiles.input_tile * spec.core.unpack_slots / pieces))
            for core in self.cores:
                waits = ((f"weights {core // self.grid.columns}", 1),)
                steps.append(Step((f"unpacked {core}",), self.queues.core(core, FPU), cycles, UNPACK, waits))
        return steps

    @property
    def _unpacks(self) -> bool:
        return not self.tiles.resident and self.tiles.stored_bits > self.tiles.product.weight_bits

    def weights_of(self, core: int, load: int) -> tuple[Label, ...]:
        """What a core's weights are there with: the last load, or one before it."""
        if self.tiles.resident:
            return ()
        return ((f"unpacked {core}" if self._unpacks else f"weights {core // self.grid.columns}", load),)

    def stripe(self, load: int) -> list[Step]:
        """One stripe through all groups, with the weights of the last load or of one before it, and its share of the
        results, which leave."""
        steps = []
        for group, chain in enumerate(self.chains):
            children: dict[int, list[int]] = {}
            for core, source in chain[1:]:
                children.setdefault(source, []).append(core)
            for core, source in chain:
                passed = [(f"in {child}", 2) for child in children.get(core, ())]
                free = ((f"done {core}", 2), *passed)
                steps += self._arrives(core, source, free)
                steps.append(self._multiply(core, group, load))
        return [*steps, *self._results()]

    def _arrives(self, core: int, source: int, free: tuple[Label, ...]) -> list[Step]:
        """A stripe comes to a core: from DRAM or from where it lies at the entry, else from the core before."""
        amount = self.tiles.stripe_bytes
        dma_cycles = self.spec.dma.write_cycles(amount) + self.spec.mesh.two_hops_cycles // 2
        roles, bits = (f"in {core}",), 8 * amount
        if core != source:
            channel = DMA_1 if source == core + 1 else DMA_0
            link = self.queues.link(WRITES, (source, core))
            waits = ((f"in {source}", 1), *free)
            return [
                Step(roles, self.queues.core(source, channel), dma_cycles, INPUTS, waits,
                     ((PRODUCT, "mesh_read", bits),)),
                Step((f"passed {core}",), link, ceil(amount / self.spec.mesh.link_bytes), INPUTS, waits),
            ]  # fmt: skip
        waits = (EVERYTHING_BEFORE, *free)
        if self.tiles.product.inputs_on_chip:
            moved = ((PRODUCT, "sram_read", bits), (PRODUCT, "mesh_read", bits))
            return [Step(roles, self.queues.core(core, DMA_1), dma_cycles, INPUTS, waits, moved)]
        cycles = max(1, ceil(amount * exact(self.spec.dram.read_cycles_per_byte)))
        return [Step(roles, self.queues.bridge(BRIDGE_READ), cycles, INPUTS, waits, ((PRODUCT, "dram_read", bits),))]

    def _multiply(self, core: int, group: int, load: int) -> Step:
        waits: list[Label] = [(f"in {core}", 1), *self.weights_of(core, load)]
        if core != self.chains[group][0][0]:
            waits.append((f"passed {core}", 1))
        if self.tiles.resident:
            waits.append(EVERYTHING_BEFORE)
        return self.multiply(core, tuple(waits))

    def multiply(self, core: int, waits: tuple[Label, ...]) -> Step:
        """A core multiplies a stripe. The first core stands for the layer: none has more outputs."""
        roles, cycles = (f"done {core}",), self._stripe_cycles
        if core != self.cores[0]:
            return Step(roles, self.queues.core(core, FPU), cycles, COMPUTE, waits)
        moved = ((PRODUCT, "sram_read", self._local_bits),)
        return Step(roles, self.queues.core(core, FPU), cycles, COMPUTE, waits, moved, works_on=PRODUCT)

    @property
    def _local_bits(self) -> int:
        """Bits that all cores load of their memories for a stripe."""
        tiles, product = self.tiles, self.tiles.product
        macs = len(self.cores) * tiles.output_tile * tiles.input_tile * tiles.vector_tile
        weights = ceil(macs * tiles.stored_bits / min(tiles.vector_tile, VECTORS_OF_BLOCK))
        activations = ceil(macs * product.activation_bits / min(tiles.output_tile, OUTPUTS_OF_BLOCK))
        return ceil((weights + activations) / tiles.stripes)

    def elementwise(self, waits: tuple[str, ...], vectors: float) -> list[Step]:
        """Every core does the elementwise work of its own outputs, for so many vectors."""
        assert self.behind is not None
        product, steps = self.tiles.product, []
        cycles = max(1, ceil(product.elementwise_cycles * vectors / (self.tiles.cores * self._stripes_of_vector)))
        for core in self.cores:
            after = tuple((wait.format(core=core), 1) for wait in waits)
            works_on = self.behind if core == self.cores[0] else None
            queue = self.queues.core(core, FPU)
            steps.append(Step((f"finished {core}",), queue, cycles, ELEMENTWISE, after, works_on=works_on))
        return steps

    @property
    def _stripes_of_vector(self) -> int:
        """Stripes in which a tile of vectors' results are made: each has its share of what comes behind."""
        return self.tiles.output_tiles * self.tiles.input_tiles * self.tiles.stripes

    def _results(self) -> list[Step]:
        """What a stripe's share of a tile of vectors leaves, behind the elementwise work."""
        tiles, product = self.tiles, self.tiles.product
        vectors = tiles.mean_vectors
        steps: list[Step] = []
        if self.behind is not None:
            waits = ["done {core}"]
            if product.rest_bits:
                bits = ceil(product.rest_bits * vectors * tiles.groups / self._stripes_of_vector)
                steps.append(self.rest(bits, (EVERYTHING_BEFORE, (f"finished {self.cores[0]}", 2))))
                waits.append("rest")
            steps += self.elementwise(tuple(waits), vectors)
        role = "done" if self.behind is None else "finished"
        bits = ceil(product.handed_on * vectors * product.output_bits / self._stripes_of_vector)
        layer = PRODUCT if self.behind is None else self.behind
        for group, chain in enumerate(self.chains):
            after = tuple((f"{role} {core}", 1) for core, _ in chain)
            steps += self.store(f"stored {group}", bits, after, layer, chain[0][0])
        return steps

    def rest(self, bits: int, after: tuple[Label, ...]) -> Step:
        """What the elementwise layer takes besides, from DRAM."""
        cycles = max(1, ceil(bits / 8 * exact(self.spec.dram.read_cycles_per_byte)))
        moved = ((self.behind or PRODUCT, "dram_read", bits),)
        return Step(("rest",), self.queues.bridge(BRIDGE_READ), cycles, INPUTS, after, moved)

    def store(self, role: str, bits: int, after: tuple[Label, ...], layer: int, entry: int) -> list[Step]:
        """Results leave for DRAM over the off-chip network and the bridge, or stay on their cores, where kernels have
        stored them. What waits for the bridge is not bounded."""
        if self.tiles.product.outputs_on_chip:
            return []
        amount = ceil(bits / 8)
        edge = self.grid.node(entry // self.grid.columns, self.grid.columns - 1)
        link = self.queues.link(OFF_CHIP, (edge - 1, edge))
        cycles = max(1, ceil(amount * exact(self.spec.dram.write_cycles_per_byte)))
        return [
            Step((f"left {role}",), link, max(1, ceil(amount / self.spec.mesh.link_bytes)), OUTPUTS, after),
            Step((role,), self.queues.bridge(BRIDGE_WRITE), cycles, OUTPUTS, after, ((layer, "dram_write", bits),)),
        ]
