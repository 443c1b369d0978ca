"""A search on a terminal: a progress bar with an estimate while it runs, the front as a table when it is done."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from quant.sites.candidate import name_of
from search.evaluation.evaluator import Quality
from search.runs.results import Run
from search.runs.run_reader import StoredRun
from search.runs.search_outputs import results_of
from search.space.genome import Bits

WIDTH_IN_FILES = 110
"""Columns of the table where the output is not a terminal."""


WIDTH_IN_FILES = 110
"""Columns of the table where the output is not a terminal."""


class SearchDisplay:
    """A `Progress` of the search on standard error; a context, so that the bar is closed whatever happens."""

    def __init__(self, console: Console | None = None):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        remaining = (TextColumn("left"), TimeRemainingColumn())
        console = console or Console(stderr=True)
        # A log has a line a generation instead.
        self._bar = Progress(*columns, *remaining, console=console, disable=not console.is_terminal)
        self._task: TaskID | None = None
        self._seen: set[str] = set()
        self._best = float("inf")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, candidates: int) -> None:
        self._task = self._bar.add_task("baselines", total=candidates)

    def evaluated(self, bits: Bits, quality: Quality) -> None:
        self._seen.add(name_of(bits))
        self._best = min(self._best, quality.error)
        assert self._task is not None
        self._bar.update(self._task, completed=len(self._seen))

    def set_aside(self, bits: Bits) -> None:
        """Said at once, once."""
        if name_of(bits) not in self._seen:
            self._seen.add(name_of(bits))
            text = f"set aside: the workers that evaluated it died: {name_of(bits)}"
            self._bar.console.print(text, style="red", highlight=False, soft_wrap=True)

    def retraining(self, bits: Bits, step: Any) -> None:
        """A beacon is trained: shown beside the bar."""
        assert self._task is not None
        self._bar.update(self._task, description=f"retraining a beacon, step {step.done}/{step.total}")

    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        assert self._task is not None
        text = f"generation {number}/{of}: {front} on the front, lowest error {self._best:.2f} %"
        self._bar.update(self._task, description=text, completed=candidates)
        if not self._bar.console.is_terminal:  # a log shows no bar before the end
            self._bar.console.print(f"{text}, {candidates} candidates", highlight=False, soft_wrap=True)


def print_front(run: Run, console: Console | None = None) -> None:
    """The front and the homogeneous baselines, then where the files are."""
    print_results(results_of(run), run.folder, console, evaluated_now=run.evaluated)


def print_results(
    results: dict[str, Any], folder: Path, console: Console | None = None, evaluated_now: int | None = None
) -> None:
    """As `print_front`, of what `pareto.json` holds."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH_IN_FILES)
    experiment, rows = results["experiment"], [*results["front"], *results["baselines"]]
    sites = " ".join(part.split("=")[0] for part in rows[0]["bits"].split(","))
    title = f"Pareto front of {experiment['name']}: {', '.join(experiment['objectives'])}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("", "error %", "ms", "µJ", "MiB", "speedup*"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column(f"weights x activations: {sites}", overflow="fold")
    for row in results["front"]:
        table.add_row(*_cells(row))
    table.add_section()
    for row in results["baselines"]:
        table.add_row(*_cells(row), style="dim")
    console.print(table)
    console.print(
        f"Latency and energy: simulated, {experiment['steps']} frames. Error: the worst of 4 groups of speakers. "
        "* MOHAQ's closed form, a MAC-weighted mean, not a ratio of times."
        + (" † with a beacon's parameters." if any(row["beacon"] for row in rows) else ""),
        highlight=False,
    )
    screened, set_aside = results["screened"], results.get("set_aside", [])
    known = results["candidates"] - screened - len(set_aside)
    now = "" if evaluated_now is None else f" ({evaluated_now} of them now)"
    limit = "" if results["error_limit"] is None else f"; error limit {results['error_limit']:.2f} %"
    console.print(
        f"{known} distinct candidates evaluated on speech{now}, {screened} screened out{limit}", highlight=False
    )
    for name in set_aside:
        console.print(
            f"set aside as infeasible, for the workers that evaluated it died: {name}", highlight=False, soft_wrap=True
        )
    if results["claims"]:
        title = "What was published, and what was found"
        claims = Table("claim", "published", "here", title=title, title_justify="left", box=SIMPLE_HEAD)
        for claim in results["claims"]:
            claims.add_row(claim["claim"], claim["published"], claim["measured"])
        console.print(claims)
    console.print(f"plot: {folder / 'pareto.png'}", highlight=False, soft_wrap=True)
    console.print(f"table: {folder / 'pareto.csv'}, traces: {folder / 'solutions'}", highlight=False, soft_wrap=True)


def print_runs(runs: Sequence[StoredRun], console: Console | None = None) -> None:
    """One line a run."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH_IN_FILES)
    table = Table(box=SIMPLE_HEAD)
    for column in ("run", "experiment", "model", "architecture", "generations", "front", "lowest error %"):
        table.add_column(column, overflow="fold")
    for run in runs:
        e, results = run.experiment, run.results
        errors = [row["error"] for row in results["front"] if row["error"] is not None] if results else []
        changes = f" ({', '.join(e['set'])})" if e["set"] else ""
        hardware = f"{len(results['hardware'])} variants" if run.is_codesign and results else e["arch"] + changes
        front = str(len(results["front"])) if results else "another version's" if run.foreign else "unfinished"
        table.add_row(
            str(run.folder), e["name"], e["model"], hardware,
            "" if run.generations < 0 and run.is_codesign else f"{max(run.generations, 0)}/{e['generations']}", front,
            f"{min(errors):.2f}" if errors else "",
        )  # fmt: skip
    console.print(table)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    bits = " ".join(part.split("=")[1] for part in row["bits"].split(","))
    return (
        row["solution"],
        "" if row["error"] is None else f"{row['error']:.2f}" + ("†" if row["beacon"] else ""),
        f"{row['latency_ms']:.3f}",
        f"{row['energy_uj']:,.0f}",
        f"{row['memory_mib']:.2f}",
        "" if row["mohaq_speedup"] is None else f"{row['mohaq_speedup']:.1f}",
        bits,
    )
