"""Which tilings a product on Bit Fusion may get: those that take least among products of their own kind, timed tile by
tile as the engine does it (`mapping_kernels.py`), and others that its neighbours in a network may suit better."""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from simulators.inputs.errors import InputError
from simulators.lowering.platform import ALONE, INNER, NEARLY, WORTH_OF_ENERGY, Choices
from simulators.platforms.bitfusion import mapping_kernels as kernels
from simulators.platforms.bitfusion.costs import RESIDENT_LOADS, op_cycles
from simulators.platforms.bitfusion.lowering import KEYS, as_product, stays, work_of
from simulators.platforms.bitfusion.mapping_kernels import Floats, Ints, Order, Picojoules, Results, Shape
from simulators.platforms.bitfusion.spec import BitFusionSpec
from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware, fixed, promising, resident
from simulators.workloads.operations import VECTOR_BITS, ActivationMatmul, Layer, Matmul, VectorLayer

CHOICES = 65_536
"""Products whose tilings are kept."""

RESULT_BITS = 16
"""Width of results with which tilings are ranked and tried briefly, once for all widths."""

BRIEFLY, THOROUGHLY, EXACTLY = 48, 160, 8192
"""Tiles that a trial runs one by one: of all tilings, of the fastest by that, and of the best of these."""
FINALISTS = 3
"""How many of the fastest are timed thoroughly, between others and alone each."""
CLOSE = 0.03
"""A trial of few tiles may be off by so much: of all that may be as fast as the fastest, the one that is worth most is
timed exactly, in each position, ..."""
ROUNDS = 2
"""... and so often, where that has shown another one to be the best."""

ALTERNATIVES = 5
"""Tilings of a product that a network may choose from, at most, besides the best of each position."""
DISTINCT = (0.98, 0.7)
"""They move at most so much, or load at most so much at a time, of what any faster one does."""
SLOWER = 0.3
"""They take at most so much more than the fastest."""


def tasks_key(spec: BitFusionSpec) -> Hashable:
    """What tasks depend on: not on energies, the clock or the sizes of buffers, which decide on tilings."""
    post = spec.post_processing
    return (
        spec.array, spec.buffers.double_buffered, spec.buffers.partial_sum_bits, spec.channel, post.lanes,
        frozenset(post.cycles_per_op.items()), frozenset(post.pj_per_op), spec.corrections, spec.skips_inactive_inputs,
        spec.skips_pruned_weights,
    )  # fmt: skip


def choices_key(spec: BitFusionSpec) -> Hashable:
    """What tilings and energies depend on: not on the clock, but as DRAM's rate follows from it, nor on areas."""
    return spec.model_dump_json(exclude={"frequency_mhz", "dram", "area"}), spec.dram.pj_per_bit, spec.channel


def tilings(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec) -> Choices:
    """Tile sizes and loop orders that a product may get: the spec's; or those that are best where a network begins,
    within, and where it ends, and others that may win among other neighbours. Raises InputError that names the layer
    where none fits."""
    if fused is not None:
        work_of(fused, spec)  # names an operation that the hardware lacks, before its cost is asked for
    try:
        return _tilings(_alone(layer), fused and _alone(fused), spec)
    except InputError as error:
        raise InputError(f"layer {layer.name}: {error}") from None


@lru_cache(maxsize=4096)
def _alone(layer: Layer) -> Any:
    """The layer as a mapping sees it, whatever its name."""
    active: dict[str, Any] = {"active": layer.mean_active} if isinstance(layer, Matmul) else {}
    return layer.but(name="mapping", **active)


@lru_cache(maxsize=CHOICES)
def _tilings(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec) -> Choices:
    hardware, product = TilingHardware.of(spec), as_product(layer)
    if spec.mapping is not None:
        return Choices((fixed(hardware, product),))
    order = _order(layer, fused, spec, product)
    if order.steps:
        product = product.step()
    shape = product.on(hardware, spec.skips_pruned_weights)
    return _choices(_Searched(hardware, product, shape, _results(layer, fused, spec), order, _picojoules(spec)))


