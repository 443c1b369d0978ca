"""The survey's objectives: figures that are the report's, flexibility that is the platform's, context apart."""

import pytest

from simulators import load_arch, load_trace, simulate
from simulators.inputs.terminal import Terminal
from simulators.lowering.platform import platform_named
from simulators.views.comparison import compare
from simulators.views.report_tables import print_survey
from simulators.views.survey import CONTEXT, UNKNOWN, flexibility_of, survey_rows

NAMES = ("silago", "bitfusion", "epiphany-e16")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    trace, variants = load_trace("lstm-128-8bit"), [(name, load_arch(name)) for name in NAMES]
    return survey_rows(trace, compare(trace, variants), [arch for _, arch in variants])


def test_figures_are_the_reports(rows: list[dict[str, str]]) -> None:
    trace = load_trace("lstm-128-8bit")
    for row, name in zip(rows, NAMES, strict=True):
        report = simulate(trace, load_arch(name))
        gops = 2 * trace.macs / report.cycles * report.frequency_mhz / 1e3
        assert float(row["GOP/s, effective"].replace(",", "")) == pytest.approx(gops, rel=1e-3)
        joules_a_frame = report.energy_uj / report.steps
        assert float(row["µJ a frame"].replace(",", "")) == pytest.approx(joules_a_frame, rel=1e-3)
        gop_a_joule = 2 * trace.macs / 1e9 / (report.energy_uj * 1e-6)
        assert float(row["GOP/s/W"].replace(",", "")) == pytest.approx(gop_a_joule, rel=1e-3)
        assert float(row["model MiB"]) == pytest.approx((512 * 168 + 2 * 512) / 2**20, rel=1e-3)


def test_flexibility_is_what_the_platform_says(rows: list[dict[str, str]]) -> None:
    silago, bitfusion, epiphany = rows
    assert silago["bit choices"] == "4x4, 8x8, 16x16"
    assert silago["other layers"] == "conv2d, pool2d"
    assert epiphany["bit choices"] == "1/2/4/8/16 x 16, others run"
    assert epiphany["sparsity"] == "none"
    assert "pruned" in bitfusion["sparsity"]
    assert {row["change at run time"] for row in rows} == {"bits of each layer"}
    for name, change in (("bit-serial-edge", "bits of each layer"), ("drra2", "no"), ("edgedrnn", "no")):
        arch = load_arch(name)
        assert flexibility_of(platform_named(arch.platform), arch)["change at run time"] == change
    images, arch = load_trace("lenet-5"), load_arch("bitfusion")
    (edge,) = survey_rows(images, compare(images, [("bitfusion", arch)]), [arch])
    assert edge["real-time factor"] == UNKNOWN
    assert "µJ an input" in edge


def test_published_accelerators_stand_apart_with_their_technology(
    rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    print_survey(rows, Terminal())
    shown = capsys.readouterr().out
    objectives, _, context = shown.partition("published, as context")
    assert "they validate nothing" in context
    assert "after Rezk et al. 2020" in objectives
    for accelerator in CONTEXT:
        assert accelerator.name in context
        assert accelerator.name not in objectives
        assert accelerator.technology
