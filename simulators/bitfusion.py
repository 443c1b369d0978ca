"""Bit Fusion: how a trace's layers become tasks on a DRAM channel, a systolic array and post-processing units.

A product and the elementwise layer that takes its results step by step make one segment. Tile sizes and loop order are
those that the simulator itself finds cheapest (`tiling.py` says which are tried); weights of the next layer are
prefetched into a free half of their buffer while the current one computes. A convolution is a matrix product a group:
the positions of its kernel one after the other, as in the released simulator, so few channels leave lanes idle, unless
its inputs lie expanded in memory. Not modelled: bank conflicts, DRAM rows and refresh, the control processor.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from simulators.bitfusion_machine import (
    INPUTS,
    LOAD_INPUTS,
    LOAD_WEIGHTS,
    MACHINE,
    OUTPUTS,
    PROCESS,
    PROCESSING,
    STORE,
    WEIGHTS,
)
from simulators.bitfusion_products import TiledProduct, op_cycles
from simulators.bitfusion_spec import BitFusionSpec, Buffers, Corrections
from simulators.engine import Ahead, run_segment
from simulators.errors import InputError
from simulators.lowering import Platform, Shared
from simulators.machine import COMPUTE, Ints
from simulators.segment_builder import SegmentBuilder
from simulators.segments import EVERYTHING_BEFORE, Label, LayerWork, Run, Segment, Step, lookahead, with_lookahead
from simulators.tiling import (
    Hardware,
    Product,
    Tiling,
    Window,
    check_recurrent,
    fixed,
    precision,
    promising,
    resident,
)
from simulators.tiling_bounds import Results, cheapest, cheapest_bounded, least
from simulators.trace import VECTOR_BITS, AnyLayer, Conv2d, Elementwise, Matmul

KEYS = 16
"""For how many keys (see `key`) and specs what was found is kept."""

TRIED = 10
"""How many tilings of least bound are simulated, and how many more that cut the reduction differently; the cheapest is
taken."""


def group(layers: Sequence[AnyLayer]) -> list[int]:
    """An elementwise layer runs behind the product before it if it takes that one's results, step by step; what else it
    reads comes from DRAM."""
    lengths: list[int] = []
    i = 0
    while i < len(layers):
        layer, following = layers[i], layers[i + 1] if i + 1 < len(layers) else None
        fused = (
            isinstance(layer, Matmul)
            and isinstance(following, Elementwise)
            and layer.steps == following.steps
            and following.inputs >= layer.out_features
        )
        lengths.append(2 if fused else 1)
        i += lengths[-1]
    return lengths


@lru_cache(maxsize=KEYS)
def key(spec: BitFusionSpec) -> Hashable:
    """What tasks depend on: not on energies, the clock or the sizes of buffers, which decide on tilings."""
    post = spec.post_processing
    return (
        spec.array, spec.buffers.double_buffered, spec.buffers.partial_sum_bits, spec.dram.bits_per_cycle, post.lanes,
        frozenset(post.cycles_per_op.items()), frozenset(post.pj_per_op), spec.corrections, spec.skips_inactive_inputs,
    )  # fmt: skip


def choice(layers: Sequence[AnyLayer], _: int, spec: BitFusionSpec) -> tuple[Tiling | None, Buffers | None]:
    """A product's tiling; and the buffers, where their sizes decide on more than that."""
    match layers:
        case [Elementwise()]:
            return None, spec.buffers
        case [Matmul() | Conv2d() as layer]:
            tiling = mapping(layer, None, spec)
        case [Matmul() as layer, Elementwise() as fused]:
            tiling = mapping(layer, fused, spec)
        case _:
            raise ValueError(f"{len(layers)} layers are no segment")
    return tiling, spec.buffers if isinstance(layer, Matmul) and layer.recurrent else None


def tasks(layers: Sequence[AnyLayer], chosen: tuple[Tiling | None, Buffers | None], spec: BitFusionSpec) -> Segment:
    """The tasks of a layer, or of a product and the elementwise layer behind it. Raises InputError for what does not
    fit a buffer or cannot be expressed."""
    works = [_work(layer, spec) for layer in layers]
    match layers:
        case [Elementwise() as layer]:
            return _elementwise(layer, works, spec)
        case [Matmul() | Conv2d() as layer, *behind]:
            fused = behind[0] if behind else None
            assert chosen[0] is not None
            assert fused is None or isinstance(fused, Elementwise)
            return _tiled(layer, fused, works, chosen[0], spec)
    raise ValueError(f"{len(layers)} layers are no segment")


