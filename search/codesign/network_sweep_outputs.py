"""What a sweep of networks leaves: `points.csv`, and `points.png`, its figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from search.codesign.network_sweep import NetworkPoint, NetworkSweep
from search.runs.plot_axes import plain_style, png_of, show_span
from simulators.inputs.csv_text import csv_of
from simulators.inputs.escapes import picture_text
from simulators.inputs.files import write_whole
from simulators.views.log_ticks import show_log_ticks


def write_networks(sweep: NetworkSweep, points: Sequence[NetworkPoint], folder: Path) -> None:
    """Write table and figure, each whole or not at all. Raises InputError for a folder that cannot be written."""
    rows = [point._asdict() for point in points]
    write_whole(folder / "points.csv", csv_of(rows, list(rows[0])).encode())
    write_whole(folder / "points.png", draw_networks(sweep, points))


def draw_networks(sweep: NetworkSweep, points: Sequence[NetworkPoint]) -> bytes:
    """PNG: frames a second and utilisation over the bits of weights, a column a network, a line a variant. A filled dot
    says that no layer's weights are streamed."""
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(point.network for point in points))
    lines = list(dict.fromkeys((point.variant, point.grid) for point in points))
    colours = {variant: f"C{number}" for number, variant in enumerate(dict.fromkeys(variant for variant, _ in lines))}
    grids = {of_grid: "--" if number else "-" for number, of_grid in enumerate(dict.fromkeys(g for _, g in lines))}
    with plain_style():
        figure = Figure(figsize=(4.8 * len(networks), 6.4), layout="constrained")
        axes = figure.subplots(2, len(networks), sharex=True, sharey="row", squeeze=False)
        for column, network in enumerate(networks):
            for variant, of_grid in lines:
                own = [p for p in points if (p.network, p.variant, p.grid) == (network, variant, of_grid)]
                for axis, figures in zip(
                    axes[:, column], ([p.frames_per_s for p in own], [p.utilisation for p in own]), strict=True
                ):
                    bits, style = [p.weight_bits for p in own], {"color": colours[variant]}
                    label = picture_text(" ".join((variant, of_grid)).strip())
                    axis.plot(bits, figures, linestyle=grids[of_grid], linewidth=1.2, label=label, **style)
                    faces = ["white" if "streamed" in p.residence else colours[variant] for p in own]
                    axis.scatter(bits, figures, s=16, zorder=3, facecolors=faces, edgecolors=colours[variant])
            axes[0, column].set_title(picture_text(network), fontsize=10)
            axes[0, column].set_yscale("log")
            show_span(axes[0, column], "y", np.array([point.frames_per_s for point in points]))
            show_log_ticks(axes[0, column].yaxis)
            axes[1, column].set_xscale("log", base=2)
            axes[1, column].set_xticks(sweep.weight_bits, [str(bits) for bits in sweep.weight_bits])
            axes[1, column].set_xlabel("weight bits (filled: no layer's weights are streamed)")
            axes[1, column].set_ylim(0, 1)
        axes[0, 0].set_ylabel("frames a second")
        axes[1, 0].set_ylabel("utilisation")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        figure.suptitle(picture_text(f"{sweep.name}: {sweep.arch}"), fontsize=10)
        return png_of(figure)
