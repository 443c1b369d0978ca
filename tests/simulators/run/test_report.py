"""What a report makes of its layers, by hand."""

from dataclasses import replace

import pytest

from simulators import LayerReport, Report

LAYERS = (
    LayerReport(
        name="P", cycles=600, compute_cycles=400, stall_cycles={"weights": 150, "drain": 50}, utilisation=0.5,
        energy_uj={"array": 3.0, "dram": 5.0}, bits={"dram_read": 640}, unit="compute", macs=4800,
        dense_equivalent_macs=9600, work=4800, peak_per_cycle=16.0, busy_cycles=400,
    ),
    LayerReport(
        name="E", cycles=200, compute_cycles=200, stall_cycles={"weights": 10}, utilisation=0.25,
        energy_uj={"dram": 2.0}, bits={}, unit="post-processing", macs=0, dense_equivalent_macs=0, work=400,
        peak_per_cycle=8.0, busy_cycles=300,
    ),
)  # fmt: skip
REPORT = Report(
    arch="a", trace="t", steps=4, has_frames=True, frequency_mhz=200.0, layers=LAYERS, bits_per_cycle={"dram": 64.0}
)


def test_totals() -> None:
    """800 cycles at 200 MHz are 4 µs; 4 frames are 40 ms of speech."""
    assert (REPORT.cycles, REPORT.macs, REPORT.dense_equivalent_macs) == (800, 4800, 9600)
    assert REPORT.latency_ms == pytest.approx(0.004)
    assert REPORT.latency_ms_per_frame == pytest.approx(0.001)
    assert REPORT.real_time_factor == pytest.approx(0.0001)
    assert REPORT.energy_uj == 10.0
    assert REPORT.energy_uj_per_frame == 2.5
    assert REPORT.energy_delay_uj_ms == pytest.approx(0.04)
    assert REPORT.utilisation == pytest.approx(4800 / (16 * 800))
    assert list(REPORT.stall_cycles.items()) == [("weights", 160), ("drain", 50)]


def test_what_is_no_speech_has_no_frames() -> None:
    report = replace(REPORT, has_frames=False)
    assert (report.latency_ms_per_frame, report.energy_uj_per_frame, report.real_time_factor) == (None, None, None)


def test_a_layer_s_share_of_cycles_is_of_those_that_it_spans() -> None:
    """Its own, or, where it overlaps with another layer's, those in which its unit was busy."""
    assert [layer.spanned_cycles for layer in LAYERS] == [600, 300]
    assert [layer.dominant_stall for layer in LAYERS] == ["weights", "weights"]
    assert replace(LAYERS[0], stall_cycles={"weights": 1, "drain": 2}).dominant_stall == "drain"
    assert replace(LAYERS[0], stall_cycles={}).dominant_stall == ""


def test_a_row_of_the_table_has_what_every_layer_has() -> None:
    header, *rows = REPORT.to_csv().splitlines()
    assert header.split(",") == [
        "name", "cycles", "compute_cycles", "stall_weights_cycles", "stall_drain_cycles", "utilisation", "macs",
        "dense_equivalent_macs", "energy_array_uj", "energy_dram_uj", "dram_read_bits",
    ]  # fmt: skip
    assert rows == ["P,600,400,150,50,0.5,4800,9600,3.0,5.0,640", "E,200,200,10,0,0.25,0,0,0,2.0,0"]
