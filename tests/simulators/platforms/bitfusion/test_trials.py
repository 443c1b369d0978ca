"""Trials of tilings are what the engine has for the same tasks, and nothing that lesser hardware tries is forgotten."""

import random
from typing import Any

import numpy as np
import pytest

from simulators import Arch, Conv2d, Elementwise, InputError, Matmul, Trace, load_arch, simulate
from simulators.platforms.bitfusion import lowering, mapper, tiling
from simulators.platforms.bitfusion import mapping_kernels as kernels
from simulators.platforms.bitfusion.machine import MACHINE
from simulators.platforms.bitfusion.tiling import Tiling, TilingHardware
from simulators.run.segment_cache import SegmentCache
from simulators.workloads.operations import ActivationMatmul, Layer

ONE_BY_ONE = 1024


def drawn_hardware(draw: random.Random) -> Arch:
    changes: dict[str, Any] = {
        "array.rows": draw.randint(1, 20),
        "array.columns": draw.randint(1, 40),
        "dram.bits_per_cycle": draw.choice([1, 7, 32, 64, 256, 512]),
        "buffers.weight_kib": draw.choice([1, 2.5, 16, 64]),
        "buffers.input_kib": draw.choice([1, 3, 32]),
        "buffers.output_kib": draw.choice([1, 4.5, 16]),
        "buffers.double_buffered": draw.choice(["true", "true", "false"]),
        "corrections.skip_first_preload": draw.choice(["true", "true", "false"]),
        "corrections.true_edge_tiles": draw.choice(["true", "true", "false"]),
        "corrections.true_output_bits": draw.choice(["true", "false"]),
        "skips_pruned_weights": draw.choice(["true", "false"]),
        "energy.weight_buffer_pj_per_bit": "{read: 0.02, write: 0.03}",
        "energy.input_buffer_pj_per_bit": "{read: 0.06, write: 0.1}",
        "energy.output_buffer_pj_per_bit": "{read: 0.03, write: 0.07}",
        "energy.sram_leakage_mw": 10,
    }
    return load_arch("bitfusion", [f"{key}={value}" for key, value in changes.items()])


def drawn_layers(draw: random.Random) -> list[Layer]:
    """A product of any kind, and an elementwise layer behind it at times."""
    first, second = (draw.choice([2, 4, 8, 16]) for _ in range(2))
    m, k, n = draw.randint(1, 200), draw.randint(1, 300), draw.randint(1, 60)
    bits: dict[str, Any] = {"weight_bits": first, "activation_bits": second, "output_bits": 16}
    kind = draw.choice(["product", "product", "recurrent", "convolution", "activations"])
    if kind == "convolution":
        groups, size = draw.choice([1, 1, 2, 3]), draw.randint(5, 12)
        return [Conv2d(
            name="m", in_channels=draw.randint(1, 20) * groups, out_channels=draw.randint(1, 20) * groups,
            kernel=(draw.randint(1, 4), draw.randint(1, 4)), padding=(draw.randint(0, 2), draw.randint(0, 2)),
            input_size=(size, draw.randint(5, 12)), groups=groups, steps=draw.randint(1, 2), **bits,
        )]  # fmt: skip
    if kind == "activations":
        return [ActivationMatmul(
            name="m", out_features=m, in_features=k, vectors=n, heads=draw.randint(1, 2), steps=2, second_bits=first,
            activation_bits=second, output_bits=16,
        )]  # fmt: skip
    sparsity = draw.choice([None, None, (2, 4)])
    layers: list[Layer] = [Matmul(
        name="m", out_features=m, in_features=k, steps=n, recurrent=kind == "recurrent", weight_sparsity=sparsity, **bits
    )]  # fmt: skip
    if draw.random() < 0.5:
        layers.append(Elementwise(
            name="e", ops={"add": 3 * m}, inputs=m + draw.choice([0, 5]), outputs=m, steps=n,
            vector_parameters=draw.choice([0, 33]),
        ))  # fmt: skip
    return layers


