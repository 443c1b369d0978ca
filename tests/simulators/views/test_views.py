"""What is made of a simulation: roofline, timeline, picture, comparison, and the published model on a trace."""

import csv
import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import Elementwise, InputError, Matmul, Trace, load_arch, load_trace, simulate
from simulators.inputs.terminal import Terminal
from simulators.run.published import published_report
from simulators.run.simulation import simulator
from simulators.views.comparison import compare, technologies, to_csv
from simulators.views.report_plot import plot
from simulators.views.report_tables import (
    amount,
    print_comparison,
    print_layers,
    print_mappings,
    print_report,
)
from simulators.views.roofline import layer_roofline, roofline
from simulators.views.short_names import short_names
from simulators.views.technologies import different_technologies
from simulators.views.timeline import timeline

RUNS = [
    ("mohaq-sru-8bit", "bitfusion"),
    ("mohaq-sru-4bit", "silago"),
    ("lstm-128-16bit", "bitfusion"),
    ("lenet-5", "bitfusion"),
    ("mohaq-sru-8bit", "bit-serial-edge"),
    ("lenet-5", "bit-serial-cloud-published"),
    ("lenet-5", "epiphany-e16"),
]


@pytest.mark.parametrize(("trace", "arch"), RUNS)
def test_the_roofline_is_a_lower_bound(trace: str, arch: str) -> None:
    report = simulate(load_trace(trace), load_arch(arch))
    roof = roofline(report)
    assert roof.bound_cycles <= report.cycles
    assert 0 < roof.attained <= 1
    assert roof.work == load_trace(trace).macs
    assert (roof.intensity < roof.ridge) == (roof.bound == roof.channel)
    for layer in report.layers:
        assert layer_roofline(layer, report).compute_cycles <= max(layer.cycles, layer.busy_cycles)


def test_reads_bind_alone_where_each_way_has_its_own_channel() -> None:
    """AlexNet at batch 1 reads 61 million weights of 16 bits over the bridge's 164 MB/s and hardly writes."""
    report = simulate(load_trace("alexnet").at_bits(16, 16), load_arch("epiphany-e16"))
    roof = roofline(report)
    read = sum(layer.bits["dram_read"] for layer in report.layers)
    assert roof.bound == "dram_read"
    assert roof.memory_cycles == pytest.approx(read / 8 / 164e6 * 600e6, rel=0.005)
    assert roof.bytes_moved == read / 8


def test_a_recurrent_network_that_streams_its_weights_is_bound_by_memory() -> None:
    roof = roofline(simulate(load_trace("lstm-128-16bit"), load_arch("bitfusion")))
    assert roof.bound == "dram"
    # 128 x 512 weights of 16 bits are read at every step, and hardly anything else: half a MAC a byte, and W's share.
    assert 0.5 < roof.intensity < 0.7


@pytest.mark.parametrize(
    ("trace", "arch"), [("lstm-128-8bit", "bitfusion"), ("lenet-5", "bitfusion"), ("lstm-128-8bit", "silago")]
)
def test_the_timeline_holds_every_task(trace: str, arch: str) -> None:
    network, spec = load_trace(trace).at_steps(2), load_arch(arch)
    report = simulate(network, spec)
    events = timeline(network, spec)["traceEvents"]
    tasks = [event for event in events if event["ph"] == "X"]
    tracks: dict[int, list[dict]] = {}
    for event in tasks:
        tracks.setdefault(event["tid"], []).append(event)
    named = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert set(tracks) <= set(named)
    for track in tracks.values():
        track.sort(key=lambda event: event["args"]["start_cycle"])
        for before, after in pairwise(track):
            assert before["args"]["start_cycle"] + before["args"]["cycles"] <= after["args"]["start_cycle"]
    ends = [event["args"]["start_cycle"] + event["args"]["cycles"] for event in tasks]
    assert max(ends) == report.cycles
    busy = {"bitfusion": "array", "silago": "cells"}[arch]
    track = next(tid for tid, name in named.items() if name == busy)
    working = sum(event["args"]["cycles"] for event in tracks[track] if event["cat"] == "compute")
    assert working == sum(layer.busy_cycles for layer in report.layers if layer.unit == "compute")
    assert {event["name"].split(":")[0] for event in tasks} == {layer.name for layer in network.layers}


