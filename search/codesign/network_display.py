"""A sweep of networks on a terminal: a table a network, a row a point."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from textwrap import TextWrapper

from rich.box import SIMPLE_HEAD
from rich.measure import Measurement
from rich.table import Table

from search.codesign.network_sweep import NetworkPoint
from search.runs.search_display import console_of
from simulators.inputs.terminal import FOLDED_WIDTH, Terminal


class _InWords(TextWrapper):
    """Ends lines at spaces, and where these are too far apart behind what parts words of a name."""

    wordsep_re = re.compile(r"(\s+)|(?<=[-_./,])(?=[^\W\d])|(?<==)")


def print_networks(
    points: Sequence[NetworkPoint], console: Terminal | None = None, technologies: str = ""
) -> None:  # fmt: skip
    """The tables, each with its network above it, and with the variant, where there is one. Texts are folded where the
    terminal is too narrow for them. Below them what there is to say of technologies."""
    console = console_of(console)
    rows = zip(points, short_grids(points), strict=True)
    for network, of_network in groupby(rows, lambda row: row[0].network):
        own = list(of_network)
        one = len({(point.variant, grid) for point, grid in own}) == 1
        console.say(f"{network}, {' '.join((own[0][0].variant, own[0][1])).strip()}" if one else network)
        table = _table(own, one, console)
        if Measurement.get(console, console.options.update(width=1 << 16), table).maximum > console.width:
            table = _table(own, one, console, FOLDED_WIDTH)
        console.show(table)
    if technologies:
        console.tell(technologies)


def short_grids(points: Sequence[NetworkPoint]) -> list[str]:
    """The values of the grid of each point, keys by their last part where that is clear."""
    settings = [[text.partition("=") for text in point.grid.split()] for point in points]
    keys = {key for of_point in settings for key, _, _ in of_point}
    last = Counter(key.split(".")[-1] for key in keys)
    ends = {key: key.split(".")[-1] if last[key.split(".")[-1]] == 1 else key for key in keys}
    return [" ".join(f"{ends[key]}{sign}{value}" for key, sign, value in of_point) for of_point in settings]


def _table(rows: Sequence[tuple[NetworkPoint, str]], one: bool, console: Terminal, width: int | None = None) -> Table:
    """A row a point, without the variant where there is one. Texts are on one line, or on several of so many columns at
    most."""
    lies = any(point.residence for point, _ in rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    if not one:
        table.add_column("variant")
    for name in ("bits", "frames/s", "GMAC/s", "utilisation", "mJ a\nframe", "DRAM\nMiB"):
        table.add_column(console.lines(*name.split("\n")), justify="right", no_wrap=True)
    if lies:
        table.add_column(console.lines("layers'", "weights"))
    for point, grid in rows:
        figures = (
            str(point.weight_bits), f"{point.frames_per_s:.4g}", f"{point.gmac_per_s:.4g}", f"{point.utilisation:.1%}",
            f"{point.energy_mj:.4g}", f"{point.dram_mib:.4g}",
        )  # fmt: skip
        before = [] if one else [console.lines(*_lines([point.variant, grid], width))]
        behind = [console.lines(*_lines(re.split(r" (?=\d)", point.residence), width))] if lies else []
        table.add_row(*before, *figures, *behind)
    return table


def _lines(parts: Sequence[str], width: int | None) -> list[str]:
    """The lines of a cell: one, or where they have a width, one or more for each part."""
    if width is None:
        return [" ".join(parts).strip()]
    return [line for part in parts for line in _InWords(width).wrap(part)]
