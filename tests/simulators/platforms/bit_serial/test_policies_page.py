"""The table of published policies by hardware is what the simulator says."""

import pytest
from paths import ROOT

from simulators import load_arch, load_trace, simulate
from simulators.run.published import published_report

HARDWARE = (("bit-serial-cloud", 16), ("bit-serial-ultra96", 1), ("bit-serial-pynq-z1", 1), ("bit-serial-edge", 1),
            ("bitfusion", 16))  # fmt: skip
"""Columns behind that of the closed form, each with its number of images."""


def rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "bit-serial.md").read_text().splitlines()
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [row for row in cells if row[0].startswith(("mobilenet", "resnet"))]


def test_every_policy_is_there() -> None:
    assert len(rows()) == 10


@pytest.mark.slow
@pytest.mark.parametrize("row", rows(), ids=lambda row: " ".join(row[:2]))
def test_a_policy_takes_these_milliseconds(row: list[str]) -> None:
    name, bits, closed, *others = row
    trace = load_trace(name) if bits == "own" else load_trace(name).at_bits(int(bits), int(bits))
    found = published_report(trace.at_steps(16), load_arch("bit-serial-cloud")).report.latency_ms
    assert float(closed) == pytest.approx(found, rel=1e-3)
    for (arch, images), shown in zip(HARDWARE, others, strict=True):
        found = simulate(trace.at_steps(images), load_arch(arch)).latency_ms
        assert float(shown) == pytest.approx(found, rel=1e-3), arch
