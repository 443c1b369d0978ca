"""A search on a terminal: a progress bar with an estimate while it runs, the front as a table when it is done."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
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

from quant.sites.candidate import Bits, name_of
from search.evaluation.quality import BASELINE_BITS, Quality, Unknown
from search.evaluation.retraining_cost import retraining_line
from search.objectives import Objective
from search.objectives.registry import columns_of
from search.runs.budget_limits import BudgetLimits
from search.runs.check_display import held_out_cells, held_out_columns, show_check
from search.runs.results import Run
from search.runs.run_reader import StoredRun
from search.runs.search_outputs import results_of
from simulators.inputs.terminal import DescriptionColumn, Terminal

WIDTH_IN_FILES = 110
"""Columns of the table where the output is not a terminal."""
MOST_POINTS_APART = 1.0
"""Percentage points by which 16 bits may differ from float32 before it is said."""
ALWAYS = ("error", "latency", "energy", "memory", "mohaq_speedup")
"""Objectives that the table of a front has a column of, besides the experiment's own."""


class SearchDisplay:
    """A `Progress` of the search on standard error; a context, so that the bar is closed whatever happens."""

    def __init__(self, console: Terminal | None = None):
        columns = (DescriptionColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        remaining = (TextColumn("left"), TimeRemainingColumn())
        self._console = console or Terminal(stderr=True)
        # A log has a line a generation instead.
        self._bar = Progress(*columns, *remaining, console=self._console, disable=not self._console.is_terminal)
        self._task: TaskID | None = None
        self._seen: set[str] = set()
        self._best = float("inf")
        self._before = 0
        """Candidates that stand before this search's on the bar."""
        self._label = ""
        """What a line begins with."""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, candidates: int) -> None:
        """Begin the bar."""
        self._task = self._bar.add_task("baselines", total=candidates)

    def evaluated(self, bits: Bits, quality: Quality) -> None:
        """Move the bar on."""
        self._seen.add(name_of(bits))
        self._best = min(self._best, quality.error)
        assert self._task is not None
        self._bar.update(self._task, completed=self._before + len(self._seen))

    def set_aside(self, bits: Bits) -> None:
        """Say so at once, and once."""
        if name_of(bits) not in self._seen:
            self._seen.add(name_of(bits))
            text = f"set aside: the workers that evaluated it died: {name_of(bits)}"
            self._console.say(text, style="red")

    def no_number(self, bits: Bits) -> None:
        """Say so at once, and once."""
        if name_of(bits) not in self._seen:
            self._seen.add(name_of(bits))
            text = f"infeasible: {Unknown.NO_NUMBER.value}: {name_of(bits)}"
            self._console.say(text, style="red")

    def retraining(self, bits: Bits, step: Any) -> None:
        """Show beside the bar how far a beacon's training came."""
        assert self._task is not None
        self._bar.update(self._task, description=f"retraining a beacon, step {step.done}/{step.total}")

    def on_split(self, split: str, done: int, of: int) -> None:
        """Show how far the front's evaluation on test, or on all of dev, came; in a log, a line at its end."""
        if self._task is None:
            self._task = self._bar.add_task("", total=of)
        text = f"the front on {'all of dev' if split == 'dev' else split}"
        self._bar.update(self._task, description=text, completed=done, total=of)
        if done == of and not self._console.is_terminal:
            self._console.say(f"{text}: {of} candidates")

    def generation(self, number: int, of: int, candidates: int, front: int) -> None:
        """Show what is on the front; in a log, a line."""
        assert self._task is not None
        text = f"{self._label}generation {number}/{of}: {front} on the front, lowest error {self._best:.2f} %"
        self._bar.update(self._task, description=text, completed=self._before + candidates)
        if not self._console.is_terminal:  # a log shows no bar before the end
            self._console.say(f"{text}, {candidates} candidates")


def print_front(run: Run, console: Terminal | None = None) -> None:
    """The front and the homogeneous baselines, then where the files are."""
    print_results(results_of(run), run.folder, console, evaluated_now=run.evaluated)