def test_tiles_are_parts_as_equal_as_can_be_and_those_in_whole_units() -> None:
    assert tiling._parts(100, 16, 64) == [64, 50, 48, 34, 32, 25, 20, 17, 16, 15, 13]
    assert tiling._parts(5, 16, 5) == [5, 3, 2, 1]


@pytest.mark.parametrize("seed", range(4))
def test_a_trial_takes_what_the_engine_has(seed: int) -> None:
    draw, compared = random.Random(seed), 0
    while compared < 60:
        arch, layers = drawn_hardware(draw), drawn_layers(draw)
        try:
            tilings, cycles, picojoules = trials(layers, arch, draw)
        except InputError:
            continue  # a buffer does not hold the smallest tile
        differences = []
        for t, of_tiling, pj in zip(tilings, cycles, picojoules, strict=True):
            exact, energy = by_the_engine(layers, t, arch)
            if parts(layers[0], t) <= ONE_BY_ONE:
                assert of_tiling == exact, (layers, t)
            else:
                assert of_tiling == pytest.approx(exact, rel=0.08), (layers, t)
            differences.append(energy - pj)
            compared += 1
        # What all tilings of a product share is left out; shares of a tile are whole bits in the tasks only.
        assert max(differences) - min(differences) <= 0.02 * energy


def trials(layers: list[Layer], arch: Arch, draw: random.Random) -> tuple[list[Tiling], list[list[float]], list[float]]:
    """Three of the tilings that are tried, their cycles in each position and their energy."""
    spec: Any = arch.spec
    layer, fused = layers[0], layers[1] if len(layers) > 1 else None
    assert fused is None or isinstance(fused, Elementwise)
    hardware, product = TilingHardware.of(spec), lowering.as_product(layer)
    order, results = mapper._order(layer, fused, spec, product), mapper._results(layer, fused, spec)
    if order.steps:
        product = product.step()
    shape, energy = product.on(hardware, spec.skips_pruned_weights), mapper._picojoules(spec)
    if order.resident_loads:
        tried = tiling.resident(hardware, product)
    else:
        tried = tiling.promising(hardware, product, shape, results, order, energy)
    tried = tried[[draw.randrange(len(tried)) for _ in range(3)]]
    cycles, costs = np.empty((3, 4)), np.empty((3, 2))
    kernels.time_tilings(hardware.limits, shape, results, order, energy, ONE_BY_ONE, False, tried, cycles, costs)
    rows = [Tiling("vectors" if outer else "outputs", m, k, n) for outer, m, k, n in tried.tolist()]
    return rows, cycles.tolist(), costs[:, 0].tolist()


def by_the_engine(layers: list[Layer], t: Tiling, arch: Arch) -> tuple[list[int], float]:
    """Cycles as the first of three, the second, the third and alone; and pJ without leakage."""
    spec: Any = arch.spec
    cache = SegmentCache("bitfusion", MACHINE)
    number = cache.number((t,), layers, lambda: lowering.tasks(layers, t, spec))
    works = cache.segment(number).works
    moved = (lowering.energy_pj(layer, work, spec) for layer, work in zip(layers, works, strict=True))
    cycles = [timing.cycles for timing in [*cache.run([number] * 3), *cache.run([number])]]
    return cycles, sum(sum(part.values()) for part in moved)


