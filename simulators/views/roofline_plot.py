"""The roofline of a report: a roof for each peak, a point a product, and the names that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulators.inputs.escapes import picture_text
from simulators.run.report import LayerReport, Report
from simulators.views.log_ticks import show_log_ticks
from simulators.views.point_labels import OVER, PointLabel, merged, place_labels
from simulators.views.roofline import bits_over, layer_roofline, roofline
from simulators.views.stall_colours import BLUE, GREEN, PURPLE, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOF_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
SIDE = 4.0
"""How far roofs go on beyond the outermost points, as a factor."""
BEHIND_RIDGE = 2.0
"""How far each roof goes on at least behind the intensity from which on it is level, as a factor."""


class _Point(NamedTuple):
    """A product: an elementwise layer does no multiply-accumulates."""

    intensity: float
    """Multiply-accumulates a byte."""
    rate: float
    """GMAC/s."""
    layer: LayerReport


def draw_roofline(axes: Axes, report: Report) -> None:
    """Roofs, points and axes, without names."""
    title, channel = _title(report), roofline(report).channel.replace("_", " ")
    points = _points(report)
    low, high = _ends(report, points)
    for peak, colour in _roofs(points):
        roof, bandwidth = peak * _hertz(report), _bandwidth(report)
        grid = [low, min(max(roof / bandwidth, low), high), high]
        axes.plot(grid, [min(roof, x * bandwidth) / 1e9 for x in grid], color=colour, linewidth=1.5, zorder=1)
        group = [point for point in points if point.layer.peak_per_cycle == peak]
        axes.scatter([p.intensity for p in group], [p.rate for p in group], color=colour, s=28, zorder=3)
    if points:
        axes.margins(y=0.12)  # for names above the highest roof and below the lowest point
    xlabel = picture_text(f"multiply-accumulates a byte ({channel})")
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="GMAC/s")
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    show_log_ticks(axes.xaxis)
    show_log_ticks(axes.yaxis)
    axes.tick_params(labelsize=8)
    axes.set_title(title, fontsize=10)
    axes.grid(True, linewidth=0.3, alpha=0.6)


def label_roofline(axes: Axes, report: Report) -> None:
    """Names of roofs and of points, those of the layers that take most cycles first. The figure's layout is final."""
    points = _points(report)
    high = _ends(report, points)[1]
    roofs = []
    for peak, colour in reversed(_roofs(points)):
        rate = peak * _hertz(report) / 1e9
        roofs.append(PointLabel(f"{rate:.4g} GMAC/s", (high, rate), colour=colour, places=OVER))
    names = merged(
        axes, [(p.intensity, p.rate, p.layer.name) for p in points], [p.layer.spanned_cycles for p in points]
    )
    left_out = place_labels(axes, [*roofs, *names], [(p.intensity, p.rate) for p in points])
    if unnamed := sum(label.names for label in left_out):
        axes.set_title(f"{_title(report)}; {unnamed} of {len(points)} points have no name here", fontsize=10)


def _title(report: Report) -> str:
    channel = roofline(report).channel.replace("_", " ")
    return picture_text(f"Roofline, {_bandwidth(report) / 1e9:.3g} GB/s of {channel}")


def _points(report: Report) -> list[_Point]:
    channel, points = roofline(report).channel, []
    for layer in report.layers:
        bits = bits_over(channel, layer)
        if layer.macs and bits:
            rate = layer.macs / layer_roofline(layer, report).cycles * _hertz(report) / 1e9
            points.append(_Point(layer.macs * 8 / bits, rate, layer))
    return points


def _roofs(points: list[_Point]) -> list[tuple[float, str]]:
    """Peaks in multiply-accumulates a cycle, the lowest first, each with its colour."""
    peaks = sorted({point.layer.peak_per_cycle for point in points})
    return [(peak, ROOF_COLOURS[i % len(ROOF_COLOURS)]) for i, peak in enumerate(peaks)]


def _ends(report: Report, points: list[_Point]) -> tuple[float, float]:
    """Where roofs begin and end, in multiply-accumulates a byte."""
    across = [point.intensity for point in points]
    ridges = [peak * _hertz(report) / _bandwidth(report) for peak, _ in _roofs(points)]
    level = BEHIND_RIDGE * max(ridges, default=1)
    return min(across, default=1) / SIDE, max(max(across, default=1) * SIDE, level)


def _hertz(report: Report) -> float:
    return report.frequency_mhz * 1e6


def _bandwidth(report: Report) -> float:
    """Bytes a second of the channel that the roofline is of."""
    return report.bits_per_cycle[roofline(report).channel] / 8 * _hertz(report)
