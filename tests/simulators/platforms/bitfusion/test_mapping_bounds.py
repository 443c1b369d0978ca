"""What makes sweeps fast changes nothing: compiled ranking, bounds of tilings, segments that variants share."""

from typing import Any

import numpy as np
import pytest
import written_tilings
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from simulators import Arch, Elementwise, InputError, Matmul, Trace, load_arch, simulate
from simulators.lowering.platform import platform_named
from simulators.platforms.bitfusion import lowering, mapper, tiling
from simulators.platforms.bitfusion.tiling import Product, TilingHardware, Window
from simulators.run.parallel_sweep import simulate_on_all
from simulators.run.segment_cache import shared_cache
from simulators.run.simulation import Simulator, simulator
from simulators.run.trace_batch import TraceBatch

KEYS = {
    "array.rows": st.integers(1, 40),
    "array.columns": st.integers(1, 70),
    "dram.bits_per_cycle": st.integers(1, 512),
    "buffers.weight_kib": st.sampled_from([1, 2.5, 16, 64]),
    "buffers.input_kib": st.sampled_from([1, 3, 32]),
    "buffers.output_kib": st.sampled_from([1, 4.5, 16]),
    "buffers.double_buffered": st.sampled_from(["true", "false"]),
    "frequency_mhz": st.sampled_from([1, 500]),
}


@st.composite
def hardware(draw: Any) -> Arch:
    try:
        return load_arch("bitfusion", [f"{key}={draw(values)}" for key, values in KEYS.items()])
    except InputError:
        assume(False)
        raise


def ranked(of: TilingHardware, product: Product) -> list[tiling.Tiling]:
    """What is written out, in the order of its bounds; what is read how often is counted where the loops are short."""
    often: dict[tiling.Tiling, tuple[int, int]] = {}
    for t in written_tilings.candidates(of, product, tiling._cuts(product)):
        m, k, n = -(-product.outputs // t.m), -(-product.inputs // t.k), -(-product.vectors // t.n)
        short = tiling.Tiling(t.outer, 1, 1, 1), Product(min(m, 3), min(k, 3), min(n, 3), 8, 8)
        counted = written_tilings.loads(short[1], short[0])
        # A number of loads is 1, or the number of tiles of the other operand's own dimension.
        often[t] = (n if counted[0] > 1 else 1), (m if counted[1] > 1 else 1)
    return sorted(often, key=lambda t: written_tilings.cost(of, product, t, often[t]))


@st.composite
def products(draw: Any) -> Product:
    bits = draw(st.integers(1, 16)), draw(st.integers(1, 16))
    if draw(st.booleans()):
        return Product(*draw(st.tuples(*[st.integers(1, 900)] * 3)), *bits)
    kernel, dilation, stride, output = (draw(st.tuples(st.integers(1, 4), st.integers(1, 4))) for _ in range(4))
    extent = tuple((size - 1) * apart + 1 for size, apart in zip(kernel, dilation, strict=True))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    # The map on which as many windows as there are results fit, and some rows or elements that none reaches.
    size = tuple(
        max(1, (results - 1) * apart + covered - 2 * margin + draw(st.integers(0, apart - 1)))
        for results, apart, covered, margin in zip(output, stride, extent, padding, strict=True)
    )
    channels, images = draw(st.integers(1, 60)), draw(st.integers(1, 3))
    return Product(
        draw(st.integers(1, 90)), channels * kernel[0] * kernel[1], images * output[0] * output[1], *bits,
        Window(kernel, extent, stride, output, padding, size),  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=100)
@given(arch=hardware(), product=products())
def test_the_compiled_ranking_is_the_written_one(arch: Arch, product: Product) -> None:
    of = TilingHardware.of(arch.spec)
    written = ranked(of, product)
    if not written:
        with pytest.raises(InputError, match="too many"):
            tiling.promising(of, product, 10)
        return
    best = {t.k: t for t in reversed(written)}
    others = [t for t in written if best[t.k] is t]
    assert tiling.promising(of, product, 10) == list(dict.fromkeys([*written[:10], *others[:10]]))


@pytest.mark.slow
@given(product=products(), vectors=st.integers(0, 200))
def test_compiled_bits_of_inputs_are_the_written_ones(product: Product, vectors: int) -> None:
    for inputs in (product.positions, product.inputs):
        assert product.input_bits(vectors, inputs) == written_tilings.input_bits(product, vectors, inputs)
        for last in (False, True):
            read = product.tile_bits(vectors, inputs, last)
            assert read == written_tilings.tile_bits(product, vectors, inputs, last)
            assert read <= product.input_bits(vectors, inputs)


def energy_of(layers: list, t: tiling.Tiling, cycles: float, arch: Arch) -> float:
    """In pJ, by the tasks themselves."""
    works = lowering.tasks(layers, t, arch.spec).works
    pairs = zip(layers, works, strict=True)
    moved = sum(sum(lowering.energy_pj(layer, work, arch.spec).values()) for layer, work in pairs)
    return moved + arch.spec.leakage_mw * cycles / arch.frequency_mhz * 1e3


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    arch=hardware(), sizes=st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 60)),
    bits=st.tuples(*[st.sampled_from([2, 4, 8, 16])] * 2), behind=st.booleans(), parameters=st.integers(0, 99),
)  # fmt: skip
def test_bounds_lie_below_and_the_choice_is_the_same(
    arch: Arch, sizes: tuple, bits: tuple, behind: bool, parameters: int
) -> None:
    m, k, n = sizes
    layer = Matmul(
        name="M", out_features=m, in_features=k, steps=n, weight_bits=bits[0], activation_bits=bits[1], output_bits=16
    )
    fused = Elementwise(name="E", ops={"add": 3 * m}, inputs=m + 5, outputs=m, steps=n, vector_parameters=parameters)
    layers = [layer, fused] if behind else [layer]
    original = mapper.cheapest_bounded

    def check(bounds: Any, cost: Any) -> Any:
        costs = {t: cost(t) for t in bounds}
        for t, (cycles, energy) in bounds.items():
            assert cycles <= costs[t][0]
            assert energy <= costs[t][1]
            assert costs[t][1] == pytest.approx(energy_of(layers, t, costs[t][0], arch), rel=1e-12)
        chosen = original(bounds, cost)
        assert chosen == mapper.cheapest(costs)
        return chosen

    mapper.forget_mappings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapper, "cheapest_bounded", check)
        try:
            mapper.mapping(layer, fused if behind else None, arch.spec)
        except InputError:
            return  # a buffer does not hold the smallest tile
    mapper.forget_mappings()