def segment(layers: Sequence[AnyLayer], placed: int, spec: BitFusionSpec) -> Segment:
    """`tasks` with the mapping of least cost, and energies."""
    made = tasks(layers, choice(layers, placed, spec), spec)
    for work, energy in zip(made.works, energies_pj(layers, made.works, spec), strict=True):
        work.energy_pj |= energy
    return made


def mapping(layer: Matmul | Conv2d, fused: Elementwise | None, spec: BitFusionSpec) -> Tiling:
    """Tile sizes and loop order of a product: the spec's, or those of least energy among the nearly fewest cycles,
    behind another layer of its kind. Results are counted at 16 bits, so that the choice depends on this layer alone.
    """
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
            tiled = _tiled(layer, fused, [_work(x, spec) for x in layers], tiling, spec)
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
    energy_pj = dict(zip(tried.tilings, moved_pj(works).tolist(), strict=True))  # a trial finds the same

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
    stays = recurrent and _stays(product, spec)
    tilings = resident(hardware, product) if stays else promising(hardware, product, TRIED)
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


def mappings(layers: Sequence[AnyLayer], spec: BitFusionSpec) -> list[tuple[str, Tiling]]:
    """The tiling of every product of a network, by the layer's name."""
    found, i = [], 0
    for length in group(layers):
        match layers[i : i + length]:
            case [Matmul() | Conv2d() as layer]:
                found.append((layer.name, mapping(layer, None, spec)))
            case [Matmul() as layer, Elementwise() as fused]:
                found.append((layer.name, mapping(layer, fused, spec)))
        i += length
    return found


def forget_mappings() -> None:
    """Choose anew from now on."""
    _mapping.cache_clear()
    _known.cache_clear()


def _stays(product: Product, spec: BitFusionSpec) -> bool:
    """Whether the whole weight buffer holds a product's weights."""
    return product.outputs * product.inputs * product.weight_bits <= spec.buffers.weight_kib * 8192


def _tiled(
    layer: Matmul | Conv2d, fused: Elementwise | None, works: Sequence[LayerWork], tiling: Tiling, spec: BitFusionSpec
) -> Segment:
    """A product, and the elementwise layer behind it if any, with that tiling."""
    product, recurrent = as_product(layer, spec)
    hardware = Hardware.of(spec)
    sparse = layer if spec.skips_inactive_inputs and isinstance(layer, Matmul) else None
    if not recurrent:
        active = sparse.mean_active if sparse else 1.0
        tiled = TiledProduct(spec, hardware, product, tiling, layer.output_bits, fused, active)
        return _counted(tiled.segment(tuple(works), layer.groups if isinstance(layer, Conv2d) else 1))
    step = Product(product.outputs, product.inputs, 1, product.weight_bits, product.activation_bits)
    check_recurrent(hardware, step)
    builder = SegmentBuilder(MACHINE, works)
    transmitted = sparse.transmitted() if sparse else [(product.vectors, product.inputs)]
    tiled = TiledProduct(spec, hardware, step, tiling, layer.output_bits, fused)
    tiled.emit_recurrent(builder, transmitted, _stays(step, spec))
    return _counted(builder.segment())


