"""Which tiling a product on Bit Fusion gets: the one that the simulator itself finds cheapest of those that are tried
(`tiling.py` says which); most are ruled out by bounds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from simulators.engine.fast import Ahead, run_segment
from simulators.engine.machine import COMPUTE, Ints
from simulators.lowering.segments import LayerWork, lookahead, with_lookahead
from simulators.platforms.bitfusion.costs import op_cycles
from simulators.platforms.bitfusion.lower_bounds import Results, cheapest, cheapest_bounded, least
from simulators.platforms.bitfusion.lowering import (
    KEYS,
    as_product,
    energies_pj,
    leakage_mw,
    stays,
    tasks,
    timed,
    work_of,
)
from simulators.platforms.bitfusion.machine import MACHINE, PROCESSING
from simulators.platforms.bitfusion.spec import BitFusionSpec, Buffers, Corrections
from simulators.platforms.bitfusion.tiling import Hardware, Product, Tiling, fixed, promising, resident
from simulators.workloads.trace import VECTOR_BITS, AnyLayer, Conv2d, Elementwise, Matmul

TRIED = 10
"""How many tilings of least bound are simulated, and how many more that cut the reduction differently; the cheapest is
taken."""


@lru_cache(maxsize=KEYS)
def key(spec: BitFusionSpec) -> Hashable:
    """What tasks depend on: not on energies, the clock or the sizes of buffers, which decide on tilings."""
    post = spec.post_processing
    return (
        spec.array, spec.buffers.double_buffered, spec.buffers.partial_sum_bits, spec.dram.bits_per_cycle, post.lanes,
        frozenset(post.cycles_per_op.items()), frozenset(post.pj_per_op), spec.corrections, spec.skips_inactive_inputs,
    )  # fmt: skip


def mapping(layer: Matmul | Conv2d, fused: Elementwise | None, spec: BitFusionSpec) -> Tiling:
    """Tile sizes and loop order of a product: the spec's, or those of least energy among the nearly fewest cycles,
    behind another layer of its kind. Results are counted at 16 bits, so that the choice depends on this layer alone.
    """
    if fused is not None:
        work_of(fused, spec)  # names an operation that the hardware lacks, before bounds ask for its cost
    return _mapping(_alone(layer), fused and _alone(fused), spec)


@lru_cache(maxsize=4096)
def _alone(layer: AnyLayer) -> Any:
    """The layer as a mapping sees it, whatever its name and what reads its results."""
    active: dict[str, Any] = {"active": layer.mean_active} if isinstance(layer, Matmul) else {}
    return layer.but(name="mapping", output_bits=VECTOR_BITS, **active)


@lru_cache(maxsize=65_536)
def _mapping(layer: Matmul | Conv2d, fused: Elementwise | None, spec: BitFusionSpec) -> Tiling:
    hardware = Hardware.of(spec)
    product, recurrent = as_product(layer, spec)
    if spec.mapping is not None:
        return fixed(hardware, product)
    known = _known(key(spec))
    tried = known.tried.get((layer, fused, spec.buffers))
    if tried is None:
        tried = known.tried[layer, fused, spec.buffers] = _to_try(layer, fused, spec)
    if len(tried.tilings) == 1:
        return tried.tilings[0]
    layers: list[AnyLayer] = [layer] if fused is None else [layer, fused]
    trials = known.trials.setdefault((layer, fused, spec.buffers if recurrent else None), {})
    leakage = leakage_mw(spec)

    def trial(tiling: Tiling) -> tuple[int, tuple[LayerWork, ...]]:
        if tiling not in trials:
            if tried.least is None:
                tiled = tasks(layers, tiling, spec)
            else:
                assert isinstance(layer, Matmul)
                tiled = timed(layer, fused, tiling, spec)
            program = with_lookahead(tiled, MACHINE.ahead, lookahead(tiled))
            own = len(tiled.program.repeat)
            passage = run_segment(MACHINE, program, own, run_segment(MACHINE, program, own, Ahead()).ahead)
            trials[tiling] = passage.cycles, tiled.works
        return trials[tiling]

    def with_leakage(energy_pj: float, cycles: int) -> float:
        return energy_pj + leakage * cycles / spec.frequency_mhz * 1e3

    def moved_pj(works: Sequence[LayerWork]) -> Any:
        return sum(sum(of_layer.values()) for of_layer in energies_pj(layers, works, spec))

    if tried.least is None:
        found = {tiling: trial(tiling) for tiling in tried.tilings}
        return cheapest({t: (cycles, with_leakage(moved_pj(works), cycles)) for t, (cycles, works) in found.items()})
    fewest, works = tried.least
    energy_pj = dict(zip(tried.tilings, moved_pj(works).tolist(), strict=True))  # exact: a trial would find the same

    def cost(tiling: Tiling) -> tuple[float, float]:
        cycles = trial(tiling)[0]
        return cycles, with_leakage(energy_pj[tiling], cycles)

    pairs = zip(energy_pj.items(), fewest.tolist(), strict=True)
    return cheapest_bounded({t: (cycles, with_leakage(pj, cycles)) for (t, pj), cycles in pairs}, cost)


@dataclass(frozen=True)
class _Tried:
    """T tilings of a product, of which the cheapest is taken."""

    tilings: list[Tiling]
    least: tuple[Ints, tuple[LayerWork, ...]] | None
    """See `_least`; None where no bounds are known."""


def _to_try(layer: Matmul | Conv2d, fused: Elementwise | None, spec: BitFusionSpec) -> _Tried:
    hardware = Hardware.of(spec)
    product, recurrent = as_product(layer, spec)
    if recurrent:
        product = Product(product.outputs, product.inputs, 1, product.weight_bits, product.activation_bits)
    resides = recurrent and stays(product, spec)
    tilings = resident(hardware, product) if resides else promising(hardware, product, TRIED)
    bounded = not recurrent and not spec.skips_inactive_inputs and spec.corrections == Corrections()
    if len(tilings) > 1 and bounded and isinstance(layer, Matmul):
        return _Tried(tilings, _least(layer, fused, hardware, product, tilings, spec))
    return _Tried(tilings, None)


def _least(
    layer: Matmul, fused: Elementwise | None, hardware: Hardware, product: Product, tilings: Sequence[Tiling],
    spec: BitFusionSpec,
) -> tuple[Ints, tuple[LayerWork, ...]]:  # fmt: skip
    """Cycles that T tilings of independent vectors take at least, with all corrections, (T,), and the layers' work with
    an array of what each tiling moves in place of a number."""
    rows = np.array([(t.outer == "vectors", t.m, t.k, t.n) for t in tilings], np.int64)
    steps, outputs = product.vectors, product.outputs
    results = Results(outputs, layer.output_bits)
    if fused is not None:
        results = Results(
            fused.outputs, fused.output_bits, fused.inputs - outputs, fused.activation_bits, op_cycles(fused, spec),
            spec.post_processing.lanes,
        )  # fmt: skip
    found = least(hardware, product, rows, results)
    sums = outputs * steps * found.parts * hardware.buffers.partial_sum_bits
    bits: dict[str, Any] = {
        "dram_read": found.weight_bits + found.input_bits,
        "weight_buffer_write": found.weight_bits,
        "input_buffer_write": found.input_bits,
        "input_buffer_read": steps * product.inputs * product.activation_bits * found.column_reads,
        "weight_buffer_read": steps * outputs * product.inputs * product.weight_bits,
        "output_buffer_write": sums,
        "output_buffer_read": sums,
    }
    array_cycles: Any = found.array_cycles
    work = LayerWork(0, 1.0, COMPUTE, array_cycles, bits)
    if fused is None:
        bits["dram_write"] = found.stored_bits
        return found.cycles, (work,)
    buffered: Any = found.extra_bits + found.stored_bits
    behind: dict[str, Any] = {
        "dram_read": fused.vector_parameters * VECTOR_BITS + found.extra_bits,
        "dram_write": found.stored_bits,
        "output_buffer_write": buffered,
        "output_buffer_read": buffered,
    }
    return found.cycles, (work, LayerWork(0, 1.0, PROCESSING, bits=behind))


@dataclass
class _Known:
    """What was found for architectures with the same key."""

    tried: dict[tuple[Matmul | Conv2d, Elementwise | None, Buffers], _Tried] = field(default_factory=dict)
    """By product, what runs behind it, and buffers."""
    trials: dict[
        tuple[Matmul | Conv2d, Elementwise | None, Buffers | None], dict[Tiling, tuple[int, tuple[LayerWork, ...]]]
    ] = field(default_factory=dict)
    """The same, and buffers where they matter → tiling → cycles, and the layers' work."""


@lru_cache(maxsize=KEYS)
def _known(_: Hashable) -> _Known:
    return _Known()


def forget_mappings() -> None:
    """Choose anew from now on."""
    _mapping.cache_clear()
    _known.cache_clear()
