"""The joint front of a co-design held against test and all of dev: see `search.held_out`. A candidate is evaluated
once, on however many variants it stands."""

from dataclasses import replace
from typing import Any

import numpy as np

from quant.sites.candidate import homogeneous
from search.codesign.design_points import CoDesign
from search.evaluation.evaluator import Evaluator
from search.evaluation.progress import EvaluationProgress
from search.evaluation.quality import BASELINE_BITS
from search.held_out.front_check import check_front, checked_cells
from search.held_out.luck import luck_of
from search.held_out.split_errors import ChosenCandidate
from search.objectives.dominance import dominators
from search.objectives.objective import minimised_values
from search.runs.checked_front import by_plain_error


def checked(result: CoDesign, evaluator: Evaluator, progress: EvaluationProgress | None) -> CoDesign:
    """A co-design with the candidates of its joint front evaluated on test and all of dev."""
    candidates = dict.fromkeys(result.candidate[result.front].tolist())
    chosen = [ChosenCandidate(result.candidates[number]) for number in candidates]
    luck = luck_of(result.qualities, evaluator.model, by_plain_error(result.experiment))
    return replace(result, check=check_front(evaluator, chosen, _base(result), luck, progress))


def front_cells(result: CoDesign) -> list[dict[str, Any]]:
    """The columns of the joint front's rows that tell of test; none where it was not checked."""
    if result.check is None:
        return [{} for _ in result.front]
    chosen = [ChosenCandidate(result.candidates[number]) for number in result.candidate[result.front].tolist()]
    qualities = [result.check.test.get(one.key) for one in chosen]
    figures = replace(
        result.figures(result.front),
        error=np.array([np.nan if quality is None else quality.error for quality in qualities]),
        error_plain=np.array([np.nan if quality is None else quality.error_plain for quality in qualities]),
    )
    dominated = dominators(minimised_values(result.objectives, figures))
    return checked_cells(result.check, chosen, _base(result), dominated)


def _base(result: CoDesign) -> ChosenCandidate:
    """16 bits for everything, whether or not a variant has them."""
    return ChosenCandidate(homogeneous(result.model.sites, BASELINE_BITS))
