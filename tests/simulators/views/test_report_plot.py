"""The picture of a report: a cause has one colour, and what is written in it can be read."""

import re
from collections.abc import Sequence
from itertools import combinations

import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from simulators import load_arch
from simulators.hardware.arch import arch_names
from simulators.lowering.platform import platform_named
from simulators.run.report import LayerReport, Report
from simulators.views.point_labels import DOT
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
    figure = _figure(Report("a", "t", 1, False, 1000.0, layers, {"dram": 64}))
    pyplot.close(figure)
    return figure


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


def names_in(figure: Figure) -> dict[str, Annotation]:
    return {text.get_text(): text for text in figure.axes[0].texts if isinstance(text, Annotation)}


def test_a_name_stands_at_its_point_inside_the_frame() -> None:
    """Two points that agree in two digits with each other, and with a rate above the roof."""
    figure = drawn(product("W", 6300, 100, 1600), product("U", 6380, 100, 1600))
    axes, names = figure.axes[0], names_in(figure)
    assert set(names) == {"64 GMAC/s", "U", "W"}
    assert [names[name].xy for name in "UW"] == [pytest.approx((31.9, 63.8)), pytest.approx((31.5, 63.0))]
    for name in names.values():
        (left, low), (right, high) = axes.transAxes.inverted().transform(name.get_window_extent())
        assert 0 <= left < right <= 1
        assert 0 <= low < high <= 1


def test_points_over_each_other_share_a_name_in_the_order_of_the_layers() -> None:
    layers = [product("a", 640, 100, 800), product("b", 6400, 1001, 8000), product("c", 6400, 500, 80)]
    names = names_in(drawn(*layers))
    assert set(names) == {"64 GMAC/s", "a … b (2)", "c"}
    assert names["a … b (2)"].xy == pytest.approx((6.4, 6400 / 1001))  # the one of more cycles


def test_names_lie_apart_and_the_title_says_how_many_there_are_none_of() -> None:
    """A hundred points at short distances, as a deep network has; the layers of most cycles are named."""
    crowd = [product(f"block{i}.convolution", 6400 * i, 104 * i + i % 7, 800 * (i + 30)) for i in range(1, 101)]
    figure = drawn(*crowd, product("longest", 64_000, 9_000_000, 800))
    axes, names = figure.axes[0], names_in(figure)
    dots = [axes.transData.transform(xy) for dots in axes.collections for xy in dots.get_offsets()]
    assert_apart([name.get_window_extent() for name in names.values()])
    for text in names.values():
        own, box = axes.transData.transform(text.xy), text.get_window_extent()
        far = [(x, y) for x, y in dots if max(abs(x - own[0]), abs(y - own[1])) > 2 * DOT * figure.dpi / 72]
        assert not [dot for dot in far if box.contains(*dot)]
    assert {"longest", "64 GMAC/s"} < set(names)
    counts = [re.search(r"\((\d+)\)", text) for text in names if text != "64 GMAC/s"]
    named = sum(int(count[1]) if count else 1 for count in counts)
    assert axes.get_title() == f"Roofline, 8 GB/s of dram; {101 - named} of 101 points have no name here"
    assert 2 <= named <= 99


def test_every_roof_is_in_the_picture_with_its_rate() -> None:
    """A point far below the intensity from which on the roof is level."""
    figure = drawn(product("a", 1, 100, 32))
    axes, roof = figure.axes[0], names_in(figure)["64 GMAC/s"]
    (line,) = axes.lines
    assert line.get_ydata()[-2:] == pytest.approx([64, 64])
    assert roof.xy == pytest.approx((line.get_xdata()[-1], 64))


def test_a_trace_without_products_has_a_picture() -> None:
    layer = LayerReport("e", 9, 9, {}, 1.0, {}, {}, "compute", 0, 0, 64, 64, 9)
    assert not names_in(drawn(layer))


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
