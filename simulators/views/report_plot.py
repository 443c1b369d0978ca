"""A report as a picture: the roofline with a point a layer, and what each layer's cycles went on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.inputs.errors import InputError
from simulators.inputs.escapes import picture_text
from simulators.inputs.files import write_output
from simulators.run.report import LayerReport, Report
from simulators.views.drawing import drawing
from simulators.views.log_ticks import show_log_ticks
from simulators.views.roofline import bits_over, layer_roofline, roofline
from simulators.views.stall_colours import BLUE, COMPUTE_COLOUR, GREEN, PURPLE, VERMILION, stall_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
ROOF_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)


def plot(report: Report, path: str | Path) -> None:
    """Write the picture, whole or not at all. Raises InputError for another format, or where it cannot be written."""
    import matplotlib

    path = Path(path)
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture is written as {', '.join(FORMATS)}")
    matplotlib.use("agg")
    from matplotlib import pyplot

    picture = io.BytesIO()
    with drawing():
        figure = _figure(report)
        try:
            figure.savefig(picture, format=path.suffix[1:], dpi=130)
        finally:
            pyplot.close(figure)
    write_output(path, picture.getvalue())


def _figure(report: Report) -> Figure:
    from matplotlib import pyplot

    rows = len(report.layers)
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(13, max(4.5, 1.6 + 0.27 * rows)), layout="constrained", width_ratios=(1, 1.2)
    )
    title = f"{report.trace} on {report.arch}: {report.latency_ms:.3g} ms, {report.energy_uj:.4g} µJ"
    figure.suptitle(picture_text(title), fontsize=12)
    _draw_roofline(left, report)
    _draw_breakdown(right, report)
    return figure


def _draw_roofline(axes: Axes, report: Report) -> None:
    """Products only: an elementwise layer does no multiply-accumulates."""
    seconds = 1 / (report.frequency_mhz * 1e6)
    channel = roofline(report).channel
    bandwidth = report.bits_per_cycle[channel] / 8 / seconds  # bytes a second
    points: dict[float, list[tuple[float, float, LayerReport]]] = {}
    for layer in report.layers:
        bits = bits_over(channel, layer)
        if layer.macs and bits:
            cycles = layer_roofline(layer, report).cycles
            point = (layer.macs * 8 / bits, layer.macs / cycles / seconds / 1e9, layer)
            points.setdefault(layer.peak_per_cycle, []).append(point)
    everything = [x for group in points.values() for x, _, _ in group]
    low, high = min(everything, default=1) / 4, max(everything, default=1) * 4
    for i, (peak, group) in enumerate(sorted(points.items())):
        colour = ROOF_COLOURS[i % len(ROOF_COLOURS)]
        roof = peak / seconds
        grid = [low, min(max(roof / bandwidth, low), high), high]
        axes.plot(grid, [min(roof, x * bandwidth) / 1e9 for x in grid], color=colour, linewidth=1.5, zorder=1)
        axes.annotate(
            f"{roof / 1e9:.4g} GMAC/s", (high, roof / 1e9), xytext=(0, 4), textcoords="offset points", fontsize=8,
            ha="right", color=colour,
        )  # fmt: skip
        axes.scatter([x for x, _, _ in group], [y for _, y, _ in group], color=colour, s=28, zorder=3)
        merged: dict[tuple[str, str], list[str]] = {}
        for x, y, layer in group:
            merged.setdefault((f"{x:.2g}", f"{y:.2g}"), []).append(layer.name)
        for n, ((x_text, y_text), names) in enumerate(merged.items()):
            label = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)})"
            axes.annotate(
                picture_text(label),
                (float(x_text), float(y_text)),
                xytext=(5, 6 if n % 2 else -11),
                textcoords="offset points",
                fontsize=8,
            )
    xlabel = picture_text(f"multiply-accumulates a byte ({channel.replace('_', ' ')})")
    axes.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="GMAC/s")
    axes.set_xlim(axes.get_xlim())  # as ticks are chosen for them
    axes.set_ylim(axes.get_ylim())
    show_log_ticks(axes.xaxis)
    show_log_ticks(axes.yaxis)
    axes.tick_params(labelsize=8)
    axes.set_title(picture_text(f"Roofline, {bandwidth / 1e9:.3g} GB/s of {channel.replace('_', ' ')}"), fontsize=10)
    axes.grid(True, linewidth=0.3, alpha=0.6)


def _draw_breakdown(axes: Axes, report: Report) -> None:
    names = [picture_text(layer.name) for layer in report.layers]
    places = range(len(names))  # names may look alike
    milliseconds = 1 / (report.frequency_mhz * 1e3)
    lefts = [0.0] * len(names)
    series = [("computing", COMPUTE_COLOUR, [layer.compute_cycles for layer in report.layers])]
    series += [
        (f"waiting: {cause}", stall_colour(cause), [x.stall_cycles.get(cause, 0) for x in report.layers])
        for cause in report.stall_cycles
    ]
    for label, colour, cycles in series:
        widths = [n * milliseconds for n in cycles]
        axes.barh(places, widths, left=lefts, color=colour, label=picture_text(label), height=0.75)
        lefts = [a + b for a, b in zip(lefts, widths, strict=True)]
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8 if len(names) <= 40 else 5)
    axes.set(xlabel="ms of the utterance")
    axes.set_title("What the cycles went on", fontsize=10)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.grid(True, axis="x", linewidth=0.3, alpha=0.6)
