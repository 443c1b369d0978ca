"""Which tiling a product on Bit Fusion gets: the one that the simulator itself finds cheapest of those that are tried
(`tiling.py` says which); most are ruled out by bounds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from simulators.engine.fast import PrefetchState, run_segment
from simulators.engine.machine import COMPUTE
from simulators.engine.program import Ints
from simulators.lowering.segments import LayerWork, lookahead, program_with_lookahead
from simulators.platforms.bitfusion.costs import op_cycles
from simulators.platforms.bitfusion.lower_bounds import cheapest, cheapest_bounded, lower_bounds
from simulators.platforms.bitfusion.lowering import KEYS, as_product, energy_pj, stays, tiled, work_of
from simulators.platforms.bitfusion.machine import MACHINE, PROCESSING
from simulators.platforms.bitfusion.mapping_kernels import Results
from simulators.platforms.bitfusion.spec import BitFusionSpec, Buffers, Corrections
from simulators.platforms.bitfusion.tiling import Product, Tiling, TilingHardware, fixed, promising, resident
from simulators.workloads.operations import VECTOR_BITS, Layer, Matmul, VectorLayer

TRIED = 10
"""How many tilings of least bound are simulated, and how many more that cut the reduction differently; the cheapest is
taken."""

CHOICES = 65_536
"""Products whose tilings are kept, by layer and spec. Without them thirty candidates at mixed bits take
1.05 times as long, and more where bits of results alone differ."""


def tasks_key(spec: BitFusionSpec) -> Hashable:
    """What tasks depend on: not on energies, the clock or the sizes of buffers, which decide on tilings."""
    post = spec.post_processing
    return (
        spec.array, spec.buffers.double_buffered, spec.buffers.partial_sum_bits, spec.channel, post.lanes,
        frozenset(post.cycles_per_op.items()), frozenset(post.pj_per_op), spec.corrections, spec.skips_inactive_inputs,
        spec.skips_pruned_weights,
    )  # fmt: skip


def mapping(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec) -> Tiling:
    """Tile sizes and loop order of a product: the spec's, or those of least energy among the nearly fewest cycles,
    behind another layer of its kind. Results are counted at 16 bits, so that the choice depends on this layer alone.
    """
    if fused is not None:
        work_of(fused, spec)  # names an operation that the hardware lacks, before bounds ask for its cost
    return _mapping(_alone(layer), fused and _alone(fused), spec)


@lru_cache(maxsize=4096)
def _alone(layer: Layer) -> Any:
    """The layer as a mapping sees it, whatever its name and what reads its results."""
    active: dict[str, Any] = {"active": layer.mean_active} if isinstance(layer, Matmul) else {}
    return layer.but(name="mapping", output_bits=VECTOR_BITS, **active)


@lru_cache(maxsize=CHOICES)
def _mapping(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec) -> Tiling:
    if spec.mapping is not None:
        return fixed(TilingHardware.of(spec), as_product(layer))
    shared = _shared(tasks_key(spec))
    tried = shared.tried.get((layer, fused, spec.buffers))
    if tried is None:
        tried = shared.tried[layer, fused, spec.buffers] = _to_try(layer, fused, spec)
    if len(tried.tilings) == 1:
        return tried.tilings[0]
    buffers = spec.buffers if layer.waits_for_itself else None
    timed = shared.timed.setdefault((layer, fused, buffers), {})
    return _Choice(layer, fused, spec, tried, timed).cheapest()


@dataclass(frozen=True)
class _Tried:
    """T tilings of a product, of which the cheapest is taken."""

    tilings: list[Tiling]
    least: tuple[Ints, tuple[LayerWork, ...]] | None
    """See `_least`; None where no bounds are there."""


Trial = tuple[int, tuple[LayerWork, ...]]
"""Cycles of a tiling that was simulated, and what the layers did."""


@dataclass(frozen=True)
class _Choice:
    """A choice among tilings, and the trials that were made of them."""

    layer: Layer
    fused: VectorLayer | None
    spec: BitFusionSpec
    tried: _Tried
    trials: dict[Tiling, Trial]

    def cheapest(self) -> Tiling:
        """The least energy among the nearly fewest cycles."""
        if self.tried.least is None:
            trials = {tiling: self._trial(tiling) for tiling in self.tried.tilings}
            return cheapest({
                tiling: (cycles, self._with_leakage(self._moved_pj(works), cycles))
                for tiling, (cycles, works) in trials.items()
            })  # fmt: skip
        fewest, works = self.tried.least
        # Exact: a trial would come to the same.
        moved_pj = dict(zip(self.tried.tilings, self._moved_pj(works).tolist(), strict=True))

        def cost(tiling: Tiling) -> tuple[float, float]:
            cycles = self._trial(tiling)[0]
            return cycles, self._with_leakage(moved_pj[tiling], cycles)

        bounds = zip(moved_pj.items(), fewest.tolist(), strict=True)
        return cheapest_bounded({t: (cycles, self._with_leakage(pj, cycles)) for (t, pj), cycles in bounds}, cost)

    def _trial(self, tiling: Tiling) -> Trial:
        """Simulate a tiling behind itself."""
        if tiling not in self.trials:
            works = () if self.tried.least is not None else [work_of(layer, self.spec) for layer in self._layers]
            segment = tiled(self.layer, self.fused, works, tiling, self.spec)
            program = program_with_lookahead(segment, MACHINE.prefetch_queue, lookahead(segment))
            own = len(segment.program.repeat)
            first = run_segment(MACHINE, program, own, PrefetchState())
            self.trials[tiling] = run_segment(MACHINE, program, own, first.prefetch).cycles, segment.works
        return self.trials[tiling]

    @cached_property
    def _leakage_mw(self) -> float:
        return self.spec.leakage_mw

    @property
    def _layers(self) -> list[Layer]:
        return [self.layer] if self.fused is None else [self.layer, self.fused]

    def _moved_pj(self, works: Sequence[LayerWork]) -> Any:
        """Energy in pJ of what was moved and computed; of arrays in the works an array."""
        return sum(
            sum(energy_pj(layer, work, self.spec).values()) for layer, work in zip(self._layers, works, strict=True)
        )

    def _with_leakage(self, energy_pj: float, cycles: int) -> float:
        return energy_pj + self._leakage_mw * cycles / self.spec.frequency_mhz * 1e3


def _to_try(layer: Layer, fused: VectorLayer | None, spec: BitFusionSpec) -> _Tried:
    hardware, product = TilingHardware.of(spec), as_product(layer)
    if layer.waits_for_itself:
        product = product.step()
        resides = stays(product, spec)
        return _Tried(resident(hardware, product) if resides else promising(hardware, product, TRIED), None)
    tilings = promising(hardware, product, TRIED)
    whole = isinstance(layer, Matmul) and layer.weight_sparsity is None and not spec.skips_inactive_inputs
    bounded = whole and spec.corrections == Corrections()
    if len(tilings) > 1 and bounded:
        return _Tried(tilings, _least(layer, fused, hardware, product, tilings, spec))
    return _Tried(tilings, None)


def _least(
    layer: Layer, fused: VectorLayer | None, hardware: TilingHardware, product: Product, tilings: Sequence[Tiling],
    spec: BitFusionSpec,
) -> tuple[Ints, tuple[LayerWork, ...]]:  # fmt: skip
    """Cycles that T tilings of independent vectors take at least, with all corrections, (T,), and the layers' work with
    an array of what each tiling moves in place of a number."""
    rows = np.array([(t.outer == "vectors", t.m, t.k, t.n) for t in tilings], np.int64)
    steps, outputs = product.vectors, product.outputs
    results = Results(outputs, layer.output_bits)
    if fused is not None:
        results = Results(
            fused.outputs_per_step, fused.output_bits, fused.inputs_per_step - outputs, fused.activation_bits,
            op_cycles(fused, spec), spec.post_processing.lanes,
        )  # fmt: skip
    bounds = lower_bounds(hardware, product, rows, results)
    sums = outputs * steps * bounds.parts * hardware.buffers.partial_sum_bits
    bits: dict[str, Any] = {
        "dram_read": bounds.weight_bits + bounds.input_bits,
        "weight_buffer_write": bounds.weight_bits,
        "input_buffer_write": bounds.input_bits,
        "input_buffer_read": steps * product.inputs * product.activation_bits * bounds.column_reads,
        "weight_buffer_read": steps * outputs * product.inputs * product.weight_bits,
        "output_buffer_write": sums,
        "output_buffer_read": sums,
    }
    array_cycles: Any = bounds.array_cycles
    work = LayerWork(0, 1.0, COMPUTE, array_cycles, bits)
    if fused is None:
        bits["dram_write"] = bounds.stored_bits
        return bounds.cycles, (work,)
    buffered: Any = bounds.extra_bits + bounds.stored_bits
    behind: dict[str, Any] = {
        "dram_read": fused.vector_words * VECTOR_BITS + bounds.extra_bits,
        "dram_write": bounds.stored_bits,
        "output_buffer_write": buffered,
        "output_buffer_read": buffered,
    }
    return bounds.cycles, (work, LayerWork(0, 1.0, PROCESSING, bits=behind))


@dataclass
class _Shared:
    """What was tried for architectures with equal `tasks_key`: without it variants that differ in buffers or clock take
    twice as long."""

    tried: dict[tuple[Layer, VectorLayer | None, Buffers], _Tried] = field(default_factory=dict)
    """Tilings to try by product, what runs behind it, and buffers."""
    timed: dict[tuple[Layer, VectorLayer | None, Buffers | None], dict[Tiling, Trial]] = field(default_factory=dict)
    """Trials of tilings by product, what runs behind it, and buffers where they matter."""


@lru_cache(maxsize=KEYS)
def _shared(_: Hashable) -> _Shared:
    return _Shared()


def forget_mappings() -> None:
    """Choose anew from now on."""
    _mapping.cache_clear()
    _shared.cache_clear()
