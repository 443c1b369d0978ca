"""`confirm`: a front that was searched on a part of dev, decided on all of it.

Errors of a part leave open which of two candidates errs less. Those that are on the front, or might be if other
utterances were in the part, are evaluated on all of dev, and the front is drawn of these errors alone.
"""

from dataclasses import replace

import numpy as np

from search.evaluation.evaluator import Evaluator
from search.evaluation.model import CountsEdits, HasSplits, Model
from search.evaluation.progress import EvaluationProgress
from search.evaluation.quality import BASELINE_BITS, Quality
from search.held_out.near_ties import near_ties
from search.held_out.resampling import edits_of
from search.held_out.split_errors import errors_on
from search.objectives import Floats
from search.objectives.dominance import non_dominated
from search.objectives.objective import minimised_values
from search.runs.checked_front import by_plain_error
from search.runs.results import Run, Solution
from simulators.inputs.errors import InputError
from simulators.inputs.source_locations import KeyedError


def check_confirmable(model: Model) -> None:
    """Raise KeyedError for a model that has no more than one set of data, or does not count errors on it."""
    if not (isinstance(model, HasSplits) and isinstance(model, CountsEdits)):
        raise KeyedError(("confirm",), "this model has no larger part of its data, with errors counted by utterance")


def confirmed(run: Run, evaluator: Evaluator, progress: EvaluationProgress | None) -> Run:
    """A search with the front of those candidates, evaluated on all of dev, that a part of it does not rule out; as it
    was where the search had all of dev, or evaluated nothing."""
    on_all = evaluator.on_split("dev")
    tied = _near_ties(run, evaluator)
    if not tied or on_all is None or on_all.model.data_digest == evaluator.model.data_digest:
        return run
    base = run.baselines.get(BASELINE_BITS)
    chosen = [solution.chosen for solution in (*tied, *([] if base is None else [base]))]
    errors = errors_on("dev", evaluator, chosen, progress).qualities
    increase, limit = run.experiment.constraints.error_increase, run.error_limit
    if increase is not None and base is not None:  # which a search with an increase has
        if base.chosen.key not in errors:
            raise InputError(f"{run.experiment.name}: the {BASELINE_BITS}-bit baseline has no error on all of dev")
        limit = errors[base.chosen.key].error + increase
    found = [(s, errors[s.chosen.key]) for s in tied if s.chosen.key in errors]
    kept = [(s, quality) for s, quality in found if limit is None or quality.error <= limit]
    if not kept:
        least = min((quality.error for _, quality in found), default=float("nan"))
        said = f"of {len(tied)} near-ties none is within the limits on all of dev: the lowest error is {least:.4g} %"
        return replace(run, front=(), shortfall=said, confirmed=tuple(quality for _, quality in found))
    values = _values(run, kept)
    front = sorted(non_dominated(values).tolist(), key=lambda i: (*values[i].tolist(), kept[i][0].name))
    return replace(run, front=tuple(kept[i][0] for i in front), confirmed=tuple(quality for _, quality in found))


def _near_ties(run: Run, evaluator: Evaluator) -> list[Solution]:
    """The candidates that are on the front, or might be."""
    known = [
        (solution, solution.quality) for solution, keeps in zip(run.visited, run.feasible, strict=True)
        if keeps and solution.quality is not None and solution.quality.edits
    ]  # fmt: skip
    on_front = {solution.name for solution in run.front}
    front = np.array([i for i, (solution, _) in enumerate(known) if solution.name in on_front], np.int64)
    objectives = run.experiment.resolved_objectives
    costs = [i for i, objective in enumerate(objectives) if not objective.needs_error]
    if not len(front) or len(costs) == len(objectives) or not isinstance(evaluator.model, CountsEdits):
        return []
    scored = evaluator.model.scored
    edits = edits_of([quality.edits for _, quality in known], scored)
    tied = near_ties(edits, scored, _values(run, known)[:, costs], front, by_plain_error(run.experiment))
    return [known[i][0] for i in np.flatnonzero(tied).tolist()]


def _values(run: Run, solutions: list[tuple[Solution, Quality]]) -> Floats:
    """(N, objectives) Minimised, of solutions with these errors in place of theirs."""
    changed = [replace(solution, quality=quality) for solution, quality in solutions]
    return minimised_values(run.experiment.resolved_objectives, run.figures(changed))
