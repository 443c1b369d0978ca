"""The objectives of Rezk et al.'s survey for what runs found on their hardware: accuracy, which a trace has not, beside
what `simulators.views.survey` tells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.report.data import Detail, ReportedRun
from simulators.views.survey import UNKNOWN, objectives_of


@dataclass(frozen=True)
class SurveyedSolution:
    """A solution of a run by the survey's objectives."""

    run: int
    """Position of the run."""
    title: str
    figures: dict[str, str]
    """Objectives as they are shown."""


def surveyed(runs: Sequence[ReportedRun]) -> list[SurveyedSolution]:
    """The solutions of lowest error and of lowest latency of each run's front, which may be one."""
    return [
        SurveyedSolution(number, f"{run.label} {detail.row['solution']}: {', '.join(chosen)}", _figures(run, detail))
        for number, run in enumerate(runs)
        for detail, chosen in _chosen(run)
    ]


def _chosen(run: ReportedRun) -> Iterator[tuple[Detail, list[str]]]:
    chosen: dict[int, list[str]] = {}
    for word, figure in (("lowest error", "error"), ("fastest", "latency_ms")):
        known = {i: detail.row[figure] for i, detail in run.details.items() if detail.row[figure] is not None}
        if known:
            chosen.setdefault(min(known, key=lambda i: (known[i], i)), []).append(word)
    return ((run.details[i], words) for i, words in chosen.items())


def _figures(run: ReportedRun, detail: Detail) -> dict[str, str]:
    row, arch = detail.row, run.hardware.variants[detail.row.get("variant", 0)].arch
    error = UNKNOWN if row["error"] is None else f"{row['error']:.2f}"
    return {"architecture": arch.name, "error %": error, **objectives_of(detail.trace, detail.report, arch)}
