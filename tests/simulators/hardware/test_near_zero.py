"""Rates near zero: refused where seconds would be infinite or cycles no 64-bit number; the least ones give figures."""

import json

import pytest

from simulators import InputError, Matmul, Trace, load_arch, simulate

TRACE = Trace(
    name="t", steps=2,
    layers=(
        Matmul(name="m", out_features=64, in_features=64, steps=2, weight_bits=8, activation_bits=8, output_bits=8),
    ),
)  # fmt: skip
LEAST = [
    ("bitfusion", "frequency_mhz", "0.01"),
    ("silago", "frequency_mhz", "0.01"),
    ("bit-serial-edge", "frequency_mhz", "0.01"),
    ("edgedrnn", "frequency_mhz", "0.01"),
    ("epiphany-e16", "frequency_mhz", "0.01"),
    ("bitfusion-ddr4", "dram.gb_per_s", "0.001"),
    ("epiphany-e16", "dram.read_cycles_per_byte", "0.000001"),
    ("epiphany-e16", "dram.write_cycles_per_byte", "0.000001"),
]


@pytest.mark.parametrize(("arch", "key", "least"), LEAST)
@pytest.mark.parametrize("value", ["5e-324", "1e-300", "0"])
def test_refused_with_key_value_and_bound(arch: str, key: str, least: str, value: str) -> None:
    with pytest.raises(InputError) as refused:
        load_arch(arch, [f"{key}={value}"])
    text = str(refused.value)
    assert text.startswith(f"--set {key}={value}: ")
    assert text.endswith(f"greater than or equal to {least}")
    assert "\n" not in text


@pytest.mark.parametrize(("arch", "key", "least"), [row for row in LEAST if row[0] != "edgedrnn"])
def test_the_least_gives_figures(arch: str, key: str, least: str) -> None:
    report = simulate(TRACE, load_arch(arch, [f"{key}={least}"]))
    json.dumps(report.to_dict(), allow_nan=False)
    assert report.latency_ms == report.cycles / report.frequency_mhz / 1e3
