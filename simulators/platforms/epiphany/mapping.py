"""How a product lies on the cores: streaming tiles.

Rows of the mesh are taken together in groups of equally many. In each group stripes of input enter at the core of the
first row that is next to DRAM, flow down that column and along the rows, and every core multiplies what flows past with
the weights of its own outputs. Groups have different vectors and the same weights. Weights are stored as wide as they
are, packed, or as half words, which need no unpacking, where they fit; so fewer bits leave all choices that more have.
Weights that do not fit beside each other come in tiles, in halves of their room; a tile of weights serves all vectors
where its outputs' reduction is whole, else a tile of vectors.

The mapping is ours: the paper's (Rezk, Purnaprajna, Ul-Abdin, IPDPSW 2018) is known by its abstract only.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from simulators.inputs.errors import InputError
from simulators.platforms.epiphany.core import HALF_WORD, VECTORS, InnerLoop, product_cycles, stolen_cycles
from simulators.platforms.epiphany.products import StreamedProduct, stripe_elements
from simulators.platforms.epiphany.spec import EpiphanySpec
from simulators.workloads.operations import Layer

SUM_BYTES = 4
COPY = 720_720
"""What stands for the weights of the whole network once: it can be divided by all widths up to 16."""


class StreamingTiles(NamedTuple):
    """A product's mapping."""

    product: StreamedProduct
    groups: int
    """Groups of rows, with different vectors."""
    cores: int
    """Cores of a group that have outputs."""
    outputs: int
    """Outputs of a core, at most."""
    stored_bits: int
    """Width of a weight in local memory."""
    resident: bool
    """Whether the whole network's weights stay on the cores from utterance to utterance."""
    output_tile: int
    """Outputs of a core whose weights are there at a time."""
    output_tiles: int
    """Number of such tiles."""
    input_tile: int
    """Inputs of the reduction whose weights are there at a time."""
    input_tiles: int
    """Number of such tiles."""
    vector_tile: int
    """Vectors whose sums a core holds at a time."""
    vector_tiles: int
    """Tiles of vectors of a group."""
    stripes: int
    """Pieces in which the inputs of a tile flow past."""
    stripe_bytes: int

    @property
    def mean_vectors(self) -> float:
        """Vectors of a tile, a mean: the last ones of a group are fewer."""
        return max(1.0, self.product.vectors / (self.groups * self.vector_tiles)) if not self.product.recurrent else 1.0

    @property
    def blocks(self) -> int:
        """Pairs of a tile of vectors and one of weights, of a group and a product."""
        return self.output_tiles * self.input_tiles * self.vector_tiles

    @property
    def weights_fit(self) -> bool:
        """Whether all weights lie on the cores while the layer runs."""
        return self.output_tiles * self.input_tiles == 1

    @property
    def tile_bits(self) -> int:
        """Bits of a core's tile of weights as they come."""
        return self.output_tile * self.input_tile * self.product.weight_bits

    def loop(self) -> InnerLoop:
        """The inner loop of a tile."""
        return InnerLoop(self.stored_bits, self.product.activation_bits, self.vector_tile, self.output_tile)

    def stripe_cycles(self, spec: EpiphanySpec) -> int:
        """Cycles in which a core multiplies a stripe, its share of what each tile costs besides."""
        cycles = product_cycles(spec.core, self.loop(), self.input_tile)
        arriving = 0 if self.product.recurrent else self.stripe_bytes
        return ceil(cycles / self.stripes) + stolen_cycles(spec.core, spec.memory, self.loop(), arriving)


def best_tiles(layer: Layer, product: StreamedProduct, copies: int, spec: EpiphanySpec) -> StreamingTiles:
    """The mapping of fewest cycles by an estimate; of equals the one with the fewest groups and the narrowest weights.
    `copies`: how often the weights of the whole network fit on the cores, in parts of COPY. Raises InputError where
    none is possible."""
    found = list(_possible(layer, product, copies, spec))
    if not found:
        raise InputError(
            f"layer {layer.name}: memory.total_kib: {spec.memory.total_kib:g}: a core has "
            f"{spec.memory.weights_kib:g} KiB for weights and {spec.memory.sums_kib:g} for sums: less than one output "
            "needs"
        )
    return min(found, key=lambda tiles: estimate(tiles, spec))


def _possible(layer: Layer, product: StreamedProduct, copies: int, spec: EpiphanySpec) -> Iterator[StreamingTiles]:
    stored = [product.weight_bits] if product.weight_bits >= HALF_WORD else [product.weight_bits, HALF_WORD]
    rows = spec.mesh.rows
    groups = [1] if product.recurrent else [count for count in range(1, rows + 1) if rows % count == 0]
    for count in groups:
        if (count - 1) * ceil(product.vectors / count) >= product.vectors > 1:
            continue  # a group would have nothing
        for bits in stored:
            # As often as all layers fit, so much wider may each of them lie there.
            if copies * product.weight_bits >= count * bits * COPY and not product.weights_are_activations:
                yield from _tiled(layer, product, (count, bits, True), spec)
            yield from _tiled(layer, product, (count, bits, False), spec)