def parts(layer: Layer, t: Tiling) -> int:
    """Tiles of a product, of all its groups or steps."""
    product, gemm = lowering.as_product(layer), layer.as_gemm()
    assert gemm is not None
    tiles = -(-product.outputs // t.m) * -(-product.inputs // t.k) * -(-product.vectors // t.n)
    return tiles if layer.waits_for_itself else tiles * gemm.products


@pytest.mark.parametrize(("whole", "unit"), [(1, 4), (7, 4), (24, 32), (97, 32), (256, 16), (1500, 64), (1 << 24, 8)])
def test_sizes_of_tiles_are_equal_parts_and_whole_units(whole: int, unit: int) -> None:
    room = np.full(tiling.ROOM, 1 << 40, np.int64)
    sizes = room[: kernels._splits(whole, unit, room)].tolist()
    assert sizes == sorted(set(sizes), reverse=True)
    assert (sizes[0], sizes[-1]) == (whole, 1)
    for count in range(1, min(whole, kernels.ALL_SPLITS) + 1):
        assert -(-whole // count) in sizes
        size = -(-whole // count)
        assert min(-(-size // unit) * unit, whole) in sizes


def test_a_long_reduction_is_cut_as_far_as_buffers_need() -> None:
    """Tilings that the spec can name, K = 14,336 and 28,672: the choice is no worse."""
    for name, k, changes, fixed in (
        ("bitfusion", 14_336, ["buffers.input_kib=4", "buffers.weight_kib=8"], (64, 64, 32)),
        ("bitfusion-64kib", 28_672, [], (32, 128, 32)),
    ):
        layer = Matmul(
            name="m", out_features=64, in_features=k, steps=32, weight_bits=8, activation_bits=8, output_bits=8
        )
        trace = Trace(name="t", steps=32, layers=(layer,))
        mapping = "mapping={{outer: outputs, out_tile: {}, in_tile: {}, vector_tile: {}}}".format(*fixed)
        chosen, named = simulate(trace, load_arch(name, changes)), simulate(trace, load_arch(name, [*changes, mapping]))
        assert chosen.cycles <= named.cycles * 1.01
        assert chosen.energy_uj <= named.energy_uj * 1.01


def test_what_fits_is_tried_though_smaller_tiles_may_read_less() -> None:
    """A map of 2 x 5 under a border: three results read less than five of its eight."""
    changes = ["array.rows=1", "array.columns=6", "array.unit_operand_bits=16", "buffers.input_kib=6.5",
               "buffers.weight_kib=0.5", "buffers.output_kib=2.75", "dram.bits_per_cycle=9",
               "dram.frequency_mhz=333.3"]  # fmt: skip
    layer = Conv2d(
        name="c", steps=2, in_channels=1, out_channels=1, kernel=(1, 2), stride=(2, 2), padding=(1, 2), dilation=(2, 1),
        input_size=(2, 5), weight_bits=5, activation_bits=8, output_bits=4,
    )  # fmt: skip
    assert simulate(Trace(name="t", steps=2, layers=(layer,)), load_arch("bitfusion", changes)).cycles > 0


def test_tilings_of_few_tiles_need_no_second_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is chosen is what it is if all of the best are timed again, whose every tile was run."""
    draw, again = random.Random(5), 0
    timed = mapper._Searched.timed

    def counted(searched: Any, tilings: Any, most: int) -> Any:
        nonlocal again
        again += len(tilings) if most == mapper.EXACTLY else 0
        return timed(searched, tilings, most)

    monkeypatch.setattr(mapper._Searched, "timed", counted)
    drawn: list[tuple[Any, list[Layer]]] = [(drawn_hardware(draw).spec, drawn_layers(draw)) for _ in range(40)]

    def chosen() -> tuple[list[Any], int]:
        nonlocal again
        mapper.forget_mappings()
        found: list[Any] = []
        again = 0
        for spec, layers in drawn:
            try:
                found.append(mapper.tilings(layers[0], None, spec))
            except InputError:
                found.append(None)
        return found, again

    fewer, tried = chosen()
    monkeypatch.setattr(mapper._Searched, "tiles", lambda searched, tilings: np.full(len(tilings), mapper.EXACTLY))
    every, all_tried = chosen()
    mapper.forget_mappings()
    assert fewer == every
    assert any(fewer)
    assert 0 < tried < all_tried
