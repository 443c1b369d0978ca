"""Reports and comparisons as tables in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table

from simulators.hardware.arch import split_changes
from simulators.inputs.escapes import visible
from simulators.inputs.terminal import Terminal
from simulators.lowering.platform import MappingRow
from simulators.run.report import LayerReport, Report
from simulators.views.comparison import Comparison, technologies
from simulators.views.roofline import roofline
from simulators.views.short_names import short_names
from simulators.views.survey import CONTEXT, FLEXIBILITY, UNKNOWN, PublishedAccelerator

NAME_WIDTH = 20
"""Columns of a terminal that a layer's name has at least, if it needs them."""
WORDS_WIDTH = 18
"""Columns of a terminal that a cell of words is folded to."""
MARGIN = 3
"""Columns of a terminal that a table takes besides its cells."""


def print_report(report: Report, out: Terminal) -> None:
    """A row a layer, totals, and the roofline. Utilisation and stalls are shares of the layer's `spanned_cycles`."""
    rows = []
    for layer in report.layers:
        stall = sum(layer.stall_cycles.values())
        rows.append([
            layer.name,
            f"{layer.cycles:,}",
            f"{layer.cycles / report.cycles:.1%}",
            f"{layer.utilisation:.1%}",
            f"{stall / layer.spanned_cycles:.1%}" if stall else "",
            _mostly(layer, stall),
            amount(sum(layer.energy_uj.values()), 2),
        ])  # fmt: skip
    header = ("layer", "cycles", "share", "utilisation", "stalled", "mostly", "energy µJ")
    _print_by_layer(f"{report.trace} on {report.arch}", header, rows, out)

    def say(text: str) -> None:
        out.say(text)

    latency, energy = f"{amount(report.latency_ms, 3)} ms", f"{amount(report.energy_uj, 1)} µJ"
    if many := _steps(report):
        latency += f" for {many}, {amount(report.latency_ms / report.steps * 1e3, 2)} µs {_a_step(report)}"
        energy += f", {amount(report.energy_uj / report.steps, 3)} µJ {_a_step(report)}"
    if report.chunk is not None:
        latency += f", the worst chunk of {report.chunk.length_ms:g} ms every {report.chunk.hop_ms:g} ms"
    if report.real_time_factor is not None:
        latency += f", real-time factor {report.real_time_factor:.2g}"
    say(f"{report.cycles:,} cycles at {report.frequency_mhz:g} MHz: {latency}")
    parts: dict[str, float] = {}
    for layer in report.layers:
        for component, microjoules in layer.energy_uj.items():
            parts[component] = parts.get(component, 0.0) + microjoules
    shares = ", ".join(
        f"{name.replace('_', ' ')} {x / report.energy_uj:.0%}"
        for name, x in sorted(parts.items(), key=lambda item: -item[1])[:4]
        if report.energy_uj and x / report.energy_uj >= 0.005
    )
    say(f"{energy}: {shares}")
    say(_roofline_line(report))
    if report.macs < report.dense_equivalent_macs:
        say(_skipped_line(report))


def amount(value: float, decimals: int) -> str:
    """A figure with so many decimals, or with three digits where those would show fewer than two of it: nothing that
    takes time or energy reads 0."""
    few = 0 < abs(value) < 10.0 ** (1 - decimals)
    return f"{value:.3g}" if few else f"{value:,.{decimals}f}"


