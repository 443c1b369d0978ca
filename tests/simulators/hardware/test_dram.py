"""DRAM's rate in GB/s or in bits a cycle, of the array's clock or of its own; what a file extends and what it changes."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import InputError, Matmul, Report, Trace, load_arch, simulate
from simulators.hardware.spec import Channel, Dram

STREAMED = Trace(
    name="streamed", steps=4,
    layers=(
        Matmul(name="m", out_features=512, in_features=512, steps=4, recurrent=True, weight_bits=8, activation_bits=8,
               output_bits=8),
    ),
)  # fmt: skip
"""Weights of 256 KiB at each step: DRAM binds."""


def run(arch: str, *changes: str) -> Report:
    report = simulate(STREAMED, load_arch(arch, changes))
    assert report == simulate(STREAMED, load_arch(arch, changes), engine="simpy")
    return report


@pytest.mark.parametrize(("arch", "changes"), [("bitfusion", ["dram.gb_per_s=12"]), ("silago-64kib", [])])
def test_a_rate_in_bytes_a_second_stands_whatever_the_clock(arch: str, changes: list[str]) -> None:
    slow, fast = (run(arch, *changes, f"frequency_mhz={mhz}") for mhz in (500, 1000))
    moved = sum(bits for level, bits in slow.layers[0].bits.items() if level.startswith("dram"))
    for report in (slow, fast):
        seconds = moved / 8e9 / (12 if arch == "bitfusion" else 1.6)
        assert report.latency_ms >= seconds * 1e3
    assert fast.cycles > slow.cycles
    assert fast.latency_ms < slow.latency_ms
    assert fast.bits_per_cycle["dram"] == slow.bits_per_cycle["dram"] / 2


def test_two_ways_to_say_one_rate() -> None:
    assert run("bitfusion") == run("bitfusion", "dram.gb_per_s=12")  # 192 bits a cycle at 500 MHz
    assert run("silago-64kib") == run("silago-64kib", "dram.bits_per_cycle=64")  # 1.6 GB/s at 200 MHz
    assert run("bitfusion", "frequency_mhz=1000").cycles == run("bitfusion").cycles
    own_clock = run("bitfusion", "frequency_mhz=1000", "dram.frequency_mhz=500")
    assert own_clock.bits_per_cycle == {"dram": 96}
    assert own_clock.bits_per_cycle == run("bitfusion", "frequency_mhz=1000", "dram.gb_per_s=12").bits_per_cycle


@given(
    gb_per_s=st.floats(0.01, 1000), own=st.none() | st.floats(10, 5000), mhz=st.floats(10, 5000),
    bits=st.integers(0, 1 << 40),
)  # fmt: skip
def test_transfers_take_whole_cycles_of_both_clocks(gb_per_s: float, own: float | None, mhz: float, bits: int) -> None:
    channel = Dram(gb_per_s=gb_per_s, frequency_mhz=own, pj_per_bit=1).channel(mhz)
    clock = Fraction(repr(own or mhz))
    clocks = -(-bits * clock // (Fraction(repr(gb_per_s)) * 8000))
    assert channel.cycles(bits) == max(1, -(-clocks * Fraction(repr(mhz)) // clock))
    assert channel.cycles(bits) >= bits / channel.rate
    assert channel.rate == Fraction(repr(gb_per_s)) * 8000 / Fraction(repr(mhz))


def test_whole_bits_in_a_cycle_stay_whole() -> None:
    channel = Dram(bits_per_cycle=192, pj_per_bit=1).channel(333.3)
    assert channel == Channel(192, 1)
    assert (channel.cycles(0), channel.cycles(192), channel.cycles(193)) == (1, 1, 2)
    assert isinstance(channel.bits_per_cycle, int)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["dram.gb_per_s=25.6", "dram.bits_per_cycle=64"], "--set dram.gb_per_s=25.6: 25.6: bits_per_cycle says the "
         "rate too"),
        (["dram.bits_per_cycle=null"], "--set dram.bits_per_cycle=null: None: expected a rate, here or in gb_per_s"),
        (["dram.gb_per_s=0"], "dram.gb_per_s=0: 0: input should be greater than or equal to 0.001"),
    ],
)  # fmt: skip
def test_one_rate_only(changes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_arch("bitfusion", changes)


def test_a_variant_says_the_rate_in_its_own_way(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: bitfusion.yaml\nname: mine\ndram: {gb_per_s: 25.6}\n")
    assert load_arch(path).spec.channel.rate == Fraction(2048, 5)  # type: ignore[attr-defined]
    path.write_text("extends: bitfusion-hbm2.yaml\nname: mine\ndram: {bits_per_cycle: 7}\n")
    assert load_arch(path).spec.channel.rate == 7  # type: ignore[attr-defined]
    path.write_text("extends: bitfusion.yaml\nname: mine\ndram:\n  gb_per_s: 25.6\n  bits_per_cycle: 7\n")
    with pytest.raises(InputError, match=r"mine\.yaml:4:13: dram\.gb_per_s: 25\.6: bits_per_cycle says the rate too"):
        load_arch(path)


def test_the_published_model_needs_whole_bits() -> None:
    from simulators.run.published import published_report

    with pytest.raises(InputError, match=r"gb_per_s: 25\.6: 409\.6 bits in a cycle of the array"):
        published_report(STREAMED, load_arch("bitfusion-ddr4"))


def test_a_wrong_platform_is_blamed_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: bitfusion.yaml\nname: mine\nplatform: silago\n")
    with pytest.raises(InputError, match=r"mine\.yaml:3:11: platform: 'silago': what it changes is of platform "):
        load_arch(path)
    with pytest.raises(InputError, match="--set platform=silago: 'silago': what it changes is of platform bitfusion"):
        load_arch("bitfusion", ["platform=silago"])
    path.write_text("extends: bitfusion.yaml\nname: mine\nplatform: silago2\n")
    with pytest.raises(InputError, match=r"mine\.yaml:3:11: platform: 'silago2'"):
        load_arch(path)
