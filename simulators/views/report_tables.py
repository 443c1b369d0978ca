"""Reports and comparisons as tables in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from simulators.hardware.arch import Arch
from simulators.inputs.errors import InputError
from simulators.lowering.platform import HasMappings, platform_named
from simulators.run.report import LayerReport, Report
from simulators.views.comparison import Comparison, technologies
from simulators.views.roofline import roofline
from simulators.workloads.trace import Trace


def print_report(report: Report, out: Console) -> None:
    """A row a layer, totals, and the roofline."""
    table = Table("layer", title=f"{report.trace} on {report.arch}", title_justify="left")
    for column in ("cycles", "share", "utilisation", "stalled", "mostly", "energy µJ"):
        table.add_column(column, justify="right")
    for layer in report.layers:
        stall = sum(layer.stall_cycles.values())
        table.add_row(
            layer.name,
            f"{layer.cycles:,}",
            f"{layer.cycles / report.cycles:.1%}",
            f"{layer.utilisation:.1%}",
            f"{stall / layer.cycles:.1%}" if stall else "",
            _mostly(layer, stall),
            f"{sum(layer.energy_uj.values()):,.2f}",
        )
    out.print(table)

    def say(text: str) -> None:
        out.print(text, highlight=False, soft_wrap=True)

    latency, energy = f"{report.latency_ms:,.3f} ms", f"{report.energy_uj:,.1f} µJ"
    if many := _steps(report):
        latency += f" for {many}, {report.latency_ms / report.steps * 1e3:,.2f} µs {_a_step(report)}"
        energy += f", {report.energy_uj / report.steps:,.3f} µJ {_a_step(report)}"
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
    intensity = f"{roof.intensity:.3g} MAC a byte of {roof.level} (ridge at {roof.ridge:.3g})"
    if not roof.bytes_moved:
        intensity = "no traffic to memory"
    return (
        f"Roofline: {intensity}: bound by {roof.bound}; {achieved:.4g} of {attainable:.4g} attainable GMAC/s "
        f"({roof.attained:.1%})"
    )


def _skipped_line(report: Report) -> str:
    """What was skipped, and what dense hardware would have to reach."""
    dense = report.dense_equivalent_macs
    return (
        f"Skipped inputs: {report.macs:,} effective of {dense:,} dense-equivalent MAC ({report.macs / dense:.1%}); "
        f"{dense / report.cycles * report.frequency_mhz / 1e3:.4g} dense-equivalent GMAC/s"
    )


def print_comparison(comparisons: Sequence[Comparison], out: Console) -> None:
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
            variant.name.replace(",", ",\n"),
            f"{report.latency_ms:,.3f}",
            f"{variant.latency_ratio:.3f}",
            f"{report.energy_uj:,.1f}",
            f"{variant.energy_ratio:.3f}",
            f"{variant.energy_delay_ratio:.3f}",
            "" if variant.area_mm2 is None else f"{variant.area_mm2:.3g}",
            roofline(report).bound,
        )
    out.print(table)
    if different := technologies(comparisons):
        out.print(different, highlight=False, soft_wrap=True)


def print_layers(comparisons: Sequence[Comparison], out: Console) -> None:
    """A row a layer, a column of cycles a variant."""
    table = Table("layer", title="cycles", title_justify="left")
    for variant in comparisons:
        table.add_column(variant.name, justify="right")
    for layers in zip(*(variant.report.layers for variant in comparisons), strict=True):
        table.add_row(layers[0].name, *(f"{layer.cycles:,}" for layer in layers))
    out.print(table)


def mappings_of(trace: Trace, arch: Arch) -> list[tuple[str, Mapping[str, str | int]]]:
    """The mapping of every product by its layer's name. Raises InputError for a platform whose mapping is fixed."""
    platform = platform_named(arch.platform)
    if not isinstance(platform, HasMappings):
        raise InputError(f"{arch.name}: --mapping: platform {arch.platform} has one mapping, which its file describes")
    return platform.mappings(trace.layers, arch.spec)


def print_mappings(mappings: Sequence[tuple[str, Mapping[str, str | int]]], out: Console) -> None:
    """Tile sizes and loop order of every product, as `mapping:` in a spec can fix them."""
    columns = list(dict.fromkeys(column for _, mapping in mappings for column in mapping))
    table = Table("layer", title="mapping: elements of a tile", title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == "outer" else "right")
    for name, mapping in mappings:
        table.add_row(name, *(str(mapping.get(column, "")) for column in columns))
    out.print(table)