def _print_by_layer(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], out: Terminal, fold: int | None = None
) -> None:
    """A table with a layer's name in the first column, cut where the others leave too little room, and figures behind
    it, which are not: what does not fit beside them goes on in a table below. Cells of words are folded to so many
    columns of a terminal, where that is said."""
    names, *columns = zip(*([*map(visible, row)] for row in rows), strict=True)
    folded = [[wrap(cell, fold) if fold else [cell] for cell in column] for column in columns]
    figures = [max(cell_len(line) for lines in column for line in lines) for column in folded]
    headings = [out.lines(*heading.split("\n")) for heading in header[1:]]
    widths = [
        2 + max(figure, *map(cell_len, heading.plain.split("\n")))
        for figure, heading in zip(figures, headings, strict=True)
    ]
    left = out.width - MARGIN - min(max(map(cell_len, names)), NAME_WIDTH)
    first = 0
    while first < len(folded):
        last = first + 1
        while last < len(folded) and sum(widths[first : last + 1]) <= left:
            last += 1
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column(header[0], no_wrap=True)
        for heading, figure in zip(headings[first:last], figures[first:last], strict=True):
            table.add_column(heading, justify="right", overflow="fold", min_width=figure)
        shown = short_names(names, max(out.width - MARGIN - sum(widths[first:last]), NAME_WIDTH // 2))
        for name, *cells in zip(shown, *folded[first:last], strict=True):
            table.add_row(name, *(out.lines(*lines) for lines in cells))
        out.show(table)
        first = last


def _steps(report: Report) -> str:
    """The steps in words; nothing of a single input, which is all the work there is."""
    if report.has_frames:
        return f"{report.steps} frame{'s' if report.steps > 1 else ''}"
    return f"{report.steps} inputs" if report.steps > 1 else ""


def _a_step(report: Report) -> str:
    return "a frame" if report.has_frames else "an input"


def _mostly(layer: LayerReport, stall: int) -> str:
    cause = layer.dominant_stall
    if not cause or layer.stall_cycles[cause] == stall:
        return cause
    return f"{cause} {layer.stall_cycles[cause] / stall:.0%}"


def _roofline_line(report: Report) -> str:
    roof = roofline(report)
    seconds = report.frequency_mhz * 1e6
    achieved, attainable = (roof.work / cycles * seconds / 1e9 for cycles in (report.cycles, roof.bound_cycles))
    channel, bound = (name.replace("_", " ") for name in (roof.channel, roof.bound))
    intensity = f"{roof.intensity:.3g} MAC a byte of {channel} (ridge at {roof.ridge:.3g})"
    if not roof.bytes_moved:
        intensity = "no traffic to memory"
    if not roof.work:
        return f"Roofline: no products: bound by {bound} ({roof.attained:.1%})"
    return (
        f"Roofline: {intensity}: bound by {bound}; {achieved:.4g} of {attainable:.4g} attainable GMAC/s "
        f"({roof.attained:.1%})"
    )


def _skipped_line(report: Report) -> str:
    """What was skipped, and what dense hardware would have to reach."""
    dense = report.dense_equivalent_macs
    return (
        f"Skipped inputs: {report.macs:,} effective of {dense:,} dense-equivalent MAC ({report.macs / dense:.1%}); "
        f"{dense / report.cycles * report.frequency_mhz / 1e3:.4g} dense-equivalent GMAC/s"
    )


def print_comparison(comparisons: Sequence[Comparison], out: Terminal) -> None:
    """A row a variant; EDP is energy times delay."""
    report = comparisons[0].report
    title = ", ".join(filter(None, (report.trace, _steps(report)))) + "; ratios to the first"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("architecture", overflow="fold", min_width=12)
    for column in ("latency ms", "x", "energy µJ", "x", "EDP x", "mm²"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("bound", overflow="fold", min_width=6)
    for variant in comparisons:
        report = variant.report
        table.add_row(
            out.lines(*_folded(variant.name).split("\n")),
            amount(report.latency_ms, 3),
            f"{variant.latency_ratio:.3f}",
            amount(report.energy_uj, 1),
            *("" if ratio is None else f"{ratio:.3f}" for ratio in (variant.energy_ratio, variant.energy_delay_ratio)),
            "" if variant.area_mm2 is None else f"{variant.area_mm2:.3g}",
            roofline(report).bound,
        )
    out.show(table)
    if different := technologies(comparisons):
        out.tell(different)


def print_survey(rows: Sequence[Mapping[str, str]], out: Terminal) -> None:
    """The survey's objectives, an architecture a column, and published accelerators as context."""
    names = dict.fromkeys(name for row in rows for name in row if name != "arch")
    cells = [[name, *(row.get(name, UNKNOWN) for row in rows)] for name in names]
    header = ["objective", *(_folded(row["arch"]) for row in rows)]
    _print_by_layer("objectives of Rezk et al. 2020", header, cells, out, WORDS_WIDTH)
    out.tell(f"{FLEXIBILITY}; a trace has no accuracy")
    _print_by_layer("published, as context", list(PublishedAccelerator._fields), CONTEXT, out, WORDS_WIDTH)
    out.tell("Published figures are of other technologies and measured otherwise: they validate nothing")


def print_layers(comparisons: Sequence[Comparison], out: Terminal) -> None:
    """A row a layer, a column of cycles a variant."""
    header = ["layer", *(_folded(variant.name) for variant in comparisons)]
    layers = zip(*(variant.report.layers for variant in comparisons), strict=True)
    rows = [[of_all[0].name, *(f"{layer.cycles:,}" for layer in of_all)] for of_all in layers]
    _print_by_layer("cycles", header, rows, out)


def _folded(variant: str) -> str:
    """A variant's name, a change a line."""
    return ",\n".join(split_changes(variant))


def print_mappings(mappings: Sequence[tuple[str, MappingRow]], out: Terminal) -> None:
    """What a platform says of the mapping of every product, but for its loops."""
    columns = [*dict.fromkeys(column for _, row in mappings for column in row if column != "loops")]
    if not mappings:
        return
    rows = [[name, *(str(mapping.get(column, "")) for column in columns)] for name, mapping in mappings]
    _print_by_layer("mapping", ["layer", *columns], rows, out)