def as_product(layer: Matmul | Conv2d, spec: BitFusionSpec) -> tuple[Product, bool]:
    """The matrix product of a layer, or of one group of a convolution, and whether its vectors wait for each other."""
    if isinstance(layer, Conv2d):
        height, width = layer.output_size
        inputs = layer.in_channels // layer.groups * layer.kernel[0] * layer.kernel[1]
        shape = (layer.out_channels // layer.groups, inputs, layer.steps * height * width)
        window = None if layer.expanded else Window(layer.kernel, layer.stride, layer.output_size)
        return Product(*shape, layer.weight_bits, layer.activation_bits, window), False
    return Product(
        layer.out_features, layer.in_features, layer.steps, layer.weight_bits, layer.activation_bits
    ), layer.recurrent


def _elementwise(layer: Elementwise, works: Sequence[LayerWork], spec: BitFusionSpec) -> Segment:
    """Elementwise work whose inputs lie in DRAM: in chunks that fill half of the output buffer."""
    builder = SegmentBuilder(MACHINE, works)
    if layer.vector_parameters:  # biases and recurrent vectors, once
        bits = layer.vector_parameters * VECTOR_BITS
        moved = ((0, "dram_read", bits),)
        vectors = Step(("vectors",), LOAD_WEIGHTS, _transfer(spec, bits), WEIGHTS, (EVERYTHING_BEFORE,), moved)
        builder.emit(1, [(1, [vectors])])
    capacity = Hardware.of(spec).capacity_bits(spec.buffers.output_kib)
    widest = max(layer.inputs * layer.activation_bits, layer.outputs * layer.output_bits) * layer.steps
    chunks = max(1, ceil(widest / capacity))
    depth = 2 if spec.buffers.double_buffered else 1

    def chunk(last: bool) -> list[Run]:
        """One chunk: equal shares, and what is left over in the last."""

        def part(total: int) -> int:
            return total // chunks + (total % chunks if last else 0)

        read = part(layer.inputs * layer.steps * layer.activation_bits)
        written = part(layer.outputs * layer.steps * layer.output_bits)
        busy = max(1, ceil(part(op_cycles(layer, spec) * layer.steps) / spec.post_processing.lanes))
        free: tuple[Label, ...] = (("outputs free", depth), EVERYTHING_BEFORE)
        loaded = ((0, "dram_read", read), (0, "output_buffer_write", read), (0, "output_buffer_read", read))
        stored = ((0, "dram_write", written), (0, "output_buffer_write", written), (0, "output_buffer_read", written))
        return [(1, [
            Step(("inputs",), LOAD_INPUTS, _transfer(spec, read), INPUTS, free, loaded),
            Step(("process",), PROCESS, busy, PROCESSING, (("inputs", 1), ("vectors", 1)), ((0, "busy_cycles", busy),)),
            Step(("store", "outputs free"), STORE, _transfer(spec, written), OUTPUTS, (("process", 1),), stored),
        ])]  # fmt: skip

    builder.emit(chunks, chunk(False), chunk(True) if chunks > 1 else None)
    return _counted(builder.segment())


def _transfer(spec: BitFusionSpec, bits: int) -> int:
    return max(1, -(-bits // spec.dram.bits_per_cycle))


def _work(layer: AnyLayer, spec: BitFusionSpec) -> LayerWork:
    """Raises InputError for an operation that the post-processing units do not have."""
    if isinstance(layer, Elementwise):
        post = spec.post_processing
        for op in layer.ops:
            for key, table in (("cycles_per_op", post.cycles_per_op), ("pj_per_op", post.pj_per_op)):
                if op not in table:
                    raise InputError(
                        f"layer {layer.name}: ops.{op}: the architecture's post_processing.{key} has no figure for it"
                    )
        return LayerWork(layer.ops_total, post.lanes, PROCESSING)
    fused = precision(layer.weight_bits, layer.activation_bits, spec.array.unit_operand_bits)
    peak = spec.array.rows * spec.array.columns * fused.products / fused.passes
    return LayerWork(layer.macs, peak, COMPUTE)


def leakage_mw(spec: BitFusionSpec) -> float:
    """Of SRAM and core."""
    return spec.leakage_mw


def _counted(segment: Segment) -> Segment:
    """The same; busy cycles were counted as traffic is."""
    for work in segment.works:
        work.busy_cycles = work.bits.pop("busy_cycles")
    return segment


@lru_cache(maxsize=KEYS)
def _buffer_energy(spec: BitFusionSpec) -> list[tuple[str, str, str, float, float]]:
    """By buffer: its name, how its traffic is called, and pJ a bit read and written."""
    names = ("input_buffer", "weight_buffer", "output_buffer")
    figures = [spec.buffer_energy(name) for name in names]
    return [(n, f"{n}_read", f"{n}_write", f.read, f.write) for n, f in zip(names, figures, strict=True)]


def energies_pj(layers: Sequence[AnyLayer], works: Sequence[LayerWork], spec: BitFusionSpec) -> list[dict[str, float]]:
    """Energy of what was moved and computed, by layer and component."""
    unit_pj, post_pj, dram_pj = spec.energy.unit_pj_per_cycle, spec.post_processing.pj_per_op, spec.dram.pj_per_bit
    buffers, found = _buffer_energy(spec), []
    for layer, work in zip(layers, works, strict=True):
        bits = work.bits
        if isinstance(layer, Elementwise):
            per_step = sum(count * post_pj[op] for op, count in layer.ops.items())
            energy = {"post_processing": per_step * layer.steps}
        else:
            energy = {"array": work.busy_cycles * unit_pj * spec.array.rows * spec.array.columns}
        energy["dram"] = (bits.get("dram_read", 0) + bits.get("dram_write", 0)) * dram_pj
        for name, read, write, read_pj, write_pj in buffers:
            energy[name] = bits.get(read, 0) * read_pj + bits.get(write, 0) * write_pj
        found.append(energy)
    return found


def bits_per_cycle(spec: BitFusionSpec) -> dict[str, int]:
    """Of the memory behind the buffers."""
    return {"dram": spec.dram.bits_per_cycle}


PLATFORM = Platform(MACHINE, group, None, segment, leakage_mw, bits_per_cycle, Shared(key, choice, tasks, energies_pj))
