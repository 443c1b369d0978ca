"""Epiphany as a platform: conformance, residence of weights, traffic, energy, and what is refused."""

import re
from itertools import pairwise

import pytest
from paths import ROOT

from simulators import Conv2d, Elementwise, InputError, Matmul, Trace, load_arch, load_trace, simulate
from simulators.lowering.platform import PlacedLayer
from simulators.platforms.epiphany.core import InnerLoop
from simulators.platforms.epiphany.platform import PLATFORM
from simulators.platforms.epiphany.products import Constants, streamed_product
from simulators.run.simulation import Simulator, simulator
from simulators.testing import check_platform

MIXED = "L0=16,P1=8x16,L1=4x16,P2=2x16,L2=1x16,P3=4x16,L3=8x16,FC=16"
ABOUT = 1.02
"""Mappings are chosen by an estimate, which for layers as small as these may take one that is up to 2 % slower."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["epiphany-e16", "epiphany-e64"])
def test_epiphany_conforms(name: str) -> None:
    check_platform(PLATFORM, load_arch(name).spec)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (2, 3), (3, 2), (7, 2), (3, 5), (4, 8)])
def test_meshes_of_any_sides_conform(rows: int, columns: int) -> None:
    check_platform(PLATFORM, load_arch("epiphany-e64", [f"mesh.rows={rows}", f"mesh.columns={columns}"]).spec)


def product(weight_bits: int, recurrent: bool = False, **sizes: int) -> Trace:
    of = {"out_features": 1024, "in_features": 512, "steps": 20, **sizes}
    layer = Matmul(name="P", weight_bits=weight_bits, activation_bits=16, output_bits=16, recurrent=recurrent, **of)
    return Trace(name="product", steps=of["steps"], layers=(layer,))


def convolution(weight_bits: int) -> Trace:
    layer = Conv2d(name="C", in_channels=256, out_channels=256, kernel=(3, 3), input_size=(16, 16), padding=(1, 1),
                   steps=1, weight_bits=weight_bits, activation_bits=16, output_bits=16)  # fmt: skip
    return Trace(name="convolution", steps=1, layers=(layer,))


def residence(trace: Trace, name: str, *changes: str) -> str:
    ((_, row),) = simulator(load_arch(name, list(changes))).mappings(trace.layers)
    return str(row["weights"])


@pytest.mark.parametrize(
    ("name", "widest"), [("epiphany-e64", 16), ("epiphany-e16", 4)]  # 590 k weights on 64 or 16 cores with 18 KiB each
)  # fmt: skip
def test_a_convolutions_weights_lie_on_the_cores_up_to_a_computed_width(name: str, widest: int) -> None:
    copies = {
        bits: PLATFORM.places([PlacedLayer("C", 589_824 * bits, True)], load_arch(name).spec)[0]
        for bits in (1, 2, 4, 8, 16, 32)
    }
    assert {bits for bits, fit in copies.items() if fit} == {bits for bits in copies if bits <= widest}
    assert residence(convolution(16), "epiphany-e16") == "streamed"


def test_a_recurrent_product_is_slower_by_a_step_where_its_weights_stop_fitting() -> None:
    cycles = {bits: simulate(product(bits, recurrent=True), load_arch("epiphany-e16")).cycles for bits in (2, 4, 5, 16)}
    assert residence(product(4, recurrent=True), "epiphany-e16") == "resident"
    assert residence(product(5, recurrent=True), "epiphany-e16") == "streamed"
    assert cycles[2] <= cycles[4] < 1.05 * cycles[2], "bits buy memory, and no cycles"
    assert cycles[5] > 3 * cycles[4], "every step reads all weights from DRAM"
    read = simulate(product(5, recurrent=True), load_arch("epiphany-e16")).layers[0].bits["dram_read"]
    assert read >= 20 * 1024 * 512 * 5


def test_each_word_of_a_state_is_stored_by_itself() -> None:
    """16 cores with 64 words of 32 bits each: what a core made goes to 3 others of its row, and what its row made to 3
    of its column, word after word."""
    layer = product(8, recurrent=True, out_features=2048, in_features=64)
    quick, slow = (
        simulate(layer, load_arch("epiphany-e16", [f"core.write_word_cycles={cycles}"])).cycles for cycles in (2, 4)
    )
    of_a_step = 2 * (64 * 3 + 64 * 4 * 3)
    assert 19 * of_a_step <= slow - quick <= 20 * of_a_step  # behind the last step something else may take longer


def test_the_page_names_the_timing_keys_that_no_layer_costs_more_with() -> None:
    """Twice the cycles of every figure of cores, DMA and DRAM: a stream of weights, a
    recurrence and its gates; and weights that lie on the cores."""
    gates = Elementwise(name="E", ops={"sigmoid": 512, "add": 99}, inputs=1024, outputs=512, steps=20)
    layers = (
        *product(16).layers,
        *(layer.but(name="R") for layer in product(16, recurrent=True).layers),
        gates,
    )
    traces = (Trace(name="t", steps=20, layers=layers), product(16, out_features=12, in_features=56, steps=1))
    spec = load_arch("epiphany-e16").spec

    def figures(*changes: str) -> list[tuple[int, float]]:
        reports = [simulate(trace, load_arch("epiphany-e16", changes)) for trace in traces]
        return [(report.cycles, report.energy_uj) for report in reports]

    keys = [
        f"{part}.{key}={2 * value}"
        for part in ("core", "dma", "dram")
        for key, value in getattr(spec, part).model_dump().items()
        if isinstance(value, int | float) and "cycles" in key
    ]
    as_it_is = figures()
    without = {change.split("=")[0] for change in keys if figures(change) == as_it_is}
    line = next(x for x in (ROOT / "docs" / "epiphany.md").read_text().splitlines() if "Without effect" in x)
    assert without == set(re.findall("`(.*?)`", line.split("In the mapping")[0]))


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("cores", [4, 8])
def test_fewer_bits_and_more_memory_are_never_slower(cores: int, recurrent: bool) -> None:
    before = None
    for kib in (32, 64, 256):
        arch = load_arch("epiphany-e16", [f"mesh.rows={cores}", f"mesh.columns={cores}", f"memory.total_kib={kib}"])
        cycles = [simulate(product(bits, recurrent), arch).cycles for bits in (1, 2, 3, 4, 6, 8, 12, 16)]
        assert all(few <= ABOUT * more for few, more in pairwise(cycles)), cycles
        if before is not None:
            assert all(now <= ABOUT * then for now, then in zip(cycles, before, strict=True)), (cycles, before)
        before = cycles


def test_narrow_weights_take_the_integer_slot_and_no_more_where_vectors_share_them() -> None:
    core = load_arch("epiphany-e16").spec.core
    assert InnerLoop(4, 16, 4, 8).cycles_per_mac(core) == 1
    assert InnerLoop(16, 16, 4, 8).cycles_per_mac(core) == 1
    assert InnerLoop(4, 16, 1, 8).cycles_per_mac(core) > 2
    assert InnerLoop(32, 32, 1, 32).slots_per_mac(core) < 1


def test_no_layer_is_faster_than_all_cores_multiplying() -> None:
    for name, cores in (("epiphany-e16", 16), ("epiphany-e64", 64)):
        for trace in (product(8), convolution(1), convolution(16)):
            assert simulate(trace, load_arch(name)).cycles >= trace.layers[0].macs / cores


def test_a_product_at_peak_takes_about_the_chips_power() -> None:
    for name, watts in (("epiphany-e64", 2.0), ("epiphany-e16", 32 / 25 * 0.6)):
        arch = load_arch(name, ["memory.activations_kib=512", "memory.total_kib=1024", "frequency_mhz=" + (
            "800" if name == "epiphany-e64" else "600")])  # fmt: skip
        report = simulate(product(16, out_features=2048, in_features=2048, steps=256), arch)
        chip = sum(energy for layer in report.layers for part, energy in layer.energy_uj.items() if part != "dram")
        assert report.utilisation > 0.8
        assert chip / report.latency_ms / 1e3 == pytest.approx(watts, rel=0.3)


def test_elementwise_work_runs_on_the_cores_of_the_product_before_it() -> None:
    layers = (
        Matmul(name="P", out_features=64, in_features=32, steps=8, weight_bits=8, activation_bits=16, output_bits=16),
        Elementwise(name="E", ops={"tanh": 64}, inputs=64, outputs=64, steps=8),
    )
    trace = Trace(name="both", steps=8, layers=layers)
    assert PLATFORM.group(layers) == [2]
    report = simulate(trace, load_arch("epiphany-e16"))
    assert report.layers[1].work == 64 * 8
    apart = Trace(name="apart", steps=8, layers=(layers[0], layers[1].but(inputs=32)))
    assert PLATFORM.group(apart.layers) == [1, 1]


def test_what_elementwise_work_takes_besides_the_results_is_its_own_traffic() -> None:
    """A sum of a product's results, which lie on the cores, and of as many other words, which lie in DRAM."""
    added = Elementwise(name="A", ops={"add": 1024}, steps=20, inputs=2048, outputs=1024, output_bits=16)
    of_product, with_sum = product(16), product(16)
    with_sum = Trace(name="sum", steps=20, layers=(*with_sum.layers, added))
    product_report, sum_report = simulate(with_sum, load_arch("epiphany-e16")).layers
    assert sum_report.bits["dram_read"] == 1024 * 20 * 16
    for inputs in (1024, 512, 1025):  # of as many steps that a word of each does not lie on the cores
        layers = [layer.but(steps=10**7) for layer in (*of_product.layers, added.but(ops={"tanh": 1}, inputs=inputs))]
        found = streamed_product(layers, Constants.ON_CORES, load_arch("epiphany-e16").spec)
        assert found.rest_bits == 16 * max(0, inputs - 1024)
    alone = simulate(of_product, load_arch("epiphany-e16")).layers[0]
    assert product_report.bits["dram_read"] == alone.bits["dram_read"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["epiphany-e16", "epiphany-e64", "epiphany-v"])