def drawn_candidates() -> TraceBatch:
    pairs = load_arch("bitfusion").precisions
    draw = np.random.default_rng(5).integers
    traces = []
    for _ in range(6):
        layers: list = []
        for i, (m, k) in enumerate(((70, 20), (24, 70), (40, 24))):
            w, a = pairs[draw(len(pairs))]
            layers.append(
                Matmul(
                    name=f"M{i}",
                    out_features=m,
                    in_features=k,
                    steps=9,
                    recurrent=i == 2,
                    weight_bits=w,
                    activation_bits=a,
                    output_bits=16,
                )
            )
            if i == 0:
                layers.append(Elementwise(name="E", ops={"tanh": 70}, inputs=70, outputs=70, steps=9))
        traces.append(Trace(name="t", steps=9, layers=tuple(layers)))
    return TraceBatch(traces)


CHANGES = [
    [f"array.rows={rows}", f"buffers.weight_kib={kib}", f"frequency_mhz={mhz}", f"dram.pj_per_bit={pj}"]
    for rows in (4, 8) for kib in (0.25, 8) for mhz in (100, 500) for pj in (1, 15)
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_variants_that_share_have_the_figures_of_each_alone(workers: int) -> None:
    candidates = drawn_candidates()
    archs = [load_arch("bitfusion", [*changes, *free]) for changes in CHANGES] + [load_arch("silago")]
    found = dict(simulate_on_all(candidates, archs, workers))
    assert len({platform_named(arch.platform).tasks_key(arch.spec) for arch in archs}) == 3
    for i, arch in enumerate(archs):
        simulator.cache_clear()
        shared_cache.cache_clear()
        for row, trace in enumerate(candidates.traces):
            if found[i].reason[row] >= 0:
                with pytest.raises(InputError):
                    simulate(trace, arch)
                continue
            report = simulate(trace, arch)
            assert (found[i].cycles[row], found[i].energy_uj[row]) == (report.cycles, report.energy_uj)
            alone = Simulator(arch, alone=True)
            passages = alone.cache.run(alone.segments(trace.layers))
            assert sum(passage.cycles for passage in passages) == report.cycles
    assert (found[len(CHANGES)].reason >= 0).any()  # SiLago has not all pairs


free = [
    "energy.weight_buffer_pj_per_bit={read: 0.02, write: 0.03}", "energy.input_buffer_pj_per_bit={read: 0.06, write: 0.1}",
    "energy.output_buffer_pj_per_bit={read: 0.03, write: 0.07}", "energy.sram_leakage_mw=200",
]  # fmt: skip
