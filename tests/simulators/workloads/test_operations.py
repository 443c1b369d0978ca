"""What each operation says of itself, against counts element by element; and what platforms make of the newer ones."""

from collections.abc import Sequence
from itertools import product as every
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulators import (
    ActivationMatmul,
    Conv2d,
    Elementwise,
    InputError,
    Matmul,
    Pool2d,
    Report,
    Trace,
    load_arch,
    load_trace,
    simulate,
    simulate_batch,
)  # fmt: skip
from simulators.workloads.operations import Layer

BITS: dict[str, Any] = {"activation_bits": 8, "output_bits": 8}


def report(*layers: Any, arch: str = "bitfusion", changes: Sequence[str] = ()) -> Report:
    trace = Trace(name="t", steps=layers[0].steps, layers=layers)
    made = simulate(trace, load_arch(arch, changes))
    assert made == simulate(trace, load_arch(arch, changes), engine="simpy")
    return made


def visited(layer: Conv2d | Pool2d) -> tuple[tuple[int, int], int]:
    """(height, width) of the results, and how many elements all windows cover, by laying windows on the padded map."""
    (height, width), (kernel_y, kernel_x) = layer.input_size, layer.kernel
    padded = np.zeros((height + 2 * layer.padding[0], width + 2 * layer.padding[1]))
    taps = [(y * layer.dilation[0], x * layer.dilation[1]) for y, x in every(range(kernel_y), range(kernel_x))]
    rows, columns, count = set(), set(), 0
    for top, left in every(range(0, padded.shape[0], layer.stride[0]), range(0, padded.shape[1], layer.stride[1])):
        if all(top + y < padded.shape[0] and left + x < padded.shape[1] for y, x in taps):
            rows.add(top)
            columns.add(left)
            count += len(taps)
    return (len(rows), len(columns)), count


def positions_on_the_map(layer: Conv2d) -> list[tuple[int, int]]:
    """(row, column) of every element of the map under every window, as often as it is."""
    (height, width), places = layer.input_size, []
    for result, tap in every(every(*map(range, layer.output_size)), every(*map(range, layer.kernel))):
        row, column = (
            result[axis] * layer.stride[axis] + tap[axis] * layer.dilation[axis] - layer.padding[axis]
            for axis in (0, 1)
        )
        if 0 <= row < height and 0 <= column < width:
            places.append((row, column))
    return places