class _Searched(NamedTuple):
    """All that a product's tilings depend on: other clocks, for one, have the same."""

    hardware: TilingHardware
    product: Product
    shape: Shape
    """The product as its kernels take it."""
    results: Results
    order: Order
    energy: Picojoules

    def timed(self, tilings: Ints, most: int) -> tuple[Floats, Floats]:
        """Cycles (T, 4) and costs (T, 2) of tilings, see `kernels.time_tilings`."""
        cycles, costs = np.empty((len(tilings), 4)), np.empty((len(tilings), 2))
        kernels.time_tilings(
            self.hardware.limits, self.shape, self.results, self.order, self.energy, most, most == BRIEFLY, tilings,
            cycles, costs,
        )  # fmt: skip
        return cycles, costs

    def tiles(self, tilings: Ints) -> Ints:
        """How many tiles each of (T, 4) tilings has, (T,), of all products or steps."""
        shape, order = self.shape, self.order
        _, m, k, n = tilings.T
        vectors = order.steps if order.steps else order.groups * -(-shape.vectors // n)
        count: Ints = vectors * -(-shape.outputs // m) * -(-shape.inputs // k)
        return count


@lru_cache(maxsize=CHOICES)
def _choices(searched: _Searched) -> Choices:
    """What a network may take from: of the finalists, timed at their own width of results."""
    tried = _finalists(searched._replace(results=searched.results._replace(bits=RESULT_BITS)))
    cycles, costs = searched.timed(tried, THOROUGHLY)
    exact = searched.tiles(tried) <= THOROUGHLY  # every tile has been run
    for _ in range(ROUNDS):
        perhaps = np.where(exact[:, np.newaxis], cycles, cycles * (1 - CLOSE))
        contenders = np.unique(_best(perhaps, cycles, costs))
        contenders = contenders[~exact[contenders]]
        if not len(contenders):
            break
        cycles[contenders] = searched.timed(tried[contenders], EXACTLY)[0]
        exact[contenders] = True
    return _worthwhile(tried, cycles, costs)


@lru_cache(maxsize=CHOICES)
def _finalists(searched: _Searched) -> Ints:
    """Tilings (T, 4) that are worth to be timed thoroughly."""
    hardware, product, shape, results, order, energy = searched
    if order.resident_loads:
        tried = resident(hardware, product)
    else:
        tried = promising(hardware, product, shape, results, order, energy)
    cycles, costs = searched.timed(tried, BRIEFLY)
    fastest = [np.argsort(cycles[:, at], kind="stable")[:FINALISTS] for at in (INNER, ALONE)]
    near = cycles <= cycles.min(axis=0) * (1 + CLOSE)
    # Of nearly as few cycles there may be dozens, of which those above and below are few: the least energy is one more.
    saving = np.where(near, _weighed(cycles, costs), np.inf).argmin(axis=0)[[INNER, ALONE]]
    return tried[list(dict.fromkeys(np.concatenate([*fastest, saving, _front(cycles[:, INNER], costs)]).tolist()))]


def _best(perhaps: Floats, cycles: Floats, costs: Floats) -> Ints:
    """The tiling of T in each position, (4,), that is worth most of those that are, or may be, about as fast as the
    fastest; cycles and what they may be at least are (T, 4), costs (T, 2)."""
    near = perhaps <= cycles.min(axis=0) * (1 + NEARLY)
    best: Ints = np.where(near, _weighed(cycles, costs), np.inf).argmin(axis=0)
    return best


def _weighed(cycles: Floats, costs: Floats) -> Floats:
    """Cycles and energy of T tilings as one, in each position, (T, 4)."""
    weighed: Floats = cycles * costs[:, :1] ** WORTH_OF_ENERGY
    return weighed


def _worthwhile(tried: Ints, cycles: Floats, costs: Floats) -> Choices:
    """The best of T tilings (T, 4) in each position, and what may win among other neighbours; cycles (T, 4) and costs
    (T, 2) are those of `kernels.time_tilings`."""
    best = _best(cycles, cycles, costs).tolist()
    kept = list(dict.fromkeys([*best, *_front(cycles[:, INNER], costs)]))
    chosen = tuple(Tiling("vectors" if outer else "outputs", m, k, n) for outer, m, k, n in tried[kept].tolist())
    first, inner, last, alone = map(kept.index, best)
    undisturbed = None if len(kept) == 1 else tuple((a, b, c, d) for a, b, c, d in cycles[kept].tolist())
    return Choices(chosen, (first, inner, last, alone), undisturbed)


def _front(cycles: Floats, costs: Floats) -> list[int]:
    """Tilings of up to `SLOWER` more cycles than the fastest that move less, or load less weights at a time, than all
    that are faster: a load that has begun is in the way of what the product before still has to store."""
    rows: list[int] = []
    least = np.full(2, np.inf)
    for t in np.lexsort((*costs.T, cycles)).tolist():
        if cycles[t] > cycles.min() * (1 + SLOWER) or len(rows) == ALTERNATIVES:
            break
        if (costs[t] < least * DISTINCT).any():
            least = np.minimum(least, costs[t])
            rows.append(t)
    return rows


def _order(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec, product: Product) -> Order:
    gemm = layer.as_gemm()
    assert gemm is not None
    active = layer.mean_active if spec.skips_inactive_inputs and isinstance(layer, Matmul) else 1.0
    computed = isinstance(layer, ActivationMatmul)
    waits = layer.waits_for_itself
    loads = RESIDENT_LOADS if waits and stays(product.step(), spec) else 0
    return Order(
        not spec.corrections.skip_first_preload, fused is not None, computed, 1 if waits else gemm.products,
        gemm.n if waits else 0, loads, active,
    )  # fmt: skip


def _results(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec) -> Results:
    values = layer.outputs_total().elements // layer.steps
    if fused is None:
        return Results(values, values, layer.output_bits)
    return Results(
        values, fused.outputs_per_step, fused.output_bits, max(fused.inputs_per_step - values, 0),
        fused.activation_bits, op_cycles(fused, spec), spec.post_processing.lanes, fused.vector_words * VECTOR_BITS,
    )  # fmt: skip


@lru_cache(maxsize=KEYS)
def _picojoules(spec: BitFusionSpec) -> Picojoules:
    inputs, weights, sums = (spec.buffer_energy(f"{name}_buffer") for name in ("input", "weight", "output"))
    units = spec.array.rows * spec.array.columns
    return Picojoules(
        spec.dram.pj_per_bit, weights.write, weights.read, inputs.write, inputs.read, sums.write, sums.read,
        spec.energy.unit_pj_per_cycle * units,
    )  # fmt: skip


def forget_mappings() -> None:
    """Choose anew from now on."""
    _tilings.cache_clear()
    _choices.cache_clear()
    _finalists.cache_clear()
