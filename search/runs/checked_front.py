"""A search's front held against test and all of dev: see `search.held_out`."""

from dataclasses import replace
from typing import Any

from search.evaluation.evaluator import Evaluator
from search.evaluation.progress import EvaluationProgress
from search.evaluation.quality import BASELINE_BITS, figures_of
from search.held_out.front_check import check_front, checked_cells
from search.held_out.luck import Luck, luck_of
from search.objectives.built_in import ERROR, ERROR_PLAIN
from search.objectives.dominance import dominators
from search.objectives.objective import minimised_values
from search.runs.results import Run
from search.settings.experiment import Experiment


def checked(run: Run, evaluator: Evaluator, progress: EvaluationProgress | None) -> Run:
    """A search with its front and baselines evaluated on test and all of dev."""
    base = run.baselines.get(BASELINE_BITS)
    solutions = [solution.chosen for solution in (*run.front, *run.baselines.values())]
    check = check_front(evaluator, solutions, None if base is None else base.chosen, _luck(run, evaluator), progress)
    return replace(run, check=check)


def by_plain_error(experiment: Experiment) -> bool:
    """Whether a search minimises the error over all speakers in place of the worst group's."""
    return ERROR_PLAIN in experiment.resolved_objectives and ERROR not in experiment.resolved_objectives


def _luck(run: Run, evaluator: Evaluator) -> Luck | None:
    """How far the lowest error of the feasible candidates is luck; of a confirmed front, of what it is drawn of."""
    feasible = [s.quality for s, keeps in zip(run.visited, run.feasible, strict=True) if keeps]
    on_all = evaluator.on_split("dev") if run.confirmed else evaluator
    return None if on_all is None else luck_of(run.confirmed or feasible, on_all.model, by_plain_error(run.experiment))


def front_cells(run: Run) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The columns of a front's rows, and of the baselines', that tell of test; none where it was not checked."""
    if run.check is None:
        return [{} for _ in run.front], [{} for _ in run.baselines]
    base, check = run.baselines.get(BASELINE_BITS), run.check
    of_base = None if base is None else base.chosen
    qualities = [check.test.get(solution.chosen.key) for solution in run.front]
    figures = figures_of(qualities, [s.cost for s in run.front], [run.area_mm2] * len(run.front))
    dominated = dominators(minimised_values(run.experiment.resolved_objectives, figures))
    front, baselines = [s.chosen for s in run.front], [s.chosen for s in run.baselines.values()]
    return checked_cells(check, front, of_base, dominated), checked_cells(check, baselines, of_base)
