"""Layers and specs for which a roof was once exceeded: what is counted takes time on every platform."""

import pytest

from simulators import Conv2d, Elementwise, Matmul, Pool2d, Trace, load_arch, simulate
from simulators.platforms.epiphany.elementwise import chunks_of
from simulators.platforms.epiphany.spec import EpiphanySpec
from simulators.views.comparison import compare
from simulators.views.roofline import layer_roofline, roofline
from simulators.views.survey import survey_rows
from simulators.workloads.operations import Layer

FEW_RESULTS = Elementwise(name="e", inputs=1024, outputs=16, ops={"add": 16}, output_bits=16, steps=10)
MANY_INPUTS = Elementwise(name="e", inputs=4096, outputs=16, ops={"add": 16}, output_bits=16, steps=1)
MANY_OUTPUTS = Elementwise(name="e", inputs=16, outputs=4096, ops={"add": 16}, output_bits=16, steps=1)
STRIDED = Pool2d(
    name="p", channels=8, kernel=(1, 1), stride=(4, 4), input_size=(16, 16), kind="max", activation_bits=16,
    output_bits=16, steps=1,
)  # fmt: skip
NARROW = Matmul(
    name="m", out_features=1024, in_features=16, weight_bits=1, activation_bits=1, output_bits=8, steps=64
)  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "arch", "changes"),
    [
        (FEW_RESULTS, "drra2", ()),
        (MANY_INPUTS, "drra2", ()),
        (MANY_OUTPUTS, "drra2", ()),
        (MANY_INPUTS, "epiphany-e16", ()),
        (MANY_OUTPUTS, "epiphany-e16", ()),
        (STRIDED, "epiphany-e16", ()),
        (NARROW, "bit-serial-cloud-published", ()),
        (FEW_RESULTS, "bit-serial-cloud", ("dram.read_bits_per_cycle=4096", "corrections.shared_channel=false")),
    ],
)
def test_no_roof_is_exceeded(layer: Layer, arch: str, changes: tuple[str, ...]) -> None:
    trace = Trace(name="t", steps=layer.steps, layers=(layer,))
    report = simulate(trace, load_arch(arch, changes))
    assert roofline(report).cycles == report.cycles
    assert 0 < roofline(report).attained <= 1
    assert simulate(trace, load_arch(arch, changes), engine="simpy").cycles == report.cycles


@pytest.mark.parametrize("name", ["lenet-5", "resnet-18"])
def test_weights_that_come_under_the_layer_before_stay_below_the_roof(name: str) -> None:
    from simulators import load_trace

    report = simulate(load_trace(name), load_arch("bitfusion"))
    assert max(layer_roofline(layer, report).attained for layer in report.layers) <= 1


PADDING_ALONE = (
    ("epiphany-e64", {"input_size": (2, 1), "kernel": (2, 1), "stride": (1, 4), "padding": (0, 1), "dilation": (1, 3),
                      "in_channels": 24, "out_channels": 8, "groups": 8}),
    ("epiphany-e16", {"input_size": (1, 4), "kernel": (1, 1), "stride": (3, 1), "padding": (1, 3), "dilation": (1, 3),
                      "in_channels": 5, "out_channels": 1}),
)  # fmt: skip


@pytest.mark.parametrize(("arch", "sizes"), PADDING_ALONE)
def test_windows_may_touch_padding_alone(arch: str, sizes: dict[str, object]) -> None:
    layer = Conv2d(name="c", weight_bits=16, activation_bits=16, output_bits=16, steps=9, **sizes)  # type: ignore[arg-type]
    report = simulate(Trace(name="t", steps=9, layers=(layer,)), load_arch(arch))
    assert report.macs == layer.macs
    assert report.layers[0].bits["sram_write"] == layer.outputs_total().bits


def test_constants_lie_where_weights_do() -> None:
    """On an Epiphany without DRAM nothing comes from there; with it, and no room on the cores, they do."""
    layer = Elementwise(
        name="g", inputs=32, outputs=32, vector_parameters=1024, ops={"add": 32}, output_bits=16, steps=2
    )  # fmt: skip
    trace = Trace(name="t", steps=2, layers=(layer,))
    none = simulate(trace, load_arch("epiphany-e16", ["dram.mib=0"]))
    assert none.layers[0].bits.get("dram_read", 0) == 0
    assert none.layers[0].bits["sram_read"] == 2 * 32 * 16 + 1024 * 16  # of both steps, and the constants once
    assert none.cycles == simulate(trace, load_arch("epiphany-e16")).cycles
    large = layer.but(vector_parameters=1 << 20)
    loaded = simulate(Trace(name="t", steps=2, layers=(large,)), load_arch("epiphany-e16"))
    assert loaded.layers[0].bits["dram_read"] == 16 << 20


@pytest.mark.parametrize(("elements", "chunks"), [(8192, 1), (8193, 2), (16384, 2), (16385, 3)])
def test_elementwise_work_comes_in_chunks_of_half_the_room_for_streams(elements: int, chunks: int) -> None:
    """16 cores have 2 KiB for streams each: 1 KiB of 16-bit elements at a time."""
    spec = load_arch("epiphany-e16").spec
    assert isinstance(spec, EpiphanySpec)
    layer = Elementwise(name="e", inputs=elements, outputs=1, ops={"add": elements}, output_bits=16, steps=1)
    assert chunks_of(layer, spec) == chunks


def test_few_depthwise_channels_cost_no_more_than_twice_the_outputs() -> None:
    def simulated(outputs: int) -> int:
        layer = Conv2d(
            name="c", in_channels=2, out_channels=outputs, groups=2, kernel=(3, 3), input_size=(18, 18), weight_bits=8,
            activation_bits=8, output_bits=8, steps=1,
        )  # fmt: skip
        return simulate(Trace(name="t", steps=1, layers=(layer,)), load_arch("bit-serial-edge")).cycles

    assert simulated(2) <= simulated(4)


def test_ratios_to_what_takes_no_energy_are_left_out() -> None:
    trace = Trace(name="t", steps=64, layers=(NARROW,))
    free = load_arch("bit-serial-edge", ["energy.pj_per_binary_operation=0"])
    first, other = compare(trace, [("free", free), ("other", load_arch("bit-serial-edge"))])
    assert first.report.energy_uj == 0
    assert (other.energy_ratio, other.energy_delay_ratio, other.latency_ratio) == (None, None, 1.0)


def test_dense_work_is_never_less_than_what_was_done() -> None:
    layers = (
        Matmul(name="W", out_features=24, in_features=8, weight_bits=8, activation_bits=16, output_bits=16, steps=1),
        Matmul(name="U", out_features=24, in_features=8, recurrent=True, weight_bits=8, activation_bits=16,
               output_bits=16, steps=1),
        Elementwise(name="E", ops={"sigmoid": 16, "multiply": 24}, inputs=48, outputs=8, recurrent=True,
                    output_bits=16, steps=1),
    )  # fmt: skip
    trace = Trace(name="t", steps=1, layers=layers)
    arch = load_arch("edgedrnn")
    report = simulate(trace, arch)
    assert report.dense_equivalent_macs == report.macs == sum(layer.macs for layer in layers) + 24  # the bias, once
    nothing = (layers[0].but(active=("0",)), *layers[1:])
    skipping = simulate(Trace(name="t", steps=1, layers=nothing), arch)
    assert (skipping.macs, skipping.dense_equivalent_macs) == (report.macs - layers[0].macs, report.macs)
    (row,) = survey_rows(trace, compare(trace, [("edgedrnn", arch)]), [arch])
    assert row["on chip"] == "3 of 3 layers read once"
