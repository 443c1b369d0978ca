"""A report as a picture: the roofline with a point a layer, and what each layer's cycles went on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.inputs.errors import InputError
from simulators.inputs.escapes import picture_text
from simulators.inputs.files import write_output
from simulators.run.report import Report
from simulators.views.drawing import drawing
from simulators.views.roofline_plot import draw_roofline, label_roofline
from simulators.views.stall_colours import COMPUTE_COLOUR, stall_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
DOTS_AN_INCH = 130


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
            figure.savefig(picture, format=path.suffix[1:], dpi=DOTS_AN_INCH)
        finally:
            pyplot.close(figure)
    write_output(path, picture.getvalue())


def _figure(report: Report) -> Figure:
    from matplotlib import pyplot

    rows = len(report.layers)
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(13, max(4.5, 1.6 + 0.27 * rows)), dpi=DOTS_AN_INCH, layout="constrained", width_ratios=(1, 1.2)
    )
    title = f"{report.trace} on {report.arch}: {report.latency_ms:.3g} ms, {report.energy_uj:.4g} µJ"
    figure.suptitle(picture_text(title), fontsize=12)
    draw_roofline(left, report)
    _draw_breakdown(right, report)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # names are placed in the layout that there is now
    label_roofline(left, report)
    return figure


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
