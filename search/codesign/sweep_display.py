"""A co-design on a terminal: progress with an estimate, then the joint front and what was left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from search.codesign.design_points import CoDesign
from search.codesign.sweep_outputs import results_of
from search.runs.check_display import held_out_cells, held_out_columns, show_words
from search.runs.search_display import SearchDisplay, cells, console_of, pairs_of, shown_objectives, sites_of
from simulators.inputs.terminal import Terminal

MOST_ROWS = 30
"""Points of the joint front that are printed; all are in the file."""
ALWAYS = ("error", "latency", "energy", "area")
"""Objectives that the table of a front has a column of, besides the experiment's own."""


class SweepDisplay(SearchDisplay):
    """A `SweepProgress` on standard error: a bar for errors, then one for variants."""

    def __init__(self, console: Terminal | None = None):
        super().__init__(console)
        self._simulating = False

    def started(self, candidates: int) -> None:
        """Begin the bar of errors."""
        super().started(candidates)
        assert self._task is not None
        self._bar.update(self._task, description="errors")

    def searching(self, number: int, variants: int) -> None:
        """Say which variant is searched."""
        if self._task is None:
            self._task = self._bar.add_task("searching", total=variants)
        self._bar.update(self._task, completed=number, description=f"searching on variant {number + 1}/{variants}")

    def simulating(self, done: int, variants: int, candidates: int) -> None:
        """Begin the bar of variants, or move it on."""
        if not self._simulating:
            self._simulating = True
            self._task = self._bar.add_task(f"variants, {candidates} candidates each", total=variants)
            self._bar.reset(self._task, total=variants, completed=done)
        assert self._task is not None
        self._bar.update(self._task, completed=done)


def print_sweep(result: CoDesign, console: Terminal | None = None) -> None:
    """The joint front, the counts, and where the files are."""
    print_results(results_of(result), result.folder, console, evaluated_now=result.evaluated)


def print_results(
    content: dict[str, Any], folder: Path, console: Terminal | None = None, evaluated_now: int | None = None
) -> None:
    """What `print_sweep` prints, from the content of `sweep.json`."""
    console = console_of(console)
    experiment, rows = content["experiment"], content["front"]
    shown = rows if len(rows) <= MOST_ROWS else [rows[i * len(rows) // MOST_ROWS] for i in range(MOST_ROWS)]
    names = short_names(content["hardware"])
    objectives = shown_objectives(experiment["objectives"], ALWAYS, of_variants=True)
    held_out = held_out_columns(rows)
    title = f"Joint Pareto front of {experiment['name']}: {', '.join(experiment['objectives'])}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", *(objective.heading for objective in objectives), *(heading for heading, _ in held_out)):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("hardware: what differs", overflow="fold")
    sending = any("latency_worst_ms" in row for row in rows)
    at = " @ threshold in 1/256" if sending else ""
    table.add_column(f"weights x activations{at}: {sites_of(rows)}", overflow="fold")
    for row in shown:
        figures = (*cells(row, objectives), *held_out_cells(row, held_out))
        table.add_row(row["solution"], *figures, names[row["variant"]], pairs_of(row))
    console.show(table)
    if len(shown) < len(rows):
        console.say(f"{len(shown)} of {len(rows)} points, evenly taken; all: {folder / 'sweep.csv'}")
    with_points = sum(row["joint_front"] > 0 for row in content["hardware"])
    console.tell(
        f"{content['variants']} variants x {content['candidates']} candidates: {content['points']:,} points, "
        f"{len(rows)} on the joint front, of {with_points} variants"
        + ("" if evaluated_now is None else f"; {evaluated_now} errors evaluated now, baselines included"),
    )  # fmt: skip
    if repeated := content["repeated_variants"]:
        named = content["variants"] + repeated
        console.tell(f"{repeated} of {named} variants that were named are the same hardware as another: simulated once")
    if sending:
        console.tell("Latency and energy: simulated, means of the evaluated utterances, or of their chunks.")
    if different := content["technologies"]:
        console.tell(different)
    for reason, count in content["left_out"].items():
        console.tell(f"left out: {count:,} points: {reason}")
    show_words(console, content)
    console.say(f"plot: {folder / 'sweep.png'}")
    console.say(
        f"each variant: {folder / 'variants.csv'}, {folder / 'fronts.csv'}",
    )  # fmt: skip


def short_names(variants: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each variant does not have in common with all others, keys by their last part where that is clear."""
    keys = dict.fromkeys(key for variant in variants for key in variant["changes"])
    last = Counter(key.split(".")[-1] for key in keys)
    archs = {variant["arch"] for variant in variants}
    varying = {key for key in keys if len({json.dumps(variant["changes"].get(key)) for variant in variants}) > 1}
    short = []
    for variant in variants:
        words = [variant["arch"]] if len(archs) > 1 or not variant["changes"] else []
        for key, value in variant["changes"].items():
            if key in varying:
                end = key.split(".")[-1]
                words.append(f"{end if last[end] == 1 else key}={value}")
        short.append(" ".join(words))
    return short