@given(data=st.data())
def test_windows_are_those_that_one_lays_by_hand(data: st.DataObject) -> None:
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups, steps = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    shape = {
        "kernel": data.draw(pair), "stride": data.draw(pair), "dilation": data.draw(pair), "steps": steps,
        "padding": data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "input_size": data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12))),
    }  # fmt: skip
    channels, filters = groups * data.draw(st.integers(1, 3)), groups * data.draw(st.integers(1, 3))
    try:
        conv = Conv2d(
            name="c", in_channels=channels, out_channels=filters, groups=groups, weight_bits=4, **shape, **BITS
        )
    except ValueError:
        assume(False)
        raise
    size, covered = visited(conv)
    assert conv.output_size == size
    assert conv.macs == steps * filters * (channels // groups) * covered
    gemm = conv.as_gemm()
    assert gemm.m * gemm.n * gemm.k * gemm.products == gemm.macs == conv.macs
    weights, activations = conv.operands()
    assert weights.elements == filters * (channels // groups) * conv.kernel[0] * conv.kernel[1]
    assert weights.width_bits == 4
    assert activations.elements == steps * channels * conv.input_size[0] * conv.input_size[1]
    assert conv.outputs_total().elements == steps * filters * size[0] * size[1] == gemm.m * gemm.n * gemm.products
    inside = positions_on_the_map(conv)
    assert conv.taps[0] * conv.taps[1] == len(inside)
    for axis in (0, 1):
        reached = [position[axis] for position in inside]
        beyond = (size[axis] - 1) * conv.stride[axis] + conv.kernel_extent[axis] - conv.padding[axis]
        assert conv.covered_size[axis] == min(beyond, conv.input_size[axis]) or not inside
        assert max(reached, default=-1) < max(conv.covered_size[axis], 1)
    pool = Pool2d(name="p", kind="average", channels=channels, **shape, **BITS)
    results = steps * channels * size[0] * size[1]
    # Of a window of E elements, a sum takes E - 1 additions, and the mean one multiplication.
    assert pool.elementwise_operations == steps * channels * covered - results + results
    assert pool.operands()[1].elements == activations.elements
    assert pool.outputs_total().elements == results


@pytest.mark.parametrize(
    ("vectors", "pixels"),
    [
        (49, 49),  # the map, once
        (14, 28 + 42 + 35 + 21),  # rows 0-3, 0-5, 2-6 and 4-6 of 7
        (7, (3 + 4 + 5 + 5 + 5 + 4 + 3) * 7),
        (1, (3 + 4 + 5 + 5 + 5 + 4 + 3) ** 2),
    ],
)
def test_padding_is_not_read(vectors: int, pixels: int) -> None:
    """A 5 x 5 kernel on a 7 x 7 map with a margin of 2 covers 11 x 11, of which 49 are in memory."""
    conv = Conv2d(
        name="c", in_channels=16, out_channels=32, kernel=(5, 5), padding=(2, 2), input_size=(7, 7), steps=1,
        weight_bits=8, **BITS,
    )  # fmt: skip
    mapping = f"mapping={{outer: outputs, out_tile: 32, in_tile: 400, vector_tile: {vectors}}}"
    read = report(conv, changes=[mapping]).layers[0].bits["dram_read"]
    exact = 32 * 400 * 8 + pixels * 16 * 8
    assert exact <= read <= exact + 49 // vectors - 1  # tiles move whole bits
    assert vectors < 49 or read == exact


@pytest.mark.parametrize("groups", [1, 4])
def test_what_follows_a_convolution_step_by_step_runs_behind_it(groups: int) -> None:
    conv = Conv2d(
        name="c", in_channels=16, out_channels=32, kernel=(3, 3), padding=(1, 1), input_size=(14, 14), steps=2,
        groups=groups, weight_bits=8, activation_bits=8, output_bits=16,
    )  # fmt: skip
    results = 32 * 14 * 14
    relu = Elementwise(name="r", ops={"relu": results}, inputs=results, outputs=results, steps=2, output_bits=8)
    added = relu.model_copy(update={"name": "a", "inputs": 2 * results, "ops": {"add": results}})
    alone = report(conv).layers[0].bits
    for behind, extra in ((relu, 0), (added, results * 2 * 16)):
        trace = Trace(name="two", steps=2, layers=(conv, behind))
        both = simulate(trace, load_arch("bitfusion"))
        assert both == simulate(trace, load_arch("bitfusion"), engine="simpy")
        first, second = (layer.bits for layer in both.layers)
        assert "dram_write" not in first
        assert second["dram_write"] == results * 2 * 8
        assert second.get("dram_read", 0) == extra
        assert both.layers[1].busy_cycles >= results * 2 / 32
    assert alone["dram_write"] == results * 2 * 16


@pytest.mark.slow
def test_a_dilated_convolution_costs_the_taps_that_it_has() -> None:
    """Dilation 2 of a 3 × 3 kernel: 9 taps on a 16 × 16 map leave 12 × 12 results."""
    shape: dict[str, Any] = {
        "name": "c",
        "in_channels": 64,
        "out_channels": 64,
        "kernel": (3, 3),
        "weight_bits": 8,
        "steps": 1,
    }
    dilated = Conv2d(**shape, input_size=(16, 16), dilation=(2, 2), **BITS)
    plain = Conv2d(**shape, input_size=(14, 14), **BITS)
    assert dilated.output_size == plain.output_size == (12, 12)
    assert dilated.macs == plain.macs == 144 * 64 * 64 * 9
    for arch in ("bitfusion", "silago"):
        of = [report(layer, arch=arch).layers[0] for layer in (dilated, plain)]
        assert of[0].busy_cycles == of[1].busy_cycles
    # Where it fits on chip as one tile, its map is read once: all 256 pixels of a channel, and no more.
    whole = ["mapping={outer: outputs, out_tile: 64, in_tile: 576, vector_tile: 144}",
             *(f"buffers.{name}_kib=1024" for name in ("weight", "input", "output"))]  # fmt: skip
    reads = [report(layer, changes=whole).layers[0].bits["dram_read"] for layer in (dilated, plain)]
    weights = 64 * 64 * 9 * 8
    assert reads == [weights + 64 * 16 * 16 * 8, weights + 64 * 14 * 14 * 8]


@pytest.mark.parametrize("arch", ["bitfusion", "silago"])
@pytest.mark.parametrize(("kind", "ops"), [("max", {"max": 3}), ("average", {"add": 3, "multiply": 1})])
def test_pooling_costs_the_vector_work_that_it_is(arch: str, kind: str, ops: dict[str, int]) -> None:
    pool = Pool2d(name="p", kind=kind, channels=16, kernel=(2, 2), stride=(2, 2), input_size=(8, 8), steps=3, **BITS)
    written = Elementwise(
        name="p",
        ops={op: count * 16 * 16 for op, count in ops.items()},
        inputs=16 * 64,
        outputs=16 * 16,
        steps=3,
        **BITS,
    )
    of_pool, of_written = report(pool, arch=arch), report(written, arch=arch)
    assert (of_pool.cycles, of_pool.energy_uj) == (of_written.cycles, of_written.energy_uj)
    assert of_pool.layers[0].bits == of_written.layers[0].bits


def attention(heads: int = 1, steps: int = 1) -> ActivationMatmul:
    return ActivationMatmul(
        name="scores", out_features=100, in_features=64, vectors=90, heads=heads, steps=steps, second_bits=4, **BITS
    )


def test_a_product_of_two_activations_moves_both_each_time() -> None:
    one, many = report(attention()).layers[0], report(attention(heads=4, steps=3)).layers[0]
    assert one.bits["dram_read"] == 64 * (100 * 4 + 90 * 8)
    assert one.bits["dram_write"] == 100 * 90 * 8
    assert one.work == 100 * 90 * 64
    assert {level: 12 * bits for level, bits in one.bits.items()} == many.bits
    assert many.busy_cycles == 12 * one.busy_cycles
    weighted = Matmul(name="m", out_features=100, in_features=64, steps=90, weight_bits=4, **BITS)
    alone = report(weighted).layers[0]
    assert (alone.busy_cycles, alone.bits) == (one.busy_cycles, one.bits)


def test_what_was_just_computed_is_not_loaded_ahead() -> None:
    """Weights may be loaded while the layer before computes; an activation of that layer may not."""
    before = Matmul(name="q", out_features=100, in_features=64, steps=90, weight_bits=4, **BITS)
    weighted = Matmul(name="m", out_features=100, in_features=64, steps=90, weight_bits=4, **BITS)
    alone = {layer.name: report(layer).cycles for layer in (before, weighted, attention())}
    assert report(before, weighted).cycles < alone["q"] + alone["m"]
    assert report(before, attention().but(steps=1)).cycles == alone["q"] + alone["scores"]


def test_a_platform_refuses_what_it_does_not_take_by_name() -> None:
    with pytest.raises(
        InputError, match="layer scores: activation_matmul: silago runs matmul, conv2d, elementwise, pool2d"
    ):
        report(attention(), arch="silago")


def test_a_candidate_gives_widths_to_products_only() -> None:
    """A pool's results are as wide as what it reads; both operands of an activation product have a width."""
    conv = Conv2d(
        name="c", in_channels=3, out_channels=8, kernel=(3, 3), input_size=(10, 10), steps=4, weight_bits=8, **BITS
    )
    pool = Pool2d(name="p", kind="max", channels=8, kernel=(2, 2), stride=(2, 2), input_size=(8, 8), steps=4, **BITS)
    scores = ActivationMatmul(name="s", out_features=16, in_features=8, vectors=16, second_bits=8, steps=4, **BITS)
    trace = Trace(name="t", steps=4, layers=(conv, pool, scores))
    assert [trace.layers[i].name for i in trace.products] == ["c", "s"]
    bits = np.array([[[4, 8], [2, 4]], [[8, 8], [8, 8]]])
    first, activation, output = trace.widths(bits)
    assert first[0, [0, 2]].tolist() == [4, 2]
    assert activation[0].tolist() == [8, 4, 4]  # the pool reads what the scores will
    assert output[0, :2].tolist() == [4, 4]
    batch = simulate_batch(trace, load_arch("bitfusion"), bits)
    layers: list[Layer] = [conv.at_bits(4, 8, 4), pool.at_bits(16, 4, 4), scores.at_bits(2, 4, int(output[0, 2]))]
    assert batch.cycles[0] == report(*layers).cycles


def test_a_file_holds_the_newer_operations(tmp_path: Any) -> None:
    trace = Trace(name="t", steps=3, layers=(
        Conv2d(name="c", in_channels=3, out_channels=8, kernel=(3, 3), input_size=(10, 10), dilation=(2, 1), steps=3,
               weight_bits=8, **BITS),
        Pool2d(name="p", kind="average", channels=8, kernel=(2, 2), input_size=(6, 8), steps=3, **BITS),
        attention(steps=3),
    ))  # fmt: skip
    trace.save(tmp_path / "t.yaml")
    assert load_trace(tmp_path / "t.yaml") == trace


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("kernel: [3, 3], dilation: [8, 8]", "kernel (3, 3), dilation (8, 8): larger than the padded input"),
        ("kernel: [3, 3], dilation: [0, 1]", "layers[0].dilation[0]: 0"),
        ("kernel: [3, 3], dilatoin: [2, 1]", "did you mean dilation?"),
    ],
)
def test_bad_dilation_is_named(change: str, message: str, tmp_path: Any) -> None:
    (tmp_path / "t.yaml").write_text(
        "name: t\nsteps: 1\nlayers:\n- {name: c, op: conv2d, in_channels: 4, out_channels: 4, input_size: [16, 16], "
        f"{change}, weight_bits: 8, activation_bits: 8, output_bits: 8}}\n"
    )
    with pytest.raises(InputError) as error:
        load_trace(tmp_path / "t.yaml")
    assert message in str(error.value)
