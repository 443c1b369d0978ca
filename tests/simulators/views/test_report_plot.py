"""The picture of a report: a cause has one colour, and what is written in it can be read."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from simulators import load_arch
from simulators.hardware.arch import arch_names
from simulators.lowering.platform import platform_named
from simulators.run.report import LayerReport, Report
from simulators.views.report_plot import _figure
from simulators.views.stall_colours import COMPUTE_COLOUR, stall_colour


def product(name: str, macs: int, cycles: int, bits: int, stalls: dict[str, int] | None = None) -> LayerReport:
    """A product of so many multiply-accumulates that moves so many bits, on hardware that does 64 in a cycle."""
    stalls = stalls or {}
    return LayerReport(
        name, cycles, cycles - sum(stalls.values()), stalls, macs / cycles / 64, {"mac": 1.0}, {"dram_read": bits},
        "compute", macs, macs, macs, 64, cycles,
    )  # fmt: skip


def drawn(*layers: LayerReport) -> Figure:
    return _figure(Report("a", "t", 1, False, 1000.0, layers, {"dram": 64}))


def colours(figure: Figure) -> dict[str, str]:
    """The colours of the causes in a picture's legend."""
    bars, names = figure.axes[1].get_legend_handles_labels()
    of_bars = [to_hex(bar.patches[0].get_facecolor()) for bar in bars]
    return {name.removeprefix("waiting: "): colour for name, colour in zip(names, of_bars, strict=True)}


def assert_apart(boxes: Sequence[Bbox]) -> None:
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]


@pytest.mark.parametrize(("cycles", "bits"), [(100, 10**6), (10**6, 10**7), (10**10, 10**9), (1, 5000)])
def test_figures_beside_the_axes_lie_apart(cycles: int, bits: int) -> None:
    figure = drawn(product("a", 64, cycles, 8), product("b", 64, 1, bits))
    figure.draw_without_rendering()
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        labels = [*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)]
        assert len(labels) >= 2
        assert_apart([label.get_window_extent() for label in labels if label.get_text()])


def test_a_cause_has_one_colour_whatever_its_rank() -> None:
    one = colours(drawn(product("a", 64, 100, 8, {"reduction": 30, "inputs": 20, "weights": 5, "of a plugin": 1})))
    other = colours(drawn(product("a", 64, 100, 8, {"weights": 30, "of a plugin": 20, "drain": 5})))
    assert one == {cause: COMPUTE_COLOUR if cause == "computing" else stall_colour(cause) for cause in one}
    assert {cause: one[cause] for cause in one if cause in other}.items() <= other.items()
    assert len({*one.values()}) == len(one) == 5


@pytest.mark.parametrize("name", arch_names())
def test_no_two_causes_of_a_platform_have_one_colour(name: str) -> None:
    arch = load_arch(name)
    kinds = platform_named(arch.platform).machine_of(arch.spec).kinds
    assert len({COMPUTE_COLOUR, *map(stall_colour, kinds[1:])}) == len(kinds)