def test_shipped_networks_run_at_16_and_at_mixed_bits(name: str) -> None:
    arch = load_arch(name)
    for trace in ("mohaq-sru-16bit", "lstm-128-16bit", "alexnet"):
        report = simulate(load_trace(trace), arch)
        assert 0 < report.utilisation < 1
    trace = load_trace("mohaq-sru-16bit")
    widths = dict(word.split("=") for word in MIXED.split(","))
    layers = tuple(
        layer.at_bits(int(widths[layer.name].split("x")[0]), 16, 16) if layer.name in widths else layer
        for layer in trace.layers
    )
    mixed = Trace(name="mixed", steps=300, layers=layers)
    assert Simulator(arch).report(mixed).cycles <= simulate(trace, arch).cycles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("dram.mib=0",), r"layer P: dram\.mib: 0: weights of 1 MiB fit neither there nor on 16 cores with 18 KiB"),
        (
            ("dram.mib=0", "memory.total_kib=200"),
            r"layer P: dram\.mib: 0: activations of 0\.\d+ MiB fit neither there nor",
        ),
        (("core.cycles_per_op={add: 1}",), ""),
    ],
)
def test_what_has_no_room_is_named(changes: tuple[str, ...], message: str) -> None:
    arch = load_arch("epiphany-e16", list(changes))
    if not message:
        pool = Elementwise(name="E", ops={"tanh": 4}, inputs=4, outputs=4, steps=1)
        with pytest.raises(InputError, match=r"layer E: ops\.tanh: epiphany-e16: core\.cycles_per_op has no figure"):
            simulate(Trace(name="t", steps=1, layers=(pool,)), arch)
        return
    with pytest.raises(InputError, match=message):
        simulate(product(16), arch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("mesh.rows=1", "a mesh has at least 2 rows and 2 columns"),
        ("memory.total_kib=10", r"total_kib=10: 10: code, streams, sums and activations take 14 of it"),
        ("dram.read_cycles_per_byte=0", r"dram\.read_cycles_per_byte"),
    ],
)
def test_specs_that_cannot_be_are_refused_in_one_line(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_arch("epiphany-e16", [change])
