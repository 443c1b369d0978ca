"""More hardware does not slow a fixed mapping down, beyond the anomalies that docs/machine-model.md names."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators import Elementwise, InputError, Matmul, Report, Trace, load_arch, simulate
from simulators.platforms.bitfusion.spec import BitFusionSpec

MANY = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def networks(draw: st.DrawFn, widths: tuple[int, ...] = (2, 4, 8, 16)) -> Trace:
    steps, bits = draw(st.integers(1, 12)), draw(st.sampled_from(widths))
    layers: list[Matmul | Elementwise] = []
    for i in range(draw(st.integers(1, 3))):
        outputs = draw(st.integers(1, 150))
        layers.append(
            Matmul(
                name=f"M{i}", out_features=outputs, in_features=draw(st.integers(1, 150)), steps=steps,
                recurrent=draw(st.booleans()), weight_bits=bits, activation_bits=bits, output_bits=bits,
            )
        )  # fmt: skip
        if draw(st.booleans()):
            inputs = draw(st.sampled_from([outputs, outputs + 7, 1]))
            layers.append(
                Elementwise(name=f"E{i}", ops={"add": draw(st.integers(1, 300))}, inputs=inputs, outputs=9, steps=steps)
            )
    return Trace(name="drawn", steps=steps, layers=tuple(layers))


@st.composite
def mappings(draw: st.DrawFn) -> list[str]:
    """A small Bit Fusion with a fixed mapping."""
    outer = draw(st.sampled_from(["outputs", "vectors"]))
    tiles = [draw(st.integers(8, 64)), draw(st.integers(8, 64)), draw(st.integers(1, 8))]
    return [
        f"mapping={{outer: {outer}, out_tile: {tiles[0]}, in_tile: {tiles[1]}, vector_tile: {tiles[2]}}}",
        "buffers.input_kib=4", "buffers.weight_kib=16", "buffers.output_kib=8",
        f"dram.bits_per_cycle={draw(st.integers(16, 300))}",
    ]  # fmt: skip


def run(trace: Trace, *changes: str) -> Report:
    return simulate(trace, load_arch("bitfusion", changes))


@pytest.mark.slow
@MANY
@given(
    trace=networks(),
    mapping=mappings(),
    buffer=st.sampled_from(["input", "weight", "output"]),
    factor=st.integers(2, 8),
)
def test_larger_buffers(trace: Trace, mapping: list[str], buffer: str, factor: int) -> None:
    size = {"input": 4, "weight": 16, "output": 8}[buffer] * factor
    before, after = run(trace, *mapping), run(trace, *mapping, f"buffers.{buffer}_kib={size}")
    # Weights that come to stay are loaded in up to 32 parts, not tile by tile: a part is waited for as a whole.
    assert after.cycles <= before.cycles * 1.01 + 40


@pytest.mark.slow
@MANY
@given(trace=networks(), mapping=mappings(), extra=st.integers(1, 300))
def test_more_bandwidth(trace: Trace, mapping: list[str], extra: int) -> None:
    *others, bandwidth = mapping
    wider = int(bandwidth.split("=")[1]) + extra
    before, after = run(trace, *mapping), run(trace, *others, f"dram.bits_per_cycle={wider}")
    assert after.cycles <= before.cycles * 1.02 + 8  # Graham's anomaly, a few cycles of it


@pytest.mark.slow
@MANY
@given(trace=networks(), mapping=mappings(), side=st.sampled_from(["rows", "columns"]))
def test_a_larger_array_computes_no_longer_and_drains_as_its_pipeline_says(
    trace: Trace, mapping: list[str], side: str
) -> None:
    larger = {"rows": 32, "columns": 64}[side]
    before, after = run(trace, *mapping), run(trace, *mapping, f"array.{side}={larger}")
    for old, new in zip(before.layers, after.layers, strict=True):
        if old.unit == "compute":
            assert new.busy_cycles <= old.busy_cycles
    drains = sum(
        -(-layer.out_features // int(mapping[0].split("out_tile: ")[1].split(",")[0])) * layer.steps
        for layer in trace.layers
        if isinstance(layer, Matmul)
    )
    deeper = {"rows": 16, "columns": 32}[side]
    assert after.cycles <= 1.1 * (before.cycles + drains * deeper)


@pytest.mark.slow
@MANY
@given(trace=networks(), mapping=mappings())
def test_more_post_processing_lanes(trace: Trace, mapping: list[str]) -> None:
    before, after = run(trace, *mapping), run(trace, *mapping, "post_processing.lanes=64")
    assert after.cycles <= before.cycles * 1.1  # Graham's anomaly: an earlier store can hold up a load


@pytest.mark.slow
@MANY
@given(
    trace=networks(widths=(4, 8, 16)), tiles=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    change=st.sampled_from(
        ["fabric.columns=16", "dimarch.weight_tiles=80", "dimarch.activation_tiles=80", "dram.bits_per_cycle=256",
         "dimarch.link_bits_per_cycle=512"]
    ),
)  # fmt: skip
def test_a_larger_silago(trace: Trace, tiles: tuple[int, int], change: str) -> None:
    if change.startswith("fabric"):  # the weights of one output a cell must fit twice, whatever the cells
        tiles = (tiles[0] + 16, tiles[1])
    small = [f"dimarch.weight_tiles={tiles[0]}", f"dimarch.activation_tiles={tiles[1]}"]
    try:
        before = simulate(trace, load_arch("silago", small))
    except InputError as error:
        assert "too few" in str(error)
        return
    assert simulate(trace, load_arch("silago", [*small, change])).cycles <= before.cycles


@pytest.mark.slow
@MANY
@given(trace=networks(), mapping=mappings())
def test_bounds_hold_on_every_network(trace: Trace, mapping: list[str]) -> None:
    arch = load_arch("bitfusion", mapping)
    assert isinstance(arch.spec, BitFusionSpec)
    report = simulate(trace, arch)
    assert 0 < report.utilisation <= 1
    moved = sum(n for layer in report.layers for name, n in layer.bits.items() if name.startswith("dram"))
    assert report.cycles >= moved / arch.spec.dram.bits_per_cycle
    for layer in report.layers:
        assert layer.busy_cycles * layer.peak_per_cycle >= layer.work
        assert 0 < layer.utilisation <= 1
    assert report.cycles >= max(layer.busy_cycles for layer in report.layers)