def _tiled(
    layer: Layer, product: StreamedProduct, way: tuple[int, int, bool], spec: EpiphanySpec
) -> Iterator[StreamingTiles]:
    """The tiles of a way (groups, stored bits, resident), if there are any."""
    groups, stored_bits, resident = way
    cores = min(spec.mesh.grid.nodes // groups, product.outputs)
    outputs = ceil(product.outputs / cores)
    room = int(spec.memory.weights_kib * 1024 * 8)
    sums = int(spec.memory.sums_kib * 1024) // (2 * SUM_BYTES)
    of_output = product.inputs * stored_bits
    fits = outputs * of_output <= room and product.products == 1
    whole = resident or fits
    if (not whole and stored_bits > product.weight_bits) or sums < 1:
        return  # what is wider in memory than it comes must be there as a whole
    input_tiles = 1 if whole else ceil(of_output / max(1, room // 2))
    if ceil(product.inputs / input_tiles) * stored_bits > room:
        return
    if not whole:  # all outputs at a time, and the reduction in parts
        output_tile = min(outputs, sums)
        parts = ceil(output_tile * of_output / max(1, room // 2))
        if output_tile > 1 and 1 < parts <= product.inputs:
            yield _cut(layer, product, way, (ceil(product.outputs / outputs), outputs, output_tile, parts), spec)
    for output_tile in _output_tiles(product, (outputs, room, sums), whole):
        yield _cut(layer, product, way, (ceil(product.outputs / outputs), outputs, output_tile, input_tiles), spec)


def _output_tiles(product: StreamedProduct, limits: tuple[int, int, int], whole: bool) -> list[int]:
    """Outputs of a core whose weights are there at a time, as many as half of the room holds, or all where they fit:
    parts of all, powers of two, and as few as let registers keep sums of several vectors. Room only limits them, so
    fewer bits or more memory leave what more bits or less memory have. `limits`: outputs of a core, bits of room, sums
    that are held at a time."""
    outputs, room, sums = limits
    tiles = {outputs, sums, max(1, sums // VECTORS), *(ceil(outputs / parts) for parts in range(2, 9))}
    tiles |= {1 << power for power in range(outputs.bit_length())}
    most = outputs if whole else max(1, room // 2 // (product.inputs * product.weight_bits))
    return sorted({tile for tile in tiles if tile <= min(most, outputs, sums)}, reverse=True)


def _cut(
    layer: Layer, product: StreamedProduct, way: tuple[int, int, bool], weights: tuple[int, int, int, int],
    spec: EpiphanySpec,
) -> StreamingTiles:  # fmt: skip
    """The vectors' side of a way whose weights are cut: cores and outputs of a core, those of a tile, tiles of
    inputs."""
    (groups, stored_bits, resident), (cores, outputs, output_tile, input_tiles) = way, weights
    sums = int(spec.memory.sums_kib * 1024) // (2 * SUM_BYTES)
    of_group = 1 if product.recurrent else ceil(product.vectors / groups)
    vector_tiles = ceil(of_group / max(1, sums // output_tile))
    vector_tile = ceil(of_group / vector_tiles)
    # Windows that touch padding alone read nothing, and a transfer has a byte at least.
    amount = max(1, ceil(stripe_elements(layer, vector_tile) * product.activation_bits / (8 * input_tiles)))
    half = max(1, int(spec.memory.stream_kib * 1024) // 2)
    stripes = 1 if product.recurrent else ceil(amount / half)
    output_tiles = ceil(outputs / output_tile)
    return StreamingTiles(
        product, groups, cores, outputs, stored_bits, resident, output_tile, output_tiles,
        ceil(product.inputs / input_tiles), input_tiles, vector_tile, ceil(of_group / vector_tile), stripes,
        ceil(amount / stripes),
    )  # fmt: skip


def estimate(tiles: StreamingTiles, spec: EpiphanySpec) -> tuple[float, int, int]:
    """About how many cycles a mapping takes, then what decides between equals."""
    product = tiles.product
    read, write = spec.dram.read_cycles_per_byte, spec.dram.write_cycles_per_byte
    load = 0.0
    if not tiles.resident:
        load = tiles.groups * tiles.cores * tiles.tile_bits / 8 * read
        if tiles.stored_bits > product.weight_bits:
            load += tiles.output_tile * tiles.input_tile * spec.core.unpack_slots
    elementwise = product.elementwise_cycles * tiles.mean_vectors / (tiles.cores * tiles.output_tiles)
    multiply = tiles.stripe_cycles(spec)
    weight_tiles = product.products * tiles.output_tiles
    if product.recurrent:
        per_step = max(multiply, 0 if tiles.weights_fit else load) * weight_tiles * tiles.input_tiles
        return load + product.vectors * (per_step + elementwise), tiles.groups, tiles.stored_bits
    passing = spec.dma.write_cycles(tiles.stripe_bytes) + spec.mesh.two_hops_cycles
    source = 0.0 if product.inputs_on_chip else tiles.groups * tiles.stripe_bytes * read
    stripe = max(multiply, passing, source)
    of_tile = tiles.groups * tiles.mean_vectors * tiles.output_tile * tiles.cores
    results = 0.0 if product.outputs_on_chip else of_tile * product.output_bits / 8 * write
    if tiles.input_tiles > 1:
        block = tiles.input_tiles * max(tiles.stripes * stripe, tiles.stripes * source + load) + elementwise
        cycles = weight_tiles * tiles.vector_tiles * max(block, results)
    else:
        stripes = tiles.vector_tiles * tiles.stripes
        served = tiles.vector_tiles * max(tiles.stripes * stripe + elementwise, results)
        cycles = served if weight_tiles == 1 else (weight_tiles - 1) * max(served, stripes * source + load) + served
    depth = spec.mesh.rows // tiles.groups + spec.mesh.columns
    return cycles + load + depth * passing, tiles.groups, tiles.stored_bits
