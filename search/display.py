"""A search on a terminal: a progress bar with an estimate while it runs, the front as a table when it is done."""

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

from search.evaluation import Quality
from search.genome import Bits, name_of
from search.results import Run, Solution

WIDTH_IN_FILES = 110
"""Columns of the table where the output is not a terminal."""


WIDTH_IN_FILES = 110
"""Columns of the table where the output is not a terminal."""


class SearchDisplay:
    """A `Progress` of the search on standard error; a context, so that the bar is closed whatever happens."""

    def __init__(self, console: Console | None = None):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        remaining = (TextColumn("left"), TimeRemainingColumn())
        self._bar = Progress(*columns, *remaining, console=console or Console(stderr=True))
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
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH_IN_FILES)
    objectives, sites = ", ".join(run.experiment.objectives), " ".join(next(iter(run.baselines.values())).bits)
    table = Table(title=f"Pareto front of {run.experiment.name}: {objectives}", title_justify="left", box=SIMPLE_HEAD)
    for column in ("", "error %", "ms", "µJ", "MiB", "speedup*"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column(f"weights x activations: {sites}", overflow="fold")
    for i, solution in enumerate(run.front):
        table.add_row(f"{i:03d}", *_cells(solution))
    table.add_section()
    for width, solution in run.baselines.items():
        table.add_row(f"{width}-bit", *_cells(solution), style="dim")
    console.print(table)
    console.print(
        f"Latency and energy: simulated, {run.experiment.steps} frames. Error: the worst of 4 groups of speakers. "
        "* MOHAQ's closed form, a MAC-weighted mean, not a ratio of times.",
        highlight=False,
    )
    known = sum(solution.quality is not None for solution in run.visited)
    limit = "" if run.error_limit is None else f"; error limit {run.error_limit:.2f} %"
    console.print(
        f"{known} distinct candidates evaluated on speech ({run.evaluated} of them now), "
        f"{len(run.visited) - known} screened out{limit}",
        highlight=False,
    )
    console.print(f"plot: {run.folder / 'pareto.png'}", highlight=False, soft_wrap=True)
    console.print(
        f"table: {run.folder / 'pareto.csv'}, traces: {run.folder / 'solutions'}", highlight=False, soft_wrap=True
    )


def _cells(solution: Solution) -> tuple[str, ...]:
    cost, quality = solution.cost, solution.quality
    bits = " ".join(f"{w}x{a}" for w, a in solution.bits.values())
    error = "" if quality is None else f"{quality.error:.2f}"
    return (
        error,
        f"{cost.latency_ms:.3f}",
        f"{cost.energy_uj:,.0f}",
        f"{cost.memory_mib:.2f}",
        "" if cost.mohaq_speedup is None else f"{cost.mohaq_speedup:.1f}",
        bits,
    )
