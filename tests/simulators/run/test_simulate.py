"""Both platforms on whole traces: terms add up, bounds hold, engines agree, precision buys what it should."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import ROOT

from simulators import Conv2d, Elementwise, InputError, Matmul, Report, Trace, load_arch, load_trace, simulate
from simulators.engine import fast

ARCHS = ("bitfusion", "bitfusion-2mib", "silago", "silago-64kib")
PAIRS = [(2, 2), (2, 8), (4, 4), (8, 4), (8, 8), (16, 16)]


def one_product(bits: int, steps: int = 20, recurrent: bool = False, outputs: int = 96, inputs: int = 80) -> Trace:
    layer = Matmul(
        name="U", out_features=outputs, in_features=inputs, steps=steps, recurrent=recurrent,
        weight_bits=bits, activation_bits=bits, output_bits=16,
    )  # fmt: skip
    return Trace(name="one", steps=steps, layers=(layer,))


@st.composite
def traces(draw: st.DrawFn, bits: tuple[int, ...] = (2, 4, 8, 16), tied: bool = False) -> Trace:
    """Small networks: products, recurrent or not, with and without elementwise layers behind them."""
    steps = draw(st.integers(1, 12))
    layers: list[Matmul | Elementwise] = []
    for i in range(draw(st.integers(1, 3))):
        weight_bits = draw(st.sampled_from(bits))
        outputs = draw(st.integers(1, 150))
        layers.append(
            Matmul(
                name=f"M{i}", out_features=outputs, in_features=draw(st.integers(1, 150)), steps=steps,
                recurrent=draw(st.booleans()), weight_bits=weight_bits,
                activation_bits=weight_bits if tied else draw(st.sampled_from(bits)), output_bits=draw(st.sampled_from(bits)),
            )
        )  # fmt: skip
        if draw(st.booleans()):
            layers.append(
                Elementwise(
                    name=f"E{i}", ops={"add": draw(st.integers(1, 300)), "sigmoid": draw(st.integers(0, 90))},
                    inputs=draw(st.sampled_from([outputs, outputs + 7, 1])), outputs=draw(st.integers(1, 100)),
                    steps=steps, recurrent=draw(st.booleans()), vector_parameters=draw(st.integers(0, 50)),
                )
            )  # fmt: skip
    return Trace(name="drawn", steps=steps, layers=tuple(layers))


def check_report(report: Report, trace: Trace) -> None:
    assert [layer.name for layer in report.layers] == [layer.name for layer in trace.layers]
    assert report.cycles == sum(layer.cycles for layer in report.layers) > 0
    for layer in report.layers:
        assert layer.cycles == layer.compute_cycles + sum(layer.stall_cycles.values())
        assert 0 <= layer.utilisation <= 1
        assert all(n > 0 for n in layer.stall_cycles.values())
        assert all(n >= 0 for n in layer.bits.values())
        assert all(x >= 0 for x in layer.energy_uj.values())
    data = report.to_dict()
    assert data["energy_uj"] == pytest.approx(sum(sum(layer["energy_uj"].values()) for layer in data["layers"]))
    assert report.latency_ms == pytest.approx(report.cycles / report.frequency_mhz / 1000)
    assert report.has_frames == any(getattr(layer, "recurrent", False) for layer in trace.layers)
    expected = pytest.approx(report.latency_ms / (10 * trace.steps)) if report.has_frames else None
    assert report.real_time_factor == expected


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(trace=traces(), arch=st.sampled_from(["bitfusion", "bitfusion-2mib"]))
def test_bit_fusion_on_drawn_traces(trace: Trace, arch: str) -> None:
    spec = load_arch(arch)
    report = simulate(trace, spec)
    check_report(report, trace)
    assert simulate(trace, spec, engine="simpy") == report
    # Every weight is read at least once, every result of the last layer written.
    read = sum(layer.bits.get("dram_read", 0) for layer in report.layers)
    assert read >= trace.weight_bits_total
    dram_bits = read + sum(layer.bits.get("dram_write", 0) for layer in report.layers)
    assert report.cycles >= dram_bits / 192


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(groups=st.integers(1, 4), data=st.data(), arch=st.sampled_from(ARCHS))
def test_convolutions_group_by_group(groups: int, data: st.DataObject, arch: str) -> None:
    bits = data.draw(st.sampled_from([4, 8, 16]))
    size, kernel = data.draw(st.tuples(st.integers(3, 7), st.integers(1, 3)))
    conv = Conv2d(
        name="C", in_channels=groups * data.draw(st.integers(1, 9)), out_channels=groups * data.draw(st.integers(1, 40)),
        kernel=(kernel, kernel), input_size=(size, size), groups=groups, steps=data.draw(st.integers(1, 3)),
        weight_bits=bits, activation_bits=bits, output_bits=bits,
    )  # fmt: skip
    trace = Trace(name="conv", steps=conv.steps, layers=(conv,))
    report = simulate(trace, load_arch(arch))
    check_report(report, trace)
    assert simulate(trace, load_arch(arch), engine="simpy") == report
    assert report.layers[0].utilisation > 0


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(trace=traces(bits=(4, 8, 16), tied=True), arch=st.sampled_from(["silago", "silago-64kib"]))
def test_silago_on_drawn_traces(trace: Trace, arch: str) -> None:
    spec = load_arch(arch)
    report = simulate(trace, spec)
    check_report(report, trace)
    assert simulate(trace, spec, engine="simpy") == report
    words = sum(layer.macs * layer.weight_bits / 16 for layer in trace.layers if isinstance(layer, Matmul))
    assert report.cycles >= words / 16  # one word-MAC a cell a cycle


@pytest.mark.parametrize("bits", [16, 8, 4, 2])
def test_mohaqs_network_on_bit_fusion_lies_above_its_bounds(bits: int) -> None:
    trace = load_trace(f"mohaq-sru-{bits}bit")
    report = simulate(trace, load_arch("bitfusion"))
    check_report(report, trace)
    products = {2: 16, 4: 4, 8: 1, 16: 0.25}[bits]  # bitfusion: products a cycle of one fusion unit
    assert report.cycles > trace.macs / (16 * 32 * products)
    stalls = {cause for layer in report.layers for cause in layer.stall_cycles}
    assert stalls <= {"weights", "inputs", "outputs", "drain", "post-processing"}
    assert "weights" in stalls


@pytest.mark.parametrize(("bits", "bound"), [(16, 346_844), (8, 173_422), (4, 86_711)])
def test_mohaqs_network_on_silago_lies_above_its_bound(bits: int, bound: int) -> None:
    """The published bound a frame: 16 cells at one word-MAC a cycle. What is above it has a name."""
    trace = load_trace(f"mohaq-sru-{bits}bit")
    report = simulate(trace, load_arch("silago"))
    check_report(report, trace)
    a_frame = report.cycles / trace.steps
    assert bound < a_frame < 1.15 * bound
    elementwise = sum(layer.compute_cycles for layer in report.layers if layer.name.startswith("E"))
    stalls = sum(sum(layer.stall_cycles.values()) for layer in report.layers)
    # Beyond the bound and the named terms, only words that are not full and cells without an output are left.
    assert report.cycles - elementwise - stalls - bound * trace.steps < 0.03 * report.cycles


def test_mohaqs_mac_energy_on_silago_is_the_published_one() -> None:
    for bits, microjoules in ((16, 9.245), (8, 3.008), (4, 0.850)):
        report = simulate(load_trace(f"mohaq-sru-{bits}bit"), load_arch("silago"))
        mac = sum(layer.energy_uj.get("mac", 0.0) for layer in report.layers)
        assert mac / report.steps == pytest.approx(microjoules, abs=5e-4)


def test_recurrent_weights_that_fit_stay_on_chip() -> None:
    """A recurrent product reads its weights once while they fit the weight buffer, and at every step when they do not."""
    steps, outputs, inputs = 50, 512, 128  # at 8 bits exactly the 64 KiB of the weight buffer
    weights = outputs * inputs
    read = {}
    cycles = {}
    for bits in (16, 8, 4, 2):
        report = simulate(one_product(bits, steps, True, outputs, inputs), load_arch("bitfusion"))
        read[bits] = report.layers[0].bits["dram_read"]
        cycles[bits] = report.cycles
    assert read[8], read[4] == (weights * 8, weights * 4)
    assert read[16] == weights * 16 * steps
    # Latency falls in a step where the weights begin to fit, not in proportion to the bits.
    assert cycles[16] / cycles[8] > 8
    assert cycles[8] / cycles[4] < 4


def test_a_larger_buffer_keeps_weights_that_a_smaller_one_streams() -> None:
    trace = one_product(8, 30, True, 512, 128)
    small = simulate(trace, load_arch("bitfusion", ["buffers.weight_kib=63"]))
    large = simulate(trace, load_arch("bitfusion"))
    assert small.layers[0].bits["dram_read"] == 30 * large.layers[0].bits["dram_read"]
    assert small.cycles > 2 * large.cycles


def test_time_steps_of_independent_vectors_share_their_weights() -> None:
    report = simulate(one_product(8, 50, False, 512, 128), load_arch("bitfusion"))
    assert report.layers[0].bits["weight_buffer_write"] == 512 * 128 * 8


FIXED = ["mapping={outer: outputs, out_tile: 64, in_tile: 64, vector_tile: 8}"]


@settings(max_examples=25)
@given(outputs=st.integers(1, 300), inputs=st.integers(1, 300), steps=st.integers(1, 30), recurrent=st.booleans())
def test_fewer_bits_never_cost_more_energy(outputs: int, inputs: int, steps: int, recurrent: bool) -> None:
    # SiLago reads whole rows of 256 bits and adds its lanes up: a reduction that fills no row gains nothing from fewer bits.
    rows = -(-inputs // 64) * 64
    for arch, widths, length in (("bitfusion", (2, 4, 8, 16), inputs), ("silago", (4, 8, 16), rows)):
        spec = load_arch(arch)
        energies = [simulate(one_product(bits, steps, recurrent, outputs, length), spec).energy_uj for bits in widths]
        assert energies == sorted(energies)


@pytest.mark.parametrize(
    "switch", ["true_output_bits", "skip_first_preload", "share_inputs_in_row", "fill_drain", "leakage"]
)
def test_each_correction_can_be_switched_off_and_costs_something(switch: str) -> None:
    trace = one_product(8, 30, False, 256, 200)
    with_it = simulate(trace, load_arch("bitfusion"))
    without = simulate(trace, load_arch("bitfusion", [f"corrections.{switch}=false"]))
    if switch == "fill_drain":
        assert without.cycles < with_it.cycles
    elif switch == "leakage":
        assert without.energy_uj < with_it.energy_uj
    else:
        assert without.energy_uj > with_it.energy_uj


# Buffers below the CACTI table's smallest need figures of their own.
OWN_FIGURES = [f"energy.{name}_buffer_pj_per_bit={{read: 1, write: 1}}" for name in ("input", "weight", "output")]
OWN_FIGURES.append("energy.sram_leakage_mw=1")


@pytest.mark.parametrize(
    ("arch", "overrides", "trace", "message"),
    [
        ("bitfusion", [*OWN_FIGURES, "buffers.weight_kib=0.0001"], one_product(8), r"buffers.weight_kib: 0.0001: a tile .* 8 too many"),
        ("bitfusion", [*OWN_FIGURES, "buffers.output_kib=0.001"], one_product(8), r"buffers.output_kib.* 28 too many"),
        ("silago", [], one_product(2), r"layer U: 2x2 bits: silago multiplies 4x4, 8x8, 16x16"),
        ("silago", ["dram=null", "dimarch.weight_tiles=1"], one_product(8), r"weight_tiles: 1: .* layer U need 28672 bits more"),
        ("silago", ["dram=null", "dimarch.activation_tiles=1"], one_product(8, 200), r"activation_tiles: 1: layer U .* 402432"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_by_how_much(
    arch: str, overrides: list[str], trace: Trace, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        simulate(trace, load_arch(arch, overrides))


def test_an_operation_without_a_figure_is_an_error() -> None:
    spec = load_arch("bitfusion", ["post_processing.cycles_per_op={add: 1}"])
    layer = Elementwise(name="E", ops={"sigmoid": 4}, inputs=4, outputs=4, steps=2)
    with pytest.raises(InputError, match=r"layer E: ops\.sigmoid"):
        simulate(Trace(name="x", steps=2, layers=(layer,)), spec)


def test_what_does_not_settle_names_the_layer_and_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "MOST", (float(fast.MAX_CYCLES), 8))
    arch = load_arch("silago", ["name=unsettled", "cell.reduction_cycles=3"])  # that no cache has met
    with pytest.raises(
        InputError, match=r"^layer U: \d+ tasks at a time: .* simulate fewer steps \(--steps\), or larger"
    ):
        simulate(one_product(8), arch)


def test_more_cycles_than_can_be_counted_name_the_layer() -> None:
    layer = Elementwise(name="E", ops={"add": 1 << 31}, inputs=4, outputs=4, steps=1 << 20)
    slow = load_arch("bitfusion", ["post_processing.cycles_per_op.add=1048576", "post_processing.lanes=1"])
    with pytest.raises(InputError, match=r"^layer E: .* at most 2\^60 can be counted"):
        simulate(Trace(name="long", steps=1 << 20, layers=(layer,)), slow)


def test_unknown_engine() -> None:
    with pytest.raises(InputError, match="engine 'fast': it must be one of numba, simpy"):
        simulate(one_product(8), load_arch("bitfusion"), engine="fast")


def test_reports_are_values() -> None:
    report = simulate(one_product(8), load_arch("bitfusion"))
    assert replace(report, trace="other") != report
    assert report.to_csv().splitlines()[0].startswith("name,cycles,compute_cycles,stall_")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cell.register_file_words=16", "cell.register_file_words: 16: .* 16 too few"),
        ("cell.instruction_slots=16", "cell.instruction_slots: 16: a layer's configuration has 32"),
    ],
)
def test_a_cell_that_is_too_small_is_named(override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulate(one_product(8), load_arch("silago", [override]))


@pytest.mark.parametrize(
    "key", ["cell.read_ports=1", "cell.mac_lanes=4", "cell.register_file_words=32", "fabric.columns=4"]
)
def test_a_cell_s_ports_lanes_and_registers_count(key: str) -> None:
    """One port halves the rate; four lanes gain nothing with two ports; one buffered row exposes the loads."""
    trace = one_product(8, 20, False, 200, 300)
    base, changed = (simulate(trace, load_arch("silago", extra)).cycles for extra in ([], [key]))
    ratio = changed / base
    expected = {
        "cell.read_ports=1": (1.7, 2.1),
        "cell.mac_lanes=4": (1, 1),
        "cell.register_file_words=32": (1.05, 2),
        "fabric.columns=4": (1.7, 2.1),
    }
    low, high = expected[key]
    assert low <= ratio <= high


@pytest.mark.parametrize("table", ["cycles_per_op", "pj_per_op"])
def test_an_operation_without_a_figure_is_named(tmp_path: Path, table: str) -> None:
    content = yaml.safe_load((ROOT / "arch_specs" / "bitfusion.yaml").read_text())
    del content["post_processing"][table]["sigmoid"]
    spec = tmp_path / "without.yaml"
    spec.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=rf"layer E0: ops\.sigmoid: .*post_processing\.{table} has no figure"):
        simulate(load_trace("mohaq-sru-4bit"), load_arch(spec))