def print_results(
    results: dict[str, Any], folder: Path, console: Terminal | None = None, evaluated_now: int | None = None
) -> None:
    """What `print_front` prints, from the content of `pareto.json`."""
    console = console_of(console)
    experiment, rows = results["experiment"], [*results["front"], *results["baselines"]]
    objectives = shown_objectives(experiment["objectives"], ALWAYS, of_variants=False)
    held_out = held_out_columns(rows)
    title = f"Pareto front of {experiment['name']}: {', '.join(experiment['objectives'])}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", *(objective.heading for objective in objectives), *(heading for heading, _ in held_out)):
        table.add_column(heading, justify="right", no_wrap=True)
    at = " @ threshold in 1/256" if experiment.get("thresholds") else ""
    table.add_column(f"weights x activations{at}: {sites_of(rows)}", overflow="fold")
    for kind, style in (("front", ""), ("baselines", "dim")):
        for row in results[kind]:
            figures = (*cells(row, objectives), *held_out_cells(row, held_out))
            table.add_row(row["solution"], *figures, pairs_of(row), style=style)
        table.add_section()
    console.show(table)
    every, has_data = experiment.get("every", 1), experiment.get("data") is not None
    of_dev = "dev" if every == 1 else f"one dev utterance in {every}"
    judged = (
        "the worst of 4 parts of its data, or of as many as it has files"
        if has_data
        else f"the worst of 4 groups, on {of_dev}"
    )
    utterances = f"{experiment['steps']} frames"
    if experiment.get("thresholds"):
        utterances = "means of the evaluated utterances" + ", or of their chunks" * has_data
    console.tell(
        f"Latency and energy: simulated, {utterances}. Error %: "
        f"{judged}{''.join(f', {heading}: on all of {column[6:]}' for heading, column in held_out)}. "
        "* MOHAQ's closed form, a MAC-weighted mean, not a ratio of times."
        + (" † with a beacon's parameters." if any(row["beacon"] for row in rows) else ""),
    )
    screened, set_aside = results["screened"], results["set_aside"]
    evaluated = results["candidates"] - screened - len(set_aside)
    now = "" if evaluated_now is None else f"; {evaluated_now} errors evaluated now, baselines included"
    limit = "" if results["error_limit"] is None else f"; error limit {results['error_limit']:.2f} %"
    limit += "".join(f"; {of.said}" for of in BudgetLimits.of_stored(results["budget"]).limits)
    console.tell(f"{evaluated} distinct candidates evaluated, {screened} screened out{limit}{now}")
    if line := retraining_line(results["retraining"]):
        console.tell(line)
    if line := float_line(results):
        console.tell(line)
    show_check(console, results)
    for name in set_aside:
        console.say(f"set aside as infeasible, for the workers that evaluated it died: {name}")
    for name in results["no_number"]:
        console.say(f"infeasible, for {Unknown.NO_NUMBER.value}: {name}")
    if results["claims"]:
        title = "What was published, and what was found"
        claims = Table("claim", "published", "here", title=title, title_justify="left", box=SIMPLE_HEAD)
        for claim in results["claims"]:
            claims.add_row(claim["claim"], claim["published"], claim["measured"])
        console.show(claims)
    console.say(f"plot: {folder / 'pareto.png'}")
    console.say(f"table: {folder / 'pareto.csv'}, traces: {folder / 'solutions'}")


def float_line(results: Mapping[str, Any]) -> str:
    """What the content of `pareto.json` tells of the widest baseline beside float32; empty where they agree to within a
    point, or where float32 is not known."""
    exact = results["float_error"]
    wide = next((row for row in results["baselines"] if row["solution"] == f"{BASELINE_BITS}-bit"), None)
    if exact is None or wide is None or wide["error"] is None or abs(wide["error"] - exact) <= MOST_POINTS_APART:
        return ""
    return (
        f"{BASELINE_BITS} bits everywhere err {wide['error']:.2f} %, float32 {exact:.2f} %: 16 bits "
        "are no baseline here. quant.own.site_table says which site costs it, and what saturates"
    )


def print_runs(
    runs: Sequence[StoredRun], console: Terminal | None = None, others: Sequence[tuple[str, ...]] = ()
) -> None:
    """One line a run, and one of what is said of each of `others`, by path."""
    console = console_of(console)
    table = Table(box=SIMPLE_HEAD)
    for column in ("run", "experiment", "model", "architecture", "generations", "front", "lowest error %"):
        table.add_column(column, overflow="fold")
    for row in sorted((*map(_listed, runs), *others)):
        table.add_row(*row)
    console.show(table)


def _listed(run: StoredRun) -> tuple[str, ...]:
    e, results = run.experiment, run.results
    errors = [row["error"] for row in results["front"] if row["error"] is not None] if results else []
    changes = f" ({', '.join(e['set'])})" if e["set"] else ""
    hardware = f"{len(results['hardware'])} variants" if run.is_codesign and results else e["arch"] + changes
    front = str(len(results["front"])) if results else "another version's" if run.foreign else "unfinished"
    generations = f"{max(run.generations, 0)}/{e['generations']}" if run.generations >= 0 or not run.is_codesign else ""
    lowest = f"{min(errors):.2f}" if errors else ""
    return str(run.folder), e["name"], e["model"], hardware, generations, front, lowest


def console_of(console: Terminal | None) -> Terminal:
    """The console that was given, or standard output; as wide as a table needs where it is not a terminal."""
    console = console or Terminal()
    return console if console.is_terminal else Terminal(file=console.file, width=WIDTH_IN_FILES)


def shown_objectives(names: Sequence[str], always: Sequence[str], of_variants: bool) -> list[Objective]:
    """The objectives that a table has columns of: those that it always has, and an experiment's own."""
    shown = {*always, *names}
    return [objective for objective in columns_of(names, of_variants) if objective.name in shown]


def cells(row: Mapping[str, Any], objectives: Sequence[Objective]) -> list[str]:
    """A row's objectives as text, nothing where they are not known; † marks what owes to a beacon's parameters."""
    texts = []
    for objective in objectives:
        value = row.get(objective.column)
        mark = "†" if objective.needs_error and row.get("beacon") else ""
        texts.append("" if value is None else f"{objective.text(value)}{mark}")
    return texts


def sites_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The names of the sites whose bits rows have."""
    return " ".join(part.split("=")[0] for part in rows[0]["bits"].split(",")) if rows else ""


def pairs_of(row: Mapping[str, Any]) -> str:
    """A row's bits, without the names of the sites."""
    return " ".join(part.split("=")[1] for part in row["bits"].split(","))