def test_a_timeline_holds_what_a_barrier_released_on_a_server_that_was_never_used() -> None:
    # The product's weights are loaded ahead, so that its first task on the array waits for the barrier alone.
    before = Elementwise(name="E", ops={"add": 64}, inputs=64, outputs=64, steps=9)
    product = Matmul(
        name="R", out_features=64, in_features=64, steps=9, recurrent=True, weight_bits=8, activation_bits=8,
        output_bits=16,
    )  # fmt: skip
    network, spec = Trace(name="t", steps=9, layers=(before, product)), load_arch("bitfusion")
    drawn = [event for event in timeline(network, spec)["traceEvents"] if event["ph"] == "X"]
    assert max(event["ts"] + event["dur"] for event in drawn) == pytest.approx(simulate(network, spec).latency_ms * 1e3)


def test_a_timeline_of_too_many_tasks_says_how_many_frames_fit() -> None:
    with pytest.raises(InputError, match=r"20,\d+,\d+ tasks: at most 400,000 fit.*--steps \d"):
        timeline(load_trace("mohaq-sru-16bit"), load_arch("silago"))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_is_written(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    for trace, arch in RUNS:
        file = tmp_path / f"{trace}{suffix}"
        plot(simulate(load_trace(trace), load_arch(arch)), file)
        assert file.stat().st_size > 5000
    assert {path.suffix for path in tmp_path.iterdir()} == {suffix}
    with pytest.raises(InputError, match=r"written as \.png"):
        plot(simulate(load_trace("lenet-5"), load_arch("bitfusion")), tmp_path / "x.gif")
    with pytest.raises(InputError, match="cannot be written"):
        plot(simulate(load_trace("lenet-5"), load_arch("bitfusion")), tmp_path / "missing" / f"x{suffix}")


def test_variants_are_compared_to_the_first() -> None:
    trace = load_trace("mohaq-sru-4bit")
    names = ["bitfusion", "bitfusion-2mib", "silago"]
    first, *others = compare(trace, [(name, load_arch(name)) for name in names])
    assert (first.latency_ratio, first.energy_ratio, first.energy_delay_ratio) == (1, 1, 1)
    for variant in others:
        assert variant.latency_ratio == pytest.approx(variant.report.latency_ms / first.report.latency_ms)
        assert variant.energy_delay_ratio == pytest.approx(variant.latency_ratio * variant.energy_ratio)
    rows = list(csv.DictReader(io.StringIO(to_csv([first, *others]))))
    assert [row["arch"] for row in rows] == names
    with pytest.raises(InputError, match=r"silago: layer .*2x2 bits"):
        compare(load_trace("mohaq-sru-2bit"), [("bitfusion", load_arch("bitfusion")), ("silago", load_arch("silago"))])
    with pytest.raises(InputError, match="twice"):
        compare(trace, [("silago", load_arch("silago"))] * 2)


def test_technologies_are_named_where_they_differ() -> None:
    trace = load_trace("lstm-128-8bit")
    compared = compare(trace, [(name, load_arch(name)) for name in ("bitfusion", "bitfusion-hbm2", "silago")])
    assert technologies(compared) == (
        "Energy and area are of different technologies: 45 nm (bitfusion, bitfusion-hbm2); 28 nm (silago)"
    )
    assert technologies(compared[:2]) == ""
    assert [row.to_dict()["technology_nm"] for row in compared] == [45, 45, 28]


def test_of_many_architectures_the_first_are_named_and_the_others_counted() -> None:
    many = [(f"a{i}", 28.0 + (i == 0)) for i in range(12)]
    assert different_technologies([*many, ("z", None)]) == (
        "Energy and area are of different technologies: 29 nm (a0); 28 nm (a1, a2, a3, a4, a5, a6, a7, a8, 3 more); "
        "not said (z)"
    )


def test_a_comparison_is_whole_at_80_columns() -> None:
    variants = [
        (name, load_arch("bitfusion", name.split(",")[1:])) for name in ("bitfusion", "bitfusion,array.rows=32")
    ]
    out = Terminal(width=80, file=io.StringIO())
    print_comparison(compare(load_trace("mohaq-sru-4bit"), variants), out)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[2].split()[-1] == "bound"
    assert lines[4].split()[-1] == "post-process"
    assert lines[5].split()[-1] == "ing"


def test_figures_of_a_tiny_network_are_not_zero() -> None:
    """One multiplication: 50 cycles of a clock of 500 MHz are 0.1 µs."""
    bits = {"weight_bits": 8, "activation_bits": 8, "output_bits": 16}
    one = Trace(name="one", steps=1, layers=(Matmul(name="W", out_features=1, in_features=1, steps=1, **bits),))
    report = simulate(one, load_arch("bitfusion"))
    out = Terminal(width=80, file=io.StringIO())
    print_report(report, out)
    print_comparison(compare(one, [("bitfusion", load_arch("bitfusion"))]), out)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    of = {line.split()[0]: line.split() for line in lines if len(line.split()) > 1}
    assert of["50"][-2:] == [f"{report.latency_ms:.3g}", "ms"] == ["0.0001", "ms"]
    (total,) = (line.split()[0] for line in lines if "µJ: " in line)
    assert total == of["W"][-1] == of["bitfusion"][3] == f"{report.energy_uj:.3g}"
    assert float(total) > 0
    assert [amount(x, 1) for x in (0, 0.94, 9.96, 1234.56)] == ["0.0", "0.94", "10.0", "1,234.6"]


def test_a_trace_without_products_has_no_rate_of_them() -> None:
    layer = Elementwise(name="E", inputs=64, outputs=64, steps=9, output_bits=8, ops={"add": 64})
    out = Terminal(width=80, file=io.StringIO())
    print_report(simulate(Trace(name="one", steps=9, layers=(layer,)), load_arch("bitfusion")), out)
    last = out.file.getvalue().splitlines()[-1]  # type: ignore[attr-defined]
    assert last.startswith("Roofline: no products: bound by ")
    assert "MAC" not in last


def test_the_published_model_on_a_trace_is_its_tables() -> None:
    """AlexNet with a batch of 16: the total of the reference table."""
    published = published_report(load_trace("alexnet").at_steps(16), load_arch("bitfusion"))
    assert published.report.cycles == 37_666_491
    assert published.left_out == ()


def test_the_published_model_says_what_it_leaves_out() -> None:
    published = published_report(load_trace("mohaq-sru-8bit"), load_arch("bitfusion"))
    assert published.left_out == ("E0", "E1", "E2", "E3")
    assert [layer.name for layer in published.report.layers] == ["L0", "P1", "L1", "P2", "L2", "P3", "L3", "FC"]
    streamed = published_report(load_trace("lstm-128-8bit"), load_arch("bitfusion")).report.layers[1]
    assert streamed.bits["dram_read"] >= load_trace("lstm-128-8bit").steps * 128 * 512 * 8  # weights at every step
    with pytest.raises(InputError, match="layer L0: 16x16 bits: the published model has no answer"):
        published_report(load_trace("mohaq-sru-16bit"), load_arch("bitfusion"))
    with pytest.raises(
        InputError, match="platform silago has no published model; there is one of bit_serial, bitfusion"
    ):
        published_report(load_trace("mohaq-sru-8bit"), load_arch("silago"))


LONG = [f"encoder.layers.{i}.self_attention.{part}.output_projection" for i in range(12) for part in ("query", "value")]


def printed(trace: Trace, changes: tuple[str, ...] = (), variants: int = 0) -> list[str]:
    """Lines of a report, or of so many variants' layers, at 80 columns."""
    out = Terminal(width=80, file=io.StringIO())
    if variants:
        named = [(f"bitfusion,array.rows={8 << i},array.columns=16", load_arch("bitfusion")) for i in range(variants)]
        print_layers(compare(trace, named), out)
    else:
        spec = load_arch("bitfusion", changes)
        print_report(simulate(trace, spec), out)
        print_mappings(simulator(spec).mappings(trace.layers), out)
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def named(*names: str) -> Trace:
    layers = [
        Matmul(name=name, out_features=8, in_features=8, steps=2, weight_bits=8, activation_bits=8, output_bits=8)
        for name in names
    ]
    return Trace(name="named", steps=2, layers=tuple(layers))


@pytest.mark.parametrize("variants", [0, 2, 7])
def test_each_layer_has_a_line_of_its_own_at_80_columns(variants: int) -> None:
    lines = printed(named(*LONG), variants=variants)
    rows = [line.split() for line in lines if line.startswith(" enc")]
    tables = [rows[i : i + len(LONG)] for i in range(0, len(rows), len(LONG))]
    assert all(len({row[0] for row in table}) == len(LONG) for table in tables)
    if variants:
        assert max(map(len, lines)) <= 80
        cycles = [f"{layer.cycles:,}" for layer in simulate(named(*LONG), load_arch("bitfusion")).layers]
        assert [cell for row in rows for cell in row[1:]] == [
            cell for table in tables for cell, row in zip(cycles, table, strict=True) for _ in row[1:]
        ]
        assert sum(len(table[0]) - 1 for table in tables) == variants


@pytest.mark.parametrize(
    ("names", "width", "shown"),
    [
        (["abc", "abd"], 3, ["abc", "abd"]),
        (["aaaaaa1", "aaaaaa2"], 5, ["aa…a1", "aa…a2"]),
        (["a1bbbbbbbbc", "a2bbbbbbbbc"], 5, ["a1…bc", "a2…bc"]),
        (["aaa1bbbbbbbb", "aaa2bbbbbbbb"], 5, ["aaa1…", "aaa2…"]),
        (["aaaaaa1bbbbbb", "aaaaaa2bbbbbb", "c"], 5, ["aa…#1", "aa…#2", "c"]),
        (["aaaaaaaaaaa", "aa…aa"], 5, ["a…aaa", "aa…aa"]),
    ],
)
def test_names_are_cut_where_they_still_differ(names: list[str], width: int, shown: list[str]) -> None:
    assert short_names(names, width) == shown


@given(st.lists(st.text("ab", min_size=1, max_size=12), max_size=40, unique=True), st.integers(4, 12))
def test_short_names_are_distinct(names: list[str], width: int) -> None:
    shown = short_names(names, width)
    assert len({*shown}) == len(names)
    assert all(len(text) <= width for text in shown)


def test_utilisation_and_stalls_are_shares_of_the_same_cycles() -> None:
    """A product behind whose results elementwise work goes on has few cycles of its own, many of them stalled."""
    product = Matmul(
        name="M", out_features=64, in_features=64, steps=50, weight_bits=8, activation_bits=8, output_bits=16
    )
    behind = Elementwise(name="E", ops={"add": 640}, inputs=64, outputs=64, steps=50)
    trace = Trace(name="t", steps=50, layers=(product, behind))
    layer = simulate(trace, load_arch("bitfusion")).layers[0]
    assert layer.busy_cycles > layer.cycles
    assert layer.utilisation == layer.work / (layer.spanned_cycles * layer.peak_per_cycle)
    stalled = sum(layer.stall_cycles.values()) / layer.busy_cycles
    row = next(line.split() for line in printed(trace) if line.startswith(" M"))
    assert row[3:5] == [f"{layer.utilisation:.1%}", f"{stalled:.1%}"]
