"""What makes sweeps fast changes nothing: compiled sizes of tiles, segments that variants share."""

from typing import Any

import numpy as np
import pytest
import written_tilings
from hypothesis import given
from hypothesis import strategies as st

from simulators import Elementwise, InputError, Matmul, Trace, load_arch, simulate
from simulators.lowering.platform import platform_named
from simulators.platforms.bitfusion.tiling import Product, Window
from simulators.run.parallel_sweep import simulate_on_all
from simulators.run.simulation import Simulator, forget
from simulators.run.trace_batch import TraceBatch


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
@given(product=products(), vectors=st.integers(0, 200))
def test_compiled_bits_of_inputs_are_the_written_ones(product: Product, vectors: int) -> None:
    for inputs in (product.positions, product.inputs):
        assert product.input_bits(vectors, inputs) == written_tilings.input_bits(product, vectors, inputs)
        for last in (False, True):
            read = product.tile_bits(vectors, inputs, last)
            assert read == written_tilings.tile_bits(product, vectors, inputs, last)
            assert read <= product.input_bits(vectors, inputs)


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
        forget()
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
