"""A front's errors on test on a terminal: a table beside that of the front, and what there is to say of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulators.inputs.terminal import Terminal

DEV, TEST = ("dev %", "error_dev"), ("test %", "error_test")
"""Headings and columns of errors that stand in the front's own table: of the worst group, as its own."""

MOST_NAMES = 30
"""Solutions that a line names; all are in the file."""
WIDE = 98
"""Columns of a terminal on which a change and its interval stand in one line."""


def held_out_columns(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Headings and columns of what there is of `DEV` and `TEST`: all of dev only where the search had a part of it."""
    tested = any(row.get("error_test") is not None for row in rows)
    part = any(row.get("error_dev") not in (None, row["error"]) for row in rows)
    return [DEV] * part + [TEST] * tested


def held_out_cells(row: Mapping[str, Any], columns: Sequence[tuple[str, str]]) -> list[str]:
    """A row's errors of these columns, as text."""
    return [_percent(row.get(column)) for _, column in columns]


def show_check(console: Terminal, results: Mapping[str, Any]) -> None:
    """What the content of `pareto.json` tells of test, if it tells of it."""
    if results.get("confirmed"):
        console.tell(f"front drawn of {results['confirmed']} near-ties, by their errors on all of dev")
    if any(row.get("test_change") is not None for row in results["front"]):
        console.show(_table(results, console))
        console.tell(
            f"On test: {results['held_out']['utterances']} utterances; worst of 4: of groups. Over 16 bits everywhere: "
            "percentage points, with 95 % intervals (bootstrap over utterances, paired). Dominated: with errors of "
            "test in place of dev's."
        )
    show_words(console, results)


def show_words(console: Terminal, results: Mapping[str, Any]) -> None:
    """What the content of `pareto.json` or `sweep.json` tells of luck, and of solutions that do not hold on test."""
    check, front = results["held_out"], results["front"]
    if check is None:
        return
    if line := luck_line(results):
        console.tell(line)
    if check["why_not"]:
        console.tell(f"not evaluated on test: {check['why_not']}")
    dominated = [row["solution"] for row in front if row["dominated_on_test_by"]]
    lost = [row["solution"] for row in front if row["lost_on_test"]]
    if dominated:
        console.tell(f"dominated on test by others of the front: {len(dominated)} of {len(front)}: {_named(dominated)}")
    if lost:
        console.tell(f"err less than 16 bits on dev, and no less on test: {_named(lost)}")


def _named(solutions: Sequence[str]) -> str:
    """The first names of some solutions."""
    return ", ".join(solutions[:MOST_NAMES]) + (", …" if len(solutions) > MOST_NAMES else "")


def luck_line(results: Mapping[str, Any]) -> str:
    """What the content of `pareto.json` or `sweep.json` tells of how much of the lowest error is luck; empty where that
    is not known. Of a confirmed front it is a lower bound: near-ties were chosen on a part of the utterances before."""
    luck = None if results["held_out"] is None else results["held_out"]["luck"]
    if luck is None:
        return ""
    about = "at least" if results.get("confirmed") else "about"
    return (
        f"luck: the lowest of {luck['candidates']} errors, {luck['lowest']:.2f} %, is expected to be {about} "
        f"{luck['points']:.2f} points too low, for it was chosen on these utterances"
    )


def words_of(row: Mapping[str, Any]) -> str:
    """What there is to say of a solution on test."""
    dominated = f"dominated by {row['dominated_on_test_by']}" if row["dominated_on_test_by"] else ""
    lost = "not less than 16 bits" if row["lost_on_test"] else ""
    return "; ".join(filter(None, (dominated, lost)))


def _table(results: Mapping[str, Any], console: Terminal) -> Table:
    """Errors on test and what they change by; on a narrow terminal intervals stand below the changes."""
    between = " " if console.width >= WIDE else "\n"
    table = Table(title="The front on test", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "worst of 4 %", "over 16 bits", "all %", "over 16 bits"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for rows, style in ((results["front"], ""), (results["baselines"], "dim")):
        for row in rows:
            figures = (
                _percent(row["error_test"]), console.lines(*_change(row, "test_change", between)),
                _percent(row["error_test_plain"]), console.lines(*_change(row, "test_change_plain", between)),
            )  # fmt: skip
            table.add_row(row["solution"], *figures, words_of(row), style=style)
        table.add_section()
    return table


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _change(row: Mapping[str, Any], column: str, between: str) -> list[str]:
    """A difference with its interval, in one line or two."""
    points, low, high = (row[f"{column}{end}"] for end in ("", "_low", "_high"))
    return [] if points is None else f"{points:+.2f}{between}[{low:+.2f}, {high:+.2f}]".split("\n")
